package cli

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/deploy"
	"github.com/meshctl/meshctl/internal/render"
)

type rollbackOpts struct {
	Product string
	To      int64
	List    bool
	carryOpts
	clusterFlags
}

const rollbackLong = `Bring a product in a cluster back to the revision before the present one, or to the one
that --to names: its image, its settings and its files. What is no part of a revision
stays as it is: data, Services, and what the product's volume holds.

A rollback gains time, it does not change what is wanted: the next deploy rolls forward
to what the folder says.`

const rollbackExample = `  meshctl rollback flights
  meshctl rollback flights --list
  meshctl rollback flights --to 3`

func newRollback(g *globals) *cobra.Command {
	var o rollbackOpts
	cmd := &cobra.Command{
		Use: "rollback PRODUCT [flags]", Short: "Bring a product back to an earlier revision",
		Long: rollbackLong, Example: rollbackExample, Args: arguments("PRODUCT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Product = args[0]
			return runRollback(cmd.Context(), g, o)
		},
	}
	cmd.Flags().Int64Var(&o.To, "to", 0, "the revision's `number` (default the one before the present)")
	cmd.Flags().BoolVar(&o.List, "list", false, "list the revisions that the cluster keeps")
	o.clusterFlags.bind(cmd)
	o.carryOpts.bind(cmd)
	return cmd
}

// rolledBack is what rollback prints.
type rolledBack struct {
	Product string          `json:"product"`
	From    deploy.Revision `json:"from"`
	To      deploy.Revision `json:"to"`
}

func runRollback(ctx context.Context, g *globals, o rollbackOpts) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.DryRun == dryClient {
		return usageHint("use --dry-run=server", "a rollback without asking the cluster would know nothing")
	}
	c, err := o.connect(g)
	if err != nil {
		return err
	}
	within, cancel := g.within(ctx, deployLimit)
	defer cancel()
	if o.List {
		all, err := deploy.Revisions(within, c, o.Product)
		if err != nil {
			return err
		}
		return render.Value(g.Out, o.Output.format, all, func() ([]string, [][]string) {
			header, rows := revisionHeader(), [][]string{}
			for _, r := range all {
				rows = append(rows, revisionRow(r))
			}
			return header, rows
		})
	}
	from, to, err := deploy.Rollback(within, c, o.Product, o.To, o.DryRun == dryServer)
	if err != nil {
		return err
	}
	err = render.Value(g.Out, o.Output.format, rolledBack{o.Product, from, to}, func() ([]string, [][]string) {
		return append([]string{""}, revisionHeader()...), [][]string{
			append([]string{"from"}, revisionRow(from)...), append([]string{"to"}, revisionRow(to)...),
		}
	})
	if err != nil || o.DryRun != "" || !o.Wait {
		return err
	}
	_, err = deploy.Wait(ctx, c, []string{o.Product}, deploy.WaitOptions{
		Timeout: cmp.Or(g.Timeout, deployLimit), Now: g.Now,
		Progress: func(product, state string) { g.note("%s: %s", product, state) },
	})
	if err == nil {
		g.note("%s runs as of revision %d; the next deploy rolls forward again", o.Product, to.Number)
	}
	return err
}

func revisionHeader() []string { return []string{"revision", "version", "image", "files", "current"} }

func revisionRow(r deploy.Revision) []string {
	current := ""
	if r.Current {
		current = "yes"
	}
	return []string{fmt.Sprint(r.Number), r.Version, r.Image, r.Config[:min(len(r.Config), 12)], current}
}
