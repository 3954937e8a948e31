package cli

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/doctor"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/render"
)

// formatJUnit is what continuous integration reads.
const formatJUnit render.Format = "junit"

const doctorLong = `Look for what is wrong, and say of each finding what was seen, why it matters and what to
do: in products' folders before they run, or with --live in the mesh that runs. Nothing is
changed.

Exit code 0 says that nothing was found, 1 that something was. --list tells all checks.`

const doctorExample = `  meshctl doctor flights airports       # before they run
  meshctl doctor --live
  meshctl doctor --live --data          # look for damage too
  meshctl doctor --live -o junit > doctor.xml`

func newDoctor(g *globals) *cobra.Command {
	var o output
	var live, data, list bool
	cmd := &cobra.Command{
		Use: "doctor [DIR]... [flags]", Short: "Find what is wrong, and say what to do about it",
		Long: doctorLong, Example: doctorExample, Args: arguments("[DIR]..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case list:
				return g.writeChecks(o)
			case live && len(args) > 0:
				return usageHint("run it twice", "both folders and --live were given")
			case data && !live:
				return usageHint("add --live", "--data reads what a running mesh has")
			case live:
				limit := callLimit
				if data {
					limit = 0
				}
				return g.withClient(cmd.Context(), limit, func(ctx context.Context, c *app.Client) error {
					l, err := c.Examine(ctx, g.Now(), doctor.Usual(), data)
					if err != nil {
						return err
					}
					return g.writeReport(o, doctor.OfMesh(l))
				})
			}
			return runDoctor(g, o, args)
		},
	}
	cmd.Flags().BoolVar(&live, "live", false, "look at the mesh that runs")
	cmd.Flags().BoolVar(&data, "data", false, "with --live: let every product read its logs and stores first, which takes as long as its disk does")
	cmd.Flags().BoolVar(&list, "list", false, "tell which checks there are")
	cmd.MarkFlagsMutuallyExclusive("live", "list")
	o.bind(cmd, render.Table, formatJUnit)
	return cmd
}

func runDoctor(g *globals, o output, dirs []string) error {
	if len(dirs) == 0 {
		if _, err := os.Stat(g.Abs(product.FileName)); err != nil {
			return usageHint("name products' folders, or look at the mesh that runs with --live", "there is no %s here", product.FileName)
		}
		dirs = []string{"."}
	}
	paths := make([]string, len(dirs))
	for i, dir := range dirs {
		paths[i] = g.Abs(dir)
	}
	all, problems, warnings, err := g.check(paths, len(dirs) == 1)
	if err != nil {
		return err
	}
	for i := range all {
		all[i].File = g.short(all[i].File)
	}
	return g.writeReport(o, doctor.OfFolders(&doctor.Folders{Products: all, Problems: append(problems, warnings...)}))
}

func (g *globals) writeReport(o output, report doctor.Report) error {
	found := report.Findings()
	var err error
	switch {
	case o.format == formatJUnit:
		err = report.JUnit(g.Out)
	case people(o.format):
		for _, f := range found {
			if _, err = fmt.Fprintf(g.Out, "%s: %s: %s\n  why: %s\n  do: %s\n", f.Check, f.Where, render.Text(oneLine(f.Seen)), f.Why, f.Do); err != nil {
				return err
			}
		}
	default:
		err = g.write(o.format, found, func() ([]string, [][]string) {
			var rows [][]string
			for _, f := range found {
				rows = append(rows, []string{f.Check, f.Where, f.Seen, f.Why, f.Do})
			}
			return []string{"check", "where", "seen", "why", "do"}, rows
		})
	}
	if err != nil {
		return err
	}
	g.note("%s, %s", count(len(report), "check"), count(len(found), "finding"))
	if len(found) > 0 {
		return errReported
	}
	return nil
}

// oneLine is a text of several lines as one.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func (g *globals) writeChecks(o output) error {
	all := doctor.Checks()
	if o.format == formatJUnit {
		return usageHint("choose another format", "a list of checks is no JUnit report")
	}
	return g.write(o.format, all, func() ([]string, [][]string) {
		var rows [][]string
		for _, c := range all {
			rows = append(rows, []string{c.ID, c.When(), c.About})
		}
		return []string{"check", "looks at", "finds"}, rows
	})
}
