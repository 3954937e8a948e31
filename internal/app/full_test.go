package app

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const eventsYAML = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: events, domain: shop, owner: shop@example.org, version: 1.0.0}
spec:
  outputs:
  - name: events
    type: event
    key: [id]
    schema:
    - {name: id, logicalType: integer}
    - {name: text, logicalType: string}
`

// smallDisk is a folder on a disk of its own with so many MiB; "" where that may not be.
func smallDisk(t *testing.T, mib int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); err != nil {
		fmt.Fprintf(os.Stderr, "NOT TESTED: %s needs to mount a disk, which only root may: %v\n", t.Name(), err)
		return ""
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A mesh whose disk is full comes back by itself when there is room: hub and product, with
// each acknowledged record once.
func TestFullDisk(t *testing.T) {
	disk := smallDisk(t, 300)
	if disk == "" {
		return
	}
	w := startWorld(t, filepath.Join(disk, "mesh"), folder(t, eventsYAML))
	address := w.mesh.Products()[0].HTTPURL()
	acked := map[int]bool{}
	publish := func(from, n int) error {
		i := from
		_, err := w.client.Publish(t.Context(), "events", func() ([]byte, error) {
			if i == from+n {
				return nil, io.EOF
			}
			i++
			return fmt.Appendf(nil, `{"id":%d,"text":%q}`, i-1, strings.Repeat("x", 1000)), nil
		}, PublishOptions{NoWait: true})
		if err == nil {
			for i := from; i < from+n; i++ {
				acked[i] = true
			}
		}
		return err
	}
	next := 0
	fill := filepath.Join(disk, "fill")
	for round := range 2 {
		for ; next < (round+1)*10_000; next += 1000 {
			if err := publish(next, 1000); err != nil {
				t.Fatal(err)
			}
		}
		w.publish(t, "events", fmt.Sprintf(`{"id":%d}`, -2-round)) // and what was published before is in all stores
		f, err := os.Create(fill)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(f, zeroes{}); !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		// Somebody else leaves a little, so that it is meshctl's own write that fills the disk.
		info, err := f.Stat()
		if err == nil {
			err = errors.Join(f.Truncate(info.Size()-3<<20), f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		for end := next + 30_000; next < end; next += 1000 {
			if err := publish(next, 1000); err != nil {
				next += 1000
				t.Logf("round %d: %v", round, err)
				break
			}
		}
		w.awaitMesh(t, "say that it is stuck", func() bool { return w.mesh.Products()[0].Ready() != nil })
		if rows, _ := w.query(t, "SELECT count(*) > 9999 FROM events"); rows[0] != "true" {
			t.Errorf("a full disk keeps a reader from %s", rows)
		}
		if err := os.Remove(fill); err != nil {
			t.Fatal(err)
		}
		w.awaitMesh(t, "work again", func() bool {
			p := w.mesh.Products()
			return len(p) == 1 && p[0].Ready() == nil && w.mesh.Hub().Err() == nil
		})
	}
	if got := w.mesh.Products()[0].HTTPURL(); got != address {
		t.Errorf("it answers at %s, before at %s", got, address)
	}
	w.publish(t, "events", `{"id":-1,"text":"last"}`)
	acked[-1] = true
	rows, _ := w.query(t, "SELECT id, count(*) FROM events GROUP BY id")
	seen := map[int]int{}
	for _, row := range rows {
		var id, n int
		if _, err := fmt.Sscanf(row, "%d|%d", &id, &n); err != nil {
			t.Fatal(err)
		}
		seen[id] = n
		if n != 1 {
			t.Errorf("record %d is there %d times", id, n)
		}
	}
	lost := 0
	for id := range acked {
		if seen[id] == 0 {
			lost++
		}
	}
	if lost > 0 || len(acked) < 20_000 {
		t.Errorf("%d of %d acknowledged records are lost", lost, len(acked))
	}
}

func (w *world) awaitMesh(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !done(); pause(t.Context(), 50*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the mesh does not %s", what)
		}
	}
}

type zeroes struct{}

func (zeroes) Read(b []byte) (int, error) { clear(b); return len(b), nil }
