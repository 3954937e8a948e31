package kv_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kv"
	"github.com/meshctl/meshctl/internal/record"
)

// Wherever a byte of a table flips, nobody is told less than there is: each get and each
// scan gives what was written or says that the store is damaged, and so does a drop, which
// would take other ports' records with it.
func TestFlippedByteIsNeverAnAnswer(t *testing.T) {
	const n = 3000
	left := t.TempDir()
	db := open(t, left)
	value := func(i int) string { return fmt.Sprintf("%d %s", i, strings.Repeat("v", 100)) }
	for i := 0; i < n; i += 100 {
		var batch []record.Record
		for j := range 100 {
			batch = append(batch, rec(record.Seq(i+j+1), record.NewKey(int64(i+j)), value(i+j)))
		}
		commit(t, db.Store("orders-v1"), batch...)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	met := 0
	for range 25 {
		at := random.IntN(1 << 30)
		dir := filepath.Join(t.TempDir(), "kv")
		if err := os.CopyFS(dir, os.DirFS(left)); err != nil {
			t.Fatal(err)
		}
		spoil(t, dir, "*.sst", func(b []byte) []byte { b[at%len(b)] ^= 1 << (at % 8); return b })
		what := fmt.Sprintf("seed %d, byte %d", seed, at)
		db, err := kv.Open(dir, kv.Options{})
		if err != nil {
			isDamage(t, what, err)
			continue
		}
		s := db.Store("orders-v1")
		for range 20 {
			i := random.IntN(n)
			if r, found, err := s.Get(t.Context(), record.NewKey(int64(i))); err != nil {
				isDamage(t, what, err)
			} else if !found || string(r.Value) != value(i) {
				t.Errorf("%s: get %d: %v, %q", what, i, found, r.Value)
			}
		}
		found := 0
		if err := s.Scan(t.Context(), kv.Range{}, func(record.Record) error { found++; return nil }); err != nil {
			isDamage(t, what, err)
			met++
		} else if found != n {
			t.Errorf("%s: a scan finds %d of %d records", what, found, n)
		}
		if err := s.Drop(t.Context()); err != nil {
			isDamage(t, what, err)
		}
		if err := db.Close(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if met == 0 {
		t.Error("no scan met a flipped byte")
	}
}

func isDamage(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil || !strings.Contains(fault.HintOf(err), "rebuild") {
		t.Errorf("%s: %v, hint %q", what, err, fault.HintOf(err))
	}
}

// BenchmarkProof is how fast the tables are read.
func BenchmarkProof(b *testing.B) {
	dir := b.TempDir()
	db, err := kv.Open(dir, kv.Options{})
	if err != nil {
		b.Fatal(err)
	}
	s := db.Store("orders-v1")
	var seq record.Seq
	for range 1000 {
		batch := record.Batch{}
		for range 1000 {
			seq++
			batch.Records = append(batch.Records, rec(seq, record.NewKey(int64(seq)), fmt.Sprintf(`{"id":%d,"text":"%x"}`, seq, rand.Uint64())))
		}
		if err := s.Commit(b.Context(), batch, seq); err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	if db, err = kv.Open(dir, kv.Options{}); err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	b.SetBytes(db.Size())
	for b.Loop() {
		if err := db.Prove(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
