package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/serve"
	"github.com/meshctl/meshctl/internal/theme"
	"github.com/meshctl/meshctl/internal/tui"
)

const uiLong = `Browse the mesh on the whole terminal: domains, products and ports with their state as it
changes, their contracts, sample rows, records as they come, lineage, consumers and dead
letters; SQL over all of them with charts and export. ? explains what the cursor is on, and
a key that does nothing says why.

PRODUCT[.PORT] is where the cursor begins. Colours suit every kind of colour vision and the
terminal's background; --theme chooses others, NO_COLOR none.`

func newUI(g *globals) *cobra.Command {
	o := tui.Options{}
	cmd := &cobra.Command{
		Use: "ui [PRODUCT[.PORT]] [flags]", Short: "Browse the mesh on the whole terminal", Long: uiLong,
		Example: `  meshctl ui
  meshctl ui flights --readonly
  meshctl ui --theme contrast`, Args: arguments("[PRODUCT[.PORT]]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.Start = args[0]
			}
			return runUI(cmd.Context(), g, o)
		},
	}
	cmd.Flags().BoolVar(&o.ReadOnly, "readonly", false, "change nothing in the mesh")
	cmd.Flags().StringVar(&o.Theme, "theme", "", "colours: "+strings.Join(theme.Names(), ", "))
	oneOf(cmd, "theme", theme.Names()...)
	return g.completeFirst(cmd, false, func(all catalog.Catalog) []string { return append(productNames(all), portNames(all)...) })
}

func runUI(ctx context.Context, g *globals, o tui.Options) error {
	switch {
	case !g.InTTY || !g.OutTTY || g.Env("TERM") == "dumb":
		return usageHint("run it in a terminal; meshctl catalog and meshctl query speak to scripts", "ui needs a terminal that can be drawn on")
	case o.Theme != "" && !slices.Contains(theme.Names(), o.Theme):
		return usageHint("choose one of "+strings.Join(theme.Names(), ", "), "there is no theme %q", o.Theme)
	}
	dialing, cancel := g.within(ctx, callLimit)
	defer cancel()
	b, err := app.Browse(dialing, g.mesh())
	if err != nil {
		return err
	}
	defer b.Close()
	o.Color, o.Dir, o.Now, o.In, o.Out, o.Environ = g.Color(), g.Dir, g.Now, g.In, g.Out, g.Environ()
	return tui.Run(ctx, source{b}, o)
}

// source is the mesh as the screens ask it.
type source struct{ *app.Browser }

// Query runs one SELECT over the mesh.
func (s source) Query(ctx context.Context, r serve.QueryRequest) (browse.Answer, error) {
	a, err := s.Browser.Query(ctx, r)
	if err != nil { // no answer is no interface that holds one
		return nil, err
	}
	return a, nil
}

// WriteParquet writes rows to a Parquet file.
func (s source) WriteParquet(ctx context.Context, path string, rows browse.Rows) error {
	return s.Browser.WriteParquet(ctx, path, rows)
}
