package mesh

import (
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

// BenchmarkMirrorCatchUp is how fast a new mirror takes over 200,000 records of 200
// bytes, beside what the server does without our keeping.
func BenchmarkMirrorCatchUp(b *testing.B) {
	const n = 200_000
	m := startMesh(b)
	must(b, EnsureStream(b.Context(), m.a.Conn(), flightsSpec))
	msgs := numbered(1, n)
	for i := range msgs {
		msgs[i].Data = fmt.Appendf(nil, "%0200d", i+1)
	}
	appendAll(b, m.a.Conn(), "flights-v1", msgs)
	r := &mirrored{testMesh: m}
	plain := mirrorOfFlights.config(api.StreamConfig{})
	plain.Mirror = &api.StreamSource{Name: "flights-v1", External: &api.ExternalStream{ApiPrefix: product.APIPrefix("flights")}}
	timed := func(name string, start func(b *testing.B)) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				began := time.Now()
				start(b)
				r.reaches(b, n)
				b.ReportMetric(n/time.Since(began).Seconds(), name+"-records/s")
				must(b, DeleteStream(b.Context(), m.b.Conn(), plain.Name))
			}
		})
	}
	timed("plain", func(b *testing.B) {
		_, err := ask[api.JSApiStreamCreateResponse](b.Context(), m.b.Conn(), "", fmt.Sprintf(api.JSApiStreamCreateT, plain.Name), plain)
		must(b, err)
	})
	deliverFrom(b, m.a, func() error { return nil })
	timed("kept", func(b *testing.B) { keepMirror(b, m.b, func(MirrorState) {}) })
}

// BenchmarkMirrorLink is the time from a link's return to the mirror's having all, under
// load, over fifty outages of up to ten seconds: ten at each of five leaves.
func BenchmarkMirrorLink(b *testing.B) {
	const leaves, outages = 5, 10
	hub, err := StartHub(b.Context(), hubOptions(b))
	must(b, err)
	b.Cleanup(func() { closed(b, hub) })
	origin := startProductLeaf(b, hub.LeafURL(), "flights")
	must(b, EnsureStream(b.Context(), origin.Conn(), flightsSpec))
	deliverFrom(b, origin, func() error { return nil })
	var load cutLoad
	defer load.start(b, origin)()
	var readers []*cutReader
	for i := range leaves {
		r := &cutReader{link: linktest.New(b, hub.LeafURL()), rng: rand.New(rand.NewPCG(1, uint64(i)))}
		r.leaf = startProductLeaf(b, r.link.URL(), fmt.Sprintf("reader-%d", i), flightsPort)
		keepMirror(b, r.leaf, func(MirrorState) {})
		r.reaches(1)
		readers = append(readers, r)
	}
	for b.Loop() {
		var took []time.Duration
		var cutting sync.WaitGroup
		for _, r := range readers {
			r.took = nil
			cutting.Go(func() {
				for i := range outages {
					r.fails(time.Duration(100+i*700)*time.Millisecond, &load)
				}
			})
		}
		cutting.Wait()
		for _, r := range readers {
			took = append(took, r.took...)
		}
		slices.Sort(took)
		b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms")
		b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms")
	}
}
