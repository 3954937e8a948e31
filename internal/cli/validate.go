package cli

import (
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
	Strict bool
	Output output
}

const validateLong = `Check descriptors and print every problem as file:line:column: message, so that editors
can jump to it. A DIR is a product's folder or the descriptor itself.

Several are checked as one mesh: what one of them reads another must offer, no two may
claim the same name, and none may feed itself through others. With --open, and with a
single DIR, a port of a product that is not among them is taken on trust. To read an
earlier major than its product now has is a warning: it is there only where it ran before.

Exit code 0 says all are valid, 1 that there are problems; --strict counts warnings as such.`

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
	cmd.Flags().BoolVar(&o.Strict, "strict", false, "exit with 1 when there are warnings")
	o.Output.bind(cmd)
	return cmd
}

// finding is a problem, and whether it is one to be corrected.
type finding struct {
	Severity string `json:"severity"` // error or warning
	product.Problem
}

func runValidate(g *globals, o validateOpts) error {
	dirs := make([]string, len(o.Dirs))
	for i, dir := range o.Dirs {
		dirs[i] = g.Abs(dir)
	}
	all, problems, warnings, err := g.check(dirs, o.Open || len(dirs) == 1)
	if err != nil {
		return err
	}
	files := map[string]bool{}
	findings := []finding{}
	for _, p := range problems {
		files[p.File] = true
		findings = append(findings, finding{"error", p})
	}
	told := ""
	if len(warnings) > 0 {
		told = ", " + count(len(warnings), "warning")
	}
	for _, p := range warnings {
		findings = append(findings, finding{"warning", p})
	}
	if err := writeFindings(g, o.Output.format, findings); err != nil {
		return err
	}
	if len(problems) > 0 {
		g.note("%s in %s%s", count(len(problems), "problem"), count(len(files), "file"), told)
		return errReported
	}
	g.note("%s valid%s", count(len(all), "product"), told)
	if o.Strict && len(warnings) > 0 {
		return errReported
	}
	return nil
}

// check reads products, what is wrong with them and what is doubtful, files named as a
// person would; open takes products that are not among them on trust. Its error says
// only that a file could not be read.
func (g *globals) check(dirs []string, open bool) (all []product.Loaded, problems, warnings product.Problems, err error) {
	names := map[string]bool{}
	for _, dir := range dirs {
		l, err := product.Read(dir)
		if err != nil {
			return nil, nil, nil, err
		}
		all = append(all, *l)
		problems = append(problems, l.Problems...)
		if l.Product != nil {
			names[l.Product.Metadata.Name] = true
		}
	}
	// Of a product of the set only its earlier majors are asked for: see EarlierMajors.
	known := func(id product.PortID) bool { return open || names[id.Product] }
	problems = append(problems, product.ValidateSet(all, known)...)
	warnings = append(product.EarlierMajors(all), product.Ungranted(all)...)
	for _, list := range []product.Problems{problems, warnings} {
		for i := range list {
			p := &list[i]
			p.File = g.short(p.File)
			for _, l := range all {
				p.Message = strings.ReplaceAll(p.Message, l.File, g.short(l.File))
			}
		}
	}
	return all, problems, warnings, nil
}

// writeFindings writes a line each that editors understand, or data.
func writeFindings(g *globals, format render.Format, findings []finding) error {
	if !people(format) {
		return g.write(format, findings, func() ([]string, [][]string) {
			var rows [][]string
			for _, f := range findings {
				rows = append(rows, []string{f.Severity, f.File, strconv.Itoa(f.Line), strconv.Itoa(f.Column), f.Path, f.Message, f.Hint})
			}
			return []string{"severity", "file", "line", "column", "path", "message", "hint"}, rows
		})
	}
	for _, f := range findings {
		if f.Severity == "warning" {
			f.Message = "warning: " + f.Message
		}
		text := fmt.Sprintf("%s:%d:%d: %s\n", f.File, f.Line, f.Column, f.Message)
		if f.Hint != "" {
			text += "  hint: " + f.Hint + "\n"
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
