package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/render"
)

// output is the flag -o: one of the formats that a command offers.
type output struct {
	format render.Format
	offers []string
}

// standard are the formats of every command that has an answer.
func standard() []render.Format {
	return []render.Format{render.Table, render.Wide, render.JSON, render.YAML, render.JSONL, render.CSV}
}

// bind adds -o to cmd with the standard formats and those named; the first is the default.
func (o *output) bind(cmd *cobra.Command, more ...render.Format) {
	formats := more
	for _, f := range standard() {
		if !slices.Contains(formats, f) {
			formats = append(formats, f)
		}
	}
	o.only(cmd, formats...)
}

// only adds -o to cmd with just these formats; the first is the default.
func (o *output) only(cmd *cobra.Command, formats ...render.Format) {
	o.format, o.offers = formats[0], nil
	for _, f := range formats {
		o.offers = append(o.offers, string(f))
	}
	cmd.Flags().VarP(o, "output", "o", "write "+strings.Join(o.offers, ", "))
	oneOf(cmd, "output", o.offers...)
}

// String is the format that was chosen.
func (o *output) String() string { return string(o.format) }

// Type is how help calls the flag's value.
func (o *output) Type() string { return "format" }

// Set chooses a format, which must be one that the command offers.
func (o *output) Set(s string) error {
	f, err := render.ParseFormat(s)
	if slices.Contains(o.offers, s) { // such as parquet, which only a file can hold
		f, err = render.Format(s), nil
	}
	if err != nil || !slices.Contains(o.offers, string(f)) {
		return fmt.Errorf("choose one of %s", strings.Join(o.offers, ", "))
	}
	o.format = f
	return nil
}

// write writes an answer to Out: a list or an object in the format that was chosen, or
// the cells of table. On a terminal a table is cut to its width, which is announced.
func (g *globals) write(f render.Format, v any, table func() (header []string, rows [][]string)) error {
	truncated, err := render.ValueFor(g.Out, g.shape(f), v, table)
	if truncated {
		g.note(noteCut)
	}
	return err
}

// people says whether a person reads that format.
func people(f render.Format) bool { return f == render.Table || f == render.Wide }

// noteCut is the announcement of a table that is not whole.
const noteCut = "cut to the terminal's width: -o wide shows all of it"

// shape says how to write in that format to Out.
func (g *globals) shape(f render.Format) render.Options {
	o := render.Options{Format: f, Color: g.Color()}
	if g.OutTTY && f == render.Table {
		o.Width = g.Width()
	}
	return o
}
