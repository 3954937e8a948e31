package olap

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

// killed is the folder of a table as kill -9 leaves it: two segments, a database file, and
// a write-ahead log with the last commits.
func killed(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	db := openDB(t, dir)
	table := openTable(t, db, eventSpec())
	for seq := record.Seq(1); seq <= 30; seq++ {
		commit(t, table, seq, row{seq: seq, id: fmt.Sprint("id", seq), n: int64(seq)})
		if seq == 10 || seq == 20 {
			if err := table.Roll(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if seq == 25 {
			if err := db.w.exec(t.Context(), "CHECKPOINT"); err != nil {
				t.Fatal(err)
			}
		}
	}
	left := filepath.Join(t.TempDir(), "table")
	if err := os.CopyFS(left, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return left
}

// reach opens the tables in dir and says how far they have come.
func reach(dir string) (record.Seq, error) {
	db, err := Open(context.Background(), dir, Options{Threads: 1})
	if err != nil {
		return 0, err
	}
	table, err := db.Table(context.Background(), eventSpec())
	if err != nil {
		return 0, errors.Join(err, db.Close())
	}
	seq, err := table.Position(context.Background())
	return seq, errors.Join(err, db.Close())
}

// drained reads an answer to its end.
func drained(t *testing.T, db *DB, sql string) error {
	t.Helper()
	rows, err := db.Query(t.Context(), Query{SQL: sql})
	if err != nil {
		return err
	}
	defer rows.Close()
	for {
		if _, err := rows.Next(t.Context()); err != nil {
			return ended(err)
		}
	}
}

// A flipped bit in a segment is told as damage, wherever it is and whoever meets it: the
// start, or somebody's query.
func TestFlippedBitInASegment(t *testing.T) {
	left := killed(t)
	for part := range 40 {
		dir := copied(t, left)
		spoil(t, dir, "trips-v1/*.parquet", func(b []byte) []byte { b[len(b)*part/40] ^= 4; return b })
		err := func() error {
			db, err := Open(context.Background(), dir, Options{Threads: 1})
			if err != nil {
				return err
			}
			if _, err = db.Table(context.Background(), eventSpec()); err == nil {
				err = drained(t, db, "SELECT * FROM trips.trips")
			}
			return errors.Join(err, db.Close())
		}()
		if !errors.Is(err, ErrDamaged) || !strings.Contains(fault.HintOf(err), "rebuild") {
			t.Errorf("in part %d of 40: %v, hint %q", part, err, fault.HintOf(err))
		}
	}
}

func TestDamage(t *testing.T) {
	dir := killed(t)
	if seq, err := reach(copied(t, dir)); seq != 30 || err != nil {
		t.Fatalf("undamaged, the table is at %d, %v", seq, err)
	}
	half := func(b []byte) []byte { return b[:len(b)/2] }
	foreign := func(b []byte) []byte { return append([]byte("SQLite format 3\x00"), b...) }
	for _, c := range []struct {
		name, file string
		spoil      func(b []byte) []byte // to nil removes the file
	}{
		{"empty database", fileName, func(b []byte) []byte { return b[:0] }},
		{"database of some bytes", fileName, func(b []byte) []byte { return b[:100] }},
		{"truncated database", fileName, half},
		{"foreign database", fileName, foreign},
		{"database of zeroes", fileName, func(b []byte) []byte { clear(b); return b }},
		{"flipped bit in the header", fileName, func(b []byte) []byte { b[40] ^= 4; return b }},
		{"flipped bits in all blocks", fileName, func(b []byte) []byte {
			for i := 12288 + 100; i < len(b); i += 1000 {
				b[i] ^= 4
			}
			return b
		}},
		{"flipped bit in the write-ahead log", fileName + ".wal", func(b []byte) []byte { b[len(b)/2] ^= 4; return b }},
		{"write-ahead log that begins otherwise", fileName + ".wal", func(b []byte) []byte { b[2] ^= 4; return b }},
		{"truncated segment", "trips-v1/*.parquet", half},
		{"empty segment", "trips-v1/*.parquet", func(b []byte) []byte { return b[:0] }},
		{"segment of zeroes", "trips-v1/*.parquet", func(b []byte) []byte { clear(b); return b }},
		{"missing segment", "trips-v1/*.parquet", func([]byte) []byte { return nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := copied(t, dir)
			spoil(t, dir, c.file, c.spoil)
			seq, err := reach(dir)
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("at %d, %v; want ErrDamaged", seq, err)
			}
			if !strings.Contains(fault.HintOf(err), "rebuild") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q has the hint %q", err, fault.HintOf(err))
			}
		})
	}
}

// A log that was cut off holds fewer commits: the table goes on from an earlier position.
func TestCutLogIsAnEarlierPosition(t *testing.T) {
	dir := killed(t)
	spoil(t, dir, fileName+".wal", func(b []byte) []byte { return b[:len(b)-len(b)/4] })
	if seq, err := reach(dir); seq < 25 || seq >= 30 || err != nil {
		t.Fatalf("the table is at %d, %v", seq, err)
	}
}

func TestMachineIsNotDamage(t *testing.T) {
	for _, cause := range []string{syscall.EIO.Error(), syscall.ENOSPC.Error(), syscall.EMFILE.Error(), "Out of Memory Error: x"} {
		err := openFault("f", fmt.Errorf("IO Error: Failure while replaying WAL file %q: %s", "f.wal", cause))
		if errors.Is(err, ErrDamaged) {
			t.Errorf("%v counts as damage", err)
		}
	}
	newer := openFault("f", errors.New(`IO Error: Trying to read a database file with version number 99, but we can only read versions between 64 and 68`))
	if errors.Is(newer, ErrDamaged) || fault.KindOf(newer) != fault.Conflict {
		t.Errorf("a newer file is %v", newer)
	}
}

func copied(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "table")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// spoil changes the last file of that pattern.
func spoil(t *testing.T, dir, pattern string, how func([]byte) []byte) {
	t.Helper()
	files, err := fs.Glob(os.DirFS(dir), pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no file %s: %v", pattern, err)
	}
	path := filepath.Join(dir, files[len(files)-1])
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b = how(b); b == nil {
		err = os.Remove(path)
	} else {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
