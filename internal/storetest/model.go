package storetest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/record"
)

type modelKind int

const (
	latest modelKind = iota // a state port
	events                  // an event port
)

// model is what a store should hold.
type model struct {
	kind modelKind
	at   record.Seq
	rows map[string]record.Record
}

func newModel(kind modelKind) *model {
	return &model{kind: kind, rows: map[string]record.Record{}}
}

// id is what makes a row of the model one of its own.
func (m *model) id(r record.Record) string {
	if m.kind == events {
		return fmt.Sprint(r.Seq)
	}
	return string(r.Key)
}

func (m *model) commit(records []record.Record, upTo record.Seq) {
	for _, r := range records {
		switch {
		case r.Seq <= m.at:
		case r.Deleted:
			delete(m.rows, m.id(r))
		default:
			m.rows[m.id(r)] = r
		}
	}
	m.at = max(m.at, upTo)
}

// commit brings a batch to the store and to the model.
func commit(t *testing.T, s Store, m *model, upTo record.Seq, records ...record.Record) {
	t.Helper()
	b := record.Batch{}
	if len(records) > 0 {
		b = Batch(records...)
		defer b.Columns.Release()
	}
	if err := s.Commit(t.Context(), b, upTo); err != nil {
		t.Fatalf("commit up to %d: %v", upTo, err)
	}
	m.commit(records, upTo)
}

// expect compares store and model, position and every row.
func expect(t *testing.T, s Store, m *model) {
	t.Helper()
	at, err := s.Position(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if at != m.at {
		t.Fatalf("Position = %d; want %d", at, m.at)
	}
	rows, err := s.Rows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(m.rows) {
		t.Fatalf("there are %d rows at %d; want %d", len(rows), at, len(m.rows))
	}
	seen := map[string]bool{}
	for _, got := range rows {
		id := m.id(got)
		want, ok := m.rows[id]
		if !ok || seen[id] {
			t.Fatalf("row %s of record %d is there and should not be", got.Key, got.Seq)
		}
		seen[id] = true
		if got.Seq != want.Seq || string(got.Key) != string(want.Key) || rowOf(got) != rowOf(want) {
			t.Fatalf("row is\n%d %s %.200s; want\n%d %s %.200s", got.Seq, got.Key, got.Value, want.Seq, want.Key, want.Value)
		}
	}
}

func closeStore(t *testing.T, s Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// testRandom does at random what a pipeline does, with restarts, and says its seed when
// it fails.
func testRandom(t *testing.T, open Opener, kind modelKind) {
	seed := uint64(time.Now().UnixNano())
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	rnd := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	s := open(t, dir)
	defer func() { closeStore(t, s) }()
	m := newModel(kind)
	for range 120 {
		switch rnd.IntN(10) {
		case 0:
			closeStore(t, s)
			s = open(t, dir)
			expect(t, s, m)
		case 1:
			expect(t, s, m)
		default:
			records, upTo := randomBatch(rnd, m)
			commit(t, s, m, upTo, records...)
		}
	}
	expect(t, s, m)
}

// randomBatch starts before the position, at it or after a gap.
func randomBatch(rnd *rand.Rand, m *model) (records []record.Record, upTo record.Seq) {
	seq := m.at
	if seq > 20 {
		seq -= record.Seq(rnd.IntN(20) * rnd.IntN(2))
	}
	for range rnd.IntN(60) {
		seq += record.Seq(1 + rnd.IntN(3))
		key := fmt.Sprint("k", rnd.IntN(40))
		if m.kind == latest && rnd.IntN(4) == 0 {
			records = append(records, Delete(seq, key))
		} else {
			row := Row{Key: key, N: rnd.Int64(), Text: strings.Repeat("é\x00\"", rnd.IntN(5))}
			records = append(records, Put(seq, row))
		}
	}
	return records, seq + record.Seq(rnd.IntN(3))
}
