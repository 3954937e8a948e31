package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/serve"
	"github.com/meshctl/meshctl/internal/theme"
	"github.com/meshctl/meshctl/internal/tui"
	"github.com/meshctl/meshctl/internal/web"
)

const uiLong = `Browse the mesh on the whole terminal: domains, products and ports with their state as it
changes, their contracts, sample rows, records as they come, lineage, consumers and dead
letters; SQL over all of them with charts and export. ? explains what the cursor is on, and
a key that does nothing says why.

PRODUCT[.PORT] is where the cursor begins. Colours suit every kind of colour vision and the
terminal's background; --theme chooses others, NO_COLOR none.

--web serves a page with the same catalog, read-only, until it is interrupted, and writes
its address with a token of its own to stdout. It listens on 127.0.0.1 only.`

// uiOpts say how one wants to look at the mesh.
type uiOpts struct {
	tui.Options
	Web  bool
	Port int
}

func newUI(g *globals) *cobra.Command {
	o := uiOpts{}
	cmd := &cobra.Command{
		Use: "ui [PRODUCT[.PORT]] [flags]", Short: "Browse the mesh on the whole terminal, or in a browser", Long: uiLong,
		Example: `  meshctl ui
  meshctl ui flights --readonly
  meshctl ui --theme contrast
  meshctl ui --web --port 8088`, Args: arguments("[PRODUCT[.PORT]]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.Start = args[0]
			}
			switch {
			case o.Web && o.Theme != "":
				return usageHint("choose the colours on the page", "--theme is for the terminal")
			case o.Web:
				return runWeb(cmd.Context(), g, o)
			case cmd.Flags().Changed("port"):
				return usageHint("add --web", "--port is for the page")
			}
			return runUI(cmd.Context(), g, o.Options)
		},
	}
	cmd.Flags().BoolVar(&o.ReadOnly, "readonly", false, "change nothing in the mesh")
	cmd.Flags().StringVar(&o.Theme, "theme", "", "colours: "+strings.Join(theme.Names(), ", "))
	cmd.Flags().BoolVar(&o.Web, "web", false, "serve a page for the browser")
	cmd.Flags().IntVar(&o.Port, "port", 0, "port of the page on 127.0.0.1; 0 takes any free one")
	oneOf(cmd, "theme", theme.Names()...)
	return g.completeFirst(cmd, false, func(all catalog.Catalog) []string { return append(productNames(all), portNames(all)...) })
}

func runUI(ctx context.Context, g *globals, o tui.Options) error {
	switch {
	case !g.InTTY || !g.OutTTY || g.Env("TERM") == "dumb":
		return usageHint("run it in a terminal, or add --web; meshctl catalog and meshctl query speak to scripts", "ui needs a terminal that can be drawn on")
	case o.Theme != "" && !slices.Contains(theme.Names(), o.Theme):
		return usageHint("choose one of "+strings.Join(theme.Names(), ", "), "there is no theme %q", o.Theme)
	}
	return g.browse(ctx, func(s source) error {
		o.Color, o.Dir, o.Now, o.In, o.Out, o.Environ = g.Color(), g.Dir, g.Now, g.In, g.Out, g.Environ()
		return tui.Run(ctx, s, o)
	})
}

func runWeb(ctx context.Context, g *globals, o uiOpts) error {
	if o.Port < 0 || o.Port > 65535 {
		return usageHint("use a port from 1 to 65535, or 0 for any free one", "there is no port %d", o.Port)
	}
	return g.browse(ctx, func(s source) error {
		return web.Run(ctx, s, web.Options{Port: o.Port, Now: g.Now, Started: func(address string) error {
			if o.Start != "" {
				address += "#/" + url.PathEscape(o.Start)
			}
			g.note("open this address in a browser of this machine; ctrl+c ends the page")
			_, err := fmt.Fprintln(g.Out, address)
			return err
		}})
	})
}

// browse connects to the mesh for as long as somebody looks at it.
func (g *globals) browse(ctx context.Context, look func(source) error) error {
	dialing, cancel := g.within(ctx, callLimit)
	defer cancel()
	b, err := app.Browse(dialing, g.mesh())
	if err != nil {
		return err
	}
	return errors.Join(look(source{b}), b.Close())
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
