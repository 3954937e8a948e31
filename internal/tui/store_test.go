package tui

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/meshctl/meshctl/internal/spool"
)

// filledStore is a store with an answer of n rows.
func filledStore(t *testing.T, n int) *store {
	t.Helper()
	a := &fakeAnswer{f: newFake(nil), rows: n}
	s, err := newStore(a.Schema())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := spool.Fill(t.Context(), a, s.Spool); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStoreIsATable(t *testing.T) {
	s := filledStore(t, 50_000)
	for _, i := range []int{0, 49_999, 2047, 2048, 25_000} {
		if row := s.Row(i); row[0].text != fmt.Sprint(i+1) {
			t.Errorf("row %d = %v", i, row)
		}
	}
	n, sum := 0, 0
	err := s.Each(t.Context(), []int{0}, func(texts []string) error {
		var v int
		_, err := fmt.Sscan(texts[0], &v)
		n, sum = n+1, sum+v
		return err
	})
	if err != nil || n != 50_000 || sum != 50_000*50_001/2 || s.Row(n) != nil {
		t.Errorf("Each gave %d rows, sum %d, %v", n, sum, err)
	}
	ended, stop := context.WithCancel(t.Context())
	stop()
	if err := s.Each(ended, []int{0}, func([]string) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is over: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
