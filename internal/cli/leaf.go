package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/render"
)

func newLeaf(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "leaf", Short: "See how leaves fare: link, rates, storage, clock, positions",
		Long: `A leaf is the server inside a product, which keeps its log and joins the hub. Each tells
itself how it fares, and the hub who has joined it.`,
		Example: `  meshctl leaf ls
  meshctl leaf info flights
  meshctl leaf ping flights
  meshctl leaf cut flights --for 30s`,
	}
	cmd.AddCommand(newLeafLs(g), newLeafInfo(g), newLeafPing(g), newLeafCut(g))
	return cmd
}

const leafLsLong = `List all leaves, each as it tells itself: since when it is joined, the round trip of a
question to it, what its link carries (the mean of the last seconds), its streams, the
storage that they use and may use, and how far its slowest store is behind its log.

A leaf whose product does not answer is silent. One that has joined the hub without an
entry in the catalog is a stranger.`

func newLeafLs(g *globals) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "ls [flags]", Aliases: []string{"list"}, Short: "List all leaves and how they fare", Long: leafLsLong,
		Example: `  meshctl leaf ls -o wide
  meshctl leaf ls -o json | jq '.[] | select(.state != "joined").name'`, Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.withClient(cmd.Context(), callLimit, func(ctx context.Context, c *app.Client) error {
				m, err := c.MeshVitals(ctx, false)
				if err != nil {
					return err
				}
				all := m.Leaves()
				return g.write(o.format, all, func() ([]string, [][]string) { return leafRows(g, all, o.format == render.Wide) })
			})
		},
	}
	o.bind(cmd)
	return cmd
}

func leafRows(g *globals, all []catalog.Leaf, wide bool) (header []string, rows [][]string) {
	header = []string{"leaf", "version", "state", "since", "round trip", "in", "out", "streams", "storage", "lag"}
	if wide {
		header = append(header, "domain", "joins", "disk free", "clock", "meshctl", "server", "error")
	}
	for i := range all {
		l := &all[i]
		row := []string{l.Name, l.Version, string(l.State), "", "", "", "", "", "", ""}
		if l.Link != nil && !l.Link.Since.IsZero() {
			row[3], row[5], row[6] = catalog.Ago(g.Now(), l.Link.Since), rate(l.Link.In), rate(l.Link.Out)
		}
		if l.State == catalog.LeafJoined {
			row[4], row[7] = milliseconds(l.RoundTrip), fmt.Sprint(l.Streams)
			row[8], row[9] = binaryBytes(l.Storage.Used)+" / "+binaryBytes(uint64(max(l.Storage.Limit, 0))), fmt.Sprint(l.Vitals.Lag())
		}
		if wide {
			joins, free, clock := "", "", ""
			if l.State == catalog.LeafJoined {
				joins, free, clock = fmt.Sprint(l.Link.Joins), binaryBytes(l.Storage.DiskFree), skewText(&l.Vitals)
			}
			row = append(row, l.Domain, joins, free, clock, l.Meshctl, l.Server, l.Error)
		}
		rows = append(rows, row)
	}
	return header, rows
}

const leafInfoLong = `Show one leaf: its link, storage and clock, every stream and consumer, and how far each
store of each port is behind its log. The hub is shown by its name, hub.`

func newLeafInfo(g *globals) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "info PRODUCT [flags]", Aliases: []string{"show"}, Short: "Show one leaf: link, storage, streams, positions",
		Long:    leafInfoLong,
		Example: "  meshctl leaf info flights\n  meshctl leaf info hub -o json | jq '.leaves[].rttSeconds'", Args: arguments("PRODUCT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withClient(cmd.Context(), callLimit, func(ctx context.Context, c *app.Client) error {
				v, err := g.vitals(ctx, c, args[0])
				if err != nil {
					return err
				}
				if !people(o.format) {
					return g.write(o.format, v, func() ([]string, [][]string) { return positionRows(v) })
				}
				return showLeaf(g, v, o.format)
			})
		},
	}
	o.bind(cmd)
	return g.completeFirst(cmd, false, productNames)
}

// vitals are those of a product by its name, which the catalog may know better.
func (g *globals) vitals(ctx context.Context, c *app.Client, name string) (*catalog.Vitals, error) {
	if name != product.HubName {
		all, err := c.Catalog(ctx)
		if err != nil {
			return nil, err
		}
		if _, err := all.Known(name); err != nil {
			return nil, err
		}
	}
	v, err := c.Vitals(ctx, name, true)
	return &v, err
}

func showLeaf(g *globals, v *catalog.Vitals, f render.Format) error {
	fmt.Fprintf(g.Out, "%s%s, domain %s, meshctl %s, nats-server %s, started %s ago\n",
		v.Name, after(" ", v.Version), v.Domain, v.Meshctl, v.Server, catalog.Ago(g.Now(), v.Started))
	if l := v.Link; l != nil {
		state := "not joined since"
		if l.Joined {
			state = "joined since"
		}
		fmt.Fprintf(g.Out, "link: %s %s, joined %d times, in %s, out %s, to the hub and back %s\n",
			state, l.Since.Format(time.RFC3339), l.Joins, rate(l.In), rate(l.Out), milliseconds(l.RTT))
		if l.Refused != "" {
			fmt.Fprintf(g.Out, "error: %s\n", l.Refused)
		}
	}
	fmt.Fprintf(g.Out, "storage: streams use %s of %s, stores %s; the disk has %s of %s free\n",
		binaryBytes(v.Storage.Used), binaryBytes(uint64(max(v.Storage.Limit, 0))), binaryBytes(v.Storage.Stores()),
		binaryBytes(v.Storage.DiskFree), binaryBytes(v.Storage.DiskSize))
	fmt.Fprintf(g.Out, "clock: %s; round trip %s\n", skewText(v), milliseconds(v.RoundTrip))
	if v.Key != "" {
		fmt.Fprintf(g.Out, "credential: %s, expires %s\n", v.Key, dateOrNever(v.Expires))
	}
	if v.Error != "" {
		fmt.Fprintf(g.Out, "error: %s\n", v.Error)
	}
	for _, table := range []func(*catalog.Vitals) ([]string, [][]string){positionRows, inputRows, leafStreamRows, nodeRows} {
		header, rows := table(v)
		if len(rows) == 0 {
			continue
		}
		fmt.Fprintln(g.Out)
		if err := g.write(f, nil, func() ([]string, [][]string) { return header, rows }); err != nil {
			return err
		}
	}
	return nil
}

func positionRows(v *catalog.Vitals) (header []string, rows [][]string) {
	for _, p := range v.Ports {
		for _, s := range p.Stores {
			rows = append(rows, []string{p.Port, s.Kind, fmt.Sprint(s.Position), fmt.Sprint(p.Last), fmt.Sprint(s.Lag), fmt.Sprint(p.Dead), p.Error})
		}
	}
	return []string{"port", "store", "position", "log", "lag", "dead", "error"}, rows
}

func inputRows(v *catalog.Vitals) (header []string, rows [][]string) {
	for _, in := range v.Inputs {
		rows = append(rows, []string{in.Name, in.Port, fmt.Sprint(in.Last), fmt.Sprint(in.Lag), in.Error})
	}
	return []string{"input", "source", "last", "lag", "error"}, rows
}

func leafStreamRows(v *catalog.Vitals) (header []string, rows [][]string) {
	all := slices.Clone(v.Details)
	slices.SortFunc(all, func(a, b catalog.Stream) int { return strings.Compare(a.Name, b.Name) })
	for _, s := range all {
		rows = append(rows, []string{
			s.Name, fmt.Sprint(s.Messages), binaryBytes(s.Bytes), fmt.Sprint(s.First), fmt.Sprint(s.Last), fmt.Sprint(len(s.Consumers)),
			fmt.Sprintf("%d/%d", s.Current, s.Replicas),
		})
	}
	return []string{"stream", "messages", "bytes", "first", "last", "consumers", "replicas"}, rows
}

func nodeRows(v *catalog.Vitals) (header []string, rows [][]string) {
	for _, n := range v.Nodes {
		leaves := 0
		for _, j := range v.Leaves {
			if j.Node == n.Name {
				leaves++
			}
		}
		rows = append(rows, []string{n.Name, n.Version, fmt.Sprint(n.Leader), fmt.Sprint(leaves)})
	}
	return []string{"node", "server", "leader", "leaves"}, rows
}

func newLeafPing(g *globals) *cobra.Command {
	var o output
	var n int
	cmd := &cobra.Command{
		Use: "ping PRODUCT [flags]", Short: "Measure how long a leaf takes to answer",
		Long: `Ask a leaf's product for nothing, several times one after the other, and tell how long the
answers took. Exit code 3 says that it does not answer.`,
		Example: "  meshctl leaf ping flights -n 100", Args: arguments("PRODUCT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if n < 1 {
				return usageHint("ask at least once", "--count is %d", n)
			}
			return g.withClient(cmd.Context(), callLimit, func(ctx context.Context, c *app.Client) error {
				a := pinged{Product: args[0]}
				err := c.Ping(ctx, args[0], n, func(took time.Duration) { a.all = append(a.all, took) })
				if err != nil {
					return err
				}
				a.sum()
				return g.write(o.format, a, func() ([]string, [][]string) {
					return []string{"leaf", "answers", "least", "median", "p99", "most"}, [][]string{{
						a.Product, fmt.Sprint(a.Answers), milliseconds(a.Least), milliseconds(a.Median), milliseconds(a.P99), milliseconds(a.Most),
					}}
				})
			})
		},
	}
	cmd.Flags().IntVarP(&n, "count", "n", 10, "ask so many times")
	o.bind(cmd)
	return g.completeFirst(cmd, false, productNames)
}

// pinged is how long answers took.
type pinged struct {
	Product string       `json:"product"`
	Answers int          `json:"answers"`
	Least   catalog.Span `json:"leastSeconds"`
	Median  catalog.Span `json:"medianSeconds"`
	P99     catalog.Span `json:"p99Seconds"`
	Most    catalog.Span `json:"mostSeconds"`
	all     []time.Duration
}

func (p *pinged) sum() {
	slices.Sort(p.all)
	n := len(p.all)
	p.Answers = n
	p.Least, p.Median = catalog.Span(p.all[0]), catalog.Span(p.all[n/2])
	p.P99, p.Most = catalog.Span(p.all[min(n-1, n*99/100)]), catalog.Span(p.all[n-1])
}

const leafCutLong = `Cut a product's leaf off the hub for a while, to see what a lost link does: the product
works on alone, and catches up when the link is back. It ends when the leaf has joined
again; Ctrl-C ends the cut early.

This is for a mesh that "meshctl up" runs on this machine. Elsewhere nobody can cut a leaf.`

func newLeafCut(g *globals) *cobra.Command {
	var o output
	var span time.Duration
	cmd := &cobra.Command{
		Use: "cut PRODUCT [flags]", Short: "Cut a leaf off its hub for a while, in a mesh of up", Long: leafCutLong,
		Example: "  meshctl leaf cut flights --for 30s", Args: arguments("PRODUCT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if span <= 0 || span > time.Hour {
				return usageHint("choose a time up to 1h", "--for is %s", span)
			}
			return g.withClient(cmd.Context(), span+callLimit, func(ctx context.Context, c *app.Client) error {
				g.note("%s is cut off for %s", args[0], span)
				a, err := c.Cut(ctx, args[0], span)
				if fault.KindOf(err) == fault.Unavailable {
					return fault.New(fault.Unavailable, "cut leaves only in a mesh that meshctl up runs on this machine", "cut the link of %s: %w", args[0], err)
				}
				if err != nil {
					return err
				}
				return g.write(o.format, a, func() ([]string, [][]string) {
					return []string{"leaf", "cut for", "joined again after"}, [][]string{{a.Product, milliseconds(a.Cut), milliseconds(a.Back)}}
				})
			})
		},
	}
	cmd.Flags().DurationVar(&span, "for", 10*time.Second, "how long, such as 30s")
	o.bind(cmd)
	return g.completeFirst(cmd, false, productNames)
}

// after is s behind lead, or nothing.
func after(lead, s string) string {
	if s == "" {
		return ""
	}
	return lead + s
}

// milliseconds is a short time with as much of it as matters.
func milliseconds(s catalog.Span) string {
	return fmt.Sprintf("%.1f ms", time.Duration(s).Seconds()*1000)
}

// skewText says how far a clock differs from this machine's; what the round trip may
// account for is no difference.
func skewText(v *catalog.Vitals) string {
	skew := time.Duration(v.Skew)
	switch {
	case skew.Abs() <= time.Duration(v.RoundTrip):
		return "as here"
	case skew > 0:
		return fmt.Sprintf("%.1f ms ahead", skew.Seconds()*1000)
	}
	return fmt.Sprintf("%.1f ms behind", -skew.Seconds()*1000)
}

func rate(perSecond float64) string { return binaryBytes(uint64(max(perSecond, 0))) + "/s" }
