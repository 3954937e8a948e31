package olap

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
)

// hostile are statements that must not run. OUTSIDE is a readable file that is not the product's.
var hostile = []string{
	"SELECT * FROM read_csv('OUTSIDE')",
	"SELECT * FROM read_text('OUTSIDE')",
	"SELECT * FROM read_blob('OUTSIDE')",
	"SELECT * FROM read_json('OUTSIDE')",
	"SELECT * FROM read_parquet('OUTSIDE')",
	"SELECT * FROM sniff_csv('OUTSIDE')",
	"SELECT * FROM parquet_metadata('OUTSIDE')",
	"SELECT * FROM 'OUTSIDE'",
	"SELECT * FROM glob('/etc/*')",
	"SELECT * FROM read_csv('DIR/../outside.csv')",
	"SELECT * FROM read_csv('https://example.com/x.csv')",
	"SELECT * FROM query('SELECT * FROM read_csv(''OUTSIDE'')')",
	"WITH x AS (SELECT * FROM read_text('OUTSIDE')) SELECT * FROM x",
	"EXPLAIN ANALYZE SELECT * FROM read_csv('OUTSIDE')",
	"EXPLAIN ANALYZE INSERT INTO _meshctl.port SELECT * FROM _meshctl.port",
	"EXPLAIN ANALYZE COPY (SELECT 1) TO 'DIR/x.csv'",
	"EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1",
	"EXPLAIN ANALYZE DELETE FROM _meshctl.position",
	"COPY (SELECT 1) TO 'OUTSIDE'",
	"COPY (SELECT 1) TO 'DIR/x.csv'",
	"COPY trips.trips FROM 'OUTSIDE'",
	"ATTACH 'OUTSIDE' AS x",
	"DETACH tables",
	"USE memory",
	"INSTALL httpfs",
	"LOAD httpfs",
	"SET memory_limit = '100GB'",
	"SET enable_external_access = true",
	"RESET lock_configuration",
	"PRAGMA database_list",
	"CALL enable_logging()",
	"CREATE TABLE x AS SELECT 1",
	"CREATE TEMP TABLE x AS SELECT 1",
	"CREATE MACRO f(x) AS x",
	"CREATE SECRET s (TYPE s3)",
	"DROP VIEW trips.trips",
	"DROP SCHEMA trips CASCADE",
	"ALTER TABLE _meshctl.port ADD COLUMN x INTEGER",
	"INSERT INTO _meshctl.position VALUES (1, 1, NULL, 0, 0)",
	"UPDATE _meshctl.position SET seq = 0",
	"DELETE FROM _meshctl.t1_1",
	"TRUNCATE _meshctl.t1_1",
	"EXPORT DATABASE 'DIR/out'",
	"IMPORT DATABASE 'DIR/out'",
	"VACUUM",
	"CHECKPOINT",
	"BEGIN",
	"COMMIT",
	"ROLLBACK",
	"PREPARE p AS SELECT 1",
	"EXECUTE p",
	"SELECT 1; SELECT 2",
	"SELECT 1; DROP VIEW trips.trips",
	"SELECT 1 /* ; */ ; COMMIT",
	"",
	";",
	"SELECT * FROM force_checkpoint()",
	"SELECT * FROM arrow_scan(1, 2, 3)",
	"SELECT * FROM json_execute_serialized_sql('{}')",
	"SELECT * FROM trips WHERE n = (SELECT count(*) FROM checkpoint())",
	"/* a */ EXPLAIN /* b */ ANALYZE SELECT * FROM read_text('OUTSIDE')",
	"EXPLAIN (FORMAT json) DROP VIEW trips.trips",
	"SELECT nosuch FROM trips.trips",
	"SELECT * FROM nosuch",
	"SELEKT 1",
	"SELECT $1",
	"SELECT * FROM enable_logging(storage = 'file', storage_path = 'DIR/log')",
}

func TestHostileStatementsAreRejected(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	outside := filepath.Join(filepath.Dir(dir), "outside.csv")
	if err := os.WriteFile(outside, []byte("secret\n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	db := openDB(t, dir)
	table := openTable(t, db, eventSpec())
	commit(t, table, 2, row{1, "a", 1, false}, row{2, "b", 2, false})
	before := entries(t, dir)
	for _, sql := range hostile {
		sql = replaceAll(sql, "OUTSIDE", outside, "DIR", dir)
		if err := ask(db, sql); fault.KindOf(err) != fault.Rejected {
			t.Errorf("%s: %v (%v); want it rejected", sql, err, fault.KindOf(err))
		}
	}
	equal(t, "rows", lines(t, db, "SELECT id, n FROM trips ORDER BY n"), []string{"a|1", "b|2"})
	equal(t, "files", entries(t, dir), before)
	commit(t, table, 3, row{3, "c", 3, false})
}

// ask runs a statement to its end.
func ask(db asked, sql string) error {
	rows, err := db.Query(context.Background(), Query{SQL: sql})
	if err != nil {
		return err
	}
	defer rows.Close()
	for {
		rec, err := rows.Next(context.Background())
		if err != nil {
			return ended(err)
		}
		rec.Release()
	}
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func TestHintsNameWhatThereIs(t *testing.T) {
	db := openDB(t, t.TempDir())
	openTable(t, db, eventSpec())
	for sql, want := range map[string]string{
		"SELECT * FROM trips.tripz": `did you mean "trips"?`,
		"SELECT idd FROM trips":     `use one of "id"`,
		"DROP VIEW trips.trips":     "send a SELECT",
		"SELECT 1; SELECT 2":        "send one SELECT at a time",
	} {
		if got := fault.HintOf(ask(db, sql)); got != want {
			t.Errorf("%s: hint %q (%v); want %q", sql, got, ask(db, sql), want)
		}
	}
}

func TestOrdinaryStatementsRun(t *testing.T) {
	db := openDB(t, t.TempDir())
	table := openTable(t, db, eventSpec())
	commit(t, table, 2, row{1, "a", 1, false}, row{2, "b", 2, false})
	for _, sql := range []string{
		"FROM trips", "TABLE trips", "VALUES (1)", "SELECT 1;", "-- why\nSELECT 1", "EXPLAIN SELECT * FROM trips",
		"EXPLAIN ANALYZE SELECT * FROM trips", "EXPLAIN (FORMAT json) SELECT 1", "DESCRIBE trips", "SUMMARIZE trips", "SHOW TABLES",
		"WITH x AS (FROM trips) SELECT * FROM x, range(3)", "SELECT unnest([1, 2])", "SELECT * FROM unnest([1, 2])",
		"SELECT * FROM information_schema.tables", "SELECT * FROM duckdb_columns()", "PIVOT trips ON id IN ('a') USING sum(n)",
		"SELECT id, sum(n) OVER (ORDER BY id) FROM trips QUALIFY row_number() OVER () = 1", "SELECT * FROM trips USING SAMPLE 1",
	} {
		if err := ask(db, sql); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

const endless = "SELECT count(*) FROM range(100000000000) a, range(1000) b WHERE a.range * 7 % 13 = b.range"

func TestCancelledQueryEndsAndTheNextRuns(t *testing.T) {
	db := openDB(t, t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := db.Query(ctx, Query{SQL: endless})
	if fault.KindOf(err) != fault.Timeout {
		t.Fatalf("an endless query ended with %v; want a timeout", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Fatalf("it took %s to end", took)
	}
	equal(t, "the next one", lines(t, db, "SELECT 42"), []string{"42"})
}

func TestMemoryLimitEndsInAFault(t *testing.T) {
	db, err := OpenMemory(t.Context(), Options{Threads: 1, MemoryLimit: 30 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = ask(db, "SELECT list(range ORDER BY range DESC) FROM range(50000000)")
	if fault.KindOf(err) != fault.Rejected || fault.HintOf(err) == "" {
		t.Fatalf("beyond the memory limit: %v (%v)", err, fault.KindOf(err))
	}
	equal(t, "the next one", lines(t, db, "SELECT 42"), []string{"42"})
}

// Functions that are not pure may keep something or tell of something: each was looked at.
// One that an engine brings anew is to be, too, and then goes to forbiddenFunctions or here.
func TestFunctionsThatAreNotPureWereLookedAt(t *testing.T) {
	harmless := map[string]bool{
		"now": true, "today": true, "current_date": true, "get_current_time": true, "get_current_timestamp": true, "transaction_timestamp": true,
		"uuid": true, "uuidv4": true, "uuidv7": true, "gen_random_uuid": true, "random": true, "error": true, "stats": true,
		"current_connection_id": true, "current_database": true, "current_query": true, "current_query_id": true, "current_schema": true,
		"current_schemas": true, "current_transaction_id": true, "txid_current": true, "in_search_path": true,
	}
	db := openDB(t, t.TempDir())
	found := lines(t, db, "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = 'scalar' AND (stability <> 'CONSISTENT' OR has_side_effects) ORDER BY ALL")
	if len(found) < 20 {
		t.Errorf("the engine has only %v", found)
	}
	for _, name := range found {
		if !harmless[name] && !forbiddenFunctions[name] {
			t.Errorf("nobody has looked at %s", name)
		}
	}
}
