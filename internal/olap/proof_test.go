package olap

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

// touched writes a file anew so that the system says it is another one, whatever the
// grain of its clock.
func touched(t *testing.T, path string, b []byte) {
	t.Helper()
	info, err := os.Stat(path)
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err == nil {
		err = os.Chtimes(path, time.Time{}, info.ModTime().Add(time.Second))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// flip changes a byte of the only segment in a table's folder, and is what changes it back.
func flip(t *testing.T, db *DB, folder string, at int) (path string, back func()) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(db.dir, folder, "*"+segmentExt))
	if err != nil || len(files) != 1 {
		t.Fatalf("segments %v, %v", files, err)
	}
	good, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	bad := append([]byte(nil), good...)
	bad[at%len(bad)] ^= 1 << (at % 8)
	touched(t, files[0], bad)
	return files[0], func() { touched(t, files[0], good) }
}

// numbers is a table with one segment of rows 1 to n.
func numbers(t *testing.T, db *DB, spec TableSpec, n record.Seq) *Table {
	t.Helper()
	table := openTable(t, db, spec)
	var rows []row
	for seq := record.Seq(1); seq <= n; seq++ {
		rows = append(rows, row{seq: seq, id: fmt.Sprint("id", seq), n: int64(seq * seq)})
	}
	commit(t, table, n, rows...)
	if err := table.Roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	return table
}

// expectDamage wants an error that names the file and says what to do.
func expectDamage(t *testing.T, err error, path string) {
	t.Helper()
	if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) || fault.HintOf(err) != rebuildHint {
		t.Errorf("%v, hint %q; want damage of %s", err, fault.HintOf(err), path)
	}
}

// Wherever a byte of a segment flips, nobody gets a wrong answer: not a query, and not a
// segment that is made of it.
func TestFlippedByteIsNeverAnAnswer(t *testing.T) {
	db := openDB(t, t.TempDir())
	numbers(t, db, eventSpec(), 2000)
	const sql = "SELECT count(*), sum(n), min(id) FROM trips.trips"
	want := lines(t, db, sql)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		at := random.IntN(1 << 30)
		path, back := flip(t, db, "trips-v1", at)
		err := drained(t, db, sql)
		if expectDamage(t, err, path); t.Failed() {
			t.Fatalf("seed %d, byte %d", seed, at)
		}
		back()
	}
	equal(t, "the file as it was", lines(t, db, sql), want)
}

// The start does not read segments. What is damaged then is told by the first query of that
// table; other tables answer, and the damaged one takes records, tells of its damage, and is
// made again by a rebuild.
func TestDamageOfOneTable(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir)
	other := eventSpec()
	other.Name, other.Folder, other.Views = "others", "others-v1", nil
	numbers(t, db, other, 50)
	numbers(t, db, stateSpec(), 50)
	flip(t, db, stateSpec().Folder, 300)
	left := copied(t, dir)
	db = openDB(t, left)
	table := openTable(t, db, stateSpec())
	openTable(t, db, other)
	if err := table.Damage(); err != nil {
		t.Fatalf("somebody has read the segment at the start: %v", err)
	}
	path := filepath.Join(left, stateSpec().Folder)
	sql := "SELECT count(*) FROM trips." + stateSpec().Name
	expectDamage(t, drained(t, db, sql), path)
	expectDamage(t, table.Damage(), path)
	equal(t, "the other table", lines(t, db, "SELECT count(*) FROM trips.others"), []string{"50"})
	commit(t, table, 51, row{seq: 51, id: "id51", n: 51})
	expectDamage(t, table.Roll(t.Context()), path)
	expectDamage(t, table.Compact(t.Context()), path)
	if _, err := table.Stats(t.Context()); !errors.Is(err, ErrDamaged) {
		t.Errorf("stats: %v", err)
	}
	if err := table.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	commit(t, table, 1, row{seq: 1, id: "id1", n: 1})
	equal(t, "rebuilt", lines(t, db, sql), []string{"1"})
	if err := table.Damage(); err != nil {
		t.Errorf("rebuilt: %v", err)
	}
}

// Merging does not make a good segment of a bad one.
func TestDamageIsNotMerged(t *testing.T) {
	dir := killed(t)
	spoil(t, dir, "trips-v1/*.parquet", func(b []byte) []byte { b[20] ^= 1; return b })
	db := openDB(t, dir)
	expectDamage(t, openTable(t, db, eventSpec()).Compact(t.Context()), dir)
}

// Logic reads no damaged segment either.
func TestLogicReadsNoDamage(t *testing.T) {
	db, in, _ := logicTables(t)
	if err := in.Commit(t.Context(), delayBatch(1, delayRow{"ATL", day, 7}), 1); err != nil {
		t.Fatal(err)
	}
	if err := in.Roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	path, back := flip(t, db, "input-flights", 30)
	transform := func() error {
		rows, err := db.Transform(t.Context(), Transform{SQL: "SELECT * FROM flights", Schema: "input", Table: "batch", Batch: delayColumns()})
		if err != nil {
			return err
		}
		return rows.Close()
	}
	expectDamage(t, transform(), path)
	back()
	if err := transform(); err != nil {
		t.Error(err)
	}
}

// A file is read once, and again when it is another one.
func TestSegmentIsReadOnce(t *testing.T) {
	db := openDB(t, t.TempDir())
	table := numbers(t, db, eventSpec(), 10)
	s := table.snapshot().segments[0]
	path := filepath.Join(db.dir, "trips-v1", s.file)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.proofs.check(ended, path, s); err != nil {
		t.Errorf("what this process wrote is read: %v", err)
	}
	_, back := flip(t, db, "trips-v1", 0)
	back()
	if err := db.proofs.check(ended, path, s); !errors.Is(err, context.Canceled) {
		t.Errorf("what somebody touched is not read: %v", err)
	}
	if err := db.proofs.check(t.Context(), path, s); err != nil {
		t.Error(err)
	}
}

// Segments from before there were checksums are read.
func TestSegmentWithoutChecksum(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir)
	numbers(t, db, eventSpec(), 10)
	if err := db.w.exec(t.Context(), "ALTER TABLE "+segmentTable+" DROP COLUMN checksum"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openDB(t, dir)
	table := openTable(t, db, eventSpec())
	equal(t, "rows", lines(t, db, "SELECT count(*) FROM trips.trips"), []string{"10"})
	commit(t, table, 11, row{seq: 11, id: "id11", n: 11})
	if err := errors.Join(table.Roll(t.Context()), table.Compact(t.Context())); err != nil {
		t.Fatal(err)
	}
	if s := table.snapshot().segments; len(s) != 1 || s[0].checksum == "" {
		t.Errorf("segments %+v", s)
	}
}

// What is damaged on the volume is fetched again from the bucket, also where the manifest
// has no checksum and only the object's name tells; logic reads it too.
func TestDamagedCopyIsFetchedAgain(t *testing.T) {
	for _, checksum := range []string{"kept", ""} {
		t.Run("checksum "+checksum, func(t *testing.T) {
			l := newLake(t)
			db := openWith(t, t.TempDir(), l.options(t, "trips"))
			table := numbers(t, db, eventSpec(), 500)
			if checksum == "" {
				p := table.snapshot().clone()
				p.segments[0].checksum = ""
				db.mu.Lock()
				err := db.write(t.Context(), func(w *conn) error { return saveSegments(t.Context(), w, p) })
				db.put(p)
				db.mu.Unlock()
				if err != nil {
					t.Fatal(err)
				}
			}
			const sql = "SELECT count(*), sum(n) FROM trips.trips"
			want := lines(t, db, sql)
			for at := range 20 {
				flip(t, db, "trips-v1", at*997)
				equal(t, "fetched again", lines(t, db, sql), want)
			}
			flip(t, db, "trips-v1", 40)
			rows, err := db.Transform(t.Context(), Transform{SQL: sql, Schema: "trips", Table: "batch", Batch: delayColumns()})
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "logic", drain(t, rows), want)
		})
	}
}

// BenchmarkProof is how fast a segment is read and compared with what was written to it.
func BenchmarkProof(b *testing.B) {
	db := openDB(b, b.TempDir())
	table := openTable(b, db, TableSpec{Schema: "flights", Name: "flights", Folder: "flights-v1", Columns: flightSchema})
	fillFlights(b, table)
	s := table.snapshot().segments[0]
	path := filepath.Join(db.dir, "flights-v1", s.file)
	b.SetBytes(s.bytes)
	for b.Loop() {
		if err := s.intact(b.Context(), path); err != nil {
			b.Fatal(err)
		}
	}
}
