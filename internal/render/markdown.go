package render

import (
	"cmp"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/cell"
)

// markdownWriter writes a table in GitHub's Markdown.
type markdownWriter struct {
	out    *output
	schema *arrow.Schema
	null   string
	headed bool
	text   []byte
}

func (m *markdownWriter) Write(batch arrow.RecordBatch) error {
	m.header()
	for row := range int(batch.NumRows()) {
		m.out.buf = append(m.out.buf, '|')
		for _, arr := range batch.Columns() {
			if cell.IsNull(arr, row) {
				m.text = append(m.text[:0], cmp.Or(m.null, "NULL")...)
			} else {
				m.text = cell.AppendText(m.text[:0], arr, row)
			}
			m.out.buf = appendMarkdown(m.out.buf, string(m.text))
		}
		m.out.buf = append(m.out.buf, '\n')
		if err := m.out.spill(); err != nil {
			return err
		}
	}
	return m.out.flush()
}

func (m *markdownWriter) header() {
	if m.headed || m.schema.NumFields() == 0 {
		return
	}
	m.headed = true
	var names []string
	var right []bool
	for _, f := range m.schema.Fields() {
		names = append(names, f.Name)
		right = append(right, cell.IsNumber(f.Type))
	}
	m.out.buf = appendMarkdownHead(m.out.buf, names, right)
}

func (m *markdownWriter) Close() error {
	m.header()
	return m.out.flush()
}

func (m *markdownWriter) Truncated() bool { return false }

func appendMarkdownHead(dst []byte, names []string, right []bool) []byte {
	dst = appendMarkdownRow(dst, names)
	dst = append(dst, '|')
	for _, r := range right {
		if r {
			dst = append(dst, " ---: |"...)
		} else {
			dst = append(dst, " --- |"...)
		}
	}
	return append(dst, '\n')
}

func appendMarkdownRow(dst []byte, cells []string) []byte {
	dst = append(dst, '|')
	for _, c := range cells {
		dst = appendMarkdown(dst, c)
	}
	return append(dst, '\n')
}

var escapeMarkdown = strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", "&", "&amp;", "\r\n", "<br>", "\n", "<br>")

// appendMarkdown appends one cell and the bar after it.
func appendMarkdown(dst []byte, text string) []byte {
	dst = append(dst, ' ')
	dst = append(dst, plain(escapeMarkdown.Replace(text))...)
	return append(dst, " |"...)
}
