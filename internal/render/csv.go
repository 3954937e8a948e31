package render

import (
	"bytes"

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
	for row := range int(batch.NumRows()) {
		for i, arr := range batch.Columns() {
			if i > 0 {
				c.out.buf = append(c.out.buf, ',')
			}
			switch {
			case !cell.IsNull(arr, row):
				c.text = cell.AppendText(c.text[:0], arr, row)
				c.out.buf = appendCSV(c.out.buf, c.text, c.null)
			case c.null == "" && batch.NumCols() == 1:
				c.out.buf = append(c.out.buf, `""`...) // readers skip an empty line
			default:
				c.out.buf = append(c.out.buf, c.null...)
			}
		}
		c.out.buf = append(c.out.buf, '\n')
		if err := c.out.spill(); err != nil {
			return err
		}
	}
	return c.out.flush()
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

// appendCSV appends a field, in quotes where it needs them or could be taken for null.
func appendCSV(dst, text []byte, null string) []byte {
	if string(text) != null && len(text) > 0 && !bytes.ContainsAny(text, "\",\r\n") && text[0] != ' ' && text[len(text)-1] != ' ' {
		return append(dst, text...)
	}
	dst = append(dst, '"')
	for _, b := range text {
		if b == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, b)
	}
	return append(dst, '"')
}
