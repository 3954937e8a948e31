package kv_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kv"
	"github.com/meshctl/meshctl/internal/record"
)

func rec(seq record.Seq, key record.Key, value string) record.Record {
	return record.Record{Seq: seq, Key: key, Value: []byte(value)}
}

func commit(t testing.TB, s *kv.Store, records ...record.Record) {
	t.Helper()
	if err := s.Commit(t.Context(), record.Batch{Records: records}, records[len(records)-1].Seq); err != nil {
		t.Fatal(err)
	}
}

func TestGet(t *testing.T) {
	s := open(t, t.TempDir()).Store("orders-v1")
	at := time.Date(2026, 3, 4, 5, 6, 7, 89, time.UTC)
	want := record.Record{Seq: 3, Time: at, Key: record.NewKey("a", int64(1)), Value: []byte(`{"a":1}`)}
	commit(t, s, want)

	got, ok, err := s.Get(t.Context(), want.Key)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if got.Seq != 3 || !got.Time.Equal(at) || got.Time.Location() != time.UTC ||
		string(got.Key) != string(want.Key) || string(got.Value) != string(want.Value) || got.Deleted {
		t.Fatalf("got %+v; want %+v", got, want)
	}
	if _, ok, err := s.Get(t.Context(), record.NewKey("a")); ok || err != nil {
		t.Fatalf("a prefix of a key is no key: %v, %v", ok, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Get(ctx, want.Key); !errors.Is(err, context.Canceled) {
		t.Fatalf("Get with a cancelled context = %v", err)
	}
}

// Stores must not see each other, whatever their names and keys are.
func TestPortsAreApart(t *testing.T) {
	db := open(t, t.TempDir())
	names := []string{"a", "ab", "a\x01", "b-v1", "b-v2", strings.Repeat("n", 300)}
	for i, name := range names {
		commit(t, db.Store(name), rec(record.Seq(i+1), record.NewKey("b", name), name), rec(record.Seq(i+10), record.Key{0x10}, name))
	}
	for i, name := range names {
		all, err := rows(t.Context(), db.Store(name))
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != 2 || string(all[0].Value) != name || string(all[1].Value) != name {
			t.Errorf("%q holds %+v", name, all)
		}
		if at, err := db.Store(name).Position(t.Context()); err != nil || at != record.Seq(i+10) {
			t.Errorf("%q is at %d, %v", name, at, err)
		}
		if n, err := db.Store(name).Count(t.Context()); err != nil || n != 2 {
			t.Errorf("%q counts %d, %v", name, n, err)
		}
	}
	if n, err := db.Store("absent").Count(t.Context()); err != nil || n != 0 {
		t.Errorf("a store without records counts %d, %v", n, err)
	}
}

func TestCommitSkipsRecordsWithoutKey(t *testing.T) {
	s := open(t, t.TempDir()).Store("log-v1")
	commit(t, s, rec(1, nil, "{}"), rec(2, record.NewKey("k"), "{}"), rec(3, nil, "{}"))
	if n, err := s.Count(t.Context()); err != nil || n != 1 {
		t.Fatalf("Count = %d, %v; want 1", n, err)
	}
	if at, err := s.Position(t.Context()); err != nil || at != 3 {
		t.Fatalf("Position = %d, %v; want 3", at, err)
	}
}

func TestCommitRefusesRecordsAfterUpTo(t *testing.T) {
	s := open(t, t.TempDir()).Store("log-v1")
	err := s.Commit(t.Context(), record.Batch{Records: []record.Record{rec(1, record.NewKey("a"), ""), rec(9, record.NewKey("b"), "")}}, 8)
	if fault.KindOf(err) != fault.Invalid {
		t.Fatalf("err = %v; want an invalid fault", err)
	}
	if at, _ := s.Position(t.Context()); at != 0 {
		t.Fatalf("Position = %d; want 0", at)
	}
}

// A context that ends between two parts of a split batch must leave data and position in step.
func TestSplitBatchStaysInStep(t *testing.T) {
	s := open(t, t.TempDir()).Store("orders-v1")
	const n = 60_000
	b := record.Batch{Records: make([]record.Record, n)}
	for i := range b.Records {
		b.Records[i] = rec(record.Seq(i+1), record.NewKey(int64(i+1)), strings.Repeat("x", 100))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Commit(ctx, b, n) }()
	var at record.Seq
	for deadline := time.Now().Add(20 * time.Second); at == 0 && time.Now().Before(deadline); {
		var err error
		if at, err = s.Position(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	err := <-done
	at, perr := s.Position(t.Context())
	if perr != nil {
		t.Fatal(perr)
	}
	if at == 0 || at == n != (err == nil) {
		t.Fatalf("the batch ended at %d with %v", at, err)
	}
	if got, err := s.Count(t.Context()); err != nil || got != int64(at) {
		t.Fatalf("there are %d records at %d, %v", got, at, err)
	}
	if err := s.Commit(t.Context(), b, n); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Count(t.Context()); err != nil || got != n {
		t.Fatalf("there are %d records, %v; want %d", got, err, n)
	}
}

// Keys that Badger would refuse are kept all the same, next to short keys that look like them.
func TestLongKeys(t *testing.T) {
	s := open(t, t.TempDir()).Store("docs-v1")
	base := strings.Repeat("k", 31_000)
	var keys []record.Key
	for _, tail := range []int{0, 900, 997, 998, 999, 1000, 1500, 40_000, 200_000} {
		for _, end := range []string{"a", "b"} {
			keys = append(keys, record.NewKey(base+strings.Repeat("x", tail)+end, int64(tail)))
		}
	}
	for i, k := range keys {
		commit(t, s, rec(record.Seq(i+1), k, fmt.Sprint(i)))
	}
	for i, k := range keys {
		got, ok, err := s.Get(t.Context(), k)
		if err != nil || !ok || string(got.Value) != fmt.Sprint(i) || string(got.Key) != string(k) {
			t.Fatalf("key %d of %d bytes: %d %q %v %v", i, len(k), got.Seq, got.Value, ok, err)
		}
	}
	for i, from := range keys {
		var want int
		for _, k := range keys {
			if slices.Compare(k, from) >= 0 {
				want++
			}
		}
		for _, reverse := range []bool{false, true} {
			got := 0
			err := s.Scan(t.Context(), kv.Range{From: from, Reverse: reverse}, func(record.Record) error { got++; return nil })
			if err != nil || got != want {
				t.Errorf("from key %d, reverse %v: %d records, %v; want %d", i, reverse, got, err, want)
			}
			got = 0
			err = s.Scan(t.Context(), kv.Range{To: from, Reverse: reverse}, func(record.Record) error { got++; return nil })
			if err != nil || got != len(keys)-want {
				t.Errorf("to key %d, reverse %v: %d records, %v; want %d", i, reverse, got, err, len(keys)-want)
			}
		}
	}
	last := keys[len(keys)-1]
	commit(t, s, record.Record{Seq: 100, Key: last, Deleted: true})
	if _, ok, err := s.Get(t.Context(), last); ok || err != nil {
		t.Fatalf("deleted long key: %v, %v", ok, err)
	}
}
