package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/render"
)

const streamLong = `Look after JetStream's streams, on every leaf and on the hub.

A stream is named HOME/STREAM, where HOME is a product or the hub: flights/flights-v1,
hub/KV_catalog. A port, such as flights.flights, means its log. With --domain it is the
name of a stream in that JetStream domain, which may be of a NATS server that is not
meshctl's; "--domain -" is a server without a domain.

What a product keeps for itself is shown with its keeper, meshctl.`

func newStream(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "stream", Aliases: []string{"streams"}, Short: "Look after the streams of leaves and hub",
		Long: streamLong,
		Example: `  meshctl stream report
  meshctl stream info flights/flights-v1
  meshctl stream graph -o mermaid`,
	}
	cmd.AddCommand(
		newStreamLs(g), newStreamReport(g), newStreamInfo(g), newStreamGet(g), newStreamSubjects(g),
		newStreamConsumers(g), newStreamGraph(g), newStreamAdd(g), newStreamEdit(g), newStreamRm(g), newStreamPurge(g),
		newStreamCopy(g), newStreamSeal(g), newStreamBackup(g), newStreamRestore(g),
	)
	return cmd
}

// homeFlag is --domain of the commands that take homes or streams.
type homeFlag struct{ Domain string }

func (h *homeFlag) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&h.Domain, "domain", "", "look at this JetStream `domain`, of meshctl or not")
}

// homes are the products that were named, or the domain.
func (h *homeFlag) homes(names []string) ([]app.StreamHome, error) {
	if h.Domain != "" && len(names) > 0 {
		return nil, usageHint("leave out one of them", "--domain %s and %s exclude each other", h.Domain, strings.Join(names, " "))
	}
	if h.Domain != "" {
		return []app.StreamHome{{Name: h.Domain, Plain: true}}, nil
	}
	var homes []app.StreamHome
	for _, name := range names {
		if !product.ValidName(name) {
			return nil, usageHint("name products, or the hub", "%q is no name of a product", name)
		}
		homes = append(homes, app.StreamHome{Name: name})
	}
	return homes, nil
}

// withStreams asks for streams, and says who did not answer.
func (g *globals) withStreams(cmd *cobra.Command, home homeFlag, names []string, q mesh.StreamQuery, do func(*app.MeshStreams) error) error {
	homes, err := home.homes(names)
	if err != nil {
		return err
	}
	return g.withClient(cmd.Context(), callLimit, func(ctx context.Context, c *app.Client) error {
		all, err := c.AllStreams(ctx, homes, q)
		if err != nil {
			return err
		}
		if len(all.Silent) > 0 {
			g.note("did not answer, so their streams are missing: %s", strings.Join(all.Silent, ", "))
		}
		return do(all)
	})
}

func newStreamLs(g *globals) *cobra.Command {
	var o output
	var home homeFlag
	cmd := &cobra.Command{
		Use: "ls [PRODUCT]... [flags]", Short: "List streams",
		Long:    `List the streams of products, or of all products and the hub.`,
		Example: `  meshctl stream ls flights hub`, Args: arguments("[PRODUCT]..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withStreams(cmd, home, args, mesh.StreamQuery{}, func(all *app.MeshStreams) error {
				return g.write(o.format, all.Streams, func() ([]string, [][]string) { return streamRows(g, all.Streams, o.format == render.Wide) })
			})
		},
	}
	home.bind(cmd)
	o.bind(cmd)
	return g.completeFirst(cmd, false, productNames)
}

func streamRows(g *globals, all []mesh.Stream, wide bool) (header []string, rows [][]string) {
	header = []string{"stream", "messages", "bytes", "last", "keeper"}
	if wide {
		header = append(header, "subjects", "retention", "limits", "replicas", "description")
	}
	for i := range all {
		s := &all[i]
		row := []string{s.Address(), fmt.Sprint(s.Messages), binaryBytes(s.Bytes), catalog.Ago(g.Now(), s.LastTime), keeper(s.Keeper)}
		if wide {
			c := &s.Config
			row = append(row, strings.Join(c.Subjects, " "), lower(c.Retention), limits(c), fmt.Sprint(c.Replicas), c.Description)
		}
		rows = append(rows, row)
	}
	return header, rows
}

func keeper(k mesh.Keeper) string {
	switch {
	case k.Name == "":
		return k.What
	case k.What == "" || k.Name != mesh.KeptByMeshctl:
		return k.Name
	}
	return k.Name + ": " + k.What
}

// binaryBytes is a number of bytes for people.
func binaryBytes(n uint64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n)/1024, 0
	for f >= 1024 && unit < len(units)-1 {
		f, unit = f/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[unit])
}

// limits is what a stream may hold.
func limits(c *mesh.StreamConfig) string {
	var all []string
	if c.MaxAge > 0 {
		all = append(all, product.Duration(c.MaxAge).String())
	}
	if c.MaxBytes > 0 {
		all = append(all, binaryBytes(uint64(c.MaxBytes)))
	}
	if c.MaxMsgs > 0 {
		all = append(all, fmt.Sprintf("%d messages", c.MaxMsgs))
	}
	if c.MaxMsgsPer > 0 {
		all = append(all, fmt.Sprintf("%d a subject", c.MaxMsgsPer))
	}
	return cmp.Or(strings.Join(all, ", "), "none")
}

func newStreamReport(g *globals) *cobra.Command {
	var o output
	var home homeFlag
	cmd := &cobra.Command{
		Use: "report [PRODUCT]... [flags]", Short: "Show how streams fare: sizes, rates, lags, errors",
		Long: `Show how streams fare: messages, bytes, messages a second over the last minute, how far
the slowest consumer is behind, and for a mirror or sources how far they are behind their
origin, when they last heard of it, and what went wrong.`,
		Example: `  meshctl stream report
  meshctl stream report delays -o json | jq '.streams[] | select(.mirror.error)'`, Args: arguments("[PRODUCT]..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withStreams(cmd, home, args, mesh.StreamQuery{Consumers: true, Rates: true}, func(all *app.MeshStreams) error {
				if o.format == render.JSONL {
					return g.write(o.format, all.Streams, nil)
				}
				return g.write(o.format, all, func() ([]string, [][]string) { return reportRows(g, all.Streams) })
			})
		},
	}
	home.bind(cmd)
	o.bind(cmd)
	return g.completeFirst(cmd, false, productNames)
}

func reportRows(g *globals, all []mesh.Stream) (header []string, rows [][]string) {
	header = []string{"stream", "messages", "bytes", "rate", "last", "consumers", "lag", "origin lag", "heard", "trouble"}
	for i := range all {
		s := &all[i]
		row := []string{
			s.Address(), fmt.Sprint(s.Messages), binaryBytes(s.Bytes), fmt.Sprintf("%.1f/s", s.Rate), catalog.Ago(g.Now(), s.LastTime),
			fmt.Sprint(len(s.Consumers)), fmt.Sprint(s.Lag()), "", "", "",
		}
		if origins := s.Origins(); len(origins) > 0 {
			lag, heard, trouble := originSummary(origins)
			row[7], row[8], row[9] = lag, heard, trouble
		}
		rows = append(rows, row)
	}
	return header, rows
}

// originSummary is the sum of the lags, the longest silence, and what is wrong.
func originSummary(origins []mesh.StreamOrigin) (lag, heard, trouble string) {
	var sum uint64
	silence := origins[0].Active
	var errs []string
	for _, o := range origins {
		sum += o.Lag
		if o.Active < 0 || silence >= 0 && o.Active > silence {
			silence = o.Active
		}
		if o.Error != "" {
			errs = append(errs, o.Domain+"/"+o.Stream+": "+o.Error)
		}
	}
	heard = "never"
	if silence >= 0 {
		heard = product.Duration(silence.Truncate(1e7)).String()
	}
	return fmt.Sprint(sum), heard, strings.Join(errs, "; ")
}
