package catalog

import (
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/product"
)

func TestState(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	e := entry("flights", "flights.flights")
	e.Product.Metadata.Status = product.StatusActive
	p := &e.Ports[0]
	p.Last, p.Visible = 10, 7
	p.Output.SLA = []product.SLAProperty{{Property: "freshness", Value: int64(1), Unit: "m"}}
	e.Seen = now
	if got := e.State(p, now); got != "active" || p.Lag() != 3 || p.Stale(now) {
		t.Errorf("State = %q, lag %d, stale %v", got, p.Lag(), p.Stale(now))
	}
	p.LastTime = now.Add(-2 * time.Minute)
	if !p.Stale(now) || p.Stale(now.Add(-90*time.Second)) {
		t.Error("a record of two minutes keeps a promise of one, or one of half a minute does not")
	}
	p.Error = "disk full"
	if got := e.State(p, now); got != "error" {
		t.Errorf("with an error: %q", got)
	}
	e.Seen = now.Add(-3 * time.Hour)
	if got := e.State(p, now); got != "gone since 3h" {
		t.Errorf("without a sign of life: %q", got)
	}
	p.Visible = 12 // read after the log
	if p.Lag() != 0 {
		t.Errorf("lag = %d", p.Lag())
	}
}
