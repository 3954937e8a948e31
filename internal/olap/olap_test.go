package olap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/meshctl/meshctl/internal/record"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// tripSchema is a contract's columns.
var tripSchema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.BinaryTypes.String},
	{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
}, nil)

func eventSpec() TableSpec {
	return TableSpec{Schema: "trips", Name: "trips", Folder: "trips-v1", Columns: tripSchema, Key: []string{"id"}}
}

func stateSpec() TableSpec {
	return TableSpec{Schema: "trips", Name: "last", Folder: "last-v1", Columns: tripSchema, Key: []string{"id"}, State: true}
}

// row is one record of tripSchema.
type row struct {
	seq  record.Seq
	id   string
	n    int64
	gone bool
}

func batch(rows ...row) record.Batch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, tripSchema)
	defer b.Release()
	var out record.Batch
	for _, r := range rows {
		out.Records = append(out.Records, record.Record{Seq: r.seq, Time: start.Add(time.Duration(r.seq) * time.Second), Key: record.NewKey(r.id), Deleted: r.gone})
		b.Field(0).(*array.StringBuilder).Append(r.id)
		if r.gone {
			b.Field(1).AppendNull()
		} else {
			b.Field(1).(*array.Int64Builder).Append(r.n)
		}
	}
	out.Columns = b.NewRecordBatch()
	return out
}

func openDB(t testing.TB, dir string) *DB {
	t.Helper()
	db, err := Open(context.Background(), dir, Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func openTable(t testing.TB, db *DB, spec TableSpec) *Table {
	t.Helper()
	table, err := db.Table(context.Background(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func commit(t testing.TB, table *Table, upTo record.Seq, rows ...row) {
	t.Helper()
	if err := table.Commit(context.Background(), batch(rows...), upTo); err != nil {
		t.Fatal(err)
	}
}

// lines is the answer of a query, one "a|b" a row.
// asked is a DB or a Stage.
type asked interface {
	Query(context.Context, Query) (*Rows, error)
}

func lines(t testing.TB, db asked, sql string, args ...any) []string {
	t.Helper()
	rows, err := db.Query(context.Background(), Query{SQL: sql, Args: args})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return drain(t, rows)
}

func drain(t testing.TB, rows *Rows) []string {
	t.Helper()
	defer func() {
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}()
	var out []string
	for {
		rec, err := rows.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range int(rec.NumRows()) {
			line := ""
			for j, c := range rec.Columns() {
				if j > 0 {
					line += "|"
				}
				line += c.ValueStr(i)
			}
			out = append(out, strings.Clone(line)) // the text is gone with rec
		}
		rec.Release()
	}
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Fatalf("%s = %s; want %s", what, g, w)
	}
}

// ended is nil for the end of an answer.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func replaceAll(s string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(s) }

// direct runs a statement past the sandbox, as our own statements do.
func direct(t testing.TB, db *DB, sql string) *Rows {
	r, err := db.pool.acquire(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	res, err := r.query(context.Background(), sql)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := newRows(r.conn, res, "query")
	if err != nil {
		t.Fatal(err)
	}
	done := rows.done
	rows.done = func() error {
		err := done()
		db.pool.release(r)
		return err
	}
	return rows
}
