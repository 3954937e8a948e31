// Package storetest is the contract that every materialisation must pass: data and
// position move together, and a commit that comes twice counts once.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/record"
)

// Store is a materialisation of one port, opened in a folder.
type Store interface {
	Position(ctx context.Context) (record.Seq, error)
	Commit(ctx context.Context, b record.Batch, upTo record.Seq) error
	// Rows are all records there are, in any order, with Seq, Key and Value. Value is the
	// JSON of a Row.
	Rows(ctx context.Context) ([]record.Record, error)
	Close() error
}

// Opener opens the store in dir, as it was left there.
type Opener func(t *testing.T, dir string) Store

// Run tests a store of a state port: the latest record of each key.
func Run(t *testing.T, open func(t *testing.T, dir string) Store) {
	run(t, open, latest)
	t.Run("latest by key wins and deletes delete", func(t *testing.T) { testLatest(t, open) })
}

// RunEvents tests a store of an event port: every record stays.
func RunEvents(t *testing.T, open func(t *testing.T, dir string) Store) {
	run(t, open, events)
}

func run(t *testing.T, open Opener, kind modelKind) {
	t.Run("a new store is at 0", func(t *testing.T) { testNew(t, open) })
	t.Run("position survives reopen without records", func(t *testing.T) { testEmptyBatch(t, open) })
	t.Run("commit twice is once", func(t *testing.T) { testTwice(t, open, kind) })
	t.Run("overlap applies what is new", func(t *testing.T) { testOverlap(t, open, kind) })
	t.Run("cancelled commit changes nothing", func(t *testing.T) { testCancelled(t, open, kind) })
	t.Run("big batch", func(t *testing.T) { testBig(t, open, kind) })
	t.Run("big value", func(t *testing.T) { testBigValue(t, open, kind) })
	t.Run("random batches and restarts", func(t *testing.T) { testRandom(t, open, kind) })
}

func testNew(t *testing.T, open Opener) {
	s := open(t, t.TempDir())
	defer closeStore(t, s)
	expect(t, s, newModel(latest))
}

func testEmptyBatch(t *testing.T, open Opener) {
	dir := t.TempDir()
	s := open(t, dir)
	m := newModel(latest)
	// Logic may drop every record that it was given.
	commit(t, s, m, 7)
	expect(t, s, m)
	closeStore(t, s)

	s = open(t, dir)
	defer closeStore(t, s)
	expect(t, s, m)
}

func testTwice(t *testing.T, open Opener, kind modelKind) {
	s := open(t, t.TempDir())
	defer closeStore(t, s)
	m := newModel(kind)
	first := []record.Record{Put(1, Row{"a", 1, "one"}), Put(2, Row{"b", 2, "two"})}
	commit(t, s, m, 2, first...)
	commit(t, s, m, 3, Put(3, Row{"a", 3, "three"}))
	for range 2 {
		if err := s.Commit(t.Context(), Batch(first...), 2); err != nil {
			t.Fatal(err)
		}
		expect(t, s, m)
	}
}

func testOverlap(t *testing.T, open Opener, kind modelKind) {
	s := open(t, t.TempDir())
	defer closeStore(t, s)
	m := newModel(kind)
	commit(t, s, m, 5, Put(2, Row{"a", 2, "new"}), Put(4, Row{"b", 4, "new"}))
	// Had the old records been applied again, their changed text would show.
	commit(t, s, m, 8, Put(2, Row{"a", 2, "again"}), Put(5, Row{"c", 5, "again"}), Put(6, Row{"b", 6, "newer"}))
	expect(t, s, m)
}

func testCancelled(t *testing.T, open Opener, kind modelKind) {
	s := open(t, t.TempDir())
	defer closeStore(t, s)
	m := newModel(kind)
	commit(t, s, m, 1, Put(1, Row{"a", 1, ""}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Commit(ctx, Batch(Put(2, Row{"a", 2, ""})), 2); !errors.Is(err, context.Canceled) {
		t.Fatalf("Commit with a cancelled context = %v; want context.Canceled", err)
	}
	expect(t, s, m)
	commit(t, s, m, 2, Put(2, Row{"a", 2, ""}))
	expect(t, s, m)
}

// testBig commits more than a transaction of any store takes at once.
func testBig(t *testing.T, open Opener, kind modelKind) {
	dir := t.TempDir()
	s := open(t, dir)
	m := newModel(kind)
	const n = 60_000
	records := make([]record.Record, 0, n)
	for i := range n {
		records = append(records, Put(record.Seq(i+1), Row{fmt.Sprint("key ", i%50_000), int64(i), strings.Repeat("x", 100)}))
	}
	commit(t, s, m, n+5, records...)
	closeStore(t, s)
	s = open(t, dir)
	defer closeStore(t, s)
	expect(t, s, m)
}

func testBigValue(t *testing.T, open Opener, kind modelKind) {
	dir := t.TempDir()
	s := open(t, dir)
	m := newModel(kind)
	for i := range 4 {
		seq := record.Seq(2*i + 1)
		commit(t, s, m, seq+1,
			Put(seq, Row{"big", int64(i), strings.Repeat("v", 1<<20)}), Put(seq+1, Row{strings.Repeat("k", 20_000), 1, ""}))
	}
	closeStore(t, s)
	s = open(t, dir)
	defer closeStore(t, s)
	expect(t, s, m)
}

func testLatest(t *testing.T, open Opener) {
	dir := t.TempDir()
	s := open(t, dir)
	m := newModel(latest)
	commit(t, s, m, 6,
		Put(1, Row{"a", 1, "one"}), Put(2, Row{"a", 2, "two"}), // twice in one batch
		Put(3, Row{"b", 3, ""}), Delete(4, "b"), // gone in the batch it came with
		Delete(5, "c"), Put(6, Row{"c", 6, ""})) // deleted before it was there
	expect(t, s, m)
	commit(t, s, m, 9, Put(7, Row{"b", 7, "back"}), Delete(8, "a"), Delete(9, "never"))
	expect(t, s, m)
	closeStore(t, s)
	s = open(t, dir)
	defer closeStore(t, s)
	expect(t, s, m)
}
