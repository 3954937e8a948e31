package cli

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/durable"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

type grantOpts struct {
	Port   string
	To     []string
	Only   bool
	Dir    string
	Output output
}

const grantLong = `Let products read a port as an input: write their names into the line "grants" of its
output in the descriptor, where nothing else changes. So a grant is a change of a file,
to be reviewed and applied as any other: a mesh that "meshctl up" runs applies it at
once, a cluster with "meshctl deploy".

A port without that line may be read by every product. --only makes the names given the
only ones; --only without --to lets no product read it.

The descriptor is that of --dir, else of this folder or of the folder PRODUCT in it.`

const grantExample = `  meshctl grant flights.flights --to delays,late
  meshctl grant flights.flights --only --to delays
  meshctl grant flights.flights --to '*'     # every product`

func newGrant(g *globals) *cobra.Command {
	var o grantOpts
	cmd := &cobra.Command{
		Use: "grant PRODUCT.PORT [flags]", Short: "Let products read a port",
		Long: grantLong, Example: grantExample, Args: arguments("PRODUCT.PORT"),
		RunE: func(_ *cobra.Command, args []string) error {
			o.Port = args[0]
			return runGrant(g, o)
		},
	}
	cmd.Flags().StringSliceVar(&o.To, "to", nil, "the `products` that may read it")
	cmd.Flags().BoolVar(&o.Only, "only", false, "no others may")
	cmd.Flags().StringVar(&o.Dir, "dir", "", "the product's `folder`")
	cmd.MarkFlagsOneRequired("to", "only")
	o.Output.bind(cmd)
	return g.completeFirst(cmd, false, portNames)
}

// grantAnswer says who may read a port now.
type grantAnswer struct {
	Port    string   `json:"port"`
	File    string   `json:"file"`
	Grants  []string `json:"grants"` // ["*"] is every product
	Changed bool     `json:"changed"`
}

func runGrant(g *globals, o grantOpts) error {
	id, err := product.ParsePort(o.Port)
	if err != nil {
		return fault.New(fault.Invalid, "", "%w", err)
	}
	l, err := g.descriptorOf(id.Product, o.Dir)
	if err != nil {
		return err
	}
	out := l.Product.Output(id.Port)
	if out == nil {
		return fault.New(fault.NotFound, "see its outputs in "+g.short(l.File), "product %s has no output %q", id.Product, id.Port)
	}
	grants := granted(out, o)
	a := grantAnswer{Port: id.Product + "." + id.Port, File: g.short(l.File), Grants: grants}
	switch {
	case slices.Equal(grants, out.Grants) && out.Grants != nil:
		g.note("nothing to change: %s may be read by %s", a.Port, out.Readers())
	case !o.Only && out.Open():
		a.Grants = []string{product.EveryProduct}
		g.note("nothing to change: %s may be read by every product; --only names those who may", a.Port)
	default:
		a.Changed = true
		if err := writeGrants(l.File, id.Port, grants); err != nil {
			return err
		}
	}
	return g.write(o.Output.format, a, func() ([]string, [][]string) {
		readers := product.Output{Grants: a.Grants}
		return []string{"port", "may be read by", "file"}, [][]string{{a.Port, readers.Readers(), a.File}}
	})
}

// granted is who may read the port in the end.
func granted(out *product.Output, o grantOpts) []string {
	grants := []string{}
	if !o.Only {
		grants = append(grants, out.Grants...)
	}
	for _, name := range o.To {
		if !slices.Contains(grants, name) {
			grants = append(grants, name)
		}
	}
	return grants
}

func writeGrants(file, port string, grants []string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	edited, err := product.SetGrants(text, port, grants)
	if err != nil {
		return err
	}
	return durable.Write(file, edited)
}

// descriptorOf finds the descriptor of a product, which must be valid.
func (g *globals) descriptorOf(name, dir string) (*product.Loaded, error) {
	dirs := []string{dir}
	if dir == "" {
		dirs = []string{".", name}
	}
	for _, dir := range dirs {
		dir = g.Abs(dir)
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			dir = filepath.Join(dir, product.FileName)
		}
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		l, err := product.Read(dir)
		if err != nil {
			return nil, err
		}
		if l.Product == nil || l.Product.Metadata.Name != name {
			continue
		}
		return l, l.Problems.Err()
	}
	return nil, fault.New(fault.NotFound, "name its folder with --dir", "there is no descriptor of product %s here", name)
}
