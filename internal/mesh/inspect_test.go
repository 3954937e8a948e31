package mesh

import (
	"context"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
)

func TestVitalsOfALeafAndTheHub(t *testing.T) {
	m := startProducts(t)
	must(t, EnsureStream(t.Context(), m.a.Conn(), flightsSpec))
	appendAll(t, m.a.Conn(), "flights-v1", numbered(1, 10))
	r, err := NewReader(t.Context(), m.a.Conn(), "", "flights-v1", 0, "")
	must(t, err)
	defer r.Close()
	var v catalog.Vitals
	eventually(t, "the link is seen", func() bool {
		_, err := m.hub.Conn().Request("mesh.flights.leaf", make([]byte, 1000), time.Second) // carries something
		must(t, err)
		v, err = m.a.Vitals(true)
		must(t, err)
		return v.Link.Joined && v.Link.InBytes > 1000 && v.Link.In > 0 && v.Link.Out > 0
	})
	if v.Domain != "flights" || v.Streams != 1 || len(v.Details) != 1 || v.Link.Joins != 1 || v.Storage.Used == 0 || v.Storage.Limit <= 0 || v.MaxPayload != maxPayload {
		t.Errorf("vitals = %+v, link %+v", v, v.Link)
	}
	s := v.Details[0]
	if s.Name != "flights-v1" || s.Messages != 10 || s.Last != 10 || len(s.Subjects) == 0 || s.Retention != "limits" || s.Replicas != 1 || s.Current != 1 {
		t.Errorf("stream = %+v", s)
	}
	if shallow, err := m.a.Vitals(false); err != nil || shallow.Streams != 1 || shallow.Details != nil {
		t.Errorf("shallow = %+v, %v", shallow, err)
	}
	hub, err := m.hub.Vitals(t.Context(), true)
	must(t, err)
	if hub.Size != 1 || len(hub.Nodes) != 1 || len(hub.Leaves) != 2 || hub.Streams != 2 || len(hub.Details) != 2 {
		t.Errorf("hub = %+v", hub)
	}
	domains := map[string]bool{}
	for _, j := range hub.Leaves {
		domains[j.Domain] = true
	}
	if !domains["flights"] || !domains["delays"] {
		t.Errorf("leaves = %+v", hub.Leaves)
	}
}

func TestVitalsOfAHubOfThreeNodes(t *testing.T) {
	c := startCluster(t)
	joinLeaf(t, c.nodes[0], "a")
	joinLeaf(t, c.nodes[1], "b")
	eventually(t, "each node tells of all", func() bool {
		for _, h := range c.nodes {
			v, err := h.Vitals(t.Context(), true)
			if err != nil || v.Size != 3 || len(v.Nodes) != 3 || len(v.Leaves) != 2 || len(v.Details) != 2 {
				return false
			}
			for _, s := range v.Details {
				if s.Replicas != 3 || s.Current != 3 {
					return false
				}
			}
		}
		return true
	})
	c.stop(t, 2)
	eventually(t, "two nodes are left", func() bool {
		v, err := c.nodes[0].Vitals(t.Context(), true)
		return err == nil && v.Size == 3 && len(v.Nodes) == 2
	})
}

func TestCutLastsAsLongAsItIsWanted(t *testing.T) {
	m := startProducts(t)
	before := m.a.link.state().Joins
	var cut, back time.Duration
	done := make(chan error, 1)
	ctx, heal := context.WithCancel(t.Context())
	defer heal()
	go func() {
		var err error
		cut, back, err = m.a.Cut(ctx, t.Context())
		done <- err
	}()
	eventually(t, "the leaf is off", func() bool {
		return !m.a.Connected() && m.a.link.state().Since.After(time.Time{}) && !m.a.link.state().Joined
	})
	if _, _, err := m.a.Cut(t.Context(), t.Context()); err == nil {
		t.Error("it can be cut twice")
	}
	<-time.After(time.Second) // it tries to join five times a second
	if m.a.Connected() {
		t.Error("it is back though it is cut")
	}
	heal()
	must(t, <-done)
	if cut < time.Second || back > 20*time.Second || !m.a.Connected() {
		t.Errorf("cut for %s, back after %s, joined %t", cut, back, m.a.Connected())
	}
	eventually(t, "that is told", func() bool { s := m.a.link.state(); return s.Joined && s.Joins == before+1 })
}
