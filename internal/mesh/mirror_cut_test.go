package mesh

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/linktest"
)

// hardLimit is what no mirror may need on however busy a machine; on a quiet one, two
// seconds are enough.
const hardLimit = 15 * time.Second

// Readers whose links are cut or silenced under load, for a moment or for longer than
// the server's own patience, have every record soon after the link is back.
func TestMirrorsCatchUpSoonAfterCuts(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	hub, err := StartHub(t.Context(), hubOptions(t))
	must(t, err)
	t.Cleanup(func() { closed(t, hub) })
	origin := startProductLeaf(t, hub.LeafURL(), "flights")
	must(t, EnsureStream(t.Context(), origin.Conn(), flightsSpec))
	deliverFrom(t, origin, func() error { return nil })
	var load cutLoad
	stop := load.start(t, origin)

	var readers []*cutReader
	var cutting sync.WaitGroup
	for i := range 4 {
		r := &cutReader{link: linktest.New(t, hub.LeafURL()), rng: rand.New(rand.NewPCG(seed, uint64(i)))}
		r.leaf = startProductLeaf(t, r.link.URL(), fmt.Sprintf("reader-%d", i), flightsPort)
		keepMirror(t, r.leaf, func(s MirrorState) { r.state.Store(&s) })
		readers = append(readers, r)
	}
	for i, r := range readers {
		if !r.reaches(1) {
			t.Fatalf("%s did not begin: joined %t, %+v", r.leaf.Domain(), r.leaf.Connected(), r.state.Load())
		}
		cutting.Go(func() {
			for _, outage := range []int{400, 2500, 7000, 9000 + i*3000} {
				r.fails(time.Duration(outage/2+r.rng.IntN(outage))*time.Millisecond, &load)
			}
		})
	}
	cutting.Wait()
	stop()
	last := int(load.last.Load())
	var took []time.Duration
	for _, r := range readers {
		if !r.reaches(last) {
			t.Fatalf("%s is not whole", r.leaf.Domain())
		}
		if s, err := State(t.Context(), r.leaf.Conn(), "", mirrorOfFlights.Name); err != nil || int(s.Msgs) != int(s.Last) {
			t.Fatalf("%s has a gap: %+v %v", r.leaf.Domain(), s, err)
		}
		checkNumbers(t, readAll(t, r.leaf.Conn(), "", mirrorOfFlights.Name, 0, last), 1)
		took = append(took, r.took...)
	}
	slices.Sort(took)
	t.Logf("link back -> mirror at lag 0, %d outages under %d records: p50 %s, p90 %s, longest %s", len(took), last,
		took[len(took)/2], took[len(took)*9/10], took[len(took)-1])
	if longest := took[len(took)-1]; longest > hardLimit {
		t.Errorf("a mirror needed %s", longest)
	}
}

// cutLoad appends to the flights all the time.
type cutLoad struct{ last atomic.Int64 }

func (c *cutLoad) start(t testing.TB, origin *Leaf) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p := NewPublisher(origin.Conn(), "flights-v1")
		defer p.Close()
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ctx.Err() == nil; n += 50 {
			last, err := p.Append(t.Context(), numbered(n+1, n+50))
			if err != nil {
				t.Error(err)
				return
			}
			c.last.Store(int64(last))
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// cutReader is a reader whose link fails.
type cutReader struct {
	leaf  *Leaf
	link  *linktest.Link
	rng   *rand.Rand
	state atomic.Pointer[MirrorState]
	took  []time.Duration // from the link's return to the mirror's having what was there then
}

// fails makes the link fail for a while, in one of three ways.
func (r *cutReader) fails(outage time.Duration, load *cutLoad) {
	silent := r.rng.IntN(2) == 0
	r.link.Set(!silent, silent)
	<-time.After(outage)
	if silent && r.rng.IntN(2) == 0 { // what was on its way is gone
		r.link.Set(true, false)
	}
	r.link.Set(false, false)
	began := time.Now()
	r.reaches(int(load.last.Load()))
	r.took = append(r.took, time.Since(began).Round(time.Millisecond))
}

func (r *cutReader) reaches(last int) bool {
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); <-time.After(10 * time.Millisecond) {
		s, err := State(context.Background(), r.leaf.Conn(), "", mirrorOfFlights.Name)
		if err == nil && int(s.Last) >= last {
			return true
		}
	}
	return false
}
