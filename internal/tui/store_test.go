package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
)

// filled is a store with an answer of n rows.
func filledStore(t *testing.T, n int) *store {
	t.Helper()
	f := newFake(nil)
	a := &fakeAnswer{f: f, rows: n}
	s, err := newStore(a.Schema())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pump(t.Context(), a, s); err != nil {
		t.Fatal(err)
	}
	if !a.closed {
		t.Error("the answer was not closed")
	}
	return s
}

func TestStoreGivesAnyRow(t *testing.T) {
	s := filledStore(t, 50_000)
	for _, i := range []int{0, 49_999, 2047, 2048, 25_000, 2047, 12} {
		if row := s.Row(i); row[0].text != fmt.Sprint(i+1) {
			t.Errorf("row %d = %v", i, row)
		}
	}
	for i := 0; i < s.Len(); i += 1000 { // through every batch
		if row := s.Row(i); row[0].text != fmt.Sprint(i+1) {
			t.Errorf("row %d = %v", i, row)
		}
	}
	if s.Len() != 50_000 || len(s.recent) > storeCache || s.Row(50_000) != nil {
		t.Errorf("%d rows, %d batches in memory, row 50,000 = %v", s.Len(), len(s.recent), s.Row(50_000))
	}
	n, sum := 0, 0
	err := s.Each(t.Context(), []int{0}, func(texts []string) error {
		var v int
		_, err := fmt.Sscan(texts[0], &v)
		n, sum = n+1, sum+v
		return err
	})
	if err != nil || n != 50_000 || sum != 50_000*50_001/2 {
		t.Errorf("Each gave %d rows, sum %d, %v", n, sum, err)
	}
	ended, stop := context.WithCancel(t.Context())
	stop()
	if err := s.Each(ended, []int{0}, func([]string) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is over: %v", err)
	}
	if _, err := os.Stat(s.file.Name()); !errors.Is(err, os.ErrNotExist) { // a process that is killed leaves nothing behind
		t.Errorf("the file has a name: %v", err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
}

func TestPumpEndsWithItsContext(t *testing.T) {
	a := &fakeAnswer{f: newFake(nil), rows: 10_000}
	s, err := newStore(a.Schema())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := pump(ctx, a, s); !errors.Is(err, context.Canceled) || !a.closed {
		t.Errorf("pump: %v, closed %v", err, a.closed)
	}
	all := &replayed{s: s}
	if _, err := all.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("an empty store: %v", err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
}
