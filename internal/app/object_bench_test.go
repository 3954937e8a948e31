package app

import (
	"bytes"
	"context"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/mesh"
)

// BenchmarkObject puts a file of BENCH_OBJECT_MIB into an object port and gets it, from a
// client of the hub, against the object store of nats.go in the leaf of a plain server, from a
// client of a plain hub. Digests are taken and compared on both sides.
func BenchmarkObject(b *testing.B) {
	size := int64(1024)
	if n, err := strconv.ParseInt(os.Getenv("BENCH_OBJECT_MIB"), 10, 64); err == nil {
		size = n
	}
	size <<= 20
	_, c := benchMesh(b, papersYAML)
	raw, err := mesh.StartRawObjects(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(raw.Close)
	part := randomBytes(1 << 20)
	content := func() io.Reader { return io.LimitReader(&endlessly{part: part}, size) }
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	figures := map[string][]float64{}
	for b.Loop() {
		for _, one := range []struct {
			what string
			do   func() error
		}{
			{"raw-put", func() error { return raw.Put(ctx, "a", content()) }},
			{"raw-get", func() error { return raw.Get(ctx, "a", io.Discard) }},
			{"raw-rm", func() error { return raw.Delete(ctx, "a") }},
			{"put", func() error {
				_, err := c.PutObject(ctx, "papers.scans", "a", content(), ObjectOptions{})
				return err
			}},
			{"get", func() error {
				_, err := c.GetObject(ctx, "papers.scans", "a", "", func(Object) (io.Writer, error) { return io.Discard, nil })
				return err
			}},
			{"rm", func() error {
				_, err := c.RemoveObjects(ctx, "papers.scans", []string{"a"})
				return err
			}},
		} {
			took, heap := measured(b, one.do)
			figures[one.what+"-s"] = append(figures[one.what+"-s"], took.Seconds())
			figures[one.what+"-heap-MiB"] = append(figures[one.what+"-heap-MiB"], heap)
		}
	}
	middle := func(name string) float64 {
		all := slices.Sorted(slices.Values(figures[name]))
		return all[len(all)/2]
	}
	for _, what := range []string{"put", "get"} {
		for _, unit := range []string{"-s", "-heap-MiB"} {
			b.ReportMetric(middle(what+unit), what+unit)
			b.ReportMetric(middle("raw-"+what+unit), "raw-"+what+unit)
		}
		b.ReportMetric(middle(what+"-s")/middle("raw-"+what+"-s"), what+"-ratio")
		b.ReportMetric(middle(what+"-heap-MiB")-middle("raw-"+what+"-heap-MiB"), what+"-heap-beyond-MiB")
	}
}

// endlessly repeats a part.
type endlessly struct {
	part []byte
	rest bytes.Reader
}

func (e *endlessly) Read(p []byte) (int, error) {
	if e.rest.Len() == 0 {
		e.rest.Reset(e.part)
	}
	return e.rest.Read(p)
}

// measured is how long something takes, and how much more of the heap is in use at most.
func measured(b *testing.B, do func() error) (took time.Duration, heap float64) {
	runtime.GC()
	var at runtime.MemStats
	runtime.ReadMemStats(&at)
	first, most := at.HeapInuse, at.HeapInuse
	done, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				runtime.ReadMemStats(&at)
				most = max(most, at.HeapInuse)
			}
		}
	}()
	began := time.Now()
	err := do()
	took = time.Since(began)
	close(done)
	<-watched
	if err != nil {
		b.Fatal(err)
	}
	return took, float64(most-first) / (1 << 20)
}
