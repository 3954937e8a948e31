package olap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/meshctl/meshctl/internal/fault"
)

var stageTime = time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)

// newStage is a stage with the places whose statement names are given, of all types.
func newStage(t *testing.T, names ...TableRef) *Stage {
	t.Helper()
	db, err := OpenMemory(t.Context(), Options{Threads: 2, TempDir: t.TempDir(), MemoryLimit: 256 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	var places []Place
	for i, name := range names {
		places = append(places, Place{Names: []TableRef{name}, Home: fmt.Sprint("p-", i), Columns: typesSchema})
	}
	s, err := db.NewStage(t.Context(), places, stageTime)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// times gives a batch n times.
func times(b arrow.RecordBatch, n int) func(context.Context) (arrow.RecordBatch, error) {
	return func(context.Context) (arrow.RecordBatch, error) {
		if n--; n < 0 {
			return nil, io.EOF
		}
		b.Retain()
		return b, nil
	}
}

func TestStageFillsSeveralPlacesAtOnce(t *testing.T) {
	s := newStage(t, TableRef{"p-0", "t0"}, TableRef{"p-1", "t1"}, TableRef{"", "t2"}, TableRef{"p-1", "t3"})
	b := typesBatch(t, 4321)
	all := make([]string, typesSchema.NumFields())
	for i, f := range typesSchema.Fields() {
		all[i] = f.Name
	}
	if err := s.Clear(t.Context(), [][]string{all, all, all, all}); err != nil {
		t.Fatal(err)
	}
	var loads sync.WaitGroup
	for i := range 3 {
		loads.Go(func() {
			if err := s.Fill(t.Context(), i, times(b.Columns, 3)); err != nil {
				t.Error(err)
			}
		})
	}
	loads.Wait()
	equal(t, "join", lines(t, s, `SELECT count(*), sum(len(x.lines))::BIGINT FROM "p-0".t0 x JOIN t2 y USING (id)`), []string{"38889|38898"})
	broken := func(context.Context) (arrow.RecordBatch, error) { return nil, io.ErrUnexpectedEOF }
	if err := s.Fill(t.Context(), 3, broken); err == nil {
		t.Fatal("a load whose source fails succeeded")
	}
	equal(t, "after a failed load", lines(t, s, `SELECT count(*) FROM "p-1".t3`), []string{"0"})
	if err := ask(s, "SELECT * FROM read_csv('/etc/passwd')"); fault.KindOf(err) != fault.Rejected {
		t.Fatalf("reading a file: %v; want it rejected", err)
	}
	if err := ask(s, "SET threads = 1"); fault.KindOf(err) != fault.Rejected {
		t.Fatalf("a setting: %v; want it rejected", err)
	}
}

func TestStageHasNullsForWhatWasNotFetched(t *testing.T) {
	s := newStage(t, TableRef{"p-0", "t0"}, TableRef{"p-1", "t0"}, TableRef{"", "t0"})
	if err := s.Clear(t.Context(), [][]string{{"id"}, nil, {"id", "lines"}}); err != nil {
		t.Fatal(err)
	}
	ids := typesBatch(t, 3).Columns
	only := arrow.NewSchema(typesSchema.Fields()[:1], nil)
	if name := only.Field(0).Name; name != "id" {
		t.Fatalf("the first column is %s", name)
	}
	one := array.NewRecordBatch(only, ids.Columns()[:1], ids.NumRows())
	defer one.Release()
	if err := s.Fill(t.Context(), 0, times(one, 1)); err != nil {
		t.Fatal(err)
	}
	equal(t, "columns", lines(t, s, `SELECT count(*), count(id), count(lines), typeof(any_value(lines)) = typeof((SELECT any_value(lines) FROM t0)) FROM "p-0".t0`), []string{"3|3|0|true"})
	equal(t, "a lone name is its own place", lines(t, s, `SELECT count(*) FROM t0`), []string{"0"})
}

// Stages of one database have nothing to do with each other, and leave nothing behind.
func TestStagesAreApart(t *testing.T) {
	s := newStage(t, TableRef{"p-0", "t0"}, TableRef{"", "t1"})
	other, err := s.db.NewStage(t.Context(), []Place{{Names: []TableRef{{"P-0", "T0"}, {"p-0", "t9"}}, Home: "p-0", Columns: typesSchema}}, stageTime.AddDate(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	b := typesBatch(t, 7)
	all := make([]string, typesSchema.NumFields())
	for i, f := range typesSchema.Fields() {
		all[i] = f.Name
	}
	if err := errors.Join(s.Clear(t.Context(), [][]string{all, nil}), other.Clear(t.Context(), [][]string{all}), s.Fill(t.Context(), 0, times(b.Columns, 1))); err != nil {
		t.Fatal(err)
	}
	const sql = `SELECT count(*), year(now()) FROM "p-0".t0`
	rows, err := s.Query(t.Context(), Query{SQL: sql})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "beside a query of the one", lines(t, other, sql), []string{"0|2025"})
	equal(t, "one", drain(t, rows), []string{"7|2024"})
	if err := ask(other, `SELECT * FROM t1`); fault.KindOf(err) != fault.Rejected {
		t.Errorf("a table of another stage: %v", err)
	}
	if err := errors.Join(s.Close(), other.Close()); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if err := ask(s.db, `SELECT * FROM "p-0".t0`); fault.KindOf(err) != fault.Rejected {
			t.Errorf("a table of a stage that is closed: %v", err)
		}
	}
	equal(t, "databases that are left", lines(t, s.db, `SELECT DISTINCT database_name FROM duckdb_tables() ORDER BY 1`), []string{})
}

func TestStageTellsOneMoment(t *testing.T) {
	s := newStage(t)
	sql := `SELECT now() = get_current_timestamp(), now()::VARCHAR, current_timestamp = transaction_timestamp(), current_date::VARCHAR, today()::VARCHAR,
		current_localtimestamp()::VARCHAR, localtimestamp::VARCHAR, current_time::VARCHAR, localtime::VARCHAR, get_current_time()::VARCHAR`
	for range 2 {
		equal(t, "moments", lines(t, s, sql), []string{strings.Join([]string{"true", "2024-05-06 07:08:09.123456+00", "true", "2024-05-06", "2024-05-06",
			"2024-05-06 07:08:09.123456", "2024-05-06 07:08:09.123456", "07:08:09.123456+00", "07:08:09.123456", "07:08:09.123456+00"}, "|")})
	}
}

func TestStagePlans(t *testing.T) {
	s := newStage(t, TableRef{"p-0", "t0"})
	for sql, tries := range map[string]int{
		`SELECT id FROM "p-0".t0 ORDER BY id LIMIT 3`:                                                                         1,
		`SELECT count(*) FROM "p-0".t0 a LEFT JOIN "p-0".t0 b USING (id) WHERE b.id IS NULL`:                                  1,
		`WITH RECURSIVE r AS (SELECT id, 1 AS n FROM "p-0".t0 UNION ALL SELECT id, n + 1 FROM r WHERE n < 3) SELECT * FROM r`: 2,
		`SELECT DISTINCT ON (id) id, row_number() OVER (PARTITION BY id) FROM "p-0".t0 WHERE id IN (SELECT id FROM "p-0".t0)`: 1,
	} {
		plans := 0
		err := s.Plan(t.Context(), sql, func(plan []byte) error {
			plans++
			if !strings.Contains(string(plan), `"seq_scan"`) {
				return fmt.Errorf("no scan in %s", plan)
			}
			return nil
		})
		if err != nil || plans != tries {
			t.Errorf("%s: %d plans, %v", sql, plans, err)
		}
	}
	plans := 0
	if err := s.Plan(t.Context(), `SELECT 1`, func([]byte) error { plans++; return io.ErrUnexpectedEOF }); err == nil || plans != len(planners) {
		t.Errorf("refused plans: %d, %v", plans, err)
	}
	r, err := s.db.pool.acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.db.pool.release(r)
	settings, err := r.rowsOf(t.Context(), `SELECT current_setting('disabled_optimizers')`)
	if err != nil || settings[0][0] != unsound {
		t.Errorf("the settings: %v, %v", settings, err)
	}
}
