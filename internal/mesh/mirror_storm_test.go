package mesh

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jsm.go/api"

	"github.com/meshctl/meshctl/internal/linktest"
	"github.com/meshctl/meshctl/internal/product"
)

var (
	stormCuts     = flag.Int("cuts", 50, "how many links TestStorm cuts")
	stormRestarts = flag.Int("restarts", 20, "how often TestStorm restarts the hub")
)

// copiesPort is what the middle of the tree makes of the flights.
var copiesPort = product.PortID{Product: "copies", Domain: "aviation", Port: "copies", Major: 1}

// storm is a hub and five leaves: flights has the origin, copies mirrors it, sources its
// mirror into a log of its own, and two leaves mirror that; one more mirrors the flights.
type storm struct {
	*testMesh
	load   cutLoad
	origin *Leaf
	ends   []*stormEnd
}

// stormEnd is a stream that is to have everything, and the link that leads to it.
type stormEnd struct {
	leaf   *Leaf
	stream string
	link   *linktest.Link
	took   []time.Duration
}

func startStorm(t *testing.T) *storm {
	t.Helper()
	s := &storm{testMesh: &testMesh{options: hubOptions(t)}}
	s.startHub(t, -1, -1)
	t.Cleanup(func() { closed(t, s.hub) })
	join := func(name string, reads ...product.PortID) (*Leaf, *linktest.Link) {
		link := linktest.New(t, s.hub.LeafURL())
		return startProductLeaf(t, link.URL(), name, reads...), link
	}
	s.origin, _ = join("flights")
	must(t, EnsureStream(t.Context(), s.origin.Conn(), flightsSpec))
	deliverFrom(t, s.origin, func() error { return nil })

	copies, link := join("copies", flightsPort)
	keepMirror(t, copies, func(MirrorState) {})
	log := StreamSpec{Name: copiesPort.Stream()}.config(api.StreamConfig{})
	log.Sources = []*api.StreamSource{{Name: flightsPort.MirrorStream()}}
	_, err := ask[api.JSApiStreamCreateResponse](t.Context(), copies.Conn(), "", fmt.Sprintf(api.JSApiStreamCreateT, log.Name), log)
	must(t, err)
	deliverPort(t, copies, copiesPort, func() error { return nil })
	s.ends = append(s.ends, &stormEnd{leaf: copies, stream: log.Name, link: link})

	for _, name := range []string{"left", "right"} {
		l, link := join(name, copiesPort)
		keepMirrorOf(t, l, copiesPort, func(MirrorState) {})
		s.ends = append(s.ends, &stormEnd{leaf: l, stream: copiesPort.MirrorStream(), link: link})
	}
	l, link := join("other", flightsPort)
	keepMirror(t, l, func(MirrorState) {})
	s.ends = append(s.ends, &stormEnd{leaf: l, stream: flightsPort.MirrorStream(), link: link})
	return s
}

// reaches waits until the stream ends at last or later, and says how long that took.
func (e *stormEnd) reaches(t *testing.T, last int) time.Duration {
	began := time.Now()
	for time.Since(began) < 90*time.Second {
		if s, err := State(context.Background(), e.leaf.Conn(), "", e.stream); err == nil && int(s.Last) >= last {
			return time.Since(began)
		}
		<-time.After(5 * time.Millisecond)
	}
	t.Errorf("%s of %s does not reach %d", e.stream, e.leaf.Domain(), last)
	return time.Since(began)
}

// cut cuts or silences the link for a moment, and waits until all is there again.
func (e *stormEnd) cut(t *testing.T, rng *rand.Rand, load *cutLoad) {
	silent := rng.IntN(3) == 0
	e.link.Set(!silent, silent)
	<-time.After(time.Duration(50+rng.IntN(700)) * time.Millisecond)
	if silent && rng.IntN(2) == 0 { // what was on its way is gone
		e.link.Set(true, false)
	}
	e.link.Set(false, false)
	e.took = append(e.took, e.reaches(t, int(load.last.Load())))
}

// Links that are cut and hubs that restart under load lose nothing and double nothing, at
// the end of two levels of mirrors and sources.
func TestStorm(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s := startStorm(t)
	stop := s.load.start(t, s.origin)
	for _, e := range s.ends {
		e.reaches(t, 1)
	}
	var cutting sync.WaitGroup
	for i, e := range s.ends {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		cutting.Go(func() {
			for n := i; n < *stormCuts; n += len(s.ends) {
				e.cut(t, rng, &s.load)
			}
		})
	}
	cutting.Wait()
	var cuts []time.Duration
	for _, e := range s.ends {
		cuts = append(cuts, e.took...)
	}
	rng := rand.New(rand.NewPCG(seed, 99))
	restarts := s.restarts(t, rng)
	stop()
	last := int(s.load.last.Load())
	for _, e := range s.ends {
		e.reaches(t, last)
		e.whole(t, last)
	}
	t.Logf("link back -> lag 0 at the end of the tree, %s", spread(cuts))
	t.Logf("hub back -> lag 0 everywhere, %s", spread(restarts))
	t.Logf("%d records, 0 lost, 0 twice in %d streams", last, len(s.ends))
	for _, took := range append(cuts, restarts...) {
		if took > hardLimit {
			t.Errorf("catching up took %s", took)
		}
	}
}

// restarts restarts the hub under load, and says how long it took each time from its
// being back until every stream had what was there then.
func (s *storm) restarts(t *testing.T, rng *rand.Rand) (took []time.Duration) {
	t.Helper()
	client, leaf := port(t, s.hub.ClientURL()), port(t, s.hub.LeafURL())
	for range *stormRestarts {
		closed(t, s.hub)
		<-time.After(time.Duration(50+rng.IntN(500)) * time.Millisecond)
		s.startHub(t, client, leaf)
		began, last := time.Now(), int(s.load.last.Load())
		for _, e := range s.ends {
			e.reaches(t, last)
		}
		took = append(took, time.Since(began))
	}
	return took
}

// whole checks that a stream holds each record once.
func (e *stormEnd) whole(t *testing.T, last int) {
	t.Helper()
	s, err := State(t.Context(), e.leaf.Conn(), "", e.stream)
	must(t, err)
	if int(s.Msgs) != last || int(s.Last) != last {
		t.Errorf("%s of %s has %d messages up to %d, of %d", e.stream, e.leaf.Domain(), s.Msgs, s.Last, last)
	}
	checkNumbers(t, readAll(t, e.leaf.Conn(), "", e.stream, 0, last), 1)
}

func spread(took []time.Duration) string {
	if len(took) == 0 {
		return "not tried"
	}
	slices.Sort(took)
	n := len(took)
	return fmt.Sprintf("%d times: p50 %s, p99 %s", n, took[n/2].Round(time.Millisecond), took[min(n-1, n*99/100)].Round(time.Millisecond))
}
