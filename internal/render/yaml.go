package render

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/meshctl/meshctl/internal/cell"
)

// yamlRow writes a row as one entry of a list. Every value is JSON, which YAML
// contains, but for texts that are as well understood without quotes.
func (o *objects) yamlRow(batch arrow.RecordBatch, row int) {
	buf := o.out.buf
	if batch.NumCols() == 0 {
		buf = append(buf, "- {}\n"...)
	}
	for c, arr := range batch.Columns() {
		lead := "  "
		if c == 0 {
			lead = "- "
		}
		buf = append(append(buf, lead...), o.names[c]...)
		if s, ok := arr.(*array.String); ok && !s.IsNull(row) {
			buf = appendYAMLText(buf, s.Value(row))
		} else {
			buf, _ = cell.AppendJSON(buf, arr, row)
		}
		buf = append(buf, '\n')
	}
	o.out.buf = buf
}

// appendYAMLText appends s without quotes if every YAML reader takes it for a string then.
func appendYAMLText(dst []byte, s string) []byte {
	if plainYAML(s) {
		return append(dst, s...)
	}
	out, _ := cell.AppendString(dst, s)
	return out
}

// plainYAML admits words of letters, digits and a few signs that start with a letter
// and are not among those that some version of YAML reads as something else.
func plainYAML(s string) bool {
	if s == "" || len(s) > 200 || !isLetter(s[0]) || s[len(s)-1] == ' ' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && (c < '0' || c > '9') && !strings.ContainsRune(" _-./", rune(c)) {
			return false
		}
	}
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity":
		return false
	}
	return true
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
