package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/render"
)

// The formats of a lineage that other programs draw.
const (
	dot     render.Format = "dot"
	mermaid render.Format = "mermaid"
)

func newCatalogLineage(g *globals) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "lineage PRODUCT[.PORT] [flags]", Short: "Show what a port is made of, and what is made of it",
		Long: `Show what a port is made of and what is made of it, at any distance, as the products'
inputs say. Of a product it is all its ports. What is read but has never registered is shown
as "not in the catalog"; what has vanished, with when. -o dot and -o mermaid are for
programs that draw, csv and jsonl are who reads whom.`,
		Example: `  meshctl catalog lineage delays
  meshctl catalog lineage flights.flights -o dot | dot -Tsvg > lineage.svg`, Args: arguments("PRODUCT[.PORT]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withClient(cmd.Context(), callLimit, func(ctx context.Context, c *app.Client) error {
				all, err := c.Catalog(ctx)
				if err != nil {
					return err
				}
				l, err := all.Lineage(args[0], g.Now())
				if err != nil {
					return err
				}
				return writeLineage(g, &l, o.format)
			})
		},
	}
	o.bind(cmd, append(standard(), dot, mermaid)...)
	return g.completeFirst(cmd, false, func(all catalog.Catalog) []string {
		return append(productNames(all), portNames(all)...)
	})
}

func writeLineage(g *globals, l *catalog.Lineage, f render.Format) error {
	text := ""
	switch f {
	case dot:
		text = l.DOT()
	case mermaid:
		text = l.Mermaid()
	case render.Table, render.Wide:
		text = strings.Join(l.Tree(func(p catalog.Linked) string {
			return strings.Join(slices.DeleteFunc([]string{p.State, p.Domain, p.Owner}, func(s string) bool { return s == "" }), ", ")
		}), "\n") + "\n"
	case render.CSV, render.JSONL:
		return g.write(f, l.Links, func() ([]string, [][]string) {
			rows := [][]string{}
			for _, link := range l.Links {
				rows = append(rows, []string{link.From, link.To, link.Input})
			}
			return []string{"from", "to", "input"}, rows
		})
	default:
		return g.write(f, l, nil)
	}
	if _, err := io.WriteString(g.Out, text); err != nil {
		return fmt.Errorf("write the lineage: %w", err)
	}
	return nil
}
