package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/serve"
)

// A statement that a product must refuse, and how: one of the kinds. OUTSIDE is a readable
// file that is not the product's, DIR the folder of its tables, SEGMENT a segment in it.
type hostile struct {
	kinds []fault.Kind
	sql   string
}

var hostileStatements = func() []hostile {
	var list []hostile
	for _, sql := range strings.Split(strings.TrimSpace(reachingOut), "\n") {
		list = append(list, hostile{[]fault.Kind{fault.Rejected}, sql})
	}
	for _, sql := range blownUp() { // whichever limit comes first
		list = append(list, hostile{[]fault.Kind{fault.Rejected, fault.Timeout}, sql})
	}
	for _, sql := range strings.Split(strings.TrimSpace(neverDone), "\n") {
		list = append(list, hostile{[]fault.Kind{fault.Timeout}, sql})
	}
	return list
}()

// What would read or write more than the product's tables.
const reachingOut = `
SELECT * FROM read_csv('OUTSIDE')
SELECT * FROM read_csv_auto('OUTSIDE')
SELECT * FROM read_text('OUTSIDE')
SELECT * FROM read_blob('OUTSIDE')
SELECT * FROM read_json('OUTSIDE')
SELECT * FROM read_ndjson_objects('OUTSIDE')
SELECT * FROM read_parquet('SEGMENT')
SELECT * FROM read_parquet(['SEGMENT'])
SELECT * FROM parquet_scan('SEGMENT')
SELECT * FROM parquet_metadata('SEGMENT')
SELECT * FROM parquet_schema('SEGMENT')
SELECT * FROM sniff_csv('OUTSIDE')
SELECT * FROM read_duckdb('DIR/tables.duckdb')
SELECT * FROM 'OUTSIDE'
SELECT * FROM "OUTSIDE"
SELECT * FROM 'SEGMENT'
SELECT * FROM 'DIR/*/*.parquet'
SELECT * FROM 'outside.csv'
SELECT * FROM glob('/etc/*')
SELECT * FROM glob('DIR/**')
SELECT (SELECT content FROM read_text('OUTSIDE'))
SELECT * FROM orders WHERE id IN (SELECT content FROM read_text('OUTSIDE'))
WITH x AS (SELECT * FROM read_text('OUTSIDE')) SELECT * FROM x
WITH x AS MATERIALIZED (SELECT * FROM glob('/etc/*')) SELECT 1
SELECT list_transform([1], lambda x: (SELECT content FROM read_text('OUTSIDE')))
SELECT * FROM histogram('SEGMENT', id)
SELECT * FROM histogram('_meshctl.port', id)
SELECT * FROM histogram_values(_meshctl.port, id)
SELECT * FROM histogram(lower('SEGMENT'), id)
SELECT * FROM read_csv('https://example.com/x.csv')
SELECT * FROM 'https://example.com/x.parquet'
SELECT * FROM 's3://bucket/x.parquet'
SELECT * FROM query('SELECT * FROM read_csv(''OUTSIDE'')')
SELECT * FROM query('SELECT 1')
SELECT * FROM query_table('_meshctl.port')
SELECT * FROM query_table(['_meshctl.port'])
SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))
SELECT * FROM arrow_scan(1, 2, 3)
SELECT * FROM seq_scan('_meshctl.port')
SELECT * FROM sql_auto_complete('SELECT * FROM ''/etc/')
COPY (SELECT 1) TO 'OUTSIDE'
COPY (SELECT 1) TO 'DIR/x.csv'
COPY orders.orders TO '/dev/stdout'
COPY orders.orders FROM 'OUTSIDE'
COPY FROM DATABASE tables TO memory
EXPLAIN ANALYZE COPY (SELECT 1) TO 'DIR/x.csv'
EXPLAIN ANALYZE INSERT INTO _meshctl.port SELECT * FROM _meshctl.port
EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1
EXPLAIN ANALYZE DELETE FROM _meshctl.position
/* a */ EXPLAIN /* b */ ANALYZE SELECT * FROM read_text('OUTSIDE')
EXPLAIN (FORMAT json) DROP VIEW orders.orders
EXPLAIN EXPLAIN ANALYZE COPY (SELECT 1) TO 'DIR/x.csv'
ATTACH 'OUTSIDE' AS x
ATTACH 'DIR/tables.duckdb' AS x
ATTACH ':memory:' AS x
DETACH tables
USE memory
INSTALL httpfs
LOAD httpfs
LOAD 'OUTSIDE'
FORCE INSTALL httpfs FROM community
UPDATE EXTENSIONS
SET memory_limit = '100GB'
SET enable_external_access = true
SET SESSION search_path = '_meshctl'
SET VARIABLE x = 1
RESET lock_configuration
RESET memory_limit
PRAGMA database_list
PRAGMA enable_profiling
PRAGMA memory_limit = '100GB'
PRAGMA import_database('DIR')
CALL enable_logging()
CALL pragma_version()
CALL force_checkpoint()
SELECT * FROM enable_logging(storage = 'file', storage_path = 'DIR/log')
SELECT * FROM force_checkpoint()
SELECT * FROM orders WHERE id = (SELECT count(*) FROM checkpoint())
SELECT * FROM enable_profiling()
SELECT * FROM truncate_duckdb_logs()
SELECT getenv('HOME')
SELECT 'HOME'.getenv()
SELECT current_setting('temp_directory')
SELECT 'temp_directory'.current_setting()
SELECT system.main.current_setting('allowed_directories')
SELECT getvariable('t1_files')
SELECT write_log('a line that is not ours')
SELECT list_transform([1], lambda x: write_log('x'))
SELECT setseed(0.5)
SELECT nextval('s')
SELECT sleep_ms(600000)
SELECT pg_sleep(600)
SELECT * FROM duckdb_settings()
SELECT * FROM duckdb_secrets()
SELECT * FROM which_secret('s3://x', 's3')
SELECT * FROM duckdb_variables()
SELECT * FROM duckdb_databases()
SELECT * FROM duckdb_views()
SELECT * FROM duckdb_logs()
SELECT * FROM duckdb_temporary_files()
SELECT * FROM duckdb_external_file_cache()
SELECT * FROM duckdb_extensions()
SELECT * FROM duckdb_prepared_statements()
SELECT * FROM pragma_database_size()
SELECT * FROM pragma_storage_info('_meshctl.port')
SELECT * FROM pragma_table_info('_meshctl.port')
SELECT * FROM pragma_show('_meshctl.port')
SELECT * FROM duckdb_databases
SELECT * FROM duckdb_views
SELECT * FROM main.duckdb_views
SELECT * FROM system.main.duckdb_views
SELECT * FROM pragma_database_list
SELECT * FROM sqlite_master
SELECT * FROM sqlite_schema
SELECT * FROM pg_catalog.pg_views
SELECT * FROM pg_views
SELECT * FROM pg_catalog.pg_settings
SELECT * FROM information_schema.views
SHOW VARIABLES
SHOW TABLES FROM _meshctl
SELECT * FROM (SHOW VARIABLES)
SELECT * FROM _meshctl.port
SELECT * FROM "_MESHCTL"."PORT"
SELECT * FROM tables._meshctl.segment
SELECT (SELECT max(seq) FROM _meshctl.position)
DESCRIBE _meshctl.port
SUMMARIZE _meshctl.port
DESCRIBE SELECT * FROM _meshctl.port
FROM _meshctl.t1_1
TABLE _meshctl.port
PIVOT _meshctl.port ON name USING count(*)
SELECT * FROM (PIVOT _meshctl.port ON name USING count(*))
SELECT * FROM customers
SELECT * FROM customers.customers
CREATE TABLE x AS SELECT 1
CREATE TEMP TABLE x AS SELECT 1
CREATE VIEW orders.orders AS SELECT 1
CREATE OR REPLACE TEMP MACRO count(x) AS 0
CREATE SECRET s (TYPE s3)
CREATE SEQUENCE s
CREATE SCHEMA x
DROP VIEW orders.orders
DROP SCHEMA orders CASCADE
ALTER TABLE _meshctl.port ADD COLUMN x INTEGER
INSERT INTO _meshctl.position VALUES (1, 1, NULL, 0, 0)
INSERT INTO orders.orders VALUES ('1', 'x', 1)
UPDATE _meshctl.position SET seq = 0
DELETE FROM _meshctl.t1_1
MERGE INTO _meshctl.position USING (SELECT 1) ON true WHEN MATCHED THEN DELETE
TRUNCATE _meshctl.t1_1
WITH x AS (DELETE FROM _meshctl.position RETURNING *) SELECT * FROM x
WITH x AS (INSERT INTO _meshctl.position VALUES (1, 1, NULL, 0, 0) RETURNING *) SELECT * FROM x
WITH x AS (SELECT 1) DELETE FROM _meshctl.position
EXPORT DATABASE 'DIR/out'
IMPORT DATABASE 'DIR/out'
VACUUM
ANALYZE
CHECKPOINT
FORCE CHECKPOINT
BEGIN
COMMIT
ROLLBACK
PREPARE p AS SELECT 1
EXECUTE p
DEALLOCATE p
SELECT 1; SELECT 2
SELECT 1; DROP VIEW orders.orders
SELECT 1 /* ; */ ; COMMIT
;
SELECT $1
`

// What takes more time than a product gives.
const neverDone = `
SELECT count(*) FROM range(100000000000) a, range(1000) b WHERE a.range * 7 % 13 = b.range
SELECT count(*) FROM orders a, range(1000000000) b, range(1000000000) c WHERE hash(b.range, c.range) = 1
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t
SELECT count(*) FROM range(1000000000000) WHERE regexp_matches(range::VARCHAR, '(1*)*(2*)*(3*)*$a')
SELECT range FROM range(1000000000000) WHERE range < 0
`

// What takes more memory than there is, or a deeper stack, or is endless to plan.
func blownUp() []string {
	deep := func(open, in, end string, n int) string {
		return "SELECT " + strings.Repeat(open, n) + in + strings.Repeat(end, n)
	}
	many := func(what, sep string, n int) string { return strings.Repeat(what+sep, n-1) + what }
	return []string{
		"SELECT len(range(1000000000))",
		"SELECT length(repeat('x', 4000000000))",
		"SELECT len(list_resize([1], 1000000000))",
		"SELECT length(printf('%2000000000d', 1))",
		"SELECT length(format('{:2000000000}', 1))",
		"SELECT max(repeat('x', (1000000 + range)::INT)) FROM range(2048)",
		"SELECT list_reduce(range(1000000000), lambda a, b: a + b)",
		"SELECT len(list(range)) FROM range(100000000000)",
		"SELECT string_agg(repeat('x', 1000)) FROM range(100000000)",
		"WITH RECURSIVE t(s) AS (SELECT repeat('x', 1000) UNION ALL SELECT s || s FROM t) SELECT max(length(s)) FROM t",
		"SELECT regexp_matches('x', '((a{100}){100}){100}')",
		deep("(", "1", ")", 100_000), deep("[", "1", "]", 100_000), deep("abs(", "1", ")", 50_000), deep("NOT ", "true", "", 100_000),
		deep("(SELECT ", "1", ")", 20_000), deep("CASE WHEN true THEN ", "1", " END", 20_000),
		"SELECT " + many("1", "+", 100_000), "SELECT " + many("'a'", "||", 100_000), "SELECT NULL::INT" + strings.Repeat("[]", 100_000),
		many("SELECT 1", " UNION ALL ", 20_000), many("SELECT 1", " EXCEPT ", 20_000), "SELECT 1 FROM " + many("orders", ",", 20_000),
	}
}

// taken is how much memory the process has, files left out.
func taken(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, resident, shared int64
	if _, err := fmt.Sscan(string(text), &size, &resident, &shared); err != nil {
		t.Fatal(err)
	}
	return (resident - shared) * int64(os.Getpagesize())
}

// No statement reaches beyond a product's tables, over the mesh or over HTTP, all are
// refused in so many words, and the product serves on meanwhile.
func TestPromise9HostileStatementsAreRefused(t *testing.T) {
	data := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside.csv")
	if err := os.WriteFile(outside, []byte("secret\nhidden treasure\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := meshOptions(t, data, t.TempDir(), folder(t, ordersYAML), folder(t, customersYAML))
	o.Queries = QueryLimits{Time: 300 * time.Millisecond}
	w := startWorldWith(t, o)
	olap.SetCeiling(taken(t) + 2<<30) // the tests before have left some to the process
	t.Cleanup(func() { olap.SetCeiling(0) })
	w.publish(t, "orders", `{"id":"1","customer":"Ann","total":1}`)
	p := w.product(t, "orders")
	pt, err := p.port("orders")
	if err != nil {
		t.Fatal(err)
	}
	if err := pt.table.Roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	dir := p.data.sub(tableFolder)
	segments, err := filepath.Glob(filepath.Join(dir, "*", "*.parquet"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("segments: %v, %v", segments, err)
	}
	before := filesOf(t, dir)
	ways := map[string]func(string) error{
		"mesh": func(sql string) error { return drained(t, w, "orders", sql) },
		"http": func(sql string) error { return posted(t, p.HTTPURL(), sql) },
	}
	names := strings.NewReplacer("OUTSIDE", outside, "DIR", dir, "SEGMENT", segments[0])
	for i, h := range hostileStatements {
		sql := names.Replace(h.sql)
		for way, ask := range ways {
			err := ask(sql)
			switch {
			case err == nil || !slices.Contains(h.kinds, fault.KindOf(err)):
				t.Errorf("%s: %.200s: %v (%v); want it %v", way, sql, err, fault.KindOf(err), h.kinds)
			case strings.TrimSpace(err.Error()) == "" || strings.Contains(err.Error(), "treasure"):
				t.Errorf("%s: %.200s: refused in the words %q", way, sql, err)
			}
		}
		if i%20 == 0 { // it serves on
			id := fmt.Sprint("after-", i)
			if sent := w.publish(t, "orders", fmt.Sprintf(`{"id":%q,"customer":"Bob","total":%d}`, id, i)); !sent.Visible {
				t.Errorf("after %.200s: sent = %+v", sql, sent)
			}
			if got, err := w.client.Get(t.Context(), "orders", []string{id}); err != nil || len(got.Records) != 1 {
				t.Errorf("after %.200s: got %+v, %v", sql, got, err)
			}
		}
	}
	if after := filesOf(t, dir); strings.Join(after, "\n") != strings.Join(before, "\n") {
		t.Errorf("files before: %v\nafter: %v", before, after)
	}
	want := fmt.Sprint(1 + (len(hostileStatements)+19)/20)
	w.eventually(t, "SELECT count(*) FROM orders", want)
	rows, _ := w.query(t, "EXPLAIN ANALYZE SELECT * FROM orders")
	if strings.Contains(strings.Join(rows, ""), dir) {
		t.Errorf("a plan tells of files: %v", rows)
	}
	t.Logf("%d statements", len(hostileStatements))
}

// drained asks a product's service itself, and takes the whole answer.
func drained(t *testing.T, w *world, name, sql string) error {
	s, err := w.client.openQuery(t.Context(), name, serve.QueryRequest{SQL: sql})
	if err != nil {
		return err
	}
	defer s.close()
	for {
		b, err := s.next(t.Context())
		if err != nil {
			return ended(err)
		}
		b.Release()
	}
}

func ended(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// posted asks over HTTP; the error is the problem that comes back.
func posted(t *testing.T, base, sql string) error {
	t.Helper()
	resp, err := http.Post(base+"/v1/query?format=ndjson", "application/sql", bytes.NewReader([]byte(sql)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode == http.StatusOK {
		return err
	}
	var problem serve.Problem
	if err := json.Unmarshal(body, &problem); err != nil {
		t.Fatalf("%.200s: status %d: %s: %v", sql, resp.StatusCode, body, err)
	}
	return fault.New(fault.ParseKind(problem.Kind), problem.Hint, "%s", problem.Detail)
}

// filesOf are the files below a folder that last.
func filesOf(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Name() == "tmp" {
			return fs.SkipDir
		}
		if filepath.Ext(path) != ".wal" { // comes and goes
			list = append(list, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
