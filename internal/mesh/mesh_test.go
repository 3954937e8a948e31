package mesh

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

// testMesh is a hub and two leaves, all of them real.
type testMesh struct {
	options HubOptions
	narrow  bool // the leaves have no more rights than products
	hub     *Hub
	a       *Leaf // domain flights
	b       *Leaf // domain delays
}

func startMesh(t testing.TB) *testMesh {
	t.Helper()
	m := &testMesh{options: hubOptions(t)}
	m.startHub(t, -1, -1)
	m.a = startLeaf(t, "flights", m.hub.LeafURL())
	m.b = startLeaf(t, "delays", m.hub.LeafURL())
	m.started(t)
	return m
}

// startProducts is startMesh with leaves that have the rights of products, b reading
// the flights of a.
func startProducts(t testing.TB) *testMesh {
	t.Helper()
	m := &testMesh{options: hubOptions(t), narrow: true}
	m.startHub(t, -1, -1)
	m.a = startProductLeaf(t, m.hub.LeafURL(), "flights")
	m.b = startProductLeaf(t, m.hub.LeafURL(), "delays", flightsPort)
	m.started(t)
	return m
}

func (m *testMesh) started(t testing.TB) {
	t.Helper()
	m.joined(t)
	t.Cleanup(func() {
		if m.hub != nil {
			closed(t, m.hub)
		}
	})
}

func (m *testMesh) startHub(t testing.TB, client, leaf int) {
	t.Helper()
	o := m.options
	o.ClientPort, o.LeafPort = client, leaf
	h, err := StartHub(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	m.hub = h
}

// stopHub stops the hub; what it returns starts it again, at the same ports.
func (m *testMesh) stopHub(t testing.TB) (start func()) {
	t.Helper()
	client, leaf := port(t, m.hub.ClientURL()), port(t, m.hub.LeafURL())
	closed(t, m.hub)
	m.hub = nil
	return func() {
		t.Helper()
		m.startHub(t, client, leaf)
		m.joined(t)
	}
}

func port(t testing.TB, raw string) int {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// joined waits until each domain answers from each other one, where they may.
func (m *testMesh) joined(t testing.TB) {
	t.Helper()
	if m.narrow {
		eventually(t, "both leaves join", func() bool { return m.a.Connected() && m.b.Connected() })
		return
	}
	for _, from := range []*Conn{m.hub.Conn(), m.a.Conn(), m.b.Conn()} {
		for _, domain := range []string{"hub", "flights", "delays"} {
			eventually(t, domain+" answers", func() bool {
				_, err := State(t.Context(), from, domain, "none")
				return fault.KindOf(err) == fault.NotFound
			})
		}
	}
}

func startLeaf(t testing.TB, domain, hub string) *Leaf {
	t.Helper()
	l, err := StartLeaf(t.Context(), LeafOptions{Dir: t.TempDir(), Domain: domain, HubLeafURL: hub, Creds: always(allMay(t))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, l) })
	return l
}

func closed(t testing.TB, c interface{ Close(context.Context) error }) {
	t.Helper()
	if err := c.Close(context.Background()); err != nil {
		t.Errorf("close: %v", err)
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("%s: not within 30s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t testing.TB, err error, kind fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind {
		t.Fatalf("error = %v (%v); want kind %v", err, fault.KindOf(err), kind)
	}
}

var flightsSpec = StreamSpec{Name: "flights-v1", Subjects: []string{"aviation.flights.flights.v1", "aviation.flights.flights.v1.>"}}

// numbered are messages whose data is their place, from first to last.
func numbered(first, last int) []Outgoing {
	var out []Outgoing
	for i := first; i <= last; i++ {
		out = append(out, Outgoing{
			Subject: fmt.Sprintf("aviation.flights.flights.v1.k%d", i%10),
			Data:    []byte(strconv.Itoa(i)),
			Header:  [][2]string{{"Meshctl-Position", strconv.Itoa(i)}},
		})
	}
	return out
}

func appendAll(t testing.TB, nc *Conn, stream string, msgs []Outgoing) record.Seq {
	t.Helper()
	p := NewPublisher(nc, stream)
	defer p.Close()
	last, err := p.Append(t.Context(), msgs)
	must(t, err)
	return last
}
