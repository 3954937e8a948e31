package olap

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/meshctl/meshctl/internal/record"
)

// A roll leaves no write-ahead log to speak of, so that no commit has to wait while one is
// folded into the database file beside a tail of a million rows.
func TestRollFoldsTheWriteAheadLog(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir)
	table := openTable(t, db, eventSpec())
	const n = 5000
	add := func(from record.Seq) {
		var rows []row
		for i := range record.Seq(n) {
			rows = append(rows, row{from + i, "key", 1, false})
		}
		commit(t, table, from+n-1, rows...)
	}
	wal := func() int64 {
		info, err := os.Stat(filepath.Join(dir, fileName+".wal"))
		if errors.Is(err, fs.ErrNotExist) {
			return 0
		}
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	add(1)
	if got := wal(); got < 50_000 {
		t.Fatalf("the log has %d bytes after %d rows", got, n)
	}
	roll := func() {
		t.Helper()
		if err := table.Roll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	roll()
	if got := wal(); got > 4096 {
		t.Errorf("the log has %d bytes after a roll", got)
	}

	// A query that reads what is about to be replaced is neither cut off nor in the way.
	add(n + 1)
	rows, err := db.Query(t.Context(), Query{SQL: "SELECT seq FROM (SELECT unnest(range(3000000)) AS seq), trips.trips LIMIT 3000000"})
	if err != nil {
		t.Fatal(err)
	}
	first, err := rows.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first.Release()
	roll()
	add(2*n + 1)
	if got := int64(len(drain(t, rows))) + first.NumRows(); got != 3_000_000 {
		t.Errorf("the query had %d rows", got)
	}
	roll()
	equal(t, "rows", lines(t, db, "SELECT count(*), sum(n) FROM trips"), []string{"15000|15000"})
	if got := wal(); got > 4096 {
		t.Errorf("the log has %d bytes after the last roll", got)
	}
}
