package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
)

const rebuildLong = `Drop the key-value store, the table or both, and make them again from the log, which
alone holds the truth. It returns when they hold the log as it was when it began;
meanwhile reads see them fill.`

func newRebuild(g *globals) *cobra.Command {
	var o output
	var r app.RebuildRequest
	cmd := &cobra.Command{
		Use: "rebuild PRODUCT [flags]", Short: "Make a product's stores again from its log", Long: rebuildLong,
		Example: `  meshctl rebuild flights            # key-value store and table of every port
  meshctl rebuild flights --table`,
		Args: arguments("PRODUCT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !r.KV && !r.Table {
				r.KV, r.Table = true, true
			}
			return g.withClient(cmd.Context(), 0, func(ctx context.Context, c *app.Client) error {
				a, err := c.Rebuild(ctx, args[0], r)
				if err != nil {
					return err
				}
				return g.write(o.format, a, func() ([]string, [][]string) {
					return []string{"rebuilt", "records in the log"}, [][]string{{strings.Join(a.Ports, ", "), fmt.Sprint(a.Records)}}
				})
			})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&r.KV, "kv", false, "only the key-value store")
	f.BoolVar(&r.Table, "table", false, "only the table")
	f.StringVar(&r.Port, "port", "", "only this `port`")
	f.BoolVar(&r.LoseExpired, "dangerous-lose-expired", false, "go on though the log's retention has dropped records that the stores still hold")
	o.bind(cmd)
	return g.completeFirst(cmd, false, productNames)
}
