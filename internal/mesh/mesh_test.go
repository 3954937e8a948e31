package mesh

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
)

// a mesh of a hub and two leaves, all of it real.
type testMesh struct {
	hub  *Hub
	dir  string
	opts HubOptions
	a, b *Leaf // domains flights and delays
}

func startMesh(t testing.TB) *testMesh {
	t.Helper()
	m := &testMesh{dir: t.TempDir()}
	m.startHub(t, -1, -1)
	m.a = startLeaf(t, "flights", m.hub.LeafURL())
	m.b = startLeaf(t, "delays", m.hub.LeafURL())
	eventually(t, "leaves join", func() bool { return m.a.Connected() && m.b.Connected() })
	m.reachable(t)
	return m
}

// reachable waits until the leaves' domains answer at the hub.
func (m *testMesh) reachable(t testing.TB) {
	t.Helper()
	for _, domain := range []string{"flights", "delays"} {
		eventually(t, domain+" answers", func() bool {
			_, err := State(t.Context(), m.hub.Conn(), domain, "none")
			return fault.KindOf(err) == fault.NotFound
		})
	}
}

func (m *testMesh) startHub(t testing.TB, client, leaf int) {
	t.Helper()
	h, err := StartHub(t.Context(), HubOptions{Dir: m.dir, ClientPort: client, LeafPort: leaf})
	if err != nil {
		t.Fatal(err)
	}
	m.hub = h
	t.Cleanup(func() {
		if m.hub == h {
			closed(t, h)
		}
	})
}

func closed(t testing.TB, c interface{ Close(context.Context) error }) {
	t.Helper()
	if err := c.Close(context.Background()); err != nil {
		t.Errorf("close: %v", err)
	}
}

func startLeaf(t testing.TB, domain, url string) *Leaf {
	t.Helper()
	l, err := StartLeaf(t.Context(), LeafOptions{Dir: t.TempDir(), Domain: domain, HubLeafURL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, l) })
	return l
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func TestSmoke(t *testing.T) {
	m := startMesh(t)
	ctx := t.Context()
	nc := m.a.Conn()
	if err := EnsureStream(ctx, nc, StreamSpec{Name: "s", Subjects: []string{"d.flights.>"}}); err != nil {
		t.Fatal(err)
	}
	p := NewPublisher(nc, "s")
	out := make([]Outgoing, 5000)
	for i := range out {
		out[i] = Outgoing{Subject: "d.flights.x", Data: []byte("hello"), Header: [][2]string{{"P", "1"}}}
	}
	last, err := p.Append(ctx, out)
	if err != nil || last != 5000 {
		t.Fatal(last, err)
	}
	start := time.Now()
	last, err = p.Append(ctx, out[:1])
	t.Log(time.Since(start), last, err)
	for _, where := range []struct {
		nc     *Conn
		domain string
	}{{nc, ""}, {m.hub.Conn(), "flights"}, {m.b.Conn(), "flights"}} {
		r, err := NewReader(ctx, where.nc, where.domain, "s", 10, "")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for n < 4991 {
			ms, err := r.Next(ctx, 1000, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			n += len(ms)
		}
		r.Close()
	}
	svc, err := Serve(nc, ServiceSpec{Name: "flights", Version: "1.0.0", Endpoints: map[string]Handler{
		"echo": func(ctx context.Context, req []byte, send func([]byte) error) ([]byte, error) { return req, nil },
		"big": func(ctx context.Context, req []byte, send func([]byte) error) ([]byte, error) {
			for range 32 {
				if err := send(bytes.Repeat([]byte("x"), 2<<20)); err != nil {
					return nil, err
				}
			}
			return []byte("end"), nil
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, svc)
	eventually(t, "served", func() bool {
		_, err := Call(ctx, m.b.Conn(), "mesh.flights.echo", nil)
		return err == nil
	})
	start = time.Now()
	got, err := Call(ctx, m.b.Conn(), "mesh.flights.echo", []byte("hi"))
	t.Log(time.Since(start), string(got), err)
	start = time.Now()
	got, err = Call(ctx, m.b.Conn(), "mesh.flights.big", []byte("hi"))
	t.Log(time.Since(start), len(got), err)
	if err != nil || len(got) != 64<<20+3 {
		t.Fatal(len(got), err)
	}
}
