package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/render"
)

const eventsLong = `Tell what has happened lately at the hub and in each product's leaf: links that were lost
and came back, streams and consumers that were made, changed or deleted, messages that a
reader gave up, a disk that is full. With --follow it goes on, until Ctrl-C, also with
products that join later.

Each process remembers its last 500 events, and none from before it was started.`

func newEvents(g *globals) *cobra.Command {
	var o output
	var follow, warnings bool
	cmd := &cobra.Command{
		Use: "events [flags]", Short: "Tell what happens to leaves, streams and consumers", Long: eventsLong,
		Example: `  meshctl events --follow
  meshctl events --warnings -o json
  meshctl events --follow -o jsonl | jq 'select(.kind == "link-lost")'`, Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			limit := callLimit
			if follow {
				limit = 0
			}
			w := eventWriter{g: g, format: o.format, held: []catalog.Event{}}
			err := g.withClient(cmd.Context(), limit, func(ctx context.Context, c *app.Client) error {
				return c.Events(ctx, follow, func(e catalog.Event) error {
					if warnings && e.Level != catalog.LevelWarning {
						return nil
					}
					return w.write(e)
				})
			})
			if follow && cmd.Context().Err() != nil {
				err = nil // it was to go on until somebody stops it
			}
			if err != nil {
				return err
			}
			return w.end()
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what happens")
	cmd.Flags().BoolVar(&warnings, "warnings", false, "only what somebody should look at")
	o.bind(cmd)
	return cmd
}

// eventWriter writes events as they come, but for the formats that are one document.
type eventWriter struct {
	g      *globals
	format render.Format
	held   []catalog.Event
}

func (w *eventWriter) write(e catalog.Event) error {
	switch {
	case w.format == render.JSONL:
		return json.NewEncoder(w.g.Out).Encode(e)
	case people(w.format):
		mark := " "
		if e.Level == catalog.LevelWarning {
			mark = "!"
		}
		_, err := fmt.Fprintf(w.g.Out, "%s %s %-20s %s\n", e.Time.Format("2006-01-02T15:04:05.000Z"), mark, e.Product, render.Text(e.Text))
		return err
	}
	w.held = append(w.held, e)
	return nil
}

func (w *eventWriter) end() error {
	if w.format == render.JSONL || people(w.format) {
		return nil
	}
	return w.g.write(w.format, w.held, func() ([]string, [][]string) {
		var rows [][]string
		for _, e := range w.held {
			rows = append(rows, []string{e.Time.Format("2006-01-02T15:04:05.000Z"), e.Level, e.Product, e.Kind, e.Subject, e.Text})
		}
		return []string{"time", "level", "product", "kind", "subject", "text"}, rows
	})
}
