package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

func newCatalogDiff(g *globals) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "diff FROM TO [flags]", Short: "Show what differs between two versions of a product or a port",
		Long: `Show what changes for readers when TO takes the place of FROM: columns, types, keys, rules,
promises. Each is a product of the catalog, one of its ports by major version, such as
flights.flights@1, or a folder with a descriptor, written with a slash or a dot.

Exit code 0 says that nothing differs, 1 that something does. A difference that breaks
readers is marked; in a new major version none does.`,
		Example: `  meshctl catalog diff flights ./flights     # what runs, and what is edited
  meshctl catalog diff flights@1 flights@2   # two majors of a port
  meshctl catalog diff ./flights flights -o json`, Args: arguments("FROM", "TO"),
		RunE: func(cmd *cobra.Command, args []string) error {
			from, to, err := sides(cmd.Context(), g, args)
			if err != nil {
				return err
			}
			changes := product.Compare(from, to)
			err = g.write(o.format, changes, func() ([]string, [][]string) { return filled(changeRows(changes)) })
			if err != nil {
				return err
			}
			if len(changes) > 0 {
				return errReported
			}
			g.note("nothing differs")
			return nil
		},
	}
	o.bind(cmd)
	return g.completeFirst(cmd, true, func(all catalog.Catalog) []string {
		return append(productNames(all), portNames(all)...)
	})
}

func changeRows(changes []product.Change) (header []string, rows [][]string) {
	for _, c := range changes {
		breaks := ""
		if c.Breaking {
			breaks = "yes"
		}
		rows = append(rows, []string{c.Path, breaks, c.Message})
	}
	return []string{"field", "breaks readers", "change"}, rows
}

// sides are the two products to be compared. The mesh is asked only if one of them is there.
func sides(ctx context.Context, g *globals, args []string) (from, to *product.Product, err error) {
	var all catalog.Catalog
	if !isFolder(args[0]) || !isFolder(args[1]) {
		err = g.withClient(ctx, callLimit, func(ctx context.Context, c *app.Client) error {
			all, err = c.Catalog(ctx)
			return err
		})
		if err != nil {
			return nil, nil, err
		}
	}
	if from, err = side(g, all, args[0]); err == nil {
		to, err = side(g, all, args[1])
	}
	return from, to, err
}

// isFolder says whether an argument names a folder; no product's name has a slash, nor
// begins with a dot.
func isFolder(arg string) bool {
	return strings.ContainsRune(arg, filepath.Separator) || strings.HasPrefix(arg, ".") || strings.HasSuffix(arg, ".yaml")
}

func side(g *globals, all catalog.Catalog, arg string) (*product.Product, error) {
	switch {
	case isFolder(arg):
		p, err := product.Load(g.Abs(arg))
		if err != nil {
			return nil, fault.New(fault.Invalid, "run meshctl validate "+arg, "%w", err)
		}
		return p, nil
	case !strings.ContainsAny(arg, ".@"):
		e, err := all.Known(arg)
		if err != nil {
			return nil, err
		}
		return &e.Product, nil
	}
	e, p, err := all.Port(arg)
	if err != nil {
		return nil, err
	}
	one := e.Product
	one.Spec.Outputs = []product.Output{p.Output}
	if one.Major() != p.Major { // an earlier one that still runs; its own minor is not known
		one.Metadata.Version = fmt.Sprintf("%d.0.0", p.Major)
	}
	return &one, nil
}
