package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/render"
)

// tailWriter writes records of a log as they come, but for the formats that are one
// document, which it keeps until the end.
type tailWriter struct {
	g      *globals
	format render.Format
	width  int
	cut    bool
	lines  *json.Encoder
	csv    *csv.Writer
	held   []app.Tailed
	headed bool
}

func newTailWriter(g *globals, f render.Format) *tailWriter {
	w := &tailWriter{g: g, format: f, width: g.shape(f).Width, lines: json.NewEncoder(g.Out), csv: csv.NewWriter(g.Out), held: []app.Tailed{}}
	w.lines.SetEscapeHTML(false)
	return w
}

func (w *tailWriter) write(r app.Tailed) error {
	switch w.format {
	case render.JSONL:
		return w.lines.Encode(r)
	case render.CSV:
		return w.row(&r)
	case render.JSON, render.YAML:
		w.held = append(w.held, r)
		return nil
	}
	value := string(r.Value)
	if r.Deleted {
		value = "(deleted)"
	}
	if r.Key != "" {
		value = r.Key + "  " + value
	}
	line := fmt.Sprintf("%-8d %s  %s", r.Seq, r.Time.UTC().Format("2006-01-02T15:04:05.000Z"), render.Text(value))
	line, cut := render.Cut(line, w.width)
	w.cut = w.cut || cut
	_, err := fmt.Fprintln(w.g.Out, line)
	return err
}

func (w *tailWriter) row(r *app.Tailed) error {
	if err := w.head(); err != nil {
		return err
	}
	row := []string{fmt.Sprint(r.Seq), r.Time.UTC().Format("2006-01-02T15:04:05.000000Z"), r.Key, strconv.FormatBool(r.Deleted), string(r.Value)}
	if err := w.csv.Write(row); err != nil {
		return err
	}
	w.csv.Flush() // somebody may follow
	return w.csv.Error()
}

func (w *tailWriter) head() error {
	if w.headed {
		return nil
	}
	w.headed = true
	return w.csv.Write([]string{"seq", "time", "key", "deleted", "value"})
}

// end writes what was kept and says what was left out.
func (w *tailWriter) end() error {
	switch w.format {
	case render.JSON, render.YAML:
		return w.g.write(w.format, w.held, nil)
	case render.CSV:
		if err := w.head(); err != nil {
			return err
		}
		w.csv.Flush()
		return w.csv.Error()
	}
	if w.cut {
		w.g.note(noteCut)
	}
	return nil
}
