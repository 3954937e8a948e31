package olap

import (
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/meshctl/meshctl/internal/record"
)

// typesSchema has every type that a contract can have.
var typesSchema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64},
	{Name: "text", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "number", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "money", Type: &arrow.Decimal128Type{Precision: 18, Scale: 4}, Nullable: true},
	{Name: "huge", Type: &arrow.Decimal128Type{Precision: 38, Scale: 2}, Nullable: true},
	{Name: "yes", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	{Name: "day", Type: arrow.FixedWidthTypes.Date32, Nullable: true},
	{Name: "at", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, Nullable: true},
	{Name: "time", Type: arrow.FixedWidthTypes.Time64us, Nullable: true},
	{Name: "place", Type: arrow.StructOf(
		arrow.Field{Name: "lat", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		arrow.Field{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
	), Nullable: true},
	{Name: "lines", Type: arrow.ListOf(arrow.StructOf(
		arrow.Field{Name: "sku", Type: arrow.BinaryTypes.String, Nullable: true},
		arrow.Field{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	)), Nullable: true},
}, nil)

// typesJSON are rows that go round through patterns of nulls, empties and extremes.
var typesJSON = []string{
	`{"text":"plain","number":1.5,"money":"12.3456","huge":"123456789012345678901234567890123456.78","yes":true,"day":"2026-02-28","at":"2026-02-28T23:59:59.999999Z","time":"23:59:59.999999","place":{"lat":47.1,"tags":["a","a longer text than twelve bytes"]},"lines":[{"sku":"x","n":1},{"sku":null,"n":null}]}`,
	`{"text":null,"number":null,"money":null,"huge":null,"yes":null,"day":null,"at":null,"time":null,"place":null,"lines":null}`,
	`{"text":"","number":-0.0,"money":"-0.0001","huge":"-1.00","yes":false,"day":"0001-01-01","at":"0001-01-01T00:00:00Z","time":"00:00:00","place":{"lat":null,"tags":[]},"lines":[]}`,
	`{"text":"zürich 日本 \u0000 nul","number":1e300,"money":"99999999999999.9999","huge":"0.01","yes":true,"day":"9999-12-31","at":"1969-12-31T23:59:59.5Z","time":"12:00:00","place":{"lat":1,"tags":[null,"b"]},"lines":[null,{"sku":"y","n":-9223372036854775808}]}`,
}

func typesBatch(t *testing.T, n int) record.Batch {
	t.Helper()
	var text strings.Builder
	var out record.Batch
	for i := range n {
		text.WriteString(`{"id":` + strconv.Itoa(i) + `,` + typesJSON[i%len(typesJSON)][1:] + "\n")
		out.Records = append(out.Records, record.Record{Seq: record.Seq(i + 1), Time: start, Key: record.NewKey(int64(i))})
	}
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, typesSchema, strings.NewReader("["+strings.ReplaceAll(strings.TrimSpace(text.String()), "\n", ",")+"]"))
	if err != nil {
		t.Fatal(err)
	}
	out.Columns = rec
	return out
}

// TestEveryTypeComesBackAsItWas commits more rows than a chunk holds, from an odd
// offset, and reads them from the tail, from a segment and through a file.
func TestEveryTypeComesBackAsItWas(t *testing.T) {
	const n = 5000
	b := typesBatch(t, n)
	for name, state := range map[string]bool{"event": false, "state": true} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			db := openDB(t, dir)
			table := openTable(t, db, TableSpec{Schema: "all", Name: "types", Folder: "types-v1", Columns: typesSchema, Key: []string{"id"}, State: state})
			first := record.Batch{Records: b.Records[:13], Columns: b.Columns.NewSlice(0, 13)}
			if err := table.Commit(t.Context(), first, 13); err != nil {
				t.Fatal(err)
			}
			if err := table.Commit(t.Context(), b, n); err != nil {
				t.Fatal(err)
			}
			compare(t, "tail", queryRows(t, db, `SELECT * FROM "all".types ORDER BY id`), b.Columns)
			if err := table.Roll(t.Context()); err != nil {
				t.Fatal(err)
			}
			compare(t, "segment", queryRows(t, db, `SELECT * FROM "all".types ORDER BY id`), b.Columns)
			path := dir + "/answer.parquet"
			rows := queryRows(t, db, `SELECT * FROM "all".types ORDER BY id`)
			if err := WriteParquet(t.Context(), path, rows); err != nil {
				t.Fatal(err)
			}
			if err := rows.Close(); err != nil {
				t.Fatal(err)
			}
			read, err := ReadFile(t.Context(), path, ReadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			compare(t, "file", read, b.Columns)
		})
	}
}

func queryRows(t *testing.T, db *DB, sql string) *Rows {
	t.Helper()
	rows, err := db.Query(t.Context(), Query{SQL: sql})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func compare(t *testing.T, what string, rows *Rows, want arrow.RecordBatch) {
	t.Helper()
	defer rows.Close()
	at := int64(0)
	for {
		rec, err := rows.Next(t.Context())
		if err != nil {
			if err := ended(err); err != nil {
				t.Fatal(err)
			}
			break
		}
		for j, c := range rec.Columns() {
			part := array.NewSlice(want.Column(j), at, at+rec.NumRows())
			if !arrow.TypeEqual(c.DataType(), part.DataType()) || !array.Equal(c, part) {
				for i := range c.Len() {
					if c.ValueStr(i) != part.ValueStr(i) {
						t.Errorf("%s: row %d of %s is %s; want %s", what, at+int64(i), want.ColumnName(j), c.ValueStr(i), part.ValueStr(i))
						break
					}
				}
				t.Fatalf("%s: column %s came back as %s; want %s", what, want.ColumnName(j), c.DataType(), part.DataType())
			}
		}
		at += rec.NumRows()
		rec.Release()
	}
	if at != want.NumRows() {
		t.Fatalf("%s: %d rows came back; want %d", what, at, want.NumRows())
	}
}
