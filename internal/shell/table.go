package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/cell"
	"github.com/meshctl/meshctl/internal/render"
	"github.com/meshctl/meshctl/internal/serve"
)

// records is the format of \x: one line a column.
const records render.Format = "line"

// formats are those of answers on the terminal.
func formats() []string {
	var all []string
	for _, f := range append(render.Formats(), string(records)) {
		if f != string(render.Arrow) {
			all = append(all, f)
		}
	}
	return all
}

// write writes rows in a format, and says whether something was left out.
func write(ctx context.Context, w io.Writer, rows browse.Rows, o render.Options) (truncated bool, err error) {
	var out render.Writer
	if o.Format == records {
		out = &recordWriter{w: w, color: o.Color}
	} else {
		out = render.NewWriter(w, rows.Schema(), o)
	}
	for {
		b, err := rows.Next(ctx)
		if errors.Is(err, io.EOF) {
			err := out.Close()
			return out.Truncated(), err
		}
		if err != nil {
			return false, err
		}
		err = out.Write(b)
		b.Release()
		if err != nil {
			return false, err
		}
	}
}

// forTerminal makes what is written in a format harmless to a terminal: only CSV keeps
// every byte, for programs.
func forTerminal(w io.Writer, f render.Format) io.Writer {
	if f == render.CSV {
		return cleaner{w}
	}
	return w
}

// cleaner writes texts line by line, without anything that a terminal would act upon.
type cleaner struct{ to io.Writer }

func (c cleaner) Write(p []byte) (int, error) {
	var b strings.Builder
	for line := range strings.Lines(string(p)) {
		text, ended := strings.CutSuffix(line, "\n")
		b.WriteString(render.Text(text) + map[bool]string{true: "\n"}[ended])
	}
	if _, err := io.WriteString(c.to, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// recordWriter writes one line a column, below a line that numbers the row.
type recordWriter struct {
	w     io.Writer
	color bool
	rows  int
}

func (r *recordWriter) Write(b arrow.RecordBatch) error {
	name := 0
	for _, f := range b.Schema().Fields() {
		name = max(name, min(width(render.Text(f.Name)), 40))
	}
	sgr := func(code, s string) string {
		if !r.color {
			return s
		}
		return "\x1b[" + code + "m" + s + "\x1b[0m"
	}
	var out strings.Builder
	for row := range int(b.NumRows()) {
		r.rows++
		head := fmt.Sprintf("─ row %d ", r.rows)
		out.WriteString(sgr("2", head+strings.Repeat("─", max(0, 24-width(head)))) + "\n")
		for c, col := range b.Columns() {
			value := sgr("2", "NULL")
			if !cell.IsNull(col, row) {
				value = render.Text(string(cell.AppendText(nil, col, row)))
			}
			out.WriteString(strings.TrimRight(sgr("1", pad(render.Text(b.Schema().Field(c).Name), name))+"  "+value, " ") + "\n")
		}
	}
	_, err := io.WriteString(r.w, out.String())
	return err
}

func (r *recordWriter) Close() error    { return nil }
func (r *recordWriter) Truncated() bool { return false }

// footer says how many rows an answer has, how long it took and as of when it holds.
func (l *look) footer(rows int, a serve.QueryAnswer, timing bool, w int) []string {
	text := count(rows, "row")
	if timing {
		text += " in " + millis(a.Millis)
	}
	for _, table := range slices.Sorted(maps.Keys(a.Watermarks)) {
		at := a.Watermarks[table]
		if at.Seq == 0 {
			text += " · " + table + " before its first record"
			continue
		}
		text += fmt.Sprintf(" · %s as of record %s, %s", table, grouped(uint64(at.Seq)), at.Time.UTC().Format("2006-01-02 15:04:05Z"))
	}
	return l.lines(dim, text, w)
}

func millis(ms float64) string {
	if ms < 10_000 {
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f s", ms/1000)
}

// count is "1 thing" or "1,234 things".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return grouped(uint64(n)) + " " + thing + "s"
}

// grouped is a number with its thousands apart.
func grouped(n uint64) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
