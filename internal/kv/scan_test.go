package kv_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/kv"
	"github.com/meshctl/meshctl/internal/record"
)

// oracle answers a range from a sorted list of keys.
func oracle(keys []record.Key, r kv.Range) (want []record.Key) {
	keys = slices.Clone(keys)
	if r.Reverse {
		slices.Reverse(keys)
	}
	for _, k := range keys {
		switch {
		case r.From != nil && bytes.Compare(k, r.From) < 0:
		case r.To != nil && bytes.Compare(k, r.To) >= 0:
		case !bytes.HasPrefix(k, r.Prefix):
		case r.After != nil && !r.Reverse && bytes.Compare(k, r.After) <= 0:
		case r.After != nil && r.Reverse && bytes.Compare(k, r.After) >= 0:
		case r.Limit > 0 && len(want) == r.Limit:
		default:
			want = append(want, k)
		}
	}
	return want
}

func randomKey(rnd *rand.Rand) record.Key {
	letters := []string{"", "a", "b", "a\x00", "a\xff", "\xff", "\xff\xff"}
	k := record.NewKey(letters[rnd.IntN(len(letters))], int64(rnd.IntN(5)-2))
	return k[:len(k)-rnd.IntN(3)*rnd.IntN(2)] // some bounds are no whole keys
}

func TestScan(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rnd := rand.New(rand.NewPCG(seed, 0))
	db := open(t, t.TempDir())
	s := db.Store("orders-v1")
	set := map[string]bool{}
	for i := range 200 {
		k := randomKey(rnd)
		set[string(k)] = true
		at, err := s.Position(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		commit(t, s, rec(at+1, k, "{}"))
		// Neighbours on both sides, for walks to run into.
		commit(t, db.Store("orders-v0"), rec(record.Seq(i+1), k, "{}"))
		commit(t, db.Store("orders-v2"), rec(record.Seq(i+1), k, "{}"))
	}
	var keys []record.Key
	for k := range set {
		keys = append(keys, record.Key(k))
	}
	slices.SortFunc(keys, func(a, b record.Key) int { return bytes.Compare(a, b) })

	maybe := func() record.Key {
		if rnd.IntN(2) == 0 {
			return nil
		}
		return randomKey(rnd)
	}
	for range 3000 {
		r := kv.Range{From: maybe(), To: maybe(), After: maybe(), Reverse: rnd.IntN(2) == 0, Limit: rnd.IntN(4) * rnd.IntN(4)}
		if p := maybe(); p != nil {
			r.Prefix = p[:rnd.IntN(len(p)+1)]
		}
		var got []record.Key
		err := s.Scan(t.Context(), r, func(r record.Record) error {
			got = append(got, r.Key)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := oracle(keys, r); !slices.EqualFunc(got, want, func(a, b record.Key) bool { return bytes.Equal(a, b) }) {
			t.Fatalf("seed %d: %+v\ngot  %q\nwant %q", seed, r, got, want)
		}
	}
}

func TestScanPages(t *testing.T) {
	s := open(t, t.TempDir()).Store("orders-v1")
	for i := range 25 {
		commit(t, s, rec(record.Seq(i+1), record.NewKey(int64(i)), "{}"))
	}
	for _, reverse := range []bool{false, true} {
		r := kv.Range{Limit: 4, Reverse: reverse}
		var seqs []record.Seq
		for pages := 0; pages < 10; pages++ {
			n := len(seqs)
			err := s.Scan(t.Context(), r, func(rec record.Record) error {
				seqs = append(seqs, rec.Seq)
				r.After = rec.Key
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(seqs) == n {
				break
			}
		}
		if reverse {
			slices.Reverse(seqs)
		}
		if len(seqs) != 25 || !slices.IsSorted(seqs) {
			t.Errorf("reverse %v: the pages hold %v", reverse, seqs)
		}
	}
}

func TestScanIsOneMoment(t *testing.T) {
	s := open(t, t.TempDir()).Store("orders-v1")
	commit(t, s, rec(1, record.NewKey("a"), "1"), rec(2, record.NewKey("b"), "2"))
	var seen []record.Seq
	err := s.Scan(t.Context(), kv.Range{}, func(r record.Record) error {
		if r.Seq == 1 {
			commit(t, s, rec(3, record.NewKey("aa"), "3"), rec(4, record.NewKey("b"), "4"))
		}
		seen = append(seen, r.Seq)
		return nil
	})
	if err != nil || !slices.Equal(seen, []record.Seq{1, 2}) {
		t.Fatalf("the scan saw %v, %v; want 1, 2", seen, err)
	}
}

func TestScanEnds(t *testing.T) {
	s := open(t, t.TempDir()).Store("orders-v1")
	commit(t, s, rec(1, record.NewKey("a"), "1"), rec(2, record.NewKey("b"), "2"))
	stop := errors.New("stop")
	if err := s.Scan(t.Context(), kv.Range{}, func(record.Record) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("a failing fn gives %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err := s.Scan(ctx, kv.Range{}, func(record.Record) error { n++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || n != 1 {
		t.Errorf("a cancelled scan gives %v after %d records", err, n)
	}
}
