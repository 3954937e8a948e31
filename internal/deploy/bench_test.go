package deploy

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/kube"
	"github.com/meshctl/meshctl/internal/kubetest"
)

// many are units without pods: the plan is the same, and no controller joins in.
func many(b *testing.B, c *kube.Cluster, n int, image string) []Unit {
	b.Helper()
	units := make([]Unit, n)
	for i := range units {
		units[i] = unit(b, c, fmt.Sprintf("p%04d", i), "", nil)
		for _, o := range units[i].Objects {
			if o.Kind() == "StatefulSet" {
				o["spec"].(map[string]any)["replicas"] = int64(0)
				containers := kube.Field(kube.Object(o), "spec", "template", "spec", "containers").([]any)
				containers[0].(map[string]any)["image"] = image
			}
		}
	}
	return units
}

// BenchmarkPlan plans 1,000 products against an API server: as nothing has changed since
// the last deploy, as all have a new image, and as nothing is there yet.
func BenchmarkPlan(b *testing.B) {
	const products = 1000
	c := kubetest.Cluster(b)
	deployed(b, c, many(b, c, products, "localhost/meshctl:1")...)
	empty := kubetest.Cluster(b)
	one := unit(b, empty, "a", "", nil)
	for _, bench := range []struct {
		name    string
		cluster *kube.Cluster
		image   string
		changes int
	}{
		{"unchanged", c, "localhost/meshctl:1", 0},
		{"new-image", c, "localhost/meshctl:2", products},
		{"first", empty, "localhost/meshctl:1", products * len(one.objects())},
	} {
		b.Run(bench.name, func(b *testing.B) {
			units := many(b, bench.cluster, products, bench.image)
			runtime.GC()
			peak := watchHeap(b)
			for b.Loop() {
				p := plan(b, bench.cluster, PlanOptions{}, units...)
				if n := len(p.Steps) - p.Count(Unchanged); n != bench.changes {
					b.Fatalf("%d changes, not %d", n, bench.changes)
				}
			}
			b.StopTimer()
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/plan")
			b.ReportMetric(float64(peak())/(1<<20), "MiB-above-units")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// watchHeap measures, until the function that it returns is called, how far the heap
// grows beyond what it holds now.
func watchHeap(b *testing.B) func() uint64 {
	heap := func() uint64 {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	began, stop, peak := heap(), make(chan struct{}), make(chan uint64)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		highest := began
		for {
			select {
			case <-tick.C:
				highest = max(highest, heap())
			case <-stop:
				peak <- highest - began
				return
			}
		}
	}()
	b.Cleanup(func() {
		select {
		case <-stop:
		default:
			close(stop)
			<-peak
		}
	})
	return func() uint64 {
		close(stop)
		return <-peak
	}
}
