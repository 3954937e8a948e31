package app

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/serve"
)

// seen gives what a call tells, one by one, until the deadline.
func seen[T any](t *testing.T, from <-chan T, what string, ok func(T) bool) T {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case one := <-from:
			if ok(one) {
				return one
			}
		case <-deadline:
			t.Fatalf("%s did not come within 30s", what)
		}
	}
}

// Somebody who looks at a mesh sees it as it is, also after its hub has come back at
// another address.
func TestBrowserSeesTheMeshThroughARestart(t *testing.T) {
	data, state, orders := t.TempDir(), t.TempDir(), folder(t, ordersYAML)
	w := &world{}
	t.Cleanup(func() { w.stop(t) })
	start := func() {
		var err error
		if w.mesh, err = StartMesh(t.Context(), meshOptions(t, data, state, orders)); err != nil {
			t.Fatal(err)
		}
		if w.client, err = Dial(t.Context(), ClientOptions{StateDir: state}); err != nil {
			t.Fatal(err)
		}
	}
	start()
	b, err := Browse(t.Context(), ClientOptions{StateDir: state})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	first := b.Where()
	for range 2 {
		w.publish(t, "orders", `{"id":"1","customer":"Ann"}`)
		watch(t, b)
		w.stop(t)
		for deadline := time.Now().Add(30 * time.Second); ; {
			if err := b.Reach(t.Context()); fault.KindOf(err) == fault.Unavailable {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("that the hub is gone did not show within 30s")
			}
		}
		if b.Where() != first {
			t.Errorf("the hub is away and its address is %q", b.Where())
		}
		if answered, silent := b.Entries(t.Context(), []string{"orders"}); len(answered)+len(silent) != 0 {
			t.Errorf("without a hub: %v, %v", answered, silent)
		}
		start()
		if err := b.Reach(t.Context()); err != nil {
			t.Fatal(err)
		}
		first = b.Where()
	}
	watch(t, b)
}

// watch checks each of the browser's calls.
func watch(t *testing.T, b *Browser) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	entries, records, ended := make(chan *catalog.Entry, 100), make(chan serve.Record, 100), make(chan error, 2)
	go func() {
		ended <- b.Watch(ctx, func(all catalog.Catalog) error {
			entries <- all.Product("orders")
			return nil
		}, func(_ string, e *catalog.Entry) error { entries <- e; return nil })
	}()
	go func() {
		ended <- b.Follow(ctx, "orders", 1, func(r serve.Record) error { records <- r; return nil })
	}()
	if r := seen(t, records, "the newest record", func(r serve.Record) bool { return true }); r.Key != "1" || string(r.Value) != `{"id":"1","customer":"Ann"}` {
		t.Errorf("followed %+v", r)
	}
	seen(t, entries, "a heartbeat with the record", func(e *catalog.Entry) bool { return e != nil && e.Ports[0].Records > 0 })
	if answered, silent := b.Entries(t.Context(), []string{"orders", "nobody"}); len(answered) != 1 || len(silent) != 1 || silent[0] != "nobody" {
		t.Errorf("entries = %v, silent %v", answered, silent)
	}
	if letters, err := b.DeadLetters(t.Context(), "orders"); err != nil || len(letters) != 0 {
		t.Errorf("letters = %v, %v", letters, err)
	}
	if err := b.Replay(t.Context(), "orders.orders", 7); fault.KindOf(err) != fault.NotFound {
		t.Errorf("replay of no letter: %v", err)
	}
	stop()
	for range 2 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
	}
}
