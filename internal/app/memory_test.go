package app

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestHeapLimitFollowsWhatLives(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	keep := func(env ...string) (limit func() int64, stop func()) {
		g := newGroup(t.Context())
		g.run(func(ctx context.Context) { keepHeap(ctx, env, func() int { return 1 }) })
		return func() int64 { return debug.SetMemoryLimit(-1) }, g.stop
	}
	limit, stop := keep()
	await(t, "the limit of one product", func() bool { return limit() == heapPerProduct })
	lives := make([]byte, 500<<20)
	runtime.GC()
	await(t, "a limit half as much again as what lives", func() bool { return limit() >= 750<<20 })
	runtime.KeepAlive(lives)
	stop()
	if got := limit(); got != before {
		t.Errorf("limit afterwards = %d, want %d", got, before)
	}
	limit, stop = keep("GOMEMLIMIT=1GiB", "GOGC=100")
	defer stop()
	if got := limit(); got != before {
		t.Errorf("limit with GOMEMLIMIT = %d, want %d as it was", got, before)
	}
}

// What a million keys leave behind: every second object of the heap's pages is gone, and
// the pages stay.
func TestHeapLimitCountsGaps(t *testing.T) {
	lives := make([][]byte, 200_000)
	for i := range lives {
		lives[i] = make([]byte, 4096)
	}
	for i := 0; i < len(lives); i += 2 {
		lives[i] = nil
	}
	runtime.GC()
	if got := heapNeeds(); got < 900<<20 {
		t.Errorf("needs %d MiB, want half as much again as the 400 that live, and the 400 of gaps", got>>20)
	}
	runtime.KeepAlive(lives)
}

// await polls until done; the deadline is far beyond what it takes.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s within 30 s", what)
		}
	}
}
