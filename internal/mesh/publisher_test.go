package mesh

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/meshctl/meshctl/internal/fault"
)

func TestAppendKeepsOrder(t *testing.T) {
	l := startLeaf(t, "flights", "")
	must(t, EnsureStream(t.Context(), l.Conn(), flightsSpec))
	p := NewPublisher(l.Conn(), "flights-v1")
	defer p.Close()
	next := 1
	for _, n := range []int{1, 2, 63, 64, 65, 499, 500, 501, 1, 5000} {
		last, err := p.Append(t.Context(), numbered(next, next+n-1))
		next += n
		if err != nil || int(last) != next-1 {
			t.Fatalf("Append of %d = %d, %v; want %d", n, last, err, next-1)
		}
	}
	if last, err := p.Append(t.Context(), nil); err != nil || last != 0 {
		t.Fatalf("Append of nothing = %d, %v", last, err)
	}
	checkNumbers(t, readAll(t, l.Conn(), "", "flights-v1", 0, next-1), 1)
}

func TestAppendFromSeveralGoroutines(t *testing.T) {
	l := startLeaf(t, "flights", "")
	must(t, EnsureStream(t.Context(), l.Conn(), flightsSpec))
	shared := NewPublisher(l.Conn(), "flights-v1")
	defer shared.Close()
	var g errgroup.Group
	for i := range 6 {
		g.Go(func() error {
			p := shared
			if i%2 == 0 {
				p = NewPublisher(l.Conn(), "flights-v1")
				defer p.Close()
			}
			_, err := p.Append(t.Context(), numbered(i*2000, i*2000+1999))
			return err
		})
	}
	must(t, g.Wait())
	at := map[int]int{} // by publisher, the next number
	for _, m := range readAll(t, l.Conn(), "", "flights-v1", 0, 12_000) {
		var n int
		if _, err := fmt.Sscan(string(m.Data), &n); err != nil {
			t.Fatal(err)
		}
		if by := n / 2000; n%2000 != at[by] {
			t.Fatalf("publisher %d: %d where %d was due", by, n%2000, at[by])
		} else {
			at[by]++
		}
	}
}

func TestAppendStoresAPrefixOnErrors(t *testing.T) {
	l := startLeaf(t, "flights", "")
	ctx := t.Context()
	must(t, EnsureStream(ctx, l.Conn(), flightsSpec))
	p := NewPublisher(l.Conn(), "flights-v1")
	defer p.Close()
	for name, c := range map[string]struct {
		n, bad int // so many, of which this one cannot be stored
		spoil  func(*Outgoing)
	}{
		"no stream in the middle": {2000, 1500, func(o *Outgoing) { o.Subject = "nobody.takes.this" }},
		"no stream at the end":    {100, 100, func(o *Outgoing) { o.Subject = "nobody.takes.this" }},
		"no stream at the start":  {100, 1, func(o *Outgoing) { o.Subject = "nobody.takes.this" }},
		"too large":               {700, 600, func(o *Outgoing) { o.Data = make([]byte, maxPayload+1) }},
		"refused by the stream": {100, 50, func(o *Outgoing) {
			o.Header = append(o.Header, [2]string{"Nats-Expected-Last-Sequence", "999999"})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Purge(ctx, l.Conn(), "", "flights-v1", "", 0); err != nil {
				t.Fatal(err)
			}
			before, err := State(ctx, l.Conn(), "", "flights-v1")
			must(t, err)
			msgs := numbered(1, c.n)
			c.spoil(&msgs[c.bad-1])
			last, err := p.Append(ctx, msgs)
			if err == nil {
				t.Fatal("Append returned no error")
			}
			after, err := State(ctx, l.Conn(), "", "flights-v1")
			must(t, err)
			if int(after.Msgs) != c.bad-1 {
				t.Fatalf("%d messages are stored; want the %d before the bad one", after.Msgs, c.bad-1)
			}
			if c.bad > 1 && last != after.Last {
				t.Errorf("Append returned sequence %d; %d is the last that is stored", last, after.Last)
			}
			checkNumbers(t, readAll(t, l.Conn(), "", "flights-v1", before.Last, c.bad-1), 1)
			// The publisher goes on from there.
			if _, err := p.Append(ctx, numbered(c.bad, c.bad+999)); err != nil {
				t.Fatal(err)
			}
			checkNumbers(t, readAll(t, l.Conn(), "", "flights-v1", before.Last, c.bad+999), 1)
		})
	}
}

func TestAppendThatIsCancelledIsOver(t *testing.T) {
	l := startLeaf(t, "flights", "")
	must(t, EnsureStream(t.Context(), l.Conn(), flightsSpec))
	p := NewPublisher(l.Conn(), "flights-v1")
	defer p.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	last, err := p.Append(ctx, numbered(1, 200_000))
	wantKind(t, err, fault.Timeout)
	s, err := State(t.Context(), l.Conn(), "", "flights-v1")
	if err != nil || s.Last != last || last == 0 {
		t.Fatalf("Append returned sequence %d; state = %+v, %v", last, s, err)
	}
}

func TestAppendLargeMessages(t *testing.T) {
	l := startLeaf(t, "flights", "")
	must(t, EnsureStream(t.Context(), l.Conn(), flightsSpec))
	p := NewPublisher(l.Conn(), "flights-v1")
	defer p.Close()
	var msgs []Outgoing
	for range 40 {
		msgs = append(msgs, Outgoing{Subject: "aviation.flights.flights.v1", Data: make([]byte, 3<<20)})
	}
	if last, err := p.Append(t.Context(), msgs); err != nil || last != 40 {
		t.Fatalf("Append = %d, %v", last, err)
	}
}

func TestAppendToAStreamThatIsGone(t *testing.T) {
	l := startLeaf(t, "flights", "")
	p := NewPublisher(l.Conn(), "none")
	defer p.Close()
	_, err := p.Append(t.Context(), numbered(1, 10))
	wantKind(t, err, fault.NotFound)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	must(t, EnsureStream(t.Context(), l.Conn(), flightsSpec))
	if _, err := p.Append(ctx, numbered(1, 10)); err == nil {
		t.Fatal("Append with a done context returned no error")
	}
}

func TestPublishExpect(t *testing.T) {
	m := startMesh(t)
	ctx := t.Context()
	must(t, EnsureStream(ctx, m.a.Conn(), StreamSpec{Name: "in-flights-v1", Subjects: []string{"in.aviation.flights.flights.v1.*"}}))
	const subject = "in.aviation.flights.flights.v1.s1"
	eventually(t, "the hub knows the subject", func() bool {
		_, err := PublishExpect(ctx, m.hub.Conn(), "in.aviation.flights.flights.v1.probe", nil, nil, 0)
		return err == nil || fault.KindOf(err) == fault.Conflict
	})
	first, err := PublishExpect(ctx, m.hub.Conn(), subject, []byte("a"), map[string]string{"Meshctl-Rows": "1"}, 0)
	must(t, err)

	// Of several who expect the same, one wins.
	var mu sync.Mutex
	var won []uint64
	var g errgroup.Group
	for _, nc := range []*Conn{m.hub.Conn(), m.a.Conn(), m.b.Conn(), m.hub.Conn()} {
		g.Go(func() error {
			seq, err := PublishExpect(ctx, nc, subject, []byte("b"), nil, uint64(first))
			if fault.KindOf(err) == fault.Conflict && err != nil {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			won = append(won, uint64(seq))
			return err
		})
	}
	must(t, g.Wait())
	if len(won) != 1 {
		t.Fatalf("%d publishers won: %v", len(won), won)
	}
	last, ok, err := LastMessage(ctx, m.hub.Conn(), "flights", "in-flights-v1", subject)
	if err != nil || !ok || uint64(last.Seq) != won[0] || string(last.Data) != "b" {
		t.Fatalf("last = %+v, %v, %v", last, ok, err)
	}

	_, err = PublishExpect(ctx, m.hub.Conn(), "in.shop.orders.orders.v1.s1", nil, nil, 0)
	wantKind(t, err, fault.Unavailable)
	if !strings.Contains(err.Error(), "product orders") || fault.HintOf(err) == "" {
		t.Errorf("error %q (hint %q) does not name the product", err, fault.HintOf(err))
	}
}
