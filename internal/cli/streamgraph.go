package cli

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/render"
)

func newStreamGraph(g *globals) *cobra.Command {
	var o output
	var home homeFlag
	cmd := &cobra.Command{
		Use: "graph [PRODUCT]... [flags]", Short: "Draw which streams copy which",
		Long: `Draw which streams mirror or source which, each with how far it is behind. With products it
is what their streams are copied from and into, at any distance. -o dot and -o mermaid are
for programs that draw, csv and jsonl are who copies whom.`,
		Example: `  meshctl stream graph
  meshctl stream graph delays -o dot | dot -Tsvg > streams.svg`, Args: arguments("[PRODUCT]..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := home.homes(args); err != nil {
				return err
			}
			return g.withStreams(cmd, home, nil, mesh.StreamQuery{}, func(all *app.MeshStreams) error {
				graph, alone := mesh.NewStreamGraph(all.Streams)
				if len(args) > 0 {
					var of []string
					for i := range all.Streams {
						if s := &all.Streams[i]; slices.Contains(args, s.Domain) {
							of = append(of, s.Address())
						}
					}
					graph, alone = graph.Around(of...), 0
				}
				if err := writeGraph(g, graph, o.format); err != nil {
					return err
				}
				if alone > 0 && people(o.format) {
					g.note("not shown: %s neither copy others nor are copied", count(alone, "stream"))
				}
				return nil
			})
		},
	}
	home.bind(cmd)
	o.bind(cmd, append(standard(), dot, mermaid)...)
	return g.completeFirst(cmd, false, productNames)
}

func writeGraph(g *globals, graph *mesh.StreamGraph, f render.Format) error {
	text := ""
	switch f {
	case dot:
		text = graph.DOT()
	case mermaid:
		text = graph.Mermaid()
	case render.Table, render.Wide:
		for _, line := range graph.Tree() {
			text += render.Text(line) + "\n"
		}
	case render.CSV, render.JSONL:
		return g.write(f, graph.Links, func() ([]string, [][]string) {
			rows := [][]string{}
			for _, l := range graph.Links {
				rows = append(rows, []string{l.From, l.To, l.Kind, l.Filter, fmt.Sprint(l.Lag), l.Error})
			}
			return []string{"from", "to", "kind", "filter", "lag", "error"}, rows
		})
	default:
		return g.write(f, graph, nil)
	}
	if _, err := io.WriteString(g.Out, text); err != nil {
		return fmt.Errorf("write the graph: %w", err)
	}
	return nil
}
