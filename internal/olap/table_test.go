package olap

import (
	"testing"
)

func TestEventTableIsOneTableOverSegmentsAndTail(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir)
	table := openTable(t, db, eventSpec())
	commit(t, table, 2, row{1, "a", 1, false}, row{2, "b", 2, false})
	commit(t, table, 2, row{1, "a", 1, false}, row{2, "b", 2, false}) // again: nothing twice
	if err := table.Roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	commit(t, table, 3, row{2, "b", 2, false}, row{3, "a", 3, false})
	equal(t, "rows", lines(t, db, "SELECT id, n FROM trips.trips ORDER BY n"), []string{"a|1", "b|2", "a|3"})
	equal(t, "lone name", lines(t, db, "SELECT sum(n) FROM trips"), []string{"6"})
	stats, err := table.Stats(t.Context())
	if err != nil || stats.Segments != 1 || stats.Rows != 3 || stats.TailRows != 1 || stats.Bytes == 0 {
		t.Fatalf("Stats = %+v, %v", stats, err)
	}
}

func TestStateTableIsLatestByKey(t *testing.T) {
	db := openDB(t, t.TempDir())
	table := openTable(t, db, stateSpec())
	commit(t, table, 3, row{1, "a", 1, false}, row{2, "b", 2, false}, row{3, "a", 3, false})
	equal(t, "rows", lines(t, db, "SELECT id, n FROM trips.last ORDER BY id"), []string{"a|3", "b|2"})
	if err := table.Roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	commit(t, table, 6, row{4, "b", 0, true}, row{5, "c", 5, false}, row{6, "a", 6, false})
	equal(t, "rows", lines(t, db, "SELECT id, n FROM last ORDER BY id"), []string{"a|6", "c|5"})
	if err := table.Roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, "rows", lines(t, db, "SELECT id, n FROM last ORDER BY id"), []string{"a|6", "c|5"})
}
