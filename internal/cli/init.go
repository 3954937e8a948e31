package cli

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/render"
	"github.com/meshctl/meshctl/internal/scaffold"
	"github.com/meshctl/meshctl/templates"
)

type initOpts struct {
	Name     string
	Template string
	Domain   string
	Owner    string
	From     string
	Key      []string
	Type     string
	List     bool
	Output   output
}

const initLong = `Make a folder with a data product in it: a descriptor, a README and, where the
template has one, its logic. Nothing that exists is ever written over.

With --from, the schema is that of a file that exists: CSV, JSON, NDJSON or Parquet.
Column names stay as they are in the file; a column that no value is missing from is
required. With --key, or --type state, the product keeps the latest row of each key;
otherwise every row is an event.`

const initExample = `  meshctl init readings                             # events
  meshctl init totals --template sql                # SQL over another product
  meshctl init airports --from airports.csv --key iata
  meshctl init --list`

func newInit(g *globals) *cobra.Command {
	var o initOpts
	cmd := &cobra.Command{
		Use: "init NAME [flags]", Short: "Make a data product from a template or from a file",
		Long: initLong, Example: initExample,
		Args: func(cmd *cobra.Command, args []string) error {
			if o.List {
				return arguments()(cmd, args)
			}
			return arguments("NAME")(cmd, args)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.List {
				return listTemplates(g, o)
			}
			o.Name = args[0]
			return runInit(cmd.Context(), g, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Template, "template", "", "render this `template` (default event)")
	f.StringVar(&o.Domain, "domain", "main", "business domain of the product")
	f.StringVar(&o.Owner, "owner", "", "team or address that answers for it (default you)")
	f.StringVar(&o.From, "from", "", "take the columns of this `file`")
	f.StringSliceVar(&o.Key, "key", nil, "with --from: the `columns` that tell two things apart")
	f.StringVar(&o.Type, "type", "", "with --from: event or state")
	f.BoolVar(&o.List, "list", false, "list the templates")
	o.Output.bind(cmd)
	oneOf(cmd, "template", "event", "state", "object", "sql", "command", "command-go")
	oneOf(cmd, "type", product.Event, product.State)
	cmd.MarkFlagsMutuallyExclusive("template", "from")
	cmd.MarkFlagsMutuallyExclusive("list", "from")
	return cmd
}

// made is what init answers.
type made struct {
	Product  string   `json:"product"`
	Dir      string   `json:"dir"`
	Template string   `json:"template"`
	Type     string   `json:"type,omitempty"`
	Key      []string `json:"key,omitempty"`
	Files    []string `json:"files"`
}

func runInit(ctx context.Context, g *globals, o initOpts) error {
	a := scaffold.Answers{Name: o.Name, Domain: o.Domain, Owner: cmp.Or(o.Owner, g.Env("USER"), "team-"+o.Name)}
	template := cmp.Or(o.Template, "event")
	var notes []string
	switch {
	case o.From != "":
		template = scaffold.FromFile
		var err error
		if a, notes, err = fitFile(ctx, g, a, o); err != nil {
			return err
		}
	case len(o.Key) > 0 || o.Type != "":
		return usageHint("add --from FILE, or choose the type with --template", "--key and --type describe a file")
	}
	tree, err := scaffold.Render(templates.Files(), template, a)
	if err != nil {
		return err
	}
	if err := tree.Write(g.Abs(o.Name)); err != nil {
		return err
	}
	for _, n := range notes {
		g.note("%s", n)
	}
	m := made{Product: o.Name, Dir: o.Name, Template: template, Type: a.Type, Key: a.Key}
	for _, name := range tree.Names() {
		m.Files = append(m.Files, o.Name+"/"+name)
	}
	if err := writeMade(g, o.Output.format, m); err != nil {
		return err
	}
	g.note("next: read %s/README.md, then run meshctl validate %s", o.Name, o.Name)
	return nil
}

// writeMade writes a file's path a line, or data.
func writeMade(g *globals, format render.Format, m made) error {
	if !people(format) {
		return g.write(format, m, func() (header []string, rows [][]string) {
			for _, file := range m.Files {
				rows = append(rows, []string{m.Product, file})
			}
			return []string{"product", "file"}, rows
		})
	}
	_, err := io.WriteString(g.Out, strings.Join(m.Files, "\n")+"\n")
	return err
}

func fitFile(ctx context.Context, g *globals, a scaffold.Answers, o initOpts) (scaffold.Answers, []string, error) {
	if !product.ValidName(a.Name) {
		return a, nil, nil // Render says what is wrong with it, before a long file is read
	}
	path, err := g.file(o.From, false)
	if err != nil {
		return a, nil, err
	}
	file, err := inferFile(ctx, path)
	if err != nil {
		return a, nil, err
	}
	file.Path = o.From
	return file.Fit(a, o.Type, o.Key)
}

func listTemplates(g *globals, o initOpts) error {
	all, err := scaffold.List(templates.Files())
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(t scaffold.Template) bool { return t.Hidden })
	return g.write(o.Output.format, all, func() ([]string, [][]string) {
		var rows [][]string
		for _, t := range all {
			rows = append(rows, []string{t.Name, t.Description})
		}
		return []string{"NAME", "DESCRIPTION"}, rows
	})
}
