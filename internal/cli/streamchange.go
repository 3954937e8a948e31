package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/render"
)

// changeFlags are those of every command that changes a stream.
type changeFlags struct {
	home     homeFlag
	DryRun   bool
	Yes      bool
	LoseData bool
	ForGood  bool
	TakeOver bool
	out      output
}

func (o *changeFlags) bind(cmd *cobra.Command, dangers ...mesh.Danger) {
	o.home.bind(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.DryRun, "dry-run", false, "change nothing; exit with 1 where something would")
	f.BoolVarP(&o.Yes, "yes", "y", false, "do not ask")
	for _, d := range append(dangers, mesh.TakesOver) {
		switch d {
		case mesh.LosesData:
			f.BoolVar(&o.LoseData, "dangerous-lose-data", false, "let messages go, or not be stored any more")
		case mesh.ForGood:
			f.BoolVar(&o.ForGood, "dangerous-for-good", false, "make what cannot be taken back")
		case mesh.TakesOver:
			f.BoolVar(&o.TakeOver, "dangerous-take-over", false, "change a stream that another tool looks after")
		}
	}
	o.out.bind(cmd, render.Table, render.JSON, render.YAML)
}

func (o *changeFlags) insist() (all []mesh.Danger) {
	for d, yes := range map[mesh.Danger]bool{mesh.LosesData: o.LoseData, mesh.ForGood: o.ForGood, mesh.TakesOver: o.TakeOver} {
		if yes {
			all = append(all, d)
		}
	}
	return all
}

// run shows what a change would do, asks a person at a terminal, and does it.
func (o *changeFlags) run(cmd *cobra.Command, g *globals, address string, q mesh.StreamChange) error {
	return g.withStream(cmd, o.home, address, func(ctx context.Context, c *app.Client, a app.StreamAddress) error {
		return o.change(ctx, g, c, a, q)
	})
}

func (o *changeFlags) change(ctx context.Context, g *globals, c *app.Client, a app.StreamAddress, q mesh.StreamChange) error {
	q.Stream, q.Insist, q.DryRun = a.Stream, o.insist(), true
	p, err := c.ChangeStream(ctx, a.Home, q)
	if err != nil {
		if o.DryRun {
			return noRejection(err)
		}
		return err
	}
	if o.DryRun || len(p.Refused) > 0 || p.Action == mesh.Unchanged {
		return o.end(g, a, p)
	}
	if people(o.out.format) { // before it is done
		if err := o.show(g, a, p); err != nil {
			return err
		}
	}
	if err := g.agree(ctx, o.Yes, fmt.Sprintf("%s stream %s?", p.Action, a)); err != nil {
		return err
	}
	q.DryRun = false
	if p, err = c.ChangeStream(ctx, a.Home, q); err != nil {
		return err
	}
	if len(p.Refused) > 0 { // something has changed meanwhile
		return o.end(g, a, p)
	}
	g.note("stream %s: %s done", a, p.Action)
	if people(o.out.format) {
		return nil
	}
	return o.show(g, a, p)
}

// end shows a plan that is not carried out.
func (o *changeFlags) end(g *globals, a app.StreamAddress, p *mesh.StreamPlan) error {
	if err := o.show(g, a, p); err != nil {
		return err
	}
	err := refusal(p)
	switch {
	case o.DryRun && err != nil:
		g.note("this would be refused: %s", firstLine(err.Error()))
		if hint := fault.HintOf(err); hint != "" {
			g.note("hint: %s", hint)
		}
		return errReported
	case o.DryRun && p.Action != mesh.Unchanged:
		return errReported
	}
	return err
}

// refusal is why a plan is not carried out, with the flag that insists on it.
func refusal(p *mesh.StreamPlan) error {
	err := p.Err()
	if err == nil {
		return nil
	}
	flags := []string{}
	for _, r := range p.Refused {
		if r.Danger == "" {
			return err // insisting is of no use
		}
		if flag := "--dangerous-" + string(r.Danger); !strings.Contains(strings.Join(flags, " "), flag) {
			flags = append(flags, flag)
		}
	}
	hint := "insist with " + strings.Join(flags, " ")
	if own := fault.HintOf(err); own != "" {
		hint = own + ", or " + hint
	}
	return fault.New(fault.Conflict, hint, "%w", err)
}

// show writes a plan: to people as a diff, as data all of it.
func (o *changeFlags) show(g *globals, a app.StreamAddress, p *mesh.StreamPlan) error {
	if !people(o.out.format) {
		return g.write(o.out.format, p, nil)
	}
	var b strings.Builder
	mark := map[string]string{mesh.Create: "+", mesh.Change: "~", mesh.Remove: "-", mesh.Purged: "-", mesh.Unchanged: "="}[p.Action]
	fmt.Fprintf(&b, "%s stream %s\n", mark, a)
	if p.Loses > 0 {
		fmt.Fprintf(&b, "    %s\n", count(int(p.Loses), "message"))
	}
	writeStreamFields(&b, p, "    ")
	for _, r := range p.Refused {
		fmt.Fprintf(&b, "    refused: %s\n", r.Text)
	}
	_, err := g.Out.Write([]byte(b.String()))
	return err
}

func writeStreamFields(b *strings.Builder, p *mesh.StreamPlan, indent string) {
	for _, f := range p.Fields {
		if p.Action == mesh.Create {
			if !isDefault(f.New) {
				fmt.Fprintf(b, "%s%s: %s\n", indent, f.Field, shownField(f.Field, f.New))
			}
			continue
		}
		fmt.Fprintf(b, "%s%s: %s -> %s\n", indent, f.Field, shownField(f.Field, f.Old), shownField(f.Field, f.New))
	}
}

// isDefault leaves out of a new stream what says nothing.
func isDefault(v json.RawMessage) bool {
	switch string(v) {
	case "", "null", "0", "-1", "false", `""`, "{}", "[]":
		return true
	}
	return false
}

// The fields of a configuration that are durations, in nanoseconds.
var durationFields = map[string]bool{"max_age": true, "duplicate_window": true, "subject_delete_marker_ttl": true}

// shownField is a field's value as people write it.
func shownField(field string, v json.RawMessage) string {
	n, err := strconv.ParseInt(string(v), 10, 64)
	switch {
	case v == nil:
		return "(none)"
	case err == nil && durationFields[field] && n > 0:
		return product.Duration(n).String()
	case err == nil && n <= 0 && (strings.HasPrefix(field, "max_") || durationFields[field]):
		return "unlimited"
	}
	var text string
	if json.Unmarshal(v, &text) == nil {
		return cut(render.Text(text))
	}
	return cut(render.Text(string(v)))
}

func newStreamAdd(g *globals) *cobra.Command {
	return newStreamWrite(g, mesh.AddStream, &cobra.Command{
		Use: "add STREAM [flags]", Short: "Make a stream",
		Long: `Make a stream, of flags or of a file. What it would be is shown first; what the server
would refuse, or what would be in the way of the mesh, is refused with the reason.`,
		Example: `  meshctl stream add orders/audit --subjects 'audit.>' --max-age 30d
  meshctl stream add orders/audit -f audit.yaml --dry-run`,
	})
}

func newStreamEdit(g *globals) *cobra.Command {
	return newStreamWrite(g, mesh.EditStream, &cobra.Command{
		Use: "edit STREAM [flags]", Short: "Change what a stream is set to",
		Long: `Change what a stream is set to, by flags or a file. What they do not name stays as it is,
sources among it. The difference is shown first; what the server would refuse, or what
would lose messages, is refused with the reason, and nothing is changed.

The streams that a product keeps for itself are set to what its dataproduct.yaml says.`,
		Example: `  meshctl stream edit orders/audit --max-age 90d --dry-run
  meshctl stream edit orders/audit --set allow_direct=true`,
	})
}

func newStreamWrite(g *globals, do string, cmd *cobra.Command) *cobra.Command {
	var o changeFlags
	var set configFlags
	cmd.Args = arguments("STREAM")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		patch, err := set.patch(g, cmd)
		if err != nil {
			return err
		}
		return o.run(cmd, g, args[0], mesh.StreamChange{Do: do, Patch: patch})
	}
	o.bind(cmd, mesh.LosesData, mesh.ForGood)
	set.bind(cmd)
	return cmd
}

func newStreamRm(g *globals) *cobra.Command {
	var o changeFlags
	cmd := &cobra.Command{
		Use: "rm STREAM [flags]", Short: "Delete a stream and all it holds",
		Long:    `Delete a stream. One that holds messages needs --dangerous-lose-data.`,
		Example: `  meshctl stream rm orders/audit --dry-run`, Args: arguments("STREAM"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd, g, args[0], mesh.StreamChange{Do: mesh.RemoveStream})
		},
	}
	o.bind(cmd, mesh.LosesData)
	return cmd
}

func newStreamPurge(g *globals) *cobra.Command {
	var o changeFlags
	var q mesh.StreamChange
	cmd := &cobra.Command{
		Use: "purge STREAM [flags]", Short: "Delete messages of a stream",
		Long: `Delete the messages of a stream: all, those of some subjects, those below a sequence, or
all but the newest. It needs --dangerous-lose-data; --dry-run says how many it would be.`,
		Example: `  meshctl stream purge orders/audit --subject 'audit.test.>' --dry-run
  meshctl stream purge orders/audit --keep 1000 --dangerous-lose-data`, Args: arguments("STREAM"),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Do = mesh.PurgeStream
			return o.run(cmd, g, args[0], q)
		},
	}
	cmd.Flags().StringVar(&q.Subject, "subject", "", "only these `subjects`, wildcards allowed")
	cmd.Flags().Uint64Var(&q.Below, "below", 0, "only below this `sequence`")
	cmd.Flags().Uint64Var(&q.Keep, "keep", 0, "keep this `number` of the newest messages")
	o.bind(cmd, mesh.LosesData)
	return cmd
}

func newStreamSeal(g *globals) *cobra.Command {
	var o changeFlags
	cmd := &cobra.Command{
		Use: "seal STREAM [flags]", Short: "Make a stream read-only, for good",
		Long: `Seal a stream: it takes no message any more and loses none. No server unseals a stream,
so it needs --dangerous-for-good.`,
		Example: `  meshctl stream seal orders/audit-2025 --dangerous-for-good`, Args: arguments("STREAM"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd, g, args[0], mesh.StreamChange{Do: mesh.SealStream})
		},
	}
	o.bind(cmd, mesh.ForGood)
	return cmd
}

func newStreamCopy(g *globals) *cobra.Command {
	var o changeFlags
	var set configFlags
	cmd := &cobra.Command{
		Use: "copy STREAM NEW [flags]", Short: "Make a stream that is set as another one",
		Long: `Make a stream that is set as another one, here or at another home, but for what the flags
change. It is empty: backup and restore carry messages. Within one home it needs other
subjects, for no two streams there store the same.`,
		Example: `  meshctl stream copy orders/audit orders/audit-test --subjects 'test.audit.>'`, Args: arguments("STREAM", "NEW"),
		RunE: func(cmd *cobra.Command, args []string) error {
			changes, err := set.patch(g, cmd)
			if err != nil {
				return err
			}
			return g.withStream(cmd, o.home, args[0], func(ctx context.Context, c *app.Client, from app.StreamAddress) error {
				to, err := c.ResolveStream(ctx, args[1], o.home.Domain)
				if err != nil {
					return err
				}
				all, err := c.StreamsOf(ctx, from.Home, mesh.StreamQuery{Stream: from.Stream})
				if err != nil {
					return err
				}
				patch, err := copied(&all[0].Config, to.Stream, changes)
				if err != nil {
					return err
				}
				return o.change(ctx, g, c, to, mesh.StreamChange{Do: mesh.AddStream, Patch: patch})
			})
		},
	}
	o.bind(cmd)
	set.bind(cmd)
	return cmd
}

// copied is a configuration under another name, with changes. Whose the first stream is
// says nothing about the second.
func copied(c *mesh.StreamConfig, name string, changes json.RawMessage) (json.RawMessage, error) {
	fields := map[string]json.RawMessage{}
	data, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	delete(fields, "metadata")
	delete(fields, "sealed")
	if len(changes) > 0 {
		if err := json.Unmarshal(changes, &fields); err != nil {
			return nil, err
		}
	}
	if fields["name"], err = json.Marshal(name); err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}

// readConfig reads a configuration from a file, in the words of JetStream: YAML or JSON,
// by itself or as stream info writes it.
func readConfig(path string) (map[string]any, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(fault.Invalid, "check the path", "read the configuration: %w", err)
	}
	var fields map[string]any
	if err := yaml.Unmarshal(data, &fields, exactNumbers); err != nil {
		return nil, fault.New(fault.Invalid, "see the fields with meshctl stream info -o yaml", "read %s: %w", path, err)
	}
	if inner, ok := fields["config"].(map[string]any); ok && fields["domain"] != nil {
		return inner, nil
	}
	return fields, nil
}

func exactNumbers(d *json.Decoder) *json.Decoder {
	d.UseNumber()
	return d
}
