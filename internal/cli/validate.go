package cli

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/render"
)

type validateOpts struct {
	Dirs   []string
	Open   bool
	Output output
}

const validateLong = `Check descriptors and print every problem as file:line:column: message, so that editors
can jump to it. A DIR is a product's folder or the descriptor itself.

Several are checked as one mesh: what one of them reads another must offer, no two may
claim the same name, and none may feed itself through others. With --open, and with a
single DIR, a port of a product that is not among them is taken on trust.

Exit code 0 says all are valid, 1 that there are problems.`

const validateExample = `  meshctl validate                    # the product in this folder
  meshctl validate flights airports   # a set
  meshctl validate -o json | jq '.[].message'`

func newValidate(g *globals) *cobra.Command {
	var o validateOpts
	cmd := &cobra.Command{
		Use: "validate [DIR]... [flags]", Short: "Check descriptors and print every problem",
		Long: validateLong, Example: validateExample,
		Args: arguments("[DIR]..."),
		RunE: func(_ *cobra.Command, args []string) error {
			if o.Dirs = args; len(args) == 0 {
				o.Dirs = []string{"."}
			}
			return runValidate(g, o)
		},
	}
	cmd.Flags().BoolVar(&o.Open, "open", false, "take ports of products that are not named on trust")
	o.Output.bind(cmd)
	return cmd
}

func runValidate(g *globals, o validateOpts) error {
	dirs := make([]string, len(o.Dirs))
	for i, dir := range o.Dirs {
		dirs[i] = g.Abs(dir)
	}
	var known func(product.PortID) bool
	if o.Open || len(dirs) == 1 {
		known = func(product.PortID) bool { return true }
	}
	_, problems, err := g.check(dirs, known)
	if err != nil {
		return err
	}
	files := map[string]bool{}
	for _, p := range problems {
		files[p.File] = true
	}
	if err := writeProblems(g, o.Output.format, problems); err != nil {
		return err
	}
	if len(problems) > 0 {
		g.note("%s in %s", count(len(problems), "problem"), count(len(files), "file"))
		return errReported
	}
	g.note("%s valid", count(len(dirs), "product"))
	return nil
}

// check reads products and everything that is wrong with them, files named as a person
// would. Its error says only that a file could not be read.
func (g *globals) check(dirs []string, known func(product.PortID) bool) ([]product.Loaded, product.Problems, error) {
	var problems product.Problems
	all, err := product.ReadSet(dirs, known)
	if err != nil && !errors.As(err, &problems) {
		return nil, nil, err
	}
	for i := range problems {
		p := &problems[i]
		p.File = g.short(p.File)
		for _, l := range all {
			p.Message = strings.ReplaceAll(p.Message, l.File, g.short(l.File))
		}
	}
	return all, problems, nil
}

// writeProblems writes a line each that editors understand, or data.
func writeProblems(g *globals, format render.Format, problems product.Problems) error {
	if !people(format) {
		return g.write(format, []product.Problem(problems), func() ([]string, [][]string) {
			var rows [][]string
			for _, p := range problems {
				rows = append(rows, []string{p.File, strconv.Itoa(p.Line), strconv.Itoa(p.Column), p.Path, p.Message, p.Hint})
			}
			return []string{"file", "line", "column", "path", "message", "hint"}, rows
		})
	}
	for _, p := range problems {
		text := fmt.Sprintf("%s:%d:%d: %s\n", p.File, p.Line, p.Column, p.Message)
		if p.Hint != "" {
			text += "  hint: " + p.Hint + "\n"
		}
		if _, err := io.WriteString(g.Out, text); err != nil {
			return err
		}
	}
	return nil
}

// short is path as a person in the working directory would write it.
func (g *globals) short(path string) string {
	rel, err := filepath.Rel(g.Dir, path)
	if err != nil || strings.HasPrefix(rel, "..") {
		return path
	}
	return rel
}

// count is "1 thing" or "n things".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
