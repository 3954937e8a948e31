package cli

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/meshctl/meshctl/internal/binary"
)

// newMan is for those who make packages; people read --help.
func newMan(g *globals) *cobra.Command {
	return &cobra.Command{
		Use: "man DIR [flags]", Short: "Write the manual pages into a folder", Hidden: true,
		Long: `Write a manual page for each command into a folder, which is made if need be. The pages
bear the date of SOURCE_DATE_EPOCH, or 1970, so that they are the same each time.`,
		Example: "  meshctl man /usr/local/share/man/man1", Args: arguments("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error { return runMan(g, cmd.Root(), args[0]) },
	}
}

func runMan(g *globals, root *cobra.Command, dir string) error {
	date, err := g.epoch()
	if err != nil {
		return err
	}
	dir = g.Abs(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return usageHint("name a folder that can be written to", "write manual pages: %w", err)
	}
	root.DisableAutoGenTag = true // it would bear today's date
	return doc.GenManTree(root, &doc.GenManHeader{
		Section: "1", Date: &date, Source: "meshctl " + binary.Running().Version, Manual: "meshctl",
	}, dir)
}
