package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/mesh"
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
// with an ordered consumer. b.N is ignored: one run takes BENCH_EVENTS events.
func BenchmarkLogToStores(b *testing.B) {
	n := 300_000
	if s := os.Getenv("BENCH_EVENTS"); s != "" {
		if _, err := fmt.Sscan(s, &n); err != nil {
			b.Fatal(err)
		}
	}
	TuneMemory(os.Getenv, 1)
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "dataproduct.yaml"), []byte(benchYAML), 0o644); err != nil {
		b.Fatal(err)
	}
	state := b.TempDir()
	o := meshOptions(b, b.TempDir(), state, dir)
	m, err := StartMesh(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close(context.Background())
	c, err := Dial(b.Context(), ClientOptions{StateDir: state})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	i := 0
	began, cpu := time.Now(), cpuTime()
	if _, err := c.Publish(b.Context(), "bench", func() ([]byte, error) {
		if i++; i > n {
			return nil, io.EOF
		}
		return benchLine(i), nil
	}, PublishOptions{}); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(n), "publish-cpu-µs/event")
	b.ReportMetric(float64(n)/time.Since(began).Seconds(), "publish-events/s")

	p := m.Products()[0]
	readWall, readCPU := readOrdered(b, p, n)
	for b.Loop() {
		began, cpu = time.Now(), cpuTime()
		if _, err := p.Rebuild(b.Context(), RebuildRequest{KV: true, Table: true}); err != nil {
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
