package app

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"time"
)

// What a process of products may take for its Go heap, for each of them, before the
// collector works harder; DuckDB and Badger's mapped files come on top.
const heapPerProduct = 640 << 20

// heapRoom is how many times what lives in the heap it may grow to, whatever the limit: a
// log of a million keys lives in half of it, and the collector would never rest.
const heapRoom = 2

// The collector's target for a process of products: the heap is small and short-lived
// beside the stores, so collecting rarely halves what the collector costs.
const gcPercent = 400

// keepHeap sets up the garbage collector for a process of so many products, until ctx is
// done. What GOGC and GOMEMLIMIT say in env is kept.
func keepHeap(ctx context.Context, env []string, products func() int) {
	if !sets(env, "GOGC") {
		defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	}
	if sets(env, "GOMEMLIMIT") {
		<-ctx.Done()
		return
	}
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		metrics.Read(live)
		debug.SetMemoryLimit(max(heapPerProduct*int64(max(products(), 1)), heapRoom*int64(live[0].Value.Uint64())))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func sets(env []string, name string) bool {
	return slices.ContainsFunc(env, func(v string) bool {
		value, ok := strings.CutPrefix(v, name+"=")
		return ok && value != ""
	})
}
