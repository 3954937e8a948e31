package mesh

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

func newReader(t testing.TB, nc *Conn, domain, stream string, after record.Seq, filter string) *Reader {
	t.Helper()
	r, err := NewReader(t.Context(), nc, domain, stream, after, filter)
	must(t, err)
	t.Cleanup(r.Close)
	return r
}

// readN reads until it has n messages.
func readN(ctx context.Context, r *Reader, n int) ([]Message, error) {
	var all []Message
	for len(all) < n {
		ms, err := r.Next(ctx, n-len(all), 0, 0, 0)
		if err != nil {
			return all, err
		}
		all = append(all, ms...)
	}
	return all, nil
}

func readAll(t testing.TB, nc *Conn, domain, stream string, after record.Seq, n int) []Message {
	t.Helper()
	r := newReader(t, nc, domain, stream, after, "")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	all, err := readN(ctx, r, n)
	must(t, err)
	return all
}

// checkNumbers checks that messages hold the numbers from first on, none missing and
// none twice.
func checkNumbers(t testing.TB, ms []Message, first int) {
	t.Helper()
	for i, m := range ms {
		want := strconv.Itoa(first + i)
		if string(m.Data) != want || m.Header.Get("Meshctl-Position") != want {
			t.Fatalf("message %d holds %q, header %v; want %s", i, m.Data, m.Header, want)
		}
		if i > 0 && m.Seq <= ms[i-1].Seq {
			t.Fatalf("sequence %d after %d", m.Seq, ms[i-1].Seq)
		}
	}
}

func TestReaderReadsFromAnywhere(t *testing.T) {
	m := startMesh(t)
	must(t, EnsureStream(t.Context(), m.a.Conn(), flightsSpec))
	before := time.Now()
	appendAll(t, m.a.Conn(), "flights-v1", numbered(1, 10_000))
	for name, from := range map[string]struct {
		nc     *Conn
		domain string
	}{
		"own leaf": {m.a.Conn(), ""}, "hub": {m.hub.Conn(), "flights"}, "other leaf": {m.b.Conn(), "flights"},
	} {
		t.Run(name, func(t *testing.T) {
			ms := readAll(t, from.nc, from.domain, "flights-v1", 2500, 7500)
			checkNumbers(t, ms, 2501)
			if got := ms[0]; got.Seq != 2501 || got.Subject != "aviation.flights.flights.v1.k1" ||
				got.Time.Before(before.Add(-time.Second)) || got.Time.After(time.Now()) || got.Time.Location() != time.UTC {
				t.Errorf("first message = %+v", got)
			}
		})
	}
}

func TestReaderLimits(t *testing.T) {
	l := startLeaf(t, "flights", "")
	ctx, nc := t.Context(), l.Conn()
	must(t, EnsureStream(ctx, nc, flightsSpec))
	appendAll(t, nc, "flights-v1", numbered(1, 1000))
	r := newReader(t, nc, "", "flights-v1", 0, "")
	ms, err := r.Next(ctx, 10, 0, time.Minute, 0)
	if err != nil || len(ms) != 10 {
		t.Fatalf("Next(10) = %d, %v", len(ms), err)
	}
	if p := r.Pending(); p != 990 {
		t.Errorf("Pending = %d; want 990", p)
	}
	one := ms[0].size()
	ms, err = r.Next(ctx, 0, 5*one+20, time.Minute, 0)
	if err != nil || len(ms) != 5 {
		t.Fatalf("Next of five messages' bytes = %d, %v", len(ms), err)
	}
	if ms, err = r.Next(ctx, 0, 1, 0, 0); err != nil || len(ms) != 1 {
		t.Fatalf("Next of too few bytes = %d, %v; want one message", len(ms), err)
	}
	rest, err := readN(ctx, r, 984)
	must(t, err)
	checkNumbers(t, rest, 17)

	// What is known to be there is waited for, and nothing else.
	appendAll(t, nc, "flights-v1", numbered(1001, 6000))
	behind := newReader(t, nc, "", "flights-v1", 1000, "")
	began := time.Now()
	ms, err = behind.Next(ctx, 0, 0, 0, time.Minute)
	if err != nil || len(ms) != 5000 || time.Since(began) > 30*time.Second {
		t.Fatalf("Next of a backlog = %d after %s, %v; want 5000 at once", len(ms), time.Since(began), err)
	}
	rest, err = readN(ctx, r, 5000)
	must(t, err)
	checkNumbers(t, rest, 1001)

	// With the stream at its end, rest gathers what still comes.
	appendAll(t, nc, "flights-v1", numbered(6001, 6001))
	got, err := r.Next(ctx, 100, 0, 50*time.Millisecond, 0)
	if err != nil || len(got) != 1 {
		t.Fatalf("Next at the end = %d, %v; want 1", len(got), err)
	}
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := r.Next(short, 100, 0, 0, 0); !errors.Is(err, context.DeadlineExceeded) || fault.KindOf(err) != fault.Timeout {
		t.Fatalf("Next without messages = %v; want a timeout", err)
	}
}

func TestReaderFiltersAndSkipsWhatIsPurged(t *testing.T) {
	l := startLeaf(t, "flights", "")
	ctx, nc := t.Context(), l.Conn()
	must(t, EnsureStream(ctx, nc, flightsSpec))
	appendAll(t, nc, "flights-v1", numbered(1, 1000))
	if _, err := Purge(ctx, nc, "", "flights-v1", "", 501); err != nil {
		t.Fatal(err)
	}
	checkNumbers(t, readAll(t, nc, "", "flights-v1", 100, 500), 501)
	r := newReader(t, nc, "", "flights-v1", 0, "aviation.*.*.*.k7")
	ms, err := readN(ctx, r, 50)
	must(t, err)
	for i, m := range ms {
		if want := fmt.Sprint(507 + 10*i); string(m.Data) != want {
			t.Fatalf("filtered message %d = %s; want %s", i, m.Data, want)
		}
	}
}

func TestReaderOfNothing(t *testing.T) {
	m := startMesh(t)
	_, err := NewReader(t.Context(), m.a.Conn(), "", "none", 0, "")
	wantKind(t, err, fault.NotFound)
	_, err = NewReader(t.Context(), m.a.Conn(), "nowhere", "none", 0, "")
	wantKind(t, err, fault.Unavailable)
}

func TestReaderIsBounded(t *testing.T) {
	l := startLeaf(t, "flights", "")
	ctx, nc := t.Context(), l.Conn()
	must(t, EnsureStream(ctx, nc, flightsSpec))
	big := make([]byte, 1<<20)
	for range 4 {
		var msgs []Outgoing
		for range 20 {
			msgs = append(msgs, Outgoing{Subject: "aviation.flights.flights.v1", Data: big})
		}
		appendAll(t, nc, "flights-v1", msgs)
	}
	r := newReader(t, nc, "", "flights-v1", 0, "")
	held := func() int { r.mu.Lock(); defer r.mu.Unlock(); return r.queueBytes }
	last := -1
	eventually(t, "reading ahead stops", func() bool {
		before := last
		last = held()
		return last > 0 && last == before
	})
	if last > 4*readerAhead {
		t.Errorf("read %d bytes ahead; want about %d", last, readerAhead)
	}
	ms, err := readN(ctx, r, 80)
	if err != nil || len(ms) != 80 {
		t.Fatalf("read %d, %v", len(ms), err)
	}
}

// Readers at the hub, in the other leaf and in the own one stay exact while the hub
// goes away and comes back under load.
func TestReaderExactAcrossHubRestarts(t *testing.T) {
	m := startMesh(t)
	const n = 20_000
	must(t, EnsureStream(t.Context(), m.a.Conn(), flightsSpec))
	client, err := connect(m.hub.ClientURL(), allMay(t), clientOptions("client")...)
	must(t, err)
	defer client.Close()
	readers := []*Reader{
		newReader(t, client, "flights", "flights-v1", 0, ""),
		newReader(t, m.b.Conn(), "flights", "flights-v1", 0, ""),
		newReader(t, m.a.Conn(), "", "flights-v1", 0, ""),
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	got := make([][]Message, len(readers))
	for i, r := range readers {
		g.Go(func() (err error) { got[i], err = readN(ctx, r, n); return err })
	}
	p := NewPublisher(m.a.Conn(), "flights-v1")
	for first := 1; first <= n; first += 1000 {
		_, err := p.Append(ctx, numbered(first, first+999))
		must(t, err)
		if first == 5001 || first == 12001 {
			start := m.stopHub(t)
			_, err := p.Append(ctx, numbered(first+1000, first+1999))
			must(t, err)
			first += 1000
			start()
		}
	}
	must(t, g.Wait())
	for _, ms := range got {
		checkNumbers(t, ms, 1)
	}
}
