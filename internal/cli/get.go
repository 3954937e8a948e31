package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/render"
	"github.com/meshctl/meshctl/internal/serve"
)

type getOpts struct {
	Port   string
	Keys   []string
	Output output
}

const getLong = `Print the latest record of each key. A key of several columns is written with slashes:
ATL/2001-01-01; a slash within a part as %2F. A table shows the columns of the records;
the other formats each record's sequence and time too.

Exit code 0 says all keys were found, 1 that some were not.`

const getExample = `  meshctl get airports ATL
  meshctl get airports ATL SFO -o json`

func newGet(g *globals) *cobra.Command {
	var o getOpts
	cmd := &cobra.Command{
		Use: "get PORT KEY... [flags]", Short: "Print the latest record of a key",
		Long: getLong, Example: getExample, Args: arguments("PORT", "KEY", "[KEY]..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Port, o.Keys = args[0], args[1:]
			return g.withClient(cmd.Context(), callLimit, func(ctx context.Context, c *app.Client) error {
				return runGet(ctx, g, c, o)
			})
		},
	}
	o.Output.bind(cmd)
	return g.completeFirst(cmd, false, portNames)
}

func runGet(ctx context.Context, g *globals, c *app.Client, o getOpts) error {
	a, err := c.Get(ctx, o.Port, o.Keys)
	if err != nil {
		return err
	}
	if len(a.Records) > 0 || !people(o.Output.format) {
		if err := writeRecords(g, o.Output.format, a.Records); err != nil {
			return err
		}
	}
	if len(a.Missing) > 0 {
		return fault.New(fault.Rejected, "run meshctl scan "+o.Port+" to see which keys there are",
			"no record in %s for %s %s", o.Port, plural(len(a.Missing), "key"), shownKeys(a.Missing))
	}
	return nil
}

// shownKeys are keys as a message names them, quoted where they are no plain words.
func shownKeys(keys []string) string {
	shown := make([]string, len(keys))
	for i, key := range keys {
		if shown[i] = render.Text(key); key == "" || shown[i] != key || strings.ContainsAny(key, " ,") {
			shown[i] = strconv.Quote(key)
		}
	}
	return strings.Join(shown, ", ")
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

// writeRecords writes records whole, or for people the columns of their values.
func writeRecords(g *globals, f render.Format, records []serve.Record) error {
	return g.write(f, records, func() ([]string, [][]string) {
		if header, rows, ok := fieldColumns(records); ok && people(f) {
			return header, rows
		}
		rows := make([][]string, len(records))
		for i, r := range records {
			rows[i] = []string{r.Key, fmt.Sprint(r.Seq), r.Time.UTC().Format(time.RFC3339), string(r.Value)}
		}
		return []string{"key", "seq", "time", "value"}, rows
	})
}

type scanOpts struct {
	Port    string
	Request serve.ScanRequest
	Output  output
}

const scanLong = `Print the latest records of a range of keys, in key order: numbers by value, text by byte.
Without a range it is all of them. A table shows the columns of the records; the other
formats each record's sequence and time too.`

const scanExample = `  meshctl scan airports --prefix A --limit 10
  meshctl scan airports --from ATL --to BOS
  meshctl scan airports --reverse --limit 1 -o jsonl`

func newScan(g *globals) *cobra.Command {
	var o scanOpts
	cmd := &cobra.Command{
		Use: "scan PORT [flags]", Short: "Print the records of a range of keys",
		Long: scanLong, Example: scanExample, Args: arguments("PORT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Port = args[0]
			return g.withClient(cmd.Context(), 0, func(ctx context.Context, c *app.Client) error {
				return runScan(ctx, g, c, o)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Request.From, "from", "", "start at this `key`")
	f.StringVar(&o.Request.To, "to", "", "end before this `key`")
	f.StringVar(&o.Request.Prefix, "prefix", "", "only keys that begin like `this`")
	f.BoolVar(&o.Request.Reverse, "reverse", false, "from the last key to the first")
	f.IntVar(&o.Request.Limit, "limit", 100, "print at most `n` records; 0 for all")
	o.Output.bind(cmd)
	return g.completeFirst(cmd, false, portNames)
}

func runScan(ctx context.Context, g *globals, c *app.Client, o scanOpts) error {
	if o.Request.Limit < 0 {
		return usageHint("give 0 for all records", "--limit %d is below 0", o.Request.Limit)
	}
	records := []serve.Record{}
	lines := json.NewEncoder(g.Out)
	lines.SetEscapeHTML(false)
	a, err := c.Scan(ctx, o.Port, o.Request, func(r serve.Record) error {
		if o.Output.format == render.JSONL { // as they come: a scan may be long
			return lines.Encode(r)
		}
		records = append(records, r)
		return nil
	})
	if err != nil {
		return err
	}
	if o.Output.format != render.JSONL {
		if err := writeRecords(g, o.Output.format, records); err != nil {
			return err
		}
	}
	if a.More {
		g.note("the first %s; there are more: use --limit", count(a.Count, "record"))
	}
	return nil
}

type tailOpts struct {
	Port   string
	From   string
	Last   int
	Follow bool
	Limit  int
	Output output
}

const tailLong = `Print records of a port's log in the order in which they were stored; a delete too.
--from takes a sequence (1200), a time (2026-01-31T12:00:00Z) or an age (15m).`

const tailExample = `  meshctl tail flights                     # the last 10
  meshctl tail flights --from 1 --limit 5
  meshctl tail flights --from 15m --follow -o jsonl`

func newTail(g *globals) *cobra.Command {
	var o tailOpts
	cmd := &cobra.Command{
		Use: "tail PORT [flags]", Short: "Print a port's log",
		Long: tailLong, Example: tailExample, Args: arguments("PORT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Port = args[0]
			return g.withClient(cmd.Context(), 0, func(ctx context.Context, c *app.Client) error {
				return runTail(ctx, g, c, o)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.From, "from", "", "start at this `sequence, time or age`")
	f.IntVarP(&o.Last, "last", "n", 10, "without --from, print the last `n` records")
	f.BoolVarP(&o.Follow, "follow", "f", false, "go on with new records until interrupted")
	f.IntVar(&o.Limit, "limit", 0, "print at most `n` records; 0 for all")
	o.Output.bind(cmd)
	return g.completeFirst(cmd, false, portNames)
}

func runTail(ctx context.Context, g *globals, c *app.Client, o tailOpts) error {
	if o.Limit < 0 || o.Last < 0 {
		return usageHint("give 0 for all records", "a number of records is below 0")
	}
	if f := o.Output.format; o.Follow && (f == render.JSON || f == render.YAML) {
		return usageHint("use -o jsonl", "-o %s is one document, which --follow never ends", f)
	}
	options := app.TailOptions{Follow: o.Follow, Limit: o.Limit, Last: o.Last}
	if o.From != "" {
		if err := readFrom(o.From, g.Now(), &options); err != nil {
			return err
		}
	}
	w := newTailWriter(g, o.Output.format)
	if err := c.Tail(ctx, o.Port, options, w.write); err != nil {
		return err
	}
	return w.end()
}

// readFrom reads where a tail starts: a sequence, a time or an age.
func readFrom(from string, now time.Time, o *app.TailOptions) error {
	if n, err := strconv.ParseUint(from, 10, 64); err == nil {
		o.From = record.Seq(max(n, 1))
		return nil
	}
	if t, err := time.Parse(time.RFC3339, from); err == nil {
		o.Since = t
		return nil
	}
	if age, err := product.ParseDuration(from); err == nil {
		o.Since = now.Add(-time.Duration(age))
		return nil
	}
	return usageHint("write a sequence (1200), a time (2026-01-31T12:00:00Z) or an age (15m)", "--from %q is none of these", from)
}
