package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/render"
	"github.com/meshctl/meshctl/internal/serve"
)

type queryOpts struct {
	SQL    string
	File   string
	Limit  int64
	Vars   map[string]string
	Out    string
	Output output
}

// parquet is the one format that needs a file: its end says where its parts are.
const parquet render.Format = "parquet"

const queryLong = `Run one SELECT (DuckDB's SQL) over the mesh. Tables are named product.port, or by the
product's name alone for the port of the same name or its only one. That is the newest
major version; another one is named by its number, as in product.port_v1. SQL wants
double quotes around a name with a dash: "my-product".port.

On stderr it says as of which record and time of each table the answer holds. With
-o parquet --out FILE the answer becomes a Parquet file.`

const queryExample = `  meshctl query 'SELECT origin, avg(delay) FROM flights GROUP BY origin'
  meshctl query 'SELECT name, late FROM delays JOIN airports USING (iata)'
  meshctl query -f report.sql -o json
  echo 'SELECT count(*) FROM flights' | meshctl query
  meshctl query 'SELECT * FROM flights WHERE origin = $code' --var code=ATL`

func newQuery(g *globals) *cobra.Command {
	var o queryOpts
	cmd := &cobra.Command{
		Use: "query [SQL] [flags]", Short: "Run SQL over one product or several",
		Long: queryLong, Example: queryExample, Args: arguments("[SQL]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.SQL = args[0]
			}
			return runQuery(cmd.Context(), g, o)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.File, "file", "f", "", "read the statement from this `file`")
	f.Int64Var(&o.Limit, "limit", 0, "print at most `n` rows; 0 for all")
	f.StringToStringVar(&o.Vars, "var", nil, "bind `name=value` to $name; may be repeated")
	f.StringVar(&o.Out, "out", "", "write the answer to this `file`")
	o.Output.bind(cmd, append(standard(), render.Markdown, render.Arrow, parquet)...)
	return cmd
}

// statement is the SQL from where the options say.
func (o *queryOpts) statement(g *globals) (string, error) {
	switch {
	case o.SQL != "" && o.File != "":
		return "", usageHint("leave one of them out", "both SQL and --file were given")
	case o.SQL != "":
		return o.SQL, nil
	case o.File != "":
		text, err := os.ReadFile(g.Abs(o.File))
		if err != nil {
			return "", fault.New(fault.Invalid, "check the path", "read the statement: %w", err)
		}
		return string(text), nil
	case g.InTTY:
		return "", usageHint(`give it as an argument, with -f FILE or on stdin`, "the statement is missing")
	}
	text, err := io.ReadAll(io.LimitReader(g.In, 1<<20))
	if err != nil {
		return "", fmt.Errorf("read the statement from stdin: %w", err)
	}
	if strings.TrimSpace(string(text)) == "" {
		return "", usageHint(`give it as an argument, with -f FILE or on stdin`, "the statement is missing")
	}
	return string(text), nil
}

func runQuery(ctx context.Context, g *globals, o queryOpts) (err error) {
	sql, err := o.statement(g)
	if err != nil {
		return err
	}
	if o.Limit < 0 {
		return usageHint("give 0 for all rows", "--limit %d is below 0", o.Limit)
	}
	request := serve.QueryRequest{SQL: sql, Limit: o.Limit}
	if len(o.Vars) > 0 {
		request.Args = map[string]any{}
		for name, value := range o.Vars {
			request.Args[name] = value
		}
	}
	return g.withClient(ctx, 0, func(ctx context.Context, c *app.Client) error {
		if o.Output.format == parquet {
			return queryToParquet(ctx, g, c, request, o)
		}
		return queryToText(ctx, g, c, request, o)
	})
}

func queryToParquet(ctx context.Context, g *globals, c *app.Client, r serve.QueryRequest, o queryOpts) error {
	if o.Out == "" {
		return usageHint("name it with --out FILE", "-o parquet needs a file")
	}
	a, err := c.QueryToParquet(ctx, r, g.Abs(o.Out))
	if err != nil {
		return err
	}
	tellAnswer(g, a)
	return nil
}

func queryToText(ctx context.Context, g *globals, c *app.Client, r serve.QueryRequest, o queryOpts) (err error) {
	out, options := g.Out, g.shape(o.Output.format)
	if o.Out != "" {
		f, err := os.Create(g.Abs(o.Out))
		if err != nil {
			return fault.New(fault.Invalid, "check the path", "write the answer: %w", err)
		}
		defer func() {
			if closing := f.Close(); err == nil {
				err = closing
			}
		}()
		out, options.Width, options.Color = f, 0, false
	}
	answer, err := c.Query(ctx, r)
	if err != nil {
		return err
	}
	defer func() {
		if closing := answer.Close(); err == nil {
			err = closing
		}
	}()
	w := render.NewWriter(out, answer.Schema(), options)
	for {
		batch, err := answer.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		err = w.Write(batch)
		batch.Release()
		if err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	if w.Truncated() {
		g.note(noteCut)
	}
	a, err := answer.Finish()
	if err != nil {
		return err
	}
	tellAnswer(g, a)
	return nil
}

// tellAnswer says how many rows there are, as of when, and whether any were left out.
func tellAnswer(g *globals, a serve.QueryAnswer) {
	g.note("%s in %.0f ms", count(int(a.Rows), "row"), a.Millis)
	for _, table := range slices.Sorted(maps.Keys(a.Watermarks)) {
		m := a.Watermarks[table]
		when := "before its first record"
		if m.Seq > 0 {
			when = fmt.Sprintf("as of record %d, %s", m.Seq, m.Time.UTC().Format(time.RFC3339))
		}
		g.note("  %s %s", table, when)
	}
	if a.More {
		g.note("there are more rows: --limit left them out")
	}
}
