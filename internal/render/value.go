package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/meshctl/meshctl/internal/cell"
	"github.com/meshctl/meshctl/internal/fault"
)

// Value writes a list or an object that is not an answer's columns, such as the
// catalog. JSON, YAML and JSON lines are of v by its json tags, a nil list as []; the
// other formats are of the cells that table returns, every row as long as the header.
func Value(w io.Writer, f Format, v any, table func() (header []string, rows [][]string)) error {
	_, err := ValueFor(w, Options{Format: f}, v, table)
	return err
}

// ValueFor is Value for a terminal of a width and with colour, and says whether a part of
// the table was left out.
func ValueFor(w io.Writer, o Options, v any, table func() (header []string, rows [][]string)) (truncated bool, err error) {
	out := &output{w: w}
	switch o.Format {
	case JSON:
		out.buf, err = appendValue(nil, v, "  ")
	case YAML:
		out.buf, err = yamlValue(v)
	case JSONL:
		out.buf, err = lines(v)
	case Table, Wide, CSV, Markdown, "":
		header, rows := table()
		truncated, err = cells(out, o, header, rows)
	case Arrow:
		return false, fault.New(fault.Invalid, "use json", "this has no columns to write as arrow")
	default:
		return false, unknown(o.Format)
	}
	if err != nil {
		return false, fmt.Errorf("write answer: %w", err)
	}
	return truncated, out.flush()
}

// appendValue appends v as JSON and a line feed.
func appendValue(dst []byte, v any, indent string) ([]byte, error) {
	if rv := reflect.ValueOf(v); rv.Kind() == reflect.Slice && rv.IsNil() {
		return append(dst, "[]\n"...), nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return dst, err
	}
	return cell.Harden(dst, b.Bytes()), nil
}

// yamlValue is v in block style; as JSON, which is YAML too, where v holds characters
// that a terminal must not see, for only JSON escapes them all.
func yamlValue(v any) ([]byte, error) {
	doc, err := appendValue(nil, v, "  ")
	if err != nil {
		return nil, err
	}
	block, err := yaml.JSONToYAML(doc)
	if err != nil {
		return nil, err
	}
	if bytes.ContainsFunc(block, func(r rune) bool { return r != '\n' && cell.Hostile(r) }) {
		return doc, nil
	}
	return block, nil
}

// lines is a list as one JSON value a line, anything else as one line.
func lines(v any) (buf []byte, err error) {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Slice && rv.Kind() != reflect.Array {
		return appendValue(nil, v, "")
	}
	for i := range rv.Len() {
		if buf, err = appendValue(buf, rv.Index(i).Interface(), ""); err != nil {
			return nil, err
		}
	}
	return buf, nil
}

func cells(out *output, o Options, header []string, rows [][]string) (truncated bool, err error) {
	switch o.Format {
	case CSV:
		for _, row := range append([][]string{header}, rows...) {
			for i, text := range row {
				if i > 0 {
					out.buf = append(out.buf, ',')
				}
				if text != "" || len(row) == 1 {
					out.buf = appendCSV(out.buf, []byte(text), "")
				}
			}
			out.buf = append(out.buf, '\n')
		}
		return false, nil
	case Markdown:
		out.buf = appendMarkdownHead(out.buf, header, numeric(header, rows))
		for _, row := range rows {
			out.buf = appendMarkdownRow(out.buf, row)
		}
		return false, nil
	}
	t := newGrid(out, header, numeric(header, rows), o)
	for _, row := range rows {
		line := make([]tableCell, len(header))
		for c := range header {
			line[c].text = plain(row[c])
		}
		if err := t.add(line); err != nil {
			return false, err
		}
	}
	err = t.Close()
	return t.Truncated(), err
}

// numeric says which columns hold nothing but numbers.
func numeric(header []string, rows [][]string) []bool {
	right := make([]bool, len(header))
	for c := range header {
		right[c] = len(rows) > 0
		for _, row := range rows {
			if row[c] == "" || strings.Trim(row[c], "0123456789.,-") != "" {
				right[c] = false
				break
			}
		}
	}
	return right
}
