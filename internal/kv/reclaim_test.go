package kv

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/meshctl/meshctl/internal/record"
)

// smallLog has value log files that a test can fill.
func smallLog(t *testing.T, dir string) *DB {
	t.Helper()
	// Compactions are what find the garbage; here Close runs one.
	set := settings(dir, Options{}).WithValueThreshold(1 << 10).WithValueLogFileSize(mib).WithCompactL0OnClose(true)
	db, err := openWith(dir, set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestCollect(t *testing.T) {
	dir := t.TempDir()
	db := smallLog(t, dir)
	s := db.Store("orders-v1")
	value := func(i, round int) []byte { return bytes.Repeat(fmt.Append(nil, i, round), 10_000) }
	var seq record.Seq
	const keys, rounds = 20, 12
	for round := range rounds {
		for i := range keys {
			seq++
			r := record.Record{Seq: seq, Key: record.NewKey(int64(i)), Value: value(i, round)}
			if err := s.Commit(t.Context(), record.Batch{Records: []record.Record{r}}, seq); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = smallLog(t, dir)
	before := db.Size()
	if err := db.collect(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = smallLog(t, dir)
	if after := db.Size(); after > before/2 {
		t.Errorf("%d bytes before, %d after: nothing was reclaimed", before, after)
	}
	for i := range keys {
		r, ok, err := db.Store("orders-v1").Get(t.Context(), record.NewKey(int64(i)))
		if err != nil || !ok || !bytes.Equal(r.Value, value(i, rounds-1)) {
			t.Fatalf("key %d after collecting: record %d, %v, %v", i, r.Seq, ok, err)
		}
	}
}

// A crash may come after Drop wrote down its intent and before the data are gone.
func TestHalfDropIsFinished(t *testing.T) {
	dir := t.TempDir()
	db := smallLog(t, dir)
	s := db.Store("orders-v1")
	b := record.Batch{Records: []record.Record{{Seq: 1, Key: record.NewKey("a"), Value: []byte("{}")}}}
	if err := s.Commit(t.Context(), b, 5); err != nil {
		t.Fatal(err)
	}
	if err := s.beginDrop(); err != nil {
		t.Fatal(err)
	}
	if at, err := s.Position(t.Context()); err != nil || at != 0 {
		t.Errorf("while it is dropped the position is %d, %v", at, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s = smallLog(t, dir).Store("orders-v1")
	if n, err := s.Count(t.Context()); err != nil || n != 0 {
		t.Errorf("there are %d records left, %v", n, err)
	}
	if at, err := s.Position(t.Context()); err != nil || at != 0 {
		t.Errorf("the position is %d, %v", at, err)
	}
}
