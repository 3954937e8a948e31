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
	"github.com/meshctl/meshctl/internal/shell"
)

type queryOpts struct {
	SQL    string // the argument
	Inline string // of -c
	File   string
	Limit  int64
	Vars   map[string]string
	Out    string
	Output output

	AsOf         []string
	AllowPartial bool
	Watch        bool
}

// parquet is the one format that needs a file: its end says where its parts are.
const parquet render.Format = "parquet"

const queryLong = `Run SELECTs (DuckDB's SQL) over the mesh, several with ; between them. Without any, on a
terminal, it is a shell: with completion, history and commands that \? lists. Tables are named product.port, or by the
product's name alone for the port of the same name or its only one. That is the newest
major version; another one is named by its number, as in product.port_v1. SQL wants
double quotes around a name with a dash: "my-product".port.

On stderr it says as of which record and time of each table the answer holds, and how
many records of the log it is behind. With -o parquet --out FILE the answer becomes a
Parquet file.

With --as-of the answer is what it was at a time, or after a record's number; for several
products say it for each, as in --as-of flights=123. It is made from the log, so the log
must still have all of its records.

A product that cannot be reached is an error. With --allow-partial its tables count as
empty, and stderr says which these are.

With --watch the query is answered again each time that a table it reads has moved, and
printed when that changed the answer: whole, or with -o jsonl the rows that came and
went, as {"change":"+","row":…} and {"change":"-","row":…}.`

const queryExample = `  meshctl query
  meshctl query 'SELECT origin, avg(delay) FROM flights GROUP BY origin'
  meshctl query 'SELECT name, late FROM delays JOIN airports USING (iata)'
  meshctl query -f report.sql -o json
  echo 'SELECT count(*) FROM flights' | meshctl query
  meshctl query 'SELECT * FROM flights WHERE origin = $code' --var code=ATL
  meshctl query 'SELECT count(*) FROM flights' --as-of 2026-03-01T12:00:00Z
  meshctl query --watch 'SELECT origin, count(*) FROM flights GROUP BY origin'`

func newQuery(g *globals) *cobra.Command {
	var o queryOpts
	cmd := &cobra.Command{
		Use: "query [SQL] [flags]", Short: "Run SQL over one product or several",
		Long: queryLong, Example: queryExample, Args: arguments("[SQL]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.SQL = args[0]
			}
			if o.SQL == "" && o.Inline == "" && o.File == "" && g.InTTY && g.OutTTY {
				return runShell(cmd.Context(), g, o)
			}
			return runQuery(cmd.Context(), g, o)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.Inline, "command", "c", "", "run this `SQL`, as the argument is")
	f.StringVarP(&o.File, "file", "f", "", "read the statements from this `file`")
	f.Int64Var(&o.Limit, "limit", 0, "print at most `n` rows; 0 for all")
	f.StringToStringVar(&o.Vars, "var", nil, "bind `name=value` to $name; may be repeated")
	f.StringVar(&o.Out, "out", "", "write the answer to this `file`")
	f.StringArrayVar(&o.AsOf, "as-of", nil, "answer as of this `moment`, a time or a number")
	f.BoolVar(&o.AllowPartial, "allow-partial", false, "take products that are down for empty")
	f.BoolVar(&o.Watch, "watch", false, "answer again whenever the products move")
	o.Output.bind(cmd, append(standard(), render.Markdown, render.Arrow, parquet)...)
	return cmd
}

// text is the SQL from where the options say.
func (o *queryOpts) text(g *globals) (string, error) {
	given := 0
	for _, from := range []string{o.SQL, o.Inline, o.File} {
		if from != "" {
			given++
		}
	}
	switch {
	case given > 1:
		return "", usageHint("give the SQL in one way", "only one of the argument, -c and --file can be given")
	case o.File != "":
		text, err := os.ReadFile(g.Abs(o.File))
		if err != nil {
			return "", fault.New(fault.Invalid, "check the path", "read the statement: %w", err)
		}
		return string(text), nil
	case given > 0 || g.InTTY:
		return o.SQL + o.Inline, nil
	}
	text, err := io.ReadAll(io.LimitReader(g.In, 1<<20))
	if err != nil {
		return "", fmt.Errorf("read the statement from stdin: %w", err)
	}
	return string(text), nil
}

// statements are those of the text.
func (o *queryOpts) statements(g *globals) ([]string, error) {
	text, err := o.text(g)
	if err != nil {
		return nil, err
	}
	all := shell.Statements(text)
	switch {
	case len(all) == 0:
		return nil, usageHint(`give it as an argument, with -f FILE or on stdin`, "the statement is missing")
	case len(all) > 1 && o.Out != "":
		return nil, usageHint("give one statement, or leave out --out", "there are %d statements, and a file holds one answer", len(all))
	}
	return all, nil
}

// request is what a statement is sent with.
func (o *queryOpts) request() serve.QueryRequest {
	r := serve.QueryRequest{Limit: o.Limit, AllowPartial: o.AllowPartial}
	for _, text := range o.AsOf {
		name, moment, named := strings.Cut(text, "=")
		if !named {
			name, moment = "", text
		}
		if r.AsOf == nil {
			r.AsOf = map[string]string{}
		}
		r.AsOf[name] = moment
	}
	if len(o.Vars) > 0 {
		r.Args = map[string]any{}
		for name, value := range o.Vars {
			r.Args[name] = value
		}
	}
	return r
}

func runQuery(ctx context.Context, g *globals, o queryOpts) (err error) {
	statements, err := o.statements(g)
	if err != nil {
		return err
	}
	if o.Limit < 0 {
		return usageHint("give 0 for all rows", "--limit %d is below 0", o.Limit)
	}
	switch {
	case o.Watch && o.Out != "":
		return usageHint("leave --out out and use the shell's >", "--watch has no end, and a file of --out is whole")
	case o.Watch && len(o.AsOf) > 0:
		return usageHint("leave one of them out", "--as-of is one moment, and --watch follows what comes")
	case o.Watch && len(statements) > 1:
		return usageHint("give one statement", "there are %d statements, and --watch follows one", len(statements))
	}
	request := o.request()
	args := request.Args
	return g.withClient(ctx, 0, func(ctx context.Context, c *app.Client) error {
		for i, sql := range statements {
			request.SQL = sql
			if len(statements) > 1 {
				request.Args = shell.Used(sql, args)
			}
			answer := queryToText
			switch {
			case o.Watch:
				answer = watchQuery
			case o.Output.format == parquet:
				answer = queryToParquet
			}
			if err := answer(ctx, g, c, request, o); err != nil && len(statements) > 1 {
				return fmt.Errorf("statement %d of %d: %w", i+1, len(statements), err)
			} else if err != nil {
				return err
			}
		}
		return nil
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
	a, cut, err := printAnswer(ctx, answer, out, options)
	if err != nil {
		return err
	}
	if cut {
		g.note(noteCut)
	}
	tellAnswer(g, a)
	return nil
}

// printAnswer writes all rows of an answer; cut says that some did not fit the width.
func printAnswer(ctx context.Context, answer *app.Answer, out io.Writer, o render.Options) (a serve.QueryAnswer, cut bool, err error) {
	w := render.NewWriter(out, answer.Schema(), o)
	for {
		batch, err := answer.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return a, false, err
		}
		err = w.Write(batch)
		batch.Release()
		if err != nil {
			return a, false, err
		}
	}
	if err := w.Close(); err != nil {
		return a, false, err
	}
	a, err = answer.Finish()
	return a, w.Truncated(), err
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
		if m.Lag > 0 {
			when += fmt.Sprintf(", %d behind", m.Lag)
		}
		g.note("  %s %s", table, when)
	}
	for _, m := range a.Missing {
		since := ""
		if !m.Since.IsZero() {
			since = ", which was last heard of at " + m.Since.UTC().Format(time.RFC3339)
		}
		product, _, _ := strings.Cut(m.Table, ".")
		g.note("the answer is partial: nothing of %s is in it, for product %s could not be reached%s: %s", m.Table, product, since, m.Error)
	}
	if a.More {
		g.note("there are more rows: --limit left them out")
	}
}
