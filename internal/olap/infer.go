package olap

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// Inferred is what a file tells about one of its columns.
type Inferred struct {
	Name     string // as in the file
	Type     arrow.DataType
	Nullable bool
	Distinct int64    // values, nulls left out
	Sample   []string // up to five different values, as text, in order of first sight
}

// Infer finds the columns of a CSV, JSON or Parquet file and their types, from all of
// its rows. Types are those that a contract can have. Codes with leading zeros are
// strings, and so is what is of several types.
func Infer(ctx context.Context, path string) (columns []Inferred, rows int64, err error) {
	columns, rows, err = infer(ctx, path)
	if err != nil {
		return nil, 0, fileFault("read", path, err)
	}
	return columns, rows, nil
}

func infer(ctx context.Context, path string) ([]Inferred, int64, error) {
	format, err := FormatOf(path, "")
	if err != nil {
		return nil, 0, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, 0, err
	}
	e, c, err := openScratch(Options{TempDir: os.TempDir()})
	if err != nil {
		return nil, 0, err
	}
	defer e.close()
	defer c.close()
	res, err := c.query(ctx, "SELECT * FROM "+source(path, format, "")+" LIMIT 0")
	if err != nil {
		return nil, 0, err
	}
	schema, err := res.schema()
	res.close()
	if err != nil {
		return nil, 0, err
	}
	columns := make([]Inferred, schema.NumFields())
	for i, f := range schema.Fields() {
		columns[i] = Inferred{Name: f.Name, Type: contractType(f.Type)}
	}
	if format == CSV {
		if err := keepCodes(ctx, c, path, columns); err != nil {
			return nil, 0, err
		}
	}
	rows, err := measure(ctx, c, path, format, columns)
	return columns, rows, err
}

// contractType is the type of a contract that holds t.
func contractType(t arrow.DataType) arrow.DataType {
	switch t := t.(type) {
	case *arrow.Decimal128Type:
		if t.Scale == 0 && t.Precision > 18 { // DuckDB's HUGEINT: beyond a contract's integer
			return arrow.BinaryTypes.String
		}
		return t
	case *arrow.TimestampType:
		return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	case *arrow.StructType:
		fields := make([]arrow.Field, t.NumFields())
		for i, f := range t.Fields() {
			fields[i] = arrow.Field{Name: f.Name, Type: contractType(f.Type), Nullable: true}
		}
		return arrow.StructOf(fields...)
	case *arrow.MapType:
		return arrow.BinaryTypes.String
	case arrow.ListLikeType:
		return arrow.ListOf(contractType(t.Elem()))
	}
	switch t.ID() {
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.UINT8, arrow.UINT16, arrow.UINT32:
		return arrow.PrimitiveTypes.Int64
	case arrow.FLOAT32, arrow.FLOAT64:
		return arrow.PrimitiveTypes.Float64
	case arrow.TIME32, arrow.TIME64:
		return arrow.FixedWidthTypes.Time64us
	case arrow.BOOL, arrow.DATE32:
		return t
	}
	return arrow.BinaryTypes.String
}

// keepCodes makes a string of each number column of a CSV file in which a value has a
// leading zero or plus: it is a code, such as a postal code or a telephone number.
func keepCodes(ctx context.Context, c *conn, path string, columns []Inferred) error {
	var asked []int
	var items []string
	for i, col := range columns {
		if id := col.Type.ID(); id == arrow.INT64 || id == arrow.FLOAT64 {
			asked = append(asked, i)
			items = append(items, "coalesce(bool_or(regexp_matches("+ident(col.Name)+", '^\\s*(\\+|-?0\\d)')), false)")
		}
	}
	if len(asked) == 0 {
		return nil
	}
	rows, err := c.rowsOf(ctx, "SELECT "+strings.Join(items, ", ")+" FROM "+source(path, CSV, ", all_varchar = true"))
	if err != nil {
		return err
	}
	for k, i := range asked {
		if rows[0][k].(bool) {
			columns[i].Type = arrow.BinaryTypes.String
		}
	}
	return nil
}

// measure counts rows, nulls and distinct values, and takes samples.
func measure(ctx context.Context, c *conn, path, format string, columns []Inferred) (int64, error) {
	more := ""
	if format == CSV {
		more = ", all_varchar = true" // so that samples are the file's own text
	}
	from := source(path, format, more)
	items := []string{"count(*)"}
	for _, col := range columns {
		name := ident(col.Name)
		items = append(items, "count("+name+")", "count(DISTINCT "+name+")")
	}
	counts, err := c.rowsOf(ctx, "SELECT "+strings.Join(items, ", ")+" FROM "+from)
	if err != nil {
		return 0, err
	}
	rows := counts[0][0].(int64)
	for i := range columns {
		columns[i].Nullable = counts[0][1+2*i].(int64) < rows
		columns[i].Distinct = counts[0][2+2*i].(int64)
	}
	return rows, samples(ctx, c, from, columns)
}

// samples takes them from the first rows, and from all of them for a column that is
// null there.
func samples(ctx context.Context, c *conn, from string, columns []Inferred) error {
	for i := range columns {
		name := ident(columns[i].Name)
		for _, part := range []string{"(SELECT * FROM " + from + " LIMIT 10000)", from} {
			rows, err := c.rowsOf(ctx, fmt.Sprintf("SELECT v FROM (SELECT DISTINCT ON (v) v, n FROM (SELECT %s::VARCHAR AS v, row_number() OVER () AS n FROM %s) WHERE v IS NOT NULL) ORDER BY n LIMIT 5", name, part))
			if err != nil {
				return err
			}
			for _, r := range rows {
				columns[i].Sample = append(columns[i].Sample, r[0].(string))
			}
			if len(rows) > 0 || columns[i].Distinct == 0 {
				break
			}
		}
	}
	return nil
}
