package render

import (
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/cell"
)

// objects writes a row as an object: in a JSON array, one a line, or in a YAML list.
type objects struct {
	out    *output
	format Format
	names  []string // as written, with the colon after them
	rows   int
}

func newObjects(out *output, schema *arrow.Schema, f Format) *objects {
	o := &objects{out: out, format: f}
	for _, name := range distinct(schema) {
		if f == YAML {
			o.names = append(o.names, string(appendYAMLText(nil, name))+": ")
			continue
		}
		quoted, _ := cell.AppendString(nil, name)
		o.names = append(o.names, string(quoted)+":")
	}
	return o
}

func (o *objects) Write(batch arrow.RecordBatch) error {
	for row := range int(batch.NumRows()) {
		o.row(batch, row)
		o.rows++
		if err := o.out.spill(); err != nil {
			return err
		}
	}
	return o.out.flush()
}

func (o *objects) row(batch arrow.RecordBatch, row int) {
	if o.format == YAML {
		o.yamlRow(batch, row)
		return
	}
	buf := o.out.buf
	switch {
	case o.format == JSONL:
	case o.rows == 0:
		buf = append(buf, "[\n  "...)
	default:
		buf = append(buf, ",\n  "...)
	}
	buf = append(buf, '{')
	for c, arr := range batch.Columns() {
		if c > 0 {
			buf = append(buf, ',')
		}
		buf, _ = cell.AppendJSON(append(buf, o.names[c]...), arr, row)
	}
	buf = append(buf, '}')
	if o.format == JSONL {
		buf = append(buf, '\n')
	}
	o.out.buf = buf
}

func (o *objects) Close() error {
	switch {
	case o.format == JSONL:
	case o.rows == 0:
		o.out.buf = append(o.out.buf, "[]\n"...)
	case o.format == JSON:
		o.out.buf = append(o.out.buf, "\n]\n"...)
	}
	return o.out.flush()
}

func (o *objects) Truncated() bool { return false }

// distinct are the names of the columns, those that come again numbered from 2.
func distinct(schema *arrow.Schema) []string {
	taken := map[string]bool{}
	for _, f := range schema.Fields() {
		taken[f.Name] = true
	}
	seen := map[string]bool{}
	names := make([]string, schema.NumFields())
	for i, f := range schema.Fields() {
		name := f.Name
		for n := 2; seen[name]; n++ {
			if again := f.Name + "_" + strconv.Itoa(n); !taken[again] {
				name = again
			}
		}
		seen[name], taken[name] = true, true
		names[i] = name
	}
	return names
}
