package browse

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// world is a mesh with a clock.
type world struct{ *State }

func newWorld(names ...string) *world {
	w := &world{State: NewState(noon)}
	var all catalog.Catalog
	for _, n := range names {
		all = append(all, w.entry(n))
	}
	w.Reset(all)
	return w
}

// entry is a product as of now.
func (w *world) entry(name string) catalog.Entry {
	return catalog.Entry{
		Product: product.Product{Metadata: product.Metadata{Name: name, Version: "1.0.0"}}, Seen: w.Now,
		Ports: []catalog.Port{{Address: name + "." + name, Last: 1}},
	}
}

func (w *world) after(d time.Duration) { w.Tick(w.Now.Add(d)) }

func (w *world) health(name string) Health { return w.Health(w.All.Product(name)) }

func (w *world) told() (texts []string) {
	for _, e := range w.Events {
		texts = append(texts, e.What+" "+e.Text)
	}
	return texts
}

// A product that heartbeats but does not answer stays in one state until it answers.
func TestMute(t *testing.T) {
	w := newWorld("flights")
	w.Hush("flights")
	if h := w.health("flights"); h.Rank != Gone {
		t.Errorf("silent, and no sign of life since: %v", h)
	}
	for i := range 20 { // seconds
		w.after(time.Second)
		if i%5 == 0 {
			w.Put(w.entry("flights"))
		}
		if i == 0 {
			if h := w.health("flights"); h.Rank != Gone || !slices.Contains(w.Doubtful(), "flights") {
				t.Errorf("a sign of life, not yet asked: %v, doubtful %v", h, w.Doubtful())
			}
		}
		w.Hush("flights")
		if h := w.health("flights"); h != (Health{Error, "no answer"}) {
			t.Fatalf("second %d: %v", i, h)
		}
	}
	w.after(3*catalog.HeartbeatEvery + time.Second)
	if h := w.health("flights"); h.Rank != Gone {
		t.Errorf("the heartbeats ended, too: %v", h)
	}
	w.Answered(w.entry("flights"))
	w.after(time.Second)
	if h := w.health("flights"); h.Rank != Well || len(w.Doubtful()) != 0 {
		t.Errorf("it answers: %v, doubtful %v", h, w.Doubtful())
	}
	want := []string{"flights is gone: last heard of 1s ago", "flights gives signs of life, but does not answer", "flights is gone: last heard of 20s ago", "flights is back"}
	if got := w.told(); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

// One that cannot be asked in time, though it is heard of, is not held to be gone.
func TestSilenceThatNobodyConfirms(t *testing.T) {
	w := newWorld("flights")
	w.Hush("flights")
	for range 2 {
		w.after(catalog.HeartbeatEvery)
		w.Put(w.entry("flights"))
	}
	if h := w.health("flights"); h.Rank != Well {
		t.Errorf("after two heartbeats: %v", h)
	}
}

func TestEvents(t *testing.T) {
	w := newWorld("flights", "meals")
	w.after(time.Second)
	for _, change := range []func(e *catalog.Entry){
		func(e *catalog.Entry) { e.Ports[0].Dead = 1 },
		func(e *catalog.Entry) { e.Ports[0].Dead, e.Ports[0].Error = 4, "disk full" },
		func(e *catalog.Entry) { e.Product.Metadata.Version, e.Ports[0].Dead = "1.1.0", 4 },
		func(e *catalog.Entry) { e.Seen = noon.Add(-time.Minute) }, // overtaken
	} {
		e := w.entry("flights")
		e.Product.Metadata.Version = w.All.Product("flights").Product.Metadata.Version
		change(&e)
		w.Put(e)
	}
	w.Reached(errors.New("no hub"))
	w.after(time.Hour) // of which the products may be well
	if h := w.health("meals"); h.Rank != Well {
		t.Errorf("while the hub is away: %v", h)
	}
	if !w.Reached(nil) || w.Reached(nil) {
		t.Error("it came back once")
	}
	w.Reset(catalog.Catalog{w.entry("flights"), w.entry("new")})
	want := []string{
		"flights.flights 1 dead letter more, 1 in all", "flights.flights 3 dead letters more, 4 in all",
		"flights version 1.1.0 took the place of 1.0.0", "flights.flights works again",
		"hub no hub", "hub can be reached again after 1h", "meals was taken out of the catalog",
		"flights version 1.0.0 took the place of 1.1.0", "new joined the mesh",
	}
	if got := w.told(); !slices.Equal(got, want) {
		t.Errorf("told %q", got)
	}
	for range 2 * mostEvents {
		w.tell(Quiet, "x", "y")
	}
	if len(w.Events) != mostEvents {
		t.Errorf("%d events are kept", len(w.Events))
	}
}

func TestRate(t *testing.T) {
	w, last := newWorld("flights"), record.Seq(1)
	for range 10 {
		w.after(time.Second)
		e := w.entry("flights")
		last += 50
		e.Ports[0].Last = last
		w.Put(e)
	}
	if r := w.Rate("flights.flights"); r != 50 {
		t.Errorf("rate %v", r)
	}
	if n := len(w.Rates("flights.flights")); n != 10 {
		t.Errorf("%d steps", n)
	}
	w.after(time.Minute)
	if r := w.Rate("flights.flights"); r != 0 {
		t.Errorf("rate %v long after", r)
	}
	if w.Rate("nobody") != 0 || w.Rates("nobody") != nil {
		t.Error("a port that is not there has a rate")
	}
	w.Remove("flights")
	if w.Rates("flights.flights") != nil {
		t.Error("a product that is gone from the catalog is remembered")
	}
}

// How a port fares is told by its sign alone.
func TestSignsDiffer(t *testing.T) {
	seen := map[string]Rank{}
	for rank := Well; rank <= Gone; rank++ {
		if other, ok := seen[rank.Sign()]; ok {
			t.Errorf("ranks %d and %d share the sign %s", rank, other, rank.Sign())
		}
		seen[rank.Sign()] = rank
	}
}

func TestHealth(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(e *catalog.Entry)
		want   Health
	}{
		{"well", func(*catalog.Entry) {}, Health{Well, "active"}},
		{"no ports", func(e *catalog.Entry) { e.Ports = nil }, Health{Well, "active"}},
		{"no ports, draft", func(e *catalog.Entry) { e.Ports, e.Product.Metadata.Status = nil, "draft" }, Health{Quiet, "draft"}},
		{"no ports, gone", func(e *catalog.Entry) { e.Ports, e.Silent = nil, true }, Health{Gone, "gone 0s"}},
		{"draft", func(e *catalog.Entry) { e.Product.Metadata.Status = "draft" }, Health{Quiet, "draft"}},
		{"dead letters", func(e *catalog.Entry) { e.Ports[0].Dead = 1 }, Health{Warn, "dead letters"}},
		{"error", func(e *catalog.Entry) { e.Ports[0].Dead, e.Ports[0].Error = 1, "x" }, Health{Error, "error"}},
		{"input", func(e *catalog.Entry) { e.Inputs = []catalog.Input{{}, {Error: "x"}} }, Health{Error, "input error"}},
		{"stale", func(e *catalog.Entry) {
			e.Ports[0].LastTime = noon.Add(-time.Hour)
			e.Ports[0].Output.SLA = []product.SLAProperty{{Property: "freshness", Value: int64(1), Unit: "m"}}
		}, Health{Warn, "stale"}},
		{"gone", func(e *catalog.Entry) { e.Seen = noon.Add(-7 * time.Minute) }, Health{Gone, "gone 7m"}},
	} {
		w := newWorld()
		e := w.entry("flights")
		c.change(&e)
		if h := w.Health(&e); h != c.want {
			t.Errorf("%s: %v, want %v", c.name, h, c.want)
		}
	}
}
