package olap

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// stepped is how many threads of the process are nicer than the calling one.
func stepped(t *testing.T) int {
	t.Helper()
	own := nice(t, "/proc/thread-self/stat")
	files, err := filepath.Glob("/proc/self/task/*/stat")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range files {
		if nice(t, f) == own+stepBack {
			n++
		}
	}
	return n
}

// nice is that of the thread of a stat file, -1000 when it has ended.
func nice(t *testing.T, stat string) int {
	t.Helper()
	b, err := os.ReadFile(stat)
	if err != nil {
		return -1000
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	n, err := strconv.Atoi(fields[16])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEngineStepsBack(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		t.Fatal(err)
	}
	had := stepped(t)
	db, err := Open(t.Context(), t.TempDir(), Options{Threads: 4})
	if err != nil {
		t.Fatal(err)
	}
	if got := stepped(t) - had; got < 3 { // the fourth is whoever asks
		t.Errorf("%d of the engine's threads step back, want 3", got)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	inside := 0
	gently(func() { inside = nice(t, "/proc/thread-self/stat") })
	if want := nice(t, "/proc/thread-self/stat") + stepBack; inside != want {
		t.Errorf("work done gently has nice value %d, want %d", inside, want)
	}
	after, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil || after != before {
		t.Errorf("the caller's own priority has changed from %d to %d: %v", before, after, err)
	}
}
