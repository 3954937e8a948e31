package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestSameServer(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"nats://127.0.0.1:4222", "nats://localhost", true}, {"nats://127.0.0.1:4222", "tls://[::1]:4222", true},
		{"nats://127.0.0.1:4222", "nats://127.0.0.1:4223", false}, {"nats://127.0.0.1:4222", "nats://example.org:4222", false},
		{"nats://example.org:4222", "nats://example.org:4222", true}, {"nats://127.0.0.1:4222", "::", false},
		{"nats://127.0.0.1:1,nats://127.0.0.1:2", "nats://127.0.0.1:2", true}, {"nats://127.0.0.1:3", "nats://127.0.0.1:1, nats://127.0.0.1:2", false},
		{"nats://127.0.0.1:1,nats://127.0.0.1:2", "nats://127.0.0.1:3,nats://127.0.0.1:2", true},
	} {
		if got := sameServer(c.a, c.b, "4222"); got != c.same {
			t.Errorf("%s and %s: %t", c.a, c.b, got)
		}
	}
}

func TestRunningMeshes(t *testing.T) {
	state := t.TempDir()
	here := Running{URL: "nats://127.0.0.1:1", Data: "/a", PID: os.Getpid()}
	a, err := announce(t.Context(), state, here)
	if err != nil {
		t.Fatal(err)
	}
	// A killed one leaves its file; its PID is another process's now, here this one's.
	killed, err := json.Marshal(Running{URL: "nats://127.0.0.1:2", Data: "/b", PID: os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"killed.json", "locked.json"} {
		if err := os.WriteFile(filepath.Join(state, "meshes", name), killed, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(state, "meshes", "locked.json.lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var looking sync.WaitGroup // many may look at once, and none hides it from another
	for range 4 {
		looking.Go(func() {
			for range 50 {
				running, err := RunningMeshes(state)
				if err != nil || len(running) != 1 || running[0] != here {
					t.Errorf("running = %+v, %v", running, err)
				}
			}
		})
	}
	looking.Wait()
	if err := a.withdraw(); err != nil {
		t.Fatal(err)
	}
	if running, err := RunningMeshes(state); err != nil || len(running) != 0 {
		t.Errorf("running = %+v, %v after it was withdrawn", running, err)
	}
	if a, err = announce(t.Context(), state, here); err != nil {
		t.Fatal(err)
	}
	if err := a.withdraw(); err != nil {
		t.Error(err)
	}
}
