package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
)

const explainLong = `Answer one SELECT, drop the answer, and say how it came about: what each product was
asked, how many rows and bytes it sent, how many keys of one table chose the rows of
another one, and how long each step took. Steps of one wave run side by side; what ran
in this process has no product. Under the table is DuckDB's plan of the last step.

A statement over one product is answered by that product whole. -o json has all of it.`

const explainExample = `  meshctl explain 'SELECT city, late FROM delays JOIN airports USING (iata)'
  meshctl explain -f report.sql -o json
  meshctl explain 'SELECT * FROM flights WHERE origin = $code' --var code=ATL`

func newExplain(g *globals) *cobra.Command {
	var o queryOpts
	cmd := &cobra.Command{
		Use: "explain [SQL] [flags]", Short: "Say how a query is answered: by whom, rows, bytes, time",
		Long: explainLong, Example: explainExample, Args: arguments("[SQL]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.SQL = args[0]
			}
			return runExplain(cmd.Context(), g, o)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.File, "file", "f", "", "read the statement from this `file`")
	f.StringToStringVar(&o.Vars, "var", nil, "bind `name=value` to $name; may be repeated")
	o.Output.bind(cmd)
	return cmd
}

func runExplain(ctx context.Context, g *globals, o queryOpts) error {
	statements, err := o.statements(g)
	if err != nil {
		return err
	}
	if len(statements) != 1 {
		return usageHint("explain one statement at a time", "there are %d statements", len(statements))
	}
	r := o.request()
	r.SQL = statements[0]
	return g.withClient(ctx, 0, func(ctx context.Context, c *app.Client) error {
		e, err := c.Explain(ctx, r)
		if err != nil {
			return err
		}
		if err := g.write(o.Output.format, e, func() ([]string, [][]string) { return stepRows(e.Steps) }); err != nil {
			return err
		}
		if people(o.Output.format) {
			fmt.Fprintf(g.Out, "\n%s\n", strings.TrimRight(e.Plan, "\n"))
		}
		g.note("%s, %d bytes over the mesh, in %.0f ms", count(int(e.Rows), "row"), e.Bytes, e.Millis)
		return nil
	})
}

func stepRows(steps []app.Step) (header []string, rows [][]string) {
	for _, s := range steps {
		rows = append(rows, []string{
			s.What, s.Product, s.Port, fmt.Sprint(s.Keys), fmt.Sprint(s.Rows), fmt.Sprint(s.Bytes),
			fmt.Sprintf("%.1f", s.Start), fmt.Sprintf("%.1f", s.Millis), strings.Join(strings.Fields(s.SQL), " "),
		})
	}
	return []string{"step", "product", "port", "keys", "rows", "bytes", "at ms", "ms", "sql"}, rows
}
