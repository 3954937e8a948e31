package kv

import (
	"encoding/binary"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/record"
)

// paced opens a database whose compactions come after few tables, and pause that long; it
// counts the pauses.
func paced(t *testing.T, pause time.Duration) (*DB, *atomic.Int64) {
	t.Helper()
	dir := t.TempDir()
	set := settings(dir, Options{}).WithNumLevelZeroTables(2)
	set.Logger = logger{pace: newPacer(pause)}
	db, err := openWith(dir, set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	pauses := &atomic.Int64{}
	db.pace.start(func() int {
		pauses.Add(1)
		return db.badger.Levels()[0].NumTables
	})
	return db, pauses
}

// fill commits until a compaction has paused, and is the last sequence.
func fill(t *testing.T, s *Store, pauses *atomic.Int64) record.Seq {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	const most = 400
	var seq record.Seq
	for range most {
		var b record.Batch
		for range 1000 {
			seq++
			value := make([]byte, 1000)
			for i := 0; i < len(value); i += 8 {
				binary.LittleEndian.PutUint64(value[i:], random.Uint64())
			}
			b.Records = append(b.Records, record.Record{Seq: seq, Key: record.NewKey(int64(random.Uint64() >> 1)), Value: value})
		}
		if err := s.Commit(t.Context(), b, seq); err != nil {
			t.Fatal(err)
		}
		if pauses.Load() > 0 {
			return seq
		}
	}
	t.Fatalf("no compaction paused while %d records were committed: has Badger's message changed?", seq)
	return 0
}

func TestCompactionsPause(t *testing.T) {
	t.Run("and nobody waits for them", func(t *testing.T) {
		db, pauses := paced(t, 24*time.Hour)
		s := db.Store("orders-v1")
		last := fill(t, s, pauses)
		other := db.Store("other-v1")
		one := record.Batch{Records: []record.Record{{Seq: 1, Key: record.NewKey(int64(1)), Value: []byte("{}")}}}
		if err := other.Commit(t.Context(), one, 1); err != nil {
			t.Fatal(err)
		}
		if err := s.Commit(t.Context(), record.Batch{}, last+1); err != nil {
			t.Fatal(err)
		}
		if err := other.Drop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if at, err := s.Position(t.Context()); err != nil || at != last+1 {
			t.Errorf("position %d, %v; want %d", at, err, last+1)
		}
	})
	t.Run("and closing ends it", func(t *testing.T) {
		db, pauses := paced(t, 24*time.Hour)
		fill(t, db.Store("orders-v1"), pauses)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPausesGetShorter(t *testing.T) {
	p := newPacer(longestPause)
	for _, c := range []struct {
		tables int
		want   time.Duration
	}{
		{0, longestPause},
		{levelZeroTables, longestPause},
		{(levelZeroTables + unpacedTables) / 2, longestPause / 2},
		{unpacedTables, 0},
		{levelZeroTablesStall, 0},
	} {
		if got := p.pause(c.tables); got != c.want {
			t.Errorf("with %d tables in level 0 a pause is %s, want %s", c.tables, got, c.want)
		}
	}
}
