package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/deploy"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/render"
)

const diffLong = `Show what "meshctl deploy" would change in a cluster, and change nothing. A DIR is a
product's folder.

The API server is asked, object by object, so what somebody else changed meanwhile is
seen, and so is what the server would refuse. Products that run are asked, through the
hub, what changes of their streams: retention, compression, duplicates. Each change bears its class:

  in place    nothing restarts
  rolling     pods are replaced, one after the other
  recreate    volumes grow; the StatefulSet is made again around its pods,
              which are replaced only if their template changes too
  forbidden   it cannot be done, and deploy would refuse the whole plan

Exit code 0 says that nothing differs, 1 that something does, more that the comparison
failed.`

const diffExample = `  meshctl diff flights airports -n aviation --image example.org/meshctl:0.3.0
  meshctl diff -o json | jq '.steps[] | select(.action == "change")'`

func newDiff(g *globals) *cobra.Command {
	var want wantFlags
	var o output
	cmd := &cobra.Command{
		Use: "diff [DIR]... [flags]", Short: "Show what a deploy would change",
		Long: diffLong, Example: diffExample, Args: arguments("[DIR]..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			want.Dirs = args
			return runDiff(cmd.Context(), g, want, o.format)
		},
	}
	want.bind(cmd)
	o.bind(cmd, render.Table, render.JSON, render.YAML)
	return cmd
}

func runDiff(ctx context.Context, g *globals, want wantFlags, format render.Format) error {
	c, err := want.connect(g)
	if err != nil {
		return err
	}
	units, err := want.units(g, c.Namespace)
	if err != nil {
		return err
	}
	ctx, cancel := g.within(ctx, deployLimit)
	defer cancel()
	p, err := makePlan(ctx, g, c, units, deploy.PlanOptions{Force: want.Force, Only: want.Prune})
	if err != nil {
		return noRejection(err)
	}
	if err := writePlan(g, format, p); err != nil {
		return err
	}
	if err := p.Err(); err != nil {
		g.note("meshctl deploy would refuse this: %s", firstLine(err.Error()))
		if hint := fault.HintOf(err); hint != "" {
			g.note("hint: %s", hint)
		}
	}
	if p.Changes() {
		return errReported
	}
	return nil
}

// noRejection makes an error end with more than 1, which here means that there are differences.
func noRejection(err error) error {
	switch fault.KindOf(err) {
	case fault.Internal, fault.Rejected:
		return fault.New(fault.Unavailable, fault.HintOf(err), "%w", err)
	}
	return err
}

func firstLine(text string) string {
	line, rest, more := strings.Cut(text, "\n")
	if more {
		first, _, _ := strings.Cut(rest, "\n")
		return fmt.Sprintf("%s %s", line, first)
	}
	return line
}
