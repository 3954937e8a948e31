package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/render"
)

func newCatalog(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "catalog", Short: "Browse which products exist, who owns them and what they promise",
		Long: `Browse the catalog: every product that has registered on the hub, with its owner, ports,
contract and state.`,
		Example: `  meshctl catalog ls
  meshctl catalog show flights
  meshctl catalog search delay airport
  meshctl catalog lineage delays`,
	}
	cmd.AddCommand(newCatalogLs(g), newCatalogShow(g), newCatalogSearch(g), newCatalogLineage(g), newCatalogDiff(g))
	return cmd
}

func newCatalogLs(g *globals) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "ls [flags]", Aliases: []string{"list"}, Short: "List all ports of all products",
		Long: `List all ports of all products: their size, how far they are visible, and whether their
product still gives signs of life.`,
		Example: `  meshctl catalog ls
  meshctl catalog ls -o json | jq -r '.[].product.metadata.name'`, Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.withClient(cmd.Context(), callLimit, func(ctx context.Context, c *app.Client) error {
				all, err := c.LiveCatalog(ctx)
				if err != nil {
					return err
				}
				return g.write(o.format, all, func() ([]string, [][]string) { return portRows(g, all, o.format == render.Wide) })
			})
		},
	}
	o.bind(cmd)
	return cmd
}

func portRows(g *globals, all catalog.Catalog, wide bool) (header []string, rows [][]string) {
	header = []string{"port", "type", "records", "lag", "dead", "updated", "status", "owner"}
	if wide {
		header = append(header, "domain", "version", "http", "description")
	}
	for _, e := range all {
		m := e.Product.Metadata
		for _, p := range e.Ports {
			row := []string{
				p.Address, p.Output.Type, fmt.Sprint(p.Records), fmt.Sprint(p.Lag()), fmt.Sprint(p.Dead),
				catalog.Ago(g.Now(), p.LastTime), e.State(&p, g.Now()), m.Owner,
			}
			if wide {
				row = append(row, m.Domain, m.Version, e.HTTP, m.Description)
			}
			rows = append(rows, row)
		}
	}
	return header, rows
}

func newCatalogShow(g *globals) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "show PRODUCT [flags]", Short: "Show a product: owner, ports, contracts, state",
		Long:    `Show everything that a product tells about itself.`,
		Example: `  meshctl catalog show flights`, Args: arguments("PRODUCT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withClient(cmd.Context(), callLimit, func(ctx context.Context, c *app.Client) error {
				all, err := c.LiveCatalog(ctx)
				if err != nil {
					return err
				}
				e, err := all.Known(args[0])
				if err != nil {
					return err
				}
				if !people(o.format) {
					return g.write(o.format, e, func() ([]string, [][]string) { return contractRows(e) })
				}
				return showProduct(g, e, o.format)
			})
		},
	}
	o.bind(cmd)
	return g.completeFirst(cmd, false, productNames)
}

func showProduct(g *globals, e *catalog.Entry, f render.Format) error {
	m := e.Product.Metadata
	state := m.Status
	if e.Gone(g.Now()) {
		state = "gone since " + catalog.Ago(g.Now(), e.Seen)
	}
	fmt.Fprintf(g.Out, "%s %s (%s), domain %s, owner %s\n", m.Name, m.Version, state, m.Domain, m.Owner)
	if m.Description != "" {
		text := m.Description
		if g.OutTTY && people(f) {
			text = fold(text, g.Width())
		}
		for line := range strings.Lines(text) {
			fmt.Fprintln(g.Out, render.Text(strings.TrimRight(line, "\r\n")))
		}
	}
	if e.HTTP != "" {
		fmt.Fprintf(g.Out, "HTTP %s/v1\n", e.HTTP)
	}
	for _, in := range e.Product.Spec.Inputs {
		from := in.Port
		if from == "" {
			from = "published records"
		}
		fmt.Fprintf(g.Out, "reads %s from %s%s\n", in.Name, from, inputState(e, in.Name))
	}
	for _, kept := range e.SetAside {
		fmt.Fprintf(g.Out, "a damaged store was made again; the old one is kept in %s\n", kept)
	}
	for _, p := range e.Ports {
		fmt.Fprintf(g.Out, "\nport %s (%s): %s, ", p.Address, p.Output.Type, count(int(p.Records), "record"))
		if !p.LastTime.IsZero() {
			fmt.Fprintf(g.Out, "last %s ago, ", catalog.Ago(g.Now(), p.LastTime))
		}
		fmt.Fprintf(g.Out, "lag %d, dead letters %d", p.Lag(), p.Dead)
		if !p.Output.Open() {
			fmt.Fprintf(g.Out, ", granted to %s", p.Output.Readers())
		}
		fmt.Fprintln(g.Out)
		if p.Error != "" {
			fmt.Fprintf(g.Out, "error: %s\n", p.Error)
		}
		err := g.write(f, nil, func() ([]string, [][]string) { return filled(catalog.ContractRows(&p.Output)) })
		if err != nil {
			return err
		}
	}
	return nil
}

// filled leaves out columns that are empty in every row.
func filled(header []string, rows [][]string) ([]string, [][]string) {
	var keep []int
	for c := range header {
		if slices.ContainsFunc(rows, func(row []string) bool { return row[c] != "" }) {
			keep = append(keep, c)
		}
	}
	pick := func(row []string) (picked []string) {
		for _, c := range keep {
			picked = append(picked, row[c])
		}
		return picked
	}
	out := make([][]string, len(rows))
	for i, row := range rows {
		out[i] = pick(row)
	}
	return pick(header), out
}

// contractRows are the columns of all of a product's ports.
func contractRows(e *catalog.Entry) (header []string, rows [][]string) {
	for _, p := range e.Ports {
		var columns [][]string
		header, columns = catalog.ContractRows(&p.Output)
		for _, row := range columns {
			rows = append(rows, append([]string{p.Address}, row...))
		}
	}
	return append([]string{"port"}, header...), rows
}

func newCatalogSearch(g *globals) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "search WORD... [flags]", Short: "Find products by names, owners, tags, descriptions and columns",
		Long:    `Find the products in which every word occurs somewhere, best first, and say where.`,
		Example: `  meshctl catalog search delay airport`, Args: arguments("WORD", "[WORD]..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withClient(cmd.Context(), callLimit, func(ctx context.Context, c *app.Client) error {
				all, err := c.Catalog(ctx)
				if err != nil {
					return err
				}
				hits := all.Search(strings.Join(args, " "))
				return g.write(o.format, hits, func() ([]string, [][]string) {
					rows := [][]string{}
					for _, h := range hits {
						for _, place := range h.Places {
							rows = append(rows, []string{h.Entry.Product.Metadata.Name, place})
						}
					}
					return []string{"product", "found in"}, rows
				})
			})
		},
	}
	o.bind(cmd)
	return cmd
}

// inputState says what keeps an input from having all that its source has.
func inputState(e *catalog.Entry, input string) string {
	for _, in := range e.Inputs {
		switch {
		case in.Name != input:
		case in.Error != "":
			return "; error: " + in.Error
		case in.Lag > 0:
			return fmt.Sprintf(", lag %d", in.Lag)
		}
	}
	return ""
}
