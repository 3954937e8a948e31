package kv_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kv"
	"github.com/meshctl/meshctl/internal/record"
)

func TestDrop(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir)
	orders, returns := db.Store("orders-v1"), db.Store("orders-v10")
	for i := range 50 {
		commit(t, orders, rec(record.Seq(i+1), record.NewKey(int64(i)), strings.Repeat("x", 1000*i)))
		commit(t, returns, rec(record.Seq(i+1), record.NewKey(int64(i)), strings.Repeat("y", 1000*i)))
	}
	// Other ports go on while one is dropped.
	var writers sync.WaitGroup
	writers.Go(func() {
		for i := range 50 {
			b := record.Batch{Records: []record.Record{rec(record.Seq(i+51), record.NewKey(int64(i+50)), "{}")}}
			if err := returns.Commit(t.Context(), b, record.Seq(i+51)); err != nil {
				t.Errorf("commit beside a drop: %v", err)
				return
			}
		}
	})
	if err := orders.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	writers.Wait()

	check := func(when string) {
		t.Helper()
		expectStore(t, when, orders, 0, 0)
		expectStore(t, when, returns, 100, 100)
	}
	check("after the drop")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, dir)
	orders, returns = db.Store("orders-v1"), db.Store("orders-v10")
	check("after a restart")
	commit(t, orders, rec(1, record.NewKey("again"), "{}"))
	expectStore(t, "filled again", orders, 1, 1)
}

func expectStore(t *testing.T, when string, s *kv.Store, at record.Seq, count int64) {
	t.Helper()
	gotAt, err := s.Position(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if gotAt != at || got != count {
		t.Errorf("%s: %d records at %d; want %d at %d", when, got, gotAt, count, at)
	}
}

func TestClose(t *testing.T) {
	db := open(t, t.TempDir())
	s := db.Store("orders-v1")
	commit(t, s, rec(1, record.NewKey("a"), "1"), rec(2, record.NewKey("b"), "2"))

	// Close ends a scan that runs, even one that reads within.
	inside, closed := make(chan struct{}), make(chan error, 1)
	go func() {
		<-inside
		closed <- db.Close()
	}()
	err := s.Scan(t.Context(), kv.Range{}, func(record.Record) error {
		close(inside)
		for {
			if _, _, err := s.Get(t.Context(), record.NewKey("a")); err != nil {
				return fmt.Errorf("get: %w", err)
			}
		}
	})
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a scan that Close ends = %v", err)
	}
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Errorf("second Close = %v", err)
	}
	if err := s.Commit(t.Context(), record.Batch{}, 9); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Commit after Close = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Position(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Position with a cancelled context = %v", err)
	}
}

func TestOpenLocked(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	_, err := kv.Open(dir, kv.Options{})
	if fault.KindOf(err) != fault.Conflict || fault.HintOf(err) == "" {
		t.Errorf("Open of a database in use = %v", err)
	}
	if err := kv.Remove(dir); fault.KindOf(err) != fault.Conflict {
		t.Errorf("Remove of a database in use = %v", err)
	}
}
