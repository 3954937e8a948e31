package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/record"
)

const benchYAML = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: bench, domain: shop, owner: shop@example.org, version: 1.0.0}
spec:
  outputs:
  - name: bench
    type: event
    key: [id]
    schema:
    - {name: id, logicalType: string}
    - {name: customer, logicalType: string, required: true}
    - {name: at, logicalType: timestamp}
    - {name: quantity, logicalType: integer}
    - {name: price, logicalType: number}
    - {name: note, logicalType: string}
`

// benchLine is an event of about 200 bytes.
func benchLine(i int) []byte {
	return fmt.Appendf(nil, `{"id":"order-%08d","customer":"customer-%05d","at":"2026-01-%02dT10:%02d:%02dZ","quantity":%d,"price":%d.25,"note":"left at the door of the house next to the one with the green roof, %d"}`,
		i, i%50_000, 1+i%28, i/60%60, i%60, i%10, i%1000, i)
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkLogToStores measures what it costs to take an event from the log through
// the contract into key-value store and table, as a ratio to only reading the same log
// with an ordered consumer. The stores are made anew for it, without the reading of the
// log beforehand by which Rebuild makes sure of it. b.N is ignored: one run takes
// BENCH_EVENTS events.
func BenchmarkLogToStores(b *testing.B) {
	n := benchEvents(b)
	m, c := benchMesh(b, benchYAML)
	began, cpu := time.Now(), cpuTime()
	benchPublish(b, c, 0, n, PublishOptions{})
	b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(n), "publish-cpu-µs/event")
	b.ReportMetric(float64(n)/time.Since(began).Seconds(), "publish-events/s")

	p := m.Products()[0]
	readWall, readCPU := readOrdered(b, p, n)
	for b.Loop() {
		began, cpu = time.Now(), cpuTime()
		if err := p.rebuildPort(b.Context(), p.sortedPorts()[0], RebuildRequest{KV: true, Table: true}); err != nil {
			b.Fatal(err)
		}
		if err := p.sortedPorts()[0].progress.AwaitVisible(b.Context(), record.Seq(n)); err != nil {
			b.Fatal(err)
		}
		wall, cpu := time.Since(began), cpuTime()-cpu
		b.ReportMetric(float64(cpu.Nanoseconds())/float64(n)/1000, "cpu-µs/event")
		b.ReportMetric(float64(readCPU.Nanoseconds())/float64(n)/1000, "read-cpu-µs/event")
		b.ReportMetric(float64(cpu)/float64(readCPU), "cpu-ratio")
		b.ReportMetric(float64(readWall)/float64(wall), "throughput-ratio")
	}
}

func readOrdered(b *testing.B, p *Product, n int) (wall, cpu time.Duration) {
	began, cpuBegan := time.Now(), cpuTime()
	if err := mesh.Drain(b.Context(), p.leaf.Conn(), "bench-v1", n); err != nil {
		b.Fatal(err)
	}
	return time.Since(began), cpuTime() - cpuBegan
}

func benchEvents(b *testing.B) int {
	n := 300_000
	if s := os.Getenv("BENCH_EVENTS"); s != "" {
		if _, err := fmt.Sscan(s, &n); err != nil {
			b.Fatal(err)
		}
	}
	return n
}

// benchMesh is a mesh of one product, and a client of its hub.
func benchMesh(b *testing.B, descriptor string) (*Mesh, *Client) {
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "dataproduct.yaml"), []byte(descriptor), 0o644); err != nil {
		b.Fatal(err)
	}
	state := b.TempDir()
	m, err := StartMesh(b.Context(), meshOptions(b, b.TempDir(), state, dir))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	c, err := Dial(b.Context(), ClientOptions{StateDir: state})
	if err != nil {
		b.Fatal(err)
	}
	closeAtEnd(b, c)
	return m, c
}

// benchPublish publishes the events from..from+n.
func benchPublish(b *testing.B, c *Client, from, n int, o PublishOptions) {
	i := from
	_, err := c.Publish(b.Context(), "bench", func() ([]byte, error) {
		if i++; i > from+n {
			return nil, io.EOF
		}
		return benchLine(i), nil
	}, o)
	if err != nil && b.Context().Err() == nil {
		b.Error(err)
	}
}

// BenchmarkVisible is the time from publishing a record to seeing it in get and SQL,
// while others publish at half of the highest rate.
func BenchmarkVisible(b *testing.B) {
	_, c := benchMesh(b, benchYAML)
	n := benchEvents(b)
	began := time.Now()
	benchPublish(b, c, 0, n, PublishOptions{})
	rate := float64(n) / time.Since(began).Seconds()

	const every = 50 * time.Millisecond
	var loaded atomic.Int64
	start := time.Now()
	load := newGroup(b.Context())
	load.run(func(ctx context.Context) {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			// What is due by now: one that is slow to take records gets no less of them.
			had := int(loaded.Load())
			due := int(rate / 2 * time.Since(start).Seconds())
			benchPublish(b, c, n+had, due-had, PublishOptions{NoWait: true})
			loaded.Store(int64(due))
		}
	})
	defer load.stop()
	probe(b, c, 200, every) // what the burst left to merge is no part of this rate
	for b.Loop() {
		took := probe(b, c, 600, every)
		slices.Sort(took)
		b.ReportMetric(rate, "max-events/s")
		b.ReportMetric(float64(loaded.Load())/time.Since(start).Seconds(), "load-events/s")
		b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms")
		b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms")
		b.ReportMetric(took[len(took)-1].Seconds()*1000, "max-ms")
	}
}

// probe publishes a record every so often and is how long each took to be visible.
func probe(b *testing.B, c *Client, samples int, every time.Duration) []time.Duration {
	took := make([]time.Duration, samples)
	var probes sync.WaitGroup
	tick := time.NewTicker(every)
	defer tick.Stop()
	for i := range took {
		<-tick.C
		probes.Go(func() {
			began := time.Now()
			benchPublish(b, c, 1_000_000_000+i, 1, PublishOptions{})
			took[i] = time.Since(began)
		})
	}
	probes.Wait()
	return took
}

// BenchmarkGet is the time of a get through the hub, as a ratio to a micro service's
// answer to a ping, which does nothing, through the same hub: the median of a round for
// each, and of the rounds' ratios.
func BenchmarkGet(b *testing.B) {
	_, c := benchMesh(b, benchYAML)
	benchPublish(b, c, 0, 100_000, PublishOptions{})
	const rounds, asks = 20, 1000
	for b.Loop() {
		var gets, pings, ratios []float64
		for round := range rounds {
			get, ping := make([]float64, asks), make([]float64, asks)
			for i := range asks { // by turns, so that both meet the same noise
				began := time.Now()
				if _, err := c.nc.Request("$SRV.PING.bench", nil, 5*time.Second); err != nil {
					b.Fatal(err)
				}
				ping[i] = time.Since(began).Seconds()
				key := fmt.Sprintf("order-%08d", 1+(round*asks+i)*7%100_000)
				began = time.Now()
				a, err := c.Get(b.Context(), "bench.bench", []string{key})
				if err != nil || len(a.Records) != 1 {
					b.Fatal(a, err)
				}
				get[i] = time.Since(began).Seconds()
			}
			gets, pings = append(gets, median(get)), append(pings, median(ping))
			ratios = append(ratios, gets[round]/pings[round])
		}
		b.ReportMetric(median(gets)*1e6, "get-µs")
		b.ReportMetric(median(pings)*1e6, "ping-µs")
		b.ReportMetric(median(ratios), "get-ratio")
	}
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}
