package olap

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

func TestTablesIn(t *testing.T) {
	db, err := OpenMemory(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for sql, want := range map[string]string{
		"SELECT 1":                             "",
		"SELECT * FROM flights":                "flights",
		"FROM a.x JOIN b.y USING (k), a.x z":   "a.x b.y",
		`SELECT (SELECT max(n) FROM "my-p".t)`: "my-p.t",
		"SELECT * FROM a.x WHERE k IN (FROM b.y UNION ALL FROM c.z)":                              "a.x b.y c.z",
		"WITH x AS (FROM a.x) FROM x":                                                             "a.x",
		"WITH x AS (FROM x) FROM x":                                                               "x",
		"WITH x AS (FROM a.x), y AS (FROM x) FROM y JOIN X ON true":                               "a.x",
		"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) FROM r, s": "s",
		"FROM x, (WITH x AS (SELECT 1) FROM x)":                                                   "x",
		"EXPLAIN SELECT * FROM a.x":                                                               "a.x",
		"SELECT * FROM a.x WHERE n = $n":                                                          "a.x",
	} {
		refs, err := db.TablesIn(t.Context(), sql)
		var got []string
		for _, r := range refs {
			got = append(got, r.String())
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("TablesIn(%s) = %s, %v; want %s", sql, got, err, want)
		}
	}
	for _, sql := range []string{"SELECT 1; SELECT 2", "DROP TABLE x", "SELEKT", ""} {
		if _, err := db.TablesIn(t.Context(), sql); fault.KindOf(err) != fault.Rejected {
			t.Errorf("TablesIn(%s): %v; want it rejected", sql, err)
		}
	}
}

func TestWatermarksAreOfTheTablesRead(t *testing.T) {
	db := openDB(t, t.TempDir())
	other := eventSpec()
	other.Schema, other.Folder = "my-other", "other-v1"
	for i, spec := range []TableSpec{eventSpec(), stateSpec(), other} {
		commit(t, openTable(t, db, spec), 1, row{1, "a", int64(i), false})
	}
	for sql, want := range map[string]string{
		"SELECT 1":                                        "map[]",
		"SELECT n FROM trips":                             "map[trips.trips:1]",
		"SELECT n FROM TRIPS.Trips":                       "map[trips.trips:1]",
		`SELECT n FROM "my-other".trips`:                  "map[my-other.trips:1]",
		"SELECT id FROM last JOIN trips USING (id)":       "map[trips.last:1 trips.trips:1]",
		"WITH last AS (SELECT 1 AS n) SELECT * FROM last": "map[]",
	} {
		rows := queryRows(t, db, sql)
		got := map[string]uint64{}
		for name, w := range rows.Watermarks() {
			got[name] = uint64(w.Seq)
			if want := start.Add(1e9); !w.Time.Equal(want) {
				t.Errorf("%s: time %s; want %s", sql, w.Time, want)
			}
		}
		equal(t, sql, got, want)
		drain(t, rows)
	}
}

func TestArgumentsAndMaxRows(t *testing.T) {
	db := openDB(t, t.TempDir())
	equal(t, "by position", lines(t, db, "SELECT ? || $2, ?3 + 1", "a", "b", 3.0), []string{"ab|4"})
	rows, err := db.Query(t.Context(), Query{SQL: "SELECT $a::DATE, $b", Named: map[string]any{"a": "2026-01-02", "b": nil}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "by name", drain(t, rows), []string{"2026-01-02|(null)"})
	for _, q := range []Query{
		{SQL: "SELECT $a", Named: map[string]any{"b": 1}}, {SQL: "SELECT $1"}, {SQL: "SELECT 1", Args: []any{1}}, {SQL: "SELECT $1", Args: []any{struct{}{}}},
	} {
		if _, err := db.Query(t.Context(), q); fault.KindOf(err) != fault.Rejected {
			t.Errorf("%s with %v and %v: %v; want it rejected", q.SQL, q.Args, q.Named, err)
		}
	}
	for limit, cut := range map[int64]bool{1: true, 2048: true, 4999: true, 5000: false, 5001: false, 0: false} {
		rows, err := db.Query(t.Context(), Query{SQL: "FROM range(5000)", MaxRows: limit})
		if err != nil {
			t.Fatal(err)
		}
		n := len(drain(t, rows))
		if want := int64(5000); cut && int64(n) != limit || !cut && int64(n) != want || rows.Truncated() != cut {
			t.Errorf("with at most %d rows: %d rows, truncated %t", limit, n, rows.Truncated())
		}
	}
}

func TestTheFirstRowsAreChosenBeforeTheyAreJoined(t *testing.T) {
	db, err := OpenMemory(t.Context(), Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.write(t.Context(), func(w *conn) error {
		return errors.Join(w.exec(t.Context(), "CREATE TABLE l AS SELECT (range * 37 % 120)::INTEGER AS id, 'i' || (range * 11 % 40) AS item FROM range(500)"),
			w.exec(t.Context(), "CREATE TABLE i AS SELECT 'i' || range AS item, (range * 7) % 90 AS price FROM range(30)"))
	})
	if err != nil {
		t.Fatal(err)
	}
	want := lines(t, db, "WITH f AS MATERIALIZED (FROM l ORDER BY ALL LIMIT 20) SELECT count(*), max(id) FROM f WHERE item IN (SELECT item FROM i WHERE price < 20)")
	for range 40 {
		equal(t, "the join", lines(t, db, "SELECT count(*), max(id) FROM (FROM l ORDER BY ALL LIMIT 20) JOIN i USING (item) WHERE price < 20"), want)
	}
}

func TestSecondProcessIsAConflict(t *testing.T) {
	dir := t.TempDir()
	if err := startHolder(t, dir); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir, Options{}); fault.KindOf(err) != fault.Conflict || fault.HintOf(err) == "" {
		t.Fatalf("Open of tables that are open: %v (%v); want a conflict", err, fault.KindOf(err))
	}
}

func TestBatchThatDoesNotMatchIsRefusedWhole(t *testing.T) {
	db := openDB(t, t.TempDir())
	table := openTable(t, db, eventSpec())
	b := batch(row{1, "a", 1, false}, row{2, "b", 2, false})
	b.Records = b.Records[:1]
	if err := table.Commit(t.Context(), b, 2); err == nil {
		t.Fatal("a batch with more rows than records was committed")
	}
	if err := openTable(t, db, wider(eventSpec())).Commit(t.Context(), batch(row{1, "a", 1, false}), 1); err == nil {
		t.Fatal("a batch that lacks a column was committed")
	}
	equal(t, "rows", lines(t, db, "SELECT count(*) FROM trips"), []string{"0"})
	if seq, err := table.Position(t.Context()); seq != 0 || err != nil {
		t.Fatalf("Position = %d, %v", seq, err)
	}
}

// A bare name goes over to the newest major, after a roll and a restart too, whichever of
// the tables is opened first.
func TestViewsOfMajors(t *testing.T) {
	dir := t.TempDir()
	first, second := eventSpec(), eventSpec()
	second.Name, second.Folder = "trips_v2", "trips-v2"
	first.Views = []string{"trips", "trips_v1"}
	db := openDB(t, dir)
	commit(t, openTable(t, db, first), 1, row{1, "a", 1, false})
	if got := strings.Join(lines(t, db, "SELECT n FROM trips UNION ALL SELECT n FROM trips.trips_v1"), " "); got != "1 1" {
		t.Errorf("one major: %s", got)
	}
	first.Views, second.Views = []string{"trips_v1"}, []string{"trips_v2", "trips"}
	check := func(db *DB, table1 *Table) {
		t.Helper()
		if got := strings.Join(lines(t, db, "SELECT n FROM trips UNION ALL SELECT n FROM trips.trips_v1 UNION ALL SELECT n FROM trips.trips_v2"), " "); got != "2 1 2" {
			t.Errorf("two majors: %s", got)
		}
		for sql, want := range map[string]string{
			"FROM trips": "map[trips.trips_v2:2]", "FROM trips.trips_v1": "map[trips.trips_v1:1]", "FROM trips_v2, trips": "map[trips.trips_v2:2]",
		} {
			rows, err := db.Query(t.Context(), Query{SQL: "SELECT 1 " + sql})
			if err != nil {
				t.Fatal(err)
			}
			marks := map[string]record.Seq{}
			for name, w := range rows.Watermarks() {
				marks[name] = w.Seq
			}
			if got := fmt.Sprint(marks); got != want {
				t.Errorf("%s: %s, want %s", sql, got, want)
			}
			if err := rows.Close(); err != nil {
				t.Error(err)
			}
		}
		if s, err := table1.Stats(t.Context()); err != nil || s.Rows != 1 {
			t.Errorf("%+v, %v", s, err)
		}
	}
	table2 := openTable(t, db, second)
	commit(t, table2, 2, row{2, "b", 2, false})
	table1 := openTable(t, db, first)
	check(db, table1)
	for _, table := range []*Table{table2, table1} {
		if err := table.Roll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	check(db, table1)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openDB(t, dir)
	table1 = openTable(t, db, first)
	openTable(t, db, second)
	check(db, table1)
}
