package olap

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// castColumn is a CSV column that is read as a type. The result has, at raw, the
// original text of the cells that do not fit it.
type castColumn struct{ at, raw int }

// csvSelect is the statement that reads a CSV file, its columns cast as far as want
// names them, followed by one column of misfits for each that is cast.
func csvSelect(ctx context.Context, c *conn, path string, want *arrow.Schema) (string, []castColumn, error) {
	from := source(path, CSV, ", all_varchar = true")
	names, _, err := describe(ctx, c, from)
	if err != nil {
		return "", nil, err
	}
	formats, err := sniffFormats(ctx, c, path)
	if err != nil {
		return "", nil, err
	}
	items := make([]string, len(names))
	var misfits []string
	var typed []castColumn
	for i, name := range names {
		items[i] = ident(name)
		t := wanted(want, name)
		if t == nil || t.ID() == arrow.STRING || t.ID() == arrow.LARGE_STRING {
			continue
		}
		cast, err := losslessCast(ident(name), t, formats)
		if err != nil {
			return "", nil, fmt.Errorf("column %q: %w", name, err)
		}
		items[i] = cast + " AS " + ident(name)
		misfits = append(misfits, "CASE WHEN "+ident(name)+" <> '' AND ("+cast+") IS NULL THEN "+ident(name)+" END")
		typed = append(typed, castColumn{at: i, raw: len(names) + len(typed)})
	}
	return "SELECT " + strings.Join(append(items, misfits...), ", ") + " FROM " + from, typed, nil
}

// wanted is the type for the column of that name, matched without regard to case only
// when no name matches with it.
func wanted(want *arrow.Schema, name string) arrow.DataType {
	if want == nil {
		return nil
	}
	if f, ok := want.FieldsByName(name); ok {
		return f[0].Type
	}
	for _, f := range want.Fields() {
		if strings.EqualFold(f.Name, name) {
			return f.Type
		}
	}
	return nil
}

// losslessCast is an expression that is text as t, or NULL where that would lose
// something.
func losslessCast(text string, t arrow.DataType, formats []string) (string, error) {
	name, err := sqlType(t)
	if err != nil {
		return "", err
	}
	try := "TRY_CAST(" + text + " AS " + name + ")"
	guarded := func(pattern string) string {
		return "CASE WHEN regexp_full_match(" + text + ", " + literal(pattern) + ") THEN " + try + " END"
	}
	switch t := t.(type) {
	case *arrow.Decimal128Type:
		return guarded(fmt.Sprintf(`\s*[+-]?(\d+(\.\d{0,%d}0*)?|\.\d{1,%d}0*)\s*`, t.Scale, max(t.Scale, 1))), nil
	case *arrow.Float64Type, *arrow.Float32Type:
		return "CASE WHEN isfinite(" + try + ") THEN " + try + " END", nil
	case *arrow.Date32Type:
		return anyOf(guarded(`\s*\d{4,}[-/]\d{1,2}[-/]\d{1,2}\s*`), text, "DATE", formats), nil
	case *arrow.TimestampType:
		return anyOf(try, text, name, formats), nil
	case *arrow.StructType, arrow.ListLikeType:
		return "TRY_CAST(TRY_CAST(" + text + " AS JSON) AS " + name + ")", nil
	}
	if arrow.IsInteger(t.ID()) {
		return guarded(`\s*[+-]?\d+(\.0*)?\s*`), nil
	}
	return try, nil
}

// anyOf is cast, or where that is NULL what the file's own date and time formats make of text.
func anyOf(cast, text, name string, formats []string) string {
	for _, f := range formats {
		cast = "coalesce(" + cast + ", TRY_CAST(try_strptime(" + text + ", " + literal(f) + ") AS " + name + "))"
	}
	return cast
}

// sniffFormats are the date and timestamp formats that DuckDB finds in the file, if any.
func sniffFormats(ctx context.Context, c *conn, path string) ([]string, error) {
	rows, err := c.rowsOf(ctx, "SELECT DateFormat, TimestampFormat FROM sniff_csv("+fileLiteral(path)+", sample_size = -1)")
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	var formats []string
	for _, f := range rows[0] {
		if s, ok := f.(string); ok && s != "" && strings.Contains(s, "%") {
			formats = append(formats, s)
		}
	}
	return formats, nil
}

// describe is the columns of a FROM item, by name and DuckDB type.
func describe(ctx context.Context, c *conn, from string) (names, types []string, err error) {
	rows, err := c.rowsOf(ctx, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "+from+")")
	if err != nil {
		return nil, nil, err
	}
	for _, r := range rows {
		names, types = append(names, r[0].(string)), append(types, r[1].(string))
	}
	return names, types, nil
}

// splitMisfits takes the columns of misfits off each batch and cuts out the rows that
// have one.
func splitMisfits(rows *Rows, typed []castColumn) {
	plain := len(rows.schema.Fields()) - len(typed)
	rows.schema = arrow.NewSchema(rows.schema.Fields()[:plain], nil)
	s := &splitter{pull: rows.pull, schema: rows.schema, typed: typed}
	done := rows.done
	rows.pull = s.next
	rows.done = func() error {
		s.drop()
		return done()
	}
}

type splitter struct {
	pull   func(context.Context) (arrow.RecordBatch, error)
	schema *arrow.Schema
	typed  []castColumn
	rest   arrow.RecordBatch // what is left of the batch at hand, or nil
}

func (s *splitter) drop() {
	if s.rest != nil {
		s.rest.Release()
		s.rest = nil
	}
}

func (s *splitter) next(ctx context.Context) (arrow.RecordBatch, error) {
	if s.rest == nil {
		rec, err := s.pull(ctx)
		if err != nil {
			return nil, err
		}
		s.rest = rec
	}
	if s.misfit(0) {
		return s.take(1, s.odd()), nil
	}
	n := 1
	for n < int(s.rest.NumRows()) && !s.misfit(n) {
		n++
	}
	return s.take(n, nil), nil
}

func (s *splitter) misfit(i int) bool {
	return slices.ContainsFunc(s.typed, func(c castColumn) bool { return s.rest.Column(c.raw).IsValid(i) })
}

// odd are the columns whose first cell does not fit.
func (s *splitter) odd() []castColumn {
	return slices.DeleteFunc(slices.Clone(s.typed), func(c castColumn) bool { return s.rest.Column(c.raw).IsNull(0) })
}

// take is the first n rows, the columns of odd as text.
func (s *splitter) take(n int, odd []castColumn) arrow.RecordBatch {
	fields := slices.Clone(s.schema.Fields())
	columns := slices.Clone(s.rest.Columns()[:len(fields)])
	for _, c := range odd {
		fields[c.at].Type = arrow.BinaryTypes.String
		columns[c.at] = s.rest.Column(c.raw)
	}
	for i, c := range columns {
		columns[i] = array.NewSlice(c, 0, int64(n))
		defer columns[i].Release()
	}
	out := array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, int64(n))
	if int64(n) == s.rest.NumRows() {
		s.drop()
		return out
	}
	rest := s.rest.NewSlice(int64(n), s.rest.NumRows())
	s.rest.Release()
	s.rest = rest
	return out
}
