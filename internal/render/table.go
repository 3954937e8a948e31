package render

import (
	"bytes"
	"cmp"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/cell"
)

// sampleRows are the rows that a table holds before it settles how wide its columns
// are. A longer answer flows on; a cell that is wider than all of these pushes its
// row out of line.
const sampleRows = 1000

// tableWriter writes aligned columns, numbers to the right, below a header in capitals.
type tableWriter struct {
	out       *output
	o         Options
	head      []string
	right     []bool
	widths    []int
	held      [][]tableCell
	rows      int
	settled   bool
	truncated bool
	text      []byte
}

type tableCell struct {
	text  string
	width int
	null  bool
}

func newTable(out *output, schema *arrow.Schema, o Options) *tableWriter {
	var names []string
	var right []bool
	for _, f := range schema.Fields() {
		names = append(names, f.Name)
		right = append(right, cell.IsNumber(f.Type))
	}
	return newGrid(out, names, right, o)
}

func newGrid(out *output, names []string, right []bool, o Options) *tableWriter {
	if o.Format == Wide {
		o.Width, o.MaxRows = 0, 0
	}
	t := &tableWriter{out: out, o: o, right: right}
	for _, name := range names {
		name = strings.ToUpper(plain(name))
		t.head = append(t.head, name)
		t.widths = append(t.widths, width.StringWidth(name))
	}
	return t
}

func (t *tableWriter) Write(batch arrow.RecordBatch) error {
	for row := range int(batch.NumRows()) {
		if t.o.MaxRows > 0 && t.rows == t.o.MaxRows {
			t.truncated = true
			break
		}
		t.rows++
		cells := make([]tableCell, len(t.head))
		for c, arr := range batch.Columns() {
			if cells[c].null = cell.IsNull(arr, row); cells[c].null {
				cells[c].text = cmp.Or(t.o.Null, "NULL")
			} else {
				t.text = cell.AppendText(t.text[:0], arr, row)
				cells[c].text = plain(string(t.text))
			}
		}
		if err := t.add(cells); err != nil {
			return err
		}
	}
	if t.settled {
		return t.out.flush()
	}
	return nil
}

func (t *tableWriter) add(cells []tableCell) error {
	for c := range cells {
		cells[c].width = width.StringWidth(cells[c].text)
	}
	if t.settled {
		t.line(cells, false)
		return t.out.spill()
	}
	t.held = append(t.held, cells)
	if len(t.held) == sampleRows {
		return t.settle()
	}
	return nil
}

// settle fixes the widths of the columns and writes what was held.
func (t *tableWriter) settle() error {
	t.settled = true
	for _, cells := range t.held {
		for c := range cells {
			t.widths[c] = max(t.widths[c], cells[c].width)
		}
	}
	t.widths = fit(t.widths, t.right, t.o.Width)
	t.truncated = t.truncated || len(t.widths) < len(t.head)
	head := make([]tableCell, len(t.head))
	for c, name := range t.head {
		head[c] = tableCell{text: name, width: width.StringWidth(name)}
	}
	if len(head) > 0 {
		t.line(head, true)
	}
	for _, cells := range t.held {
		t.line(cells, false)
		if err := t.out.spill(); err != nil {
			return err
		}
	}
	t.held = nil
	return t.out.flush()
}

func (t *tableWriter) line(cells []tableCell, head bool) {
	buf := t.out.buf
	for c, one := range cells {
		if c == len(t.widths) { // the columns from here on have no room
			buf = append(buf, "…"...)
			break
		}
		if t.o.Width > 0 && one.width > t.widths[c] {
			one.text = width.Truncate(one.text, t.widths[c], "…")
			one.width = width.StringWidth(one.text)
			t.truncated = true
		}
		pad := max(0, t.widths[c]-one.width)
		if t.right[c] {
			buf = appendSpaces(buf, pad)
		}
		switch {
		case t.o.Color && head:
			buf = append(append(append(buf, "\x1b[1m"...), one.text...), "\x1b[0m"...)
		case t.o.Color && one.null:
			buf = append(append(append(buf, "\x1b[2m"...), one.text...), "\x1b[0m"...)
		default:
			buf = append(buf, one.text...)
		}
		if c == len(cells)-1 {
			break
		}
		if !t.right[c] {
			buf = appendSpaces(buf, pad)
		}
		buf = appendSpaces(buf, gap)
	}
	t.out.buf = append(bytes.TrimRight(buf, " "), '\n')
}

func (t *tableWriter) Close() error {
	if !t.settled {
		return t.settle()
	}
	return t.out.flush()
}

func (t *tableWriter) Truncated() bool { return t.truncated }

func appendSpaces(dst []byte, n int) []byte {
	for ; n > 0; n-- {
		dst = append(dst, ' ')
	}
	return dst
}
