package cli

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/pipeline"
	"github.com/meshctl/meshctl/internal/render"
)

type publishOpts struct {
	Port    string
	Records []string
	Delete  []string
	NoWait  bool
	Strict  bool
	Output  output
}

const publishLong = `Publish records to a port: those given as arguments, or NDJSON from stdin, one JSON
object a line. It returns when they are visible in get and SQL, and says how many were
accepted and how many broke the contract and became dead letters.`

const publishExample = `  meshctl publish orders '{"id":"1","total":9.90}'
  jq -c .[] orders.json | meshctl publish orders
  meshctl publish orders --delete 1            # of a state port`

func newPublish(g *globals) *cobra.Command {
	var o publishOpts
	cmd := &cobra.Command{
		Use: "publish PORT [RECORD]... [flags]", Short: "Publish records to a port",
		Long: publishLong, Example: publishExample, Args: arguments("PORT", "[RECORD]..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Port, o.Records = args[0], args[1:]
			return runPublish(cmd.Context(), g, o)
		},
	}
	cmd.Flags().StringArrayVar(&o.Delete, "delete", nil, "delete this `key` of a state port; may be repeated")
	bindSending(cmd, &o.NoWait, &o.Strict)
	o.Output.bind(cmd)
	return g.completeFirst(cmd, false, portNames)
}

func bindSending(cmd *cobra.Command, noWait, strict *bool) {
	cmd.Flags().BoolVar(noWait, "no-wait", false, "return when the records are stored, before they are checked and visible")
	cmd.Flags().BoolVar(strict, "strict", false, "exit with 1 when there are dead letters")
}

func runPublish(ctx context.Context, g *globals, o publishOpts) error {
	if o.NoWait && o.Strict {
		return usageHint("leave one of them out", "--strict needs to wait for the dead letters, which --no-wait does not")
	}
	lines, err := o.lines(g.In)
	if err != nil {
		return err
	}
	return g.withClient(ctx, 0, func(ctx context.Context, c *app.Client) error {
		sent, err := c.Publish(ctx, o.Port, lines, app.PublishOptions{NoWait: o.NoWait})
		if err != nil {
			return err
		}
		return reportSent(g, o.Output, []app.Sent{sent}, o.Strict)
	})
}

// lines are the records that the arguments give, or stdin when they give none.
func (o *publishOpts) lines(in io.Reader) (app.Lines, error) {
	var given [][]byte
	for _, r := range o.Records {
		given = append(given, bytes.ReplaceAll([]byte(r), []byte{'\n'}, []byte{' '}))
	}
	for _, key := range o.Delete {
		line, err := pipeline.DeleteLine(key)
		if err != nil {
			return nil, err
		}
		given = append(given, line)
	}
	if given == nil {
		return ndjson(in), nil
	}
	return func() ([]byte, error) {
		if len(given) == 0 {
			return nil, io.EOF
		}
		line := given[0]
		given = given[1:]
		return line, nil
	}, nil
}

// ndjson are the lines of in that are not empty.
func ndjson(in io.Reader) app.Lines {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), 16<<20)
	number := 0
	return func() ([]byte, error) {
		for lines.Scan() {
			number++
			if line := bytes.TrimSpace(lines.Bytes()); len(line) > 0 {
				return line, nil
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fault.New(fault.Invalid, "write one JSON object a line", "read line %d: %w", number+1, err)
		}
		return nil, io.EOF
	}
}

// reportSent tells what became of the records.
func reportSent(g *globals, o output, all []app.Sent, strict bool) error {
	var v any = all
	if len(all) == 1 {
		v = all[0]
	}
	dead := uint64(0)
	err := g.write(o.format, v, func() ([]string, [][]string) {
		rows := [][]string{}
		for _, s := range all {
			row := []string{s.Port, fmt.Sprint(s.Sent), fmt.Sprint(s.Accepted), fmt.Sprint(s.Dead), fmt.Sprint(s.Skipped)}
			if !s.Visible {
				row[2], row[3] = "not awaited", "not awaited"
			}
			rows = append(rows, row)
		}
		return []string{"port", "sent", "accepted", "dead", "there already"}, rows
	})
	for _, s := range all {
		dead += s.Dead
		if s.Dead > 0 {
			g.note("%s broke the contract: run meshctl deadletter ls %s", count(int(s.Dead), "record"), s.Port)
		}
	}
	if err == nil && strict && dead > 0 {
		return errReported
	}
	return err
}

type importOpts struct {
	Port   string
	Files  []string
	Format string
	NoWait bool
	Strict bool
	Output output
}

const importLong = `Publish the rows of files to a port. CSV columns are read as the contract's types; what
does not fit is kept as it stands and becomes a dead letter with its reason.

An import that was stopped, on either side and in any way, goes on where it was when the
same command is given again, and a file that is there already is not imported twice: the
content of a file, not its name, makes an import.`

const importExample = `  meshctl import airports airports.csv
  meshctl import flights flights.parquet more.json.gz
  meshctl import flights dump --format json --strict`

func newImport(g *globals) *cobra.Command {
	var o importOpts
	cmd := &cobra.Command{
		Use: "import PORT FILE... [flags]", Short: "Publish the rows of files to a port",
		Long: importLong, Example: importExample, Args: arguments("PORT", "FILE..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Port, o.Files = args[0], args[1:]
			return runImport(cmd.Context(), g, o)
		},
	}
	cmd.Flags().StringVar(&o.Format, "format", "", "read the files as csv, json or parquet (default: by their names)")
	oneOf(cmd, "format", "csv", "json", "parquet")
	bindSending(cmd, &o.NoWait, &o.Strict)
	o.Output.bind(cmd)
	return g.completeFirst(cmd, true, portNames)
}

func runImport(ctx context.Context, g *globals, o importOpts) error {
	return g.withClient(ctx, 0, func(ctx context.Context, c *app.Client) error {
		var all []app.Sent
		for _, file := range o.Files {
			path, err := g.file(file, o.Format == "json" || strings.Contains(file, "json")) // no lines are no records
			if err != nil {
				return err
			}
			p := newProgress(g, file)
			sent, err := c.Import(ctx, o.Port, path, app.ImportOptions{
				PublishOptions: app.PublishOptions{NoWait: o.NoWait, Progress: p.rows}, Format: o.Format, Total: p.of,
			})
			p.done()
			if err != nil {
				return err
			}
			all = append(all, sent)
		}
		return reportSent(g, o.Output, all, o.Strict)
	})
}

// progress tells how an import goes: on a terminal in place, elsewhere a line now and then.
type progress struct {
	g      *globals
	what   string
	unit   string // what is counted
	began  time.Time
	told   time.Time
	total  atomic.Int64
	first  uint64
	moving bool
}

func newProgress(g *globals, what string) *progress {
	return &progress{g: g, what: filepath.Base(what), unit: "rows", began: g.Now(), told: g.Now(), first: ^uint64(0)}
}

// of is told how many rows the file has.
func (p *progress) of(total int64) { p.total.Store(total) }

func (p *progress) rows(n uint64) {
	p.first = min(p.first, n)
	pause := 10 * time.Second
	if p.g.ErrTTY {
		pause = 100 * time.Millisecond
	}
	now := p.g.Now()
	if p.g.Quiet || now.Sub(p.told) < pause {
		return
	}
	p.told = now
	rate := float64(n-p.first) / now.Sub(p.began).Seconds()
	line := fmt.Sprintf("%s: %d %s, %.0f %s/s", p.what, n, p.unit, rate, p.unit)
	if total := p.total.Load(); total > 0 && rate > 0 {
		left := time.Duration(float64(total-int64(n)) / rate * float64(time.Second)).Round(time.Second)
		line = fmt.Sprintf("%s: %d of %d %s, %.0f %s/s, %s left", p.what, n, total, p.unit, rate, p.unit, max(left, 0))
	}
	if p.g.ErrTTY {
		line, _ = render.Cut(render.Text(line), p.g.Width()-1)
		fmt.Fprintf(p.g.Err, "\r\x1b[K%s", line)
		p.moving = true
		return
	}
	fmt.Fprintln(p.g.Err, line)
}

func (p *progress) done() {
	if p.moving {
		fmt.Fprint(p.g.Err, "\r\x1b[K")
	}
}
