package app

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/meshctl/meshctl/internal/olap"
)

// What a process of products may take for its Go heap, for each of them, before the
// collector works harder; DuckDB and Badger's mapped files come on top.
const heapPerProduct = 640 << 20

// heapRoom is how far beyond what lives in it the heap may grow, as percent of that,
// whatever the limit: a log of a million keys nearly fills the limit, and the collector
// would never rest. Twice as much would take an import beyond a gigabyte.
const heapRoom = 50

// The collector's target for a process of products: the heap is small and short-lived
// beside the stores, so collecting rarely halves what the collector costs.
const gcPercent = 400

// keepHeap sets up the garbage collector for a process of so many products, until ctx is
// done. What GOGC and GOMEMLIMIT say in env is kept.
func keepHeap(ctx context.Context, env []string, products func() int) {
	olap.SetCeiling(mayTake())
	if !sets(env, "GOGC") {
		defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	}
	if sets(env, "GOMEMLIMIT") {
		<-ctx.Done()
		return
	}
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		debug.SetMemoryLimit(max(heapPerProduct*int64(max(products(), 1)), heapNeeds()))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// heapNeeds is what lives in the heap with its room, and what is held beside it: Go's own
// records, and gaps between the living. A load of many keys leaves gaps for good, and with
// no more than the room for both the collector would never rest either.
func heapNeeds() int64 {
	m := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(m)
	beside := int64(m[1].Value.Uint64())
	for _, s := range m[2:] {
		beside -= int64(s.Value.Uint64())
	}
	return int64(m[0].Value.Uint64()/100*(100+heapRoom)) + beside
}

func sets(env []string, name string) bool {
	return slices.ContainsFunc(env, func(v string) bool {
		value, ok := strings.CutPrefix(v, name+"=")
		return ok && value != ""
	})
}

// mayTake is how much memory the process may take before statements are refused it: of a
// container nearly all, of a whole machine less. It is 0, no bound, where the system does
// not tell.
func mayTake() int64 {
	if text, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
			return n / 10 * 9
		}
	}
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	var kib int64
	if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kib); err != nil {
		return 0
	}
	return kib << 10 / 4 * 3
}
