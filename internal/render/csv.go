package render

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/cell"
)

// csvWriter writes RFC 4180 with a header. encoding/csv cannot tell an empty string
// from a null, so the quoting is done here.
type csvWriter struct {
	out    *output
	schema *arrow.Schema
	null   string
	headed bool
	text   []byte
}

func (c *csvWriter) Write(batch arrow.RecordBatch) error {
	c.header()
	columns := make([]cell.Column, batch.NumCols())
	for i, arr := range batch.Columns() {
		columns[i] = cell.NewColumn(arr)
	}
	for row := range int(batch.NumRows()) {
		for i := range columns {
			if i > 0 {
				c.out.buf = append(c.out.buf, ',')
			}
			c.field(&columns[i], row)
		}
		c.out.buf = append(c.out.buf, '\n')
		if err := c.out.spill(); err != nil {
			return err
		}
	}
	return c.out.flush()
}

// field adds one value of a column.
func (c *csvWriter) field(column *cell.Column, row int) {
	start := len(c.out.buf)
	switch {
	case !column.IsNull(row):
		c.out.buf = column.AppendText(c.out.buf, row)
		if column.Bare && c.null == "" || !quoted(c.out.buf[start:], c.null) {
			return
		}
		c.text = append(c.text[:0], c.out.buf[start:]...)
		c.out.buf = appendQuoted(c.out.buf[:start], c.text)
	case c.null == "" && c.schema.NumFields() == 1:
		c.out.buf = append(c.out.buf, `""`...) // readers skip an empty line
	default:
		c.out.buf = append(c.out.buf, c.null...)
	}
}

func (c *csvWriter) header() {
	if c.headed || c.schema.NumFields() == 0 {
		return
	}
	c.headed = true
	for i, f := range c.schema.Fields() {
		if i > 0 {
			c.out.buf = append(c.out.buf, ',')
		}
		c.out.buf = appendCSV(c.out.buf, []byte(f.Name), "")
	}
	c.out.buf = append(c.out.buf, '\n')
}

func (c *csvWriter) Close() error {
	c.header()
	return c.out.flush()
}

func (c *csvWriter) Truncated() bool { return false }

// appendCSV appends a field, in quotes where it needs them.
func appendCSV(dst, text []byte, null string) []byte {
	if quoted(text, null) {
		return appendQuoted(dst, text)
	}
	return append(dst, text...)
}

// quoted says whether a field needs quotes, or could be taken for null without.
func quoted(text []byte, null string) bool {
	if len(text) == 0 || string(text) == null || text[0] == ' ' || text[len(text)-1] == ' ' {
		return true
	}
	for _, b := range text { // most are too short for bytes.ContainsAny
		if b == '"' || b == ',' || b == '\r' || b == '\n' {
			return true
		}
	}
	return false
}

func appendQuoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	for _, b := range text {
		if b == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, b)
	}
	return append(dst, '"')
}
