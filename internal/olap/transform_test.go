package olap

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

var delaySchema = arrow.NewSchema([]arrow.Field{
	{Name: "code", Type: arrow.BinaryTypes.String},
	{Name: "day", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}},
	{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
}, nil)

type delayRow struct {
	code string
	day  time.Time
	n    int64
}

func delayColumns(rows ...delayRow) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, delaySchema)
	defer b.Release()
	for _, r := range rows {
		b.Field(0).(*array.StringBuilder).Append(r.code)
		b.Field(1).(*array.TimestampBuilder).AppendTime(r.day)
		b.Field(2).(*array.Int64Builder).Append(r.n)
	}
	return b.NewRecordBatch()
}

func delayBatch(from record.Seq, rows ...delayRow) record.Batch {
	b := record.Batch{Columns: delayColumns(rows...)}
	for i, r := range rows {
		b.Records = append(b.Records, record.Record{Seq: from + record.Seq(i), Time: r.day, Key: record.NewKey(r.code, r.day)})
	}
	return b
}

func drainRows(t *testing.T, rows *Rows) (all []string) {
	t.Helper()
	defer func() {
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}()
	for {
		rec, err := rows.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range int(rec.NumRows()) {
			line := ""
			for _, c := range rec.Columns() {
				line += c.ValueStr(i) + "|"
			}
			all = append(all, line)
		}
		rec.Release()
	}
}

func logicTables(t *testing.T) (db *DB, in, out *Table) {
	t.Helper()
	db, err := Open(t.Context(), t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, spec := range []struct {
		schema, name string
		state        bool
		into         **Table
	}{{"delays", "delays", true, &out}, {"input", "flights", false, &in}} {
		key := []string{"code", "day"}
		if !spec.state {
			key = nil
		}
		if *spec.into, err = db.Table(t.Context(), TableSpec{
			Schema: spec.schema, Name: spec.name, Folder: spec.schema + "-" + spec.name,
			Columns: delaySchema, Key: key, State: spec.state,
		}); err != nil {
			t.Fatal(err)
		}
	}
	return db, in, out
}

var day = time.Date(2001, 1, 2, 3, 4, 5, 678901000, time.UTC)

func TestTransformRunsOverTheBatchAndWholeTables(t *testing.T) {
	db, in, _ := logicTables(t)
	if err := in.Commit(t.Context(), delayBatch(1, delayRow{"ATL", day, 7}), 1); err != nil {
		t.Fatal(err)
	}
	batch := delayColumns(delayRow{"ATL", day, 1}, delayRow{"BOS", day, 2})
	defer batch.Release()
	rows, err := db.Transform(t.Context(), Transform{
		SQL:    "SELECT b.code, f.n FROM orders b LEFT JOIN flights f USING (code) ORDER BY 1;",
		Schema: "input", Table: "orders", Batch: batch,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := drainRows(t, rows); len(got) != 2 || got[0] != "ATL|7|" || got[1] != "BOS|(null)|" {
		t.Errorf("rows = %v", got)
	}
	for _, sql := range []string{"DROP TABLE orders", "SELECT nope FROM orders", "SELECT 1; SELECT 2", "COPY orders TO '/tmp/x.csv'"} {
		if _, err := db.Transform(t.Context(), Transform{SQL: sql, Schema: "input", Table: "orders", Batch: batch}); fault.KindOf(err) != fault.Rejected {
			t.Errorf("%s: %v, want Rejected", sql, err)
		}
	}
}

func TestDiffTellsWhatChangedAndVanished(t *testing.T) {
	db, in, out := logicTables(t)
	ctx := context.Background()
	commit := func(table *Table, b record.Batch, upTo record.Seq) {
		t.Helper()
		defer b.Columns.Release()
		if err := table.Commit(ctx, b, upTo); err != nil {
			t.Fatal(err)
		}
	}
	commit(in, delayBatch(1, delayRow{"ATL", day, 1}, delayRow{"ATL", day, 2}, delayRow{"BOS", day, 5}), 3)
	commit(out, delayBatch(1, delayRow{"BOS", day, 5}, delayRow{"GONE", day, 1}, delayRow{"ATL", day, 1}), 3)
	diff := func(sql string) (*Diff, error) {
		return db.Diff(ctx, DiffSpec{SQL: sql, Schema: "input", Output: out, Inputs: map[string]*Table{"flights": in}})
	}
	d, err := diff("SELECT sum(n) AS n, code, day FROM flights GROUP BY ALL ;\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := drainRows(t, d.Changed); len(got) != 1 || got[0][:4] != "ATL|" || got[0][len(got[0])-3:] != "|3|" {
		t.Errorf("changed = %v", got)
	}
	if len(d.Deleted) != 1 || d.Deleted[0][0] != "GONE" || d.Deleted[0][1] != "2001-01-02T03:04:05.678901Z" {
		t.Errorf("deleted = %v", d.Deleted)
	}
	if d.Inputs["flights"] != 3 {
		t.Errorf("inputs = %v", d.Inputs)
	}
	for sql, why := range map[string]string{
		"SELECT code, day, n FROM flights":                "two rows of one key",
		"SELECT code, day, n, 1 AS extra FROM flights":    "unknown column",
		"SELECT code, day, 'x' || code AS n FROM flights": "a value that does not fit",
	} {
		if _, err := diff(sql); fault.KindOf(err) != fault.Rejected {
			t.Errorf("%s: %v, want Rejected", why, err)
		}
	}
}
