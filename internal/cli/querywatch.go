package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/render"
	"github.com/meshctl/meshctl/internal/serve"
)

// longestWatched is how many bytes of an answer are kept, to tell whether the next differs.
const longestWatched = 64 << 20

// watchQuery prints an answer, and again whenever it has changed, until it is interrupted.
func watchQuery(ctx context.Context, g *globals, c *app.Client, r serve.QueryRequest, o queryOpts) error {
	if o.Output.format == parquet || o.Output.format == render.Arrow {
		return usageHint("use another format, such as jsonl", "-o %s has an end, and --watch has none", o.Output.format)
	}
	var before []byte
	first := true
	return c.Follow(ctx, r, func(answer *app.Answer) (serve.QueryAnswer, error) {
		now := watched{}
		a, _, err := printAnswer(ctx, answer, &now, g.shape(o.Output.format))
		if err != nil || !first && bytes.Equal(before, now.text) {
			return a, err
		}
		if o.Output.format == render.JSONL {
			err = printChanges(g.Out, before, now.text)
		} else {
			_, err = g.Out.Write(now.text)
		}
		before, first = now.text, false
		tellAnswer(g, a)
		return a, err
	})
}

// watched keeps an answer's text, up to a bound.
type watched struct{ text []byte }

func (w *watched) Write(p []byte) (int, error) {
	if len(w.text)+len(p) > longestWatched {
		return 0, fault.New(fault.Rejected, "narrow the statement, or use --limit", "an answer of more than %d MiB cannot be watched", longestWatched>>20)
	}
	w.text = append(w.text, p...)
	return len(p), nil
}

// change is a row that came or went.
type change struct {
	Change string          `json:"change"` // + or -
	Row    json.RawMessage `json:"row"`
}

// printChanges prints the rows that went from one answer to the next, then those that
// came. A row that is there several times goes and comes as often.
func printChanges(out io.Writer, before, now []byte) error {
	left := map[string]int{}
	for line := range bytes.Lines(now) {
		left[string(line)]++
	}
	if err := printThose(out, "-", before, left); err != nil {
		return err
	}
	left = map[string]int{}
	for line := range bytes.Lines(before) {
		left[string(line)]++
	}
	return printThose(out, "+", now, left)
}

// printThose prints the lines that are not among the others.
func printThose(out io.Writer, sign string, lines []byte, others map[string]int) error {
	for line := range bytes.Lines(lines) {
		if others[string(line)] > 0 {
			others[string(line)]--
			continue
		}
		text, err := json.Marshal(change{sign, bytes.TrimSpace(line)})
		if err != nil {
			return fmt.Errorf("print a change: %w", err)
		}
		if _, err := out.Write(append(text, '\n')); err != nil {
			return err
		}
	}
	return nil
}
