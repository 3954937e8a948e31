package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/meshctl/meshctl/internal/cell"
	"github.com/meshctl/meshctl/internal/contract"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/product"
)

// typesInFile are the types of out's columns by the names that a file may give them; nil
// when out has no schema.
func typesInFile(out *product.Output) (*arrow.Schema, error) {
	if len(out.Schema) == 0 {
		return nil, nil
	}
	c, err := contract.New(out)
	if err != nil {
		return nil, err
	}
	var fields []arrow.Field
	for i, f := range c.Schema().Fields() {
		if f.Name = out.Schema[i].PhysicalName; f.Name != "" {
			fields = append(fields, f)
		}
	}
	return arrow.NewSchema(append(fields, c.Schema().Fields()...), nil), nil
}

// fileLines are the rows of a file as the records of a port. Columns are called as in the
// port's schema, and what the schema takes for text is a string whatever it was in the
// file; everything else is as it stands there, so that the contract judges it.
type fileLines struct {
	ctx      context.Context
	rows     *olap.Rows
	original bool     // the only column is a JSON object in its original text
	names    []string // of the columns in the port's schema, otherwise
	shape    *shape
	batch    arrow.RecordBatch
	at       int
	buf      []byte
}

// newFileLines refuses a file that lacks a column which every record must have.
func newFileLines(ctx context.Context, rows *olap.Rows, format string, out *product.Output) (*fileLines, error) {
	l := &fileLines{ctx: ctx, rows: rows, original: format == olap.JSON}
	if l.original {
		l.shape = newShape(out.Schema, true)
		return l, nil
	}
	l.names = portNames(rows.Schema(), out.Schema)
	if len(out.Schema) > 0 && !slices.Contains(l.names, deleteColumn) {
		if err := refuseLacking(l.names, out); err != nil {
			return nil, err
		}
	}
	for i, name := range l.names {
		at := slices.IndexFunc(out.Schema, func(c product.Column) bool { return c.Name == name })
		if at >= 0 && reshapes(&out.Schema[at], rows.Schema().Field(i).Type) {
			l.shape = newShape(out.Schema, false)
		}
	}
	return l, nil
}

// deleteColumn is the one whose value is a key to delete.
const deleteColumn = "$delete"

// portNames are the names that a port gives to the columns of a file: found by
// physicalName, by name, or by name without regard to case where that tells them apart.
func portNames(file *arrow.Schema, columns []product.Column) []string {
	names := make([]string, file.NumFields())
	taken := map[string]bool{}
	match := func(same func(c *product.Column, inFile string) bool) {
		for i, f := range file.Fields() {
			for k := range columns {
				if c := &columns[k]; names[i] == "" && !taken[c.Name] && same(c, f.Name) {
					names[i], taken[c.Name] = c.Name, true
				}
			}
		}
	}
	match(func(c *product.Column, inFile string) bool { return c.PhysicalName == inFile && inFile != "" })
	match(func(c *product.Column, inFile string) bool { return c.Name == inFile })
	match(func(c *product.Column, inFile string) bool { return strings.EqualFold(c.Name, inFile) })
	for i, f := range file.Fields() {
		if names[i] == "" {
			names[i] = f.Name
		}
	}
	return names
}

func refuseLacking(names []string, out *product.Output) error {
	var lacking []string
	for _, c := range out.Schema {
		if (c.Required || slices.Contains(out.Key, c.Name)) && !slices.Contains(names, c.Name) {
			lacking = append(lacking, c.Name)
		}
	}
	if lacking == nil {
		return nil
	}
	return fault.New(fault.Invalid, "check that it is the right file, or give the column's name in the file as its physicalName",
		"the file lacks %s, which every record must have; it has %s", strings.Join(lacking, ", "), strings.Join(names, ", "))
}

// close releases what is left of the batch at hand.
func (l *fileLines) close() {
	if l.batch != nil {
		l.batch.Release()
		l.batch = nil
	}
}

// next is the next record, as a line; io.EOF at the end.
func (l *fileLines) next() ([]byte, error) {
	for l.batch == nil || l.at == int(l.batch.NumRows()) {
		l.close()
		batch, err := l.rows.Next(l.ctx)
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		if err != nil {
			return nil, err
		}
		l.batch, l.at = batch, 0
	}
	at := l.at
	l.at++
	if l.original {
		texts, ok := l.batch.Column(0).(*array.String)
		if !ok {
			return nil, fmt.Errorf("read JSON: its text came as %s", l.batch.Column(0).DataType())
		}
		l.buf = append(l.buf[:0], texts.Value(at)...)
		for i, c := range l.buf { // an object may stand over several lines
			if c == '\n' || c == '\r' {
				l.buf[i] = ' '
			}
		}
	} else {
		l.buf = l.appendRow(l.buf[:0], at)
	}
	if l.shape != nil {
		l.buf = l.shape.apply(l.buf)
	}
	return l.buf, nil
}

// appendRow is the row as a JSON object. A value that JSON has no form for, such as NaN,
// is written as text, which the contract then refuses with its reason.
func (l *fileLines) appendRow(dst []byte, row int) []byte {
	dst = append(dst, '{')
	for i, name := range l.names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst, _ = cell.AppendString(dst, name)
		dst = append(dst, ':')
		before := len(dst)
		var exact bool
		if dst, exact = cell.AppendJSON(dst, l.batch.Column(i), row); !exact {
			text := cell.AppendText(nil, l.batch.Column(i), row)
			dst, _ = cell.AppendString(dst[:before], string(text))
		}
	}
	return append(dst, '}')
}
