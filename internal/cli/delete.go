package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/deploy"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/render"
)

type deleteOpts struct {
	Names  []string
	All    bool
	Data   bool
	Yes    bool
	DryRun string
	Output output
	clusterFlags
}

const deleteLong = `Take products, or the hub by the name hub, out of a cluster. Their volumes and credentials
stay, and a later deploy goes on where they ended. With --dangerous-delete-data the
volumes go too, also those of products that were deleted before.

Only what meshctl applied is deleted. On a terminal you are asked first.`

const deleteExample = `  meshctl delete delays
  meshctl delete --all --dry-run=server
  meshctl delete delays --dangerous-delete-data --yes`

func newDelete(g *globals) *cobra.Command {
	var o deleteOpts
	cmd := &cobra.Command{
		Use: "delete [PRODUCT]... [flags]", Short: "Take products out of a cluster; volumes stay",
		Long: deleteLong, Example: deleteExample, Args: arguments("[PRODUCT]..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Names = args; o.All == (len(args) > 0) {
				return usageHint("name products, or use --all", "which products?")
			}
			return runDelete(cmd.Context(), g, o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.All, "all", false, "all products of the namespace, and the hub")
	f.BoolVar(&o.Data, "dangerous-delete-data", false, "delete the volumes too, with all data in them")
	f.BoolVarP(&o.Yes, "yes", "y", false, "do not ask")
	f.StringVar(&o.DryRun, "dry-run", "", "change nothing; show what server would delete")
	oneOf(cmd, "dry-run", dryServer)
	o.clusterFlags.bind(cmd)
	o.Output.bind(cmd, render.Table, render.JSON, render.YAML)
	return cmd
}

func runDelete(ctx context.Context, g *globals, o deleteOpts) error {
	if o.DryRun != "" && o.DryRun != dryServer {
		return usageHint("use --dry-run=server", "%q is not a kind of dry run here", o.DryRun)
	}
	c, err := o.connect(g)
	if err != nil {
		return err
	}
	ctx, cancel := g.within(ctx, deployLimit)
	defer cancel()
	r, err := deploy.PlanRemoval(ctx, c, o.Names, o.Data)
	if err != nil {
		return err
	}
	err = render.Value(g.Out, o.Output.format, r, func() ([]string, [][]string) {
		rows := [][]string{}
		for _, gone := range r.Deleted {
			rows = append(rows, []string{gone.Product, "delete", gone.Object.String(), gone.Size})
		}
		for _, kept := range r.Kept {
			rows = append(rows, []string{kept.Product, "keep", kept.Object.String(), kept.Size})
		}
		return []string{"product", "action", "object", "size"}, rows
	})
	if err != nil || o.DryRun != "" || len(r.Deleted) == 0 {
		return err
	}
	if err := g.agree(ctx, o.Yes, fmt.Sprintf("delete %s from %s, namespace %s%s?", few(r.Products), c, c.Namespace,
		map[bool]string{true: ", with all data"}[o.Data])); err != nil {
		return err
	}
	did := 0
	err = r.Remove(ctx, c, func(gone deploy.Gone) {
		did++
		if g.Verbose {
			g.note("%s: deleted %s", gone.Product, gone.Object)
		}
	})
	g.note("%s deleted", count(did, "object"))
	return err
}

// agree asks a person at the terminal; elsewhere the command itself is the answer.
func (g *globals) agree(ctx context.Context, yes bool, question string) error {
	if yes || !g.InTTY || !g.ErrTTY {
		return nil
	}
	fmt.Fprintf(g.Err, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() { // ends with the process: nothing can interrupt a read from a terminal
		line, err := bufio.NewReader(g.In).ReadString('\n')
		if err != nil {
			line = ""
		}
		answer <- line
	}()
	select {
	case line := <-answer:
		if line = strings.ToLower(strings.TrimSpace(line)); line == "y" || line == "yes" {
			return nil
		}
		return fault.New(fault.Rejected, "answer y, or use --yes", "nothing was changed")
	case <-ctx.Done():
		return ctx.Err()
	}
}
