package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/doctor"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/render"
)

// The formats that monitoring systems read.
const (
	formatNagios     render.Format = "nagios"
	formatPrometheus render.Format = "prometheus"
)

const checkLong = `Look at one thing for a monitoring system: a line as Nagios plugins print it, JSON as the
checks of the nats command line, or Prometheus' text format, such as for the textfile
collector of its node exporter.

The exit codes are those of Nagios plugins, not of meshctl's other commands: 0 OK,
1 WARNING, 2 CRITICAL, 3 UNKNOWN; with -o prometheus 0, for a scrape has succeeded.`

func newCheck(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "check", Short: "Check a product, a leaf or the hub for a monitoring system", Long: checkLong,
		Example: `  meshctl check product flights --lag-critical 1000
  meshctl check leaf flights -o prometheus
  meshctl check hub --leaves-critical 2`,
	}
	cmd.AddCommand(newCheckProduct(g), newCheckLeaf(g), newCheckHub(g))
	return cmd
}

// bounds is a pair of flags: where a value warns, and where it is critical.
type bounds struct{ doctor.Bounds }

func (b *bounds) bind(cmd *cobra.Command, name, what string, warn, critical float64) {
	b.Warn, b.Critical = warn, critical
	cmd.Flags().Float64Var(&b.Warn, name+"-warn", warn, "warn at "+what)
	cmd.Flags().Float64Var(&b.Critical, name+"-critical", critical, "be critical at "+what)
}

// spans is a pair of flags that are times.
type spans struct{ warn, critical time.Duration }

func (s *spans) bind(cmd *cobra.Command, name, what string, warn, critical time.Duration) {
	cmd.Flags().DurationVar(&s.warn, name+"-warn", warn, "warn at "+what)
	cmd.Flags().DurationVar(&s.critical, name+"-critical", critical, "be critical at "+what)
}

func (s *spans) seconds() doctor.Bounds {
	return doctor.Bounds{Warn: s.warn.Seconds(), Critical: s.critical.Seconds()}
}

// checkOutput is -o of the checks.
func checkOutput(cmd *cobra.Command) *output {
	o := &output{}
	o.only(cmd, formatNagios, render.JSON, formatPrometheus)
	return o
}

func newCheckProduct(g *globals) *cobra.Command {
	var lag, dead, inputs bounds
	var age spans
	cmd := &cobra.Command{
		Use: "product PRODUCT [flags]", Short: "Check lag, dead letters, freshness and errors of a product",
		Long: `Check how far a product's stores are behind its log, its inputs behind their sources, how
many dead letters wait, how old each port's newest record is, and whether a step fails. Where no
age is given, the freshness that the contract promises is critical.`,
		Example: "  meshctl check product flights --dead-warn 1 --age-critical 10m", Args: arguments("PRODUCT"),
	}
	o := checkOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return g.probe(cmd, o, "product", args[0], func(ctx context.Context, c *app.Client, p *doctor.Probe) error {
			e, v, err := knownProduct(ctx, c, args[0])
			if err != nil {
				return err
			}
			p.Product(e, v, doctor.ProductBounds{Lag: lag.Bounds, Dead: dead.Bounds, InputLag: inputs.Bounds, Age: age.seconds()})
			return nil
		})
	}
	lag.bind(cmd, "lag", "so many records that a store is behind", 10_000, 100_000)
	dead.bind(cmd, "dead", "so many dead letters", 1, 0)
	inputs.bind(cmd, "input-lag", "so many records that an input is behind", 10_000, 100_000)
	age.bind(cmd, "age", "this age of a port's newest record", 0, 0)
	return g.completeFirst(cmd, false, productNames)
}

// knownProduct is a product of the catalog and how it fares; nil where it does not answer.
func knownProduct(ctx context.Context, c *app.Client, name string) (*catalog.Entry, *catalog.Vitals, error) {
	all, err := c.Catalog(ctx)
	if err != nil {
		return nil, nil, err
	}
	e, err := all.Known(name)
	if err != nil {
		return nil, nil, err
	}
	v, err := c.Vitals(ctx, name, false)
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Timeout:
		return e, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if now, err := c.Entry(ctx, name); err == nil { // newer than what the catalog has
		e = &now
	}
	return e, &v, nil
}

// leafFlags are those of the checks of servers.
type leafFlags struct {
	trip, skew, expiry spans
	storage, disk      bounds
}

func (f *leafFlags) bind(cmd *cobra.Command) {
	f.trip.bind(cmd, "round-trip", "this time until it answers", time.Second, 5*time.Second)
	f.storage.bind(cmd, "storage", "so many percent of its storage's limit", 80, 95)
	f.disk.bind(cmd, "disk", "so few percent of its disk that are free", 10, 3)
}

func (f *leafFlags) bounds() doctor.LeafBounds {
	return doctor.LeafBounds{
		RoundTrip: f.trip.seconds(), Skew: f.skew.seconds(), Storage: f.storage.Bounds, Disk: f.disk.Bounds, Expiry: f.expiry.seconds(),
	}
}

func newCheckLeaf(g *globals) *cobra.Command {
	var f leafFlags
	cmd := &cobra.Command{
		Use: "leaf PRODUCT [flags]", Short: "Check link, clock, storage and credential of a leaf",
		Long: `Check whether a product's leaf is joined to the hub, how long it takes to answer, how far its
clock differs from this machine's, its storage and its disk, and when its credential expires.`,
		Example: "  meshctl check leaf flights --round-trip-warn 100ms", Args: arguments("PRODUCT"),
	}
	o := checkOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return g.probe(cmd, o, "leaf", args[0], func(ctx context.Context, c *app.Client, p *doctor.Probe) error {
			_, v, err := knownProduct(ctx, c, args[0])
			if err == nil {
				p.Leaf(v, f.bounds())
			}
			return err
		})
	}
	f.bind(cmd)
	f.skew.bind(cmd, "skew", "this difference of its clock", time.Second, 10*time.Second)
	f.expiry.bind(cmd, "expiry", "this time until its credential expires", 14*24*time.Hour, 24*time.Hour)
	return g.completeFirst(cmd, false, productNames)
}

func newCheckHub(g *globals) *cobra.Command {
	var f leafFlags
	var leaves bounds
	cmd := &cobra.Command{
		Use: "hub [flags]", Short: "Check nodes, leaves and storage of the hub",
		Long: `Check how many nodes of the hub answer, how many leaves have joined, how long it takes to
answer, its storage and its disk. A node that is away warns; without a majority it is critical.`,
		Example: "  meshctl check hub --leaves-critical 2", Args: arguments(),
	}
	o := checkOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return g.probe(cmd, o, "hub", product.HubName, func(ctx context.Context, c *app.Client, p *doctor.Probe) error {
			v, err := c.Vitals(ctx, product.HubName, false)
			if err == nil {
				p.Hub(&v, leaves.Bounds, f.bounds())
			}
			return err
		})
	}
	leaves.bind(cmd, "leaves", "so few leaves that are joined", 0, 0)
	f.bind(cmd)
	return cmd
}

// probe looks at something and writes what it saw; that it cannot be reached is an answer
// too.
func (g *globals) probe(cmd *cobra.Command, o *output, suite, name string, look func(context.Context, *app.Client, *doctor.Probe) error) error {
	p := doctor.NewProbe(suite, name, g.Now())
	err := g.withClient(cmd.Context(), callLimit, func(ctx context.Context, c *app.Client) error { return look(ctx, c, p) })
	if err != nil {
		p.Unknown(err)
	}
	switch o.format {
	case render.JSON:
		text, err := json.MarshalIndent(p, "", "  ")
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(g.Out, "%s\n", text); err != nil {
			return err
		}
	case formatPrometheus:
		_, err := io.WriteString(g.Out, p.Prometheus())
		return err
	default:
		if _, err := io.WriteString(g.Out, p.Nagios()); err != nil {
			return err
		}
	}
	if p.Code() != 0 {
		return probed(p.Code())
	}
	return nil
}

// probed ends a check with the exit code of a Nagios plugin; what it is of was printed.
type probed int

func (p probed) Error() string { return "exit code " + strconv.Itoa(int(p)) }
