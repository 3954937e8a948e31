package cli

import (
	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/binary"
)

type versionOpts struct{ Output output }

func newVersion(g *globals) *cobra.Command {
	var o versionOpts
	cmd := &cobra.Command{
		Use: "version [flags]", Short: "Show the version of meshctl and of what it carries",
		Example: "  meshctl version -o json",
		Args:    arguments(),
		RunE: func(*cobra.Command, []string) error {
			return runVersion(g, o)
		},
	}
	o.Output.bind(cmd)
	return cmd
}

func runVersion(g *globals, o versionOpts) error {
	b := binary.Running()
	return g.write(o.Output.format, b, func() ([]string, [][]string) {
		var rows [][]string
		for _, row := range [][]string{
			{"meshctl", b.Version}, {"commit", b.Commit}, {"date", b.Date}, {"go", b.Go}, {"platform", b.Platform},
			{"duckdb", b.DuckDB}, {"nats-server", b.NATS}, {"badger", b.Badger},
		} {
			if row[1] != "" {
				rows = append(rows, row)
			}
		}
		return []string{"PART", "VERSION"}, rows
	})
}
