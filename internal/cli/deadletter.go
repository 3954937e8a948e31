package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/render"
	"github.com/meshctl/meshctl/internal/serve"
)

func newDeadletter(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "deadletter", Aliases: []string{"dead"}, Short: "Inspect, replay or purge records that broke their contract",
		Long: `A record that breaks its port's contract, or that the logic cannot take, becomes a dead
letter: with the reason, its original bytes and where it came from.`,
		Example: `  meshctl deadletter ls orders
  meshctl deadletter show orders 3
  meshctl deadletter replay orders --all`,
	}
	cmd.AddCommand(newDeadLs(g), newDeadShow(g), newDeadCount(g), newDeadReplay(g), newDeadPurge(g))
	return cmd
}

func newDeadLs(g *globals) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "ls PORT [flags]", Short: "List the dead letters of a port",
		Long:    `List the dead letters of a port that wait, oldest first.`,
		Example: `  meshctl deadletter ls orders -o json`, Args: arguments("PORT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withLetters(cmd, args[0], func(letters []serve.Letter) error {
				return g.write(o.format, letters, func() ([]string, [][]string) {
					return letterRows(g, letters, o.format == render.Table)
				})
			})
		},
	}
	o.bind(cmd)
	return g.completeFirst(cmd, false, portNames)
}

// letterRows are letters as a table has them; brief leaves a line a line, though a
// record may have megabytes.
func letterRows(g *globals, letters []serve.Letter, brief bool) (header []string, rows [][]string) {
	for _, l := range letters {
		reason, value := l.Reason, l.Value
		if brief {
			reason, value = beginning(reason), beginning(value)
		}
		rows = append(rows, []string{fmt.Sprint(l.Seq), catalog.Ago(g.Now(), l.Time), l.Origin, reason, value})
	}
	return []string{"letter", "age", "origin", "reason", "value"}, rows
}

// beginning is a text, or its first 200 characters.
func beginning(s string) string {
	n := 0
	for i := range s {
		if n++; n > 200 {
			return s[:i] + "…"
		}
	}
	return s
}

func (g *globals) withLetters(cmd *cobra.Command, port string, do func([]serve.Letter) error) error {
	return g.withClient(cmd.Context(), callLimit, func(ctx context.Context, c *app.Client) error {
		letters, err := c.DeadLetters(ctx, port)
		if err != nil {
			return err
		}
		return do(letters)
	})
}

func newDeadShow(g *globals) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "show PORT LETTER [flags]", Short: "Show one dead letter whole",
		Long:    `Show one dead letter whole: its reason, origin and original bytes.`,
		Example: `  meshctl deadletter show orders 3`, Args: arguments("PORT", "LETTER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			seqs, err := letterNumbers(args[1:])
			if err != nil {
				return err
			}
			return g.withLetters(cmd, args[0], func(letters []serve.Letter) error {
				for _, l := range letters {
					if l.Seq == seqs[0] {
						return g.write(o.format, l, func() ([]string, [][]string) { return letterRows(g, []serve.Letter{l}, false) })
					}
				}
				return fault.New(fault.NotFound, "run meshctl deadletter ls "+args[0], "port %s has no dead letter %d", args[0], seqs[0])
			})
		},
	}
	o.bind(cmd, render.YAML)
	return g.completeFirst(cmd, false, portNames)
}

func newDeadCount(g *globals) *cobra.Command {
	var o output
	var strict bool
	cmd := &cobra.Command{
		Use: "count PORT [flags]", Short: "Count the dead letters of a port",
		Long:    `Count the dead letters of a port that wait.`,
		Example: `  meshctl deadletter count orders --strict   # exit code 1 when there are any`, Args: arguments("PORT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withLetters(cmd, args[0], func(letters []serve.Letter) error {
				n := len(letters)
				err := g.write(o.format, map[string]int{"count": n}, func() ([]string, [][]string) {
					return []string{"count"}, [][]string{{fmt.Sprint(n)}}
				})
				if err == nil && strict && n > 0 {
					return errReported
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "exit with 1 when there are any")
	o.bind(cmd)
	return g.completeFirst(cmd, false, portNames)
}

func newDeadReplay(g *globals) *cobra.Command {
	return newDeadAct(g, "replay", "Publish dead letters again",
		`Give the original bytes of dead letters to what refused them once more, and remove the
letters: a published record is published again, what the logic could not take goes to
its same input again, and what the logic made against the contract goes to the contract.
What is still refused becomes a new dead letter.`, "replayed", (*app.Client).ReplayDead)
}

func newDeadPurge(g *globals) *cobra.Command {
	return newDeadAct(g, "purge", "Remove dead letters for good",
		`Remove dead letters for good, with the bytes that they hold.`, "purged", (*app.Client).PurgeDead)
}

func newDeadAct(g *globals, verb, short, long, done string,
	act func(*app.Client, context.Context, string, app.DeadRequest) (app.DeadAnswer, error),
) *cobra.Command {
	var o output
	var all bool
	cmd := &cobra.Command{
		Use: verb + " PORT [LETTER]... [flags]", Short: short, Long: long,
		Example: "  meshctl deadletter " + verb + " orders 3 5\n  meshctl deadletter " + verb + " orders --all",
		Args:    arguments("PORT", "[LETTER]..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			seqs, err := letterNumbers(args[1:])
			if err != nil {
				return err
			}
			if all == (len(seqs) > 0) {
				return usageHint("name letters by number, or use --all", "which dead letters?")
			}
			return g.withClient(cmd.Context(), callLimit, func(ctx context.Context, c *app.Client) error {
				a, err := act(c, ctx, args[0], app.DeadRequest{Seqs: seqs, All: all})
				if err != nil {
					return err
				}
				g.note("%s %s", done, count(a.Count, "dead letter"))
				err = g.write(o.format, a, func() ([]string, [][]string) {
					return []string{done}, [][]string{{fmt.Sprint(a.Count)}}
				})
				if err == nil && len(a.Kept) > 0 {
					return fault.New(fault.Invalid, a.Kept[0].Hint, "%s cannot be %s, the first of them letter %d: %s",
						count(len(a.Kept), "dead letter"), done, a.Kept[0].Seq, a.Kept[0].Reason)
				}
				if err == nil && len(a.Missing) > 0 {
					return fault.New(fault.NotFound, "run meshctl deadletter ls "+args[0], "port %s has no dead letter %s", args[0], joined(a.Missing))
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all dead letters of the port")
	o.bind(cmd)
	return g.completeFirst(cmd, false, portNames)
}

func joined(seqs []record.Seq) string {
	texts := make([]string, len(seqs))
	for i, s := range seqs {
		texts[i] = fmt.Sprint(s)
	}
	return strings.Join(texts, ", ")
}

func letterNumbers(args []string) ([]record.Seq, error) {
	var seqs []record.Seq
	for _, a := range args {
		n, err := strconv.ParseUint(a, 10, 64)
		if err != nil || n == 0 {
			return nil, usageHint("take the number from meshctl deadletter ls", "%q is not the number of a dead letter", a)
		}
		seqs = append(seqs, record.Seq(n))
	}
	return seqs, nil
}
