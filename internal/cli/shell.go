package cli

import (
	"context"
	"path/filepath"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/binary"
	"github.com/meshctl/meshctl/internal/render"
	"github.com/meshctl/meshctl/internal/shell"
)

// runShell is meshctl query on a terminal, without a statement.
func runShell(ctx context.Context, g *globals, o queryOpts) error {
	switch {
	case g.Env("TERM") == "dumb":
		return usageHint("give the SQL as an argument, with -f FILE or on stdin", "the shell needs a terminal that can be drawn on")
	case o.Limit < 0:
		return usageHint("give 0 for all rows", "--limit %d is below 0", o.Limit)
	case o.Output.format == parquet || o.Output.format == render.Arrow:
		return usageHint("give the SQL as an argument, or use \\export in the shell", "-o %s is not for a terminal", o.Output.format)
	}
	out := o.Out
	if out != "" {
		out = g.Abs(out)
	}
	return shell.Run(ctx, shell.Options{
		Connect: func(ctx context.Context) (shell.Mesh, error) {
			dialing, cancel := g.within(ctx, callLimit)
			defer cancel()
			b, err := app.Browse(dialing, g.mesh())
			if err != nil {
				return nil, err
			}
			return source{b}, nil
		},
		Request: o.request(), Format: o.Output.format, Out: out, History: filepath.Join(g.StateDir(), "query_history"),
		Version: binary.Running().Version, Color: g.Color(), Dir: g.Dir, Now: g.Now, Env: g.Env, Environ: g.Environ(), In: g.In, Screen: g.Out,
	})
}
