package mesh

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/nats-io/jsm.go/api"

	"github.com/meshctl/meshctl/internal/catalog"
)

// What happens to streams, consumers and the link is told in words, once; what comes and
// goes at every turn is not.
func TestEventsOfALeaf(t *testing.T) {
	m := startProducts(t)
	var mu sync.Mutex
	var events []catalog.Event
	each := func(e catalog.Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e)
	}
	must(t, Advisories(m.a.Conn(), each))
	m.a.LinkEvents(each)
	must(t, EnsureStream(t.Context(), m.a.Conn(), flightsSpec))
	appendAll(t, m.a.Conn(), "flights-v1", numbered(1, 3))
	readAll(t, m.a.Conn(), "", "flights-v1", 0, 3) // its consumer comes and goes
	config := api.ConsumerConfig{Name: "worker", Durable: "worker", AckPolicy: api.AckExplicit, DeliverPolicy: api.DeliverAll, ReplayPolicy: api.ReplayInstant}
	_, err := ask[api.JSApiConsumerCreateResponse](t.Context(), m.a.Conn(), "", fmt.Sprintf(api.JSApiConsumerCreateWithNameT, "flights-v1", "worker"),
		api.JSApiConsumerCreateRequest{Stream: "flights-v1", Config: config})
	must(t, err)
	_, err = m.a.disconnect()
	must(t, err)
	must(t, DeleteStream(t.Context(), m.a.Conn(), "flights-v1"))
	want := []string{
		"info stream-created flights-v1: stream flights-v1 was created",
		"info consumer-created flights-v1/worker: consumer worker of stream flights-v1 was created",
		"warning stream-deleted flights-v1: stream flights-v1 was deleted",
	}
	var got []string
	eventually(t, "all is told", func() bool {
		mu.Lock()
		defer mu.Unlock()
		got = nil
		for _, e := range events {
			if e.Kind == "link-joined" || e.Kind == "link-lost" {
				continue
			}
			got = append(got, fmt.Sprintf("%s %s %s: %s", e.Level, e.Kind, e.Subject, e.Text))
		}
		return slices.Contains(got, want[2]) && slices.ContainsFunc(events, func(e catalog.Event) bool { return e.Kind == "link-joined" })
	})
	for _, w := range want {
		if n := len(slices.DeleteFunc(slices.Clone(got), func(g string) bool { return g != w })); n != 1 {
			t.Errorf("%q was told %d times, of %q", w, n, got)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) && g != "info consumer-deleted flights-v1/worker: consumer worker of stream flights-v1 was deleted" {
			t.Errorf("it was told that %s", g)
		}
	}
}
