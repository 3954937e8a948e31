package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/render"
)

// withStream resolves the address of a stream.
func (g *globals) withStream(cmd *cobra.Command, home homeFlag, address string, do func(context.Context, *app.Client, app.StreamAddress) error) error {
	return g.withClient(cmd.Context(), callLimit, func(ctx context.Context, c *app.Client) error {
		a, err := c.ResolveStream(ctx, address, home.Domain)
		if err != nil {
			return err
		}
		return do(ctx, c, a)
	})
}

func newStreamInfo(g *globals) *cobra.Command {
	var o output
	var home homeFlag
	cmd := &cobra.Command{
		Use: "info STREAM [flags]", Short: "Show all that a stream is set to and holds",
		Long: `Show all that a stream is set to and holds, its consumers, and what it copies. -o json and
yaml have its configuration in the words of JetStream, which "stream edit -f" takes.`,
		Example: `  meshctl stream info flights.flights
  meshctl stream info hub/KV_catalog -o yaml`, Args: arguments("STREAM"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withStream(cmd, home, args[0], func(ctx context.Context, c *app.Client, a app.StreamAddress) error {
				all, err := c.StreamsOf(ctx, a.Home, mesh.StreamQuery{Stream: a.Stream, Consumers: true, Rates: true})
				if err != nil {
					return err
				}
				return g.write(o.format, all[0], func() ([]string, [][]string) { return []string{"field", "value"}, infoRows(g, &all[0]) })
			})
		},
	}
	home.bind(cmd)
	o.bind(cmd)
	return cmd
}

func infoRows(g *globals, s *mesh.Stream) [][]string {
	c := &s.Config
	rows := [][]string{{"stream", s.Address()}}
	add := func(field, format string, args ...any) {
		rows = append(rows, []string{field, fmt.Sprintf(format, args...)})
	}
	if c.Description != "" {
		add("description", "%s", c.Description)
	}
	if k := keeper(s.Keeper); k != "" {
		add("keeper", "%s", k)
	}
	if len(c.Subjects) > 0 {
		add("subjects", "%s", strings.Join(c.Subjects, " "))
	}
	add("messages", "%d, %s, %.1f/s", s.Messages, binaryBytes(s.Bytes), s.Rate)
	if s.Messages > 0 {
		add("sequences", "%d to %d, %d of them deleted", s.First, s.Last, s.Deleted)
		add("first", "%s ago", catalog.Ago(g.Now(), s.FirstTime))
		add("last", "%s ago", catalog.Ago(g.Now(), s.LastTime))
		add("different subjects", "%d", s.Subjects)
	}
	add("retention", "%s, discard %s, limits %s", lower(c.Retention), lower(c.Discard), limits(c))
	add("storage", "%s, %s, %s", lower(c.Storage), compression(c), count(c.Replicas, "replica"))
	if c.Duplicates > 0 {
		add("duplicates", "known for %s", product.Duration(c.Duplicates))
	}
	for _, key := range slices.Sorted(maps.Keys(c.Metadata)) {
		if strings.HasPrefix(key, "_nats.") { // the server's own, which say nothing to people
			continue
		}
		add("metadata", "%s = %s", key, c.Metadata[key])
	}
	for _, origin := range s.Origins() {
		lag, heard, trouble := originSummary([]mesh.StreamOrigin{origin})
		if heard != "never" {
			heard += " ago"
		}
		add("copies", "%s/%s, lag %s, heard %s%s", origin.Domain, origin.Stream, lag, heard, prefixed(", ", trouble))
	}
	for _, n := range s.Nodes {
		state := "current"
		switch {
		case n.Leader:
			state = "leader"
		case n.Offline:
			state = "offline"
		case !n.Current:
			state = fmt.Sprintf("behind by %d", n.Lag)
		}
		add("node", "%s, %s", n.Name, state)
	}
	for i := range s.Consumers {
		k := &s.Consumers[i]
		add("consumer", "%s at %d, %d behind", k.Name, k.Delivered, k.Lag())
	}
	return rows
}

func lower(v fmt.Stringer) string { return strings.ToLower(v.String()) }

func compression(c *mesh.StreamConfig) string {
	if c.Compression.String() == "None" {
		return "not compressed"
	}
	return "compressed"
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

type streamGetOpts struct {
	home  homeFlag
	Last  string
	Next  string
	Since string
}

func newStreamGet(g *globals) *cobra.Command {
	var o output
	var get streamGetOpts
	cmd := &cobra.Command{
		Use: "get STREAM [SEQUENCE] [flags]", Short: "Show one message as it is stored",
		Long: `Show one message of a stream as it is stored, with its headers: that of a sequence, or
else the last one; --last and --next are for subjects, wildcards allowed.`,
		Example: `  meshctl stream get flights.flights 17
  meshctl stream get flights/dead --last 'dead.>'
  meshctl stream get flights/in-flights-v1 --since 10m -o json`, Args: arguments("STREAM", "[SEQUENCE]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := get.query(g, args[1:])
			if err != nil {
				return err
			}
			return g.withStream(cmd, get.home, args[0], func(ctx context.Context, c *app.Client, a app.StreamAddress) error {
				q.Stream = a.Stream
				m, err := c.StreamMessage(ctx, a.Home, q)
				if err != nil {
					return err
				}
				return writeMessage(g, a, &m, o.format)
			})
		},
	}
	get.home.bind(cmd)
	cmd.Flags().StringVar(&get.Last, "last", "", "the last message of this `subject`")
	cmd.Flags().StringVar(&get.Next, "next", "", "the first of this `subject`, from SEQUENCE or --since on")
	cmd.Flags().StringVar(&get.Since, "since", "", "the first from this `time` on, such as 10m ago or 2026-01-02T15:04:05Z")
	o.bind(cmd)
	return cmd
}

func (o *streamGetOpts) query(g *globals, args []string) (q mesh.MessageQuery, err error) {
	q.Last, q.Next = o.Last, o.Next
	if len(args) > 0 {
		if q.Sequence, err = strconv.ParseUint(args[0], 10, 64); err != nil || q.Sequence == 0 {
			return q, usageHint("write a number from 1 on", "%q is not the sequence of a message", args[0])
		}
	}
	if o.Since == "" {
		return q, nil
	}
	if q.Since, err = time.Parse(time.RFC3339, o.Since); err == nil {
		return q, nil
	}
	ago, err := product.ParseDuration(strings.TrimSuffix(o.Since, " ago"))
	if err != nil {
		return q, usageHint("write it as 10m, or as 2026-01-02T15:04:05Z", "--since %q is no time", o.Since)
	}
	q.Since = g.Now().Add(-time.Duration(ago)).UTC()
	return q, nil
}

// shownMessage is a message with its data as what it is: JSON, text, or bytes.
type shownMessage struct {
	Stream   string              `json:"stream"`
	Sequence uint64              `json:"sequence"`
	Time     time.Time           `json:"time"`
	Subject  string              `json:"subject"`
	Header   map[string][]string `json:"header,omitempty"`
	Value    json.RawMessage     `json:"value,omitempty"`
	Text     *string             `json:"text,omitempty"`
	Bytes    []byte              `json:"bytes,omitempty"`
}

func writeMessage(g *globals, a app.StreamAddress, m *mesh.StreamMessage, f render.Format) error {
	s := shownMessage{Stream: a.String(), Sequence: m.Sequence, Time: m.Time, Subject: m.Subject, Header: m.Header}
	shown := string(m.Data)
	switch {
	case json.Valid(m.Data):
		s.Value = m.Data
	case utf8.Valid(m.Data):
		s.Text = &shown
	default:
		s.Bytes = m.Data
		shown = fmt.Sprintf("%d bytes that are no text; -o json has them", len(m.Data))
	}
	return g.write(f, s, func() ([]string, [][]string) {
		rows := [][]string{{"sequence", fmt.Sprint(s.Sequence)}, {"time", s.Time.Format(time.RFC3339Nano)}, {"subject", s.Subject}}
		for _, key := range slices.Sorted(maps.Keys(s.Header)) {
			rows = append(rows, []string{key, strings.Join(s.Header[key], ", ")})
		}
		return []string{"field", "value"}, append(rows, []string{"data", shown})
	})
}

func newStreamSubjects(g *globals) *cobra.Command {
	var o output
	var home homeFlag
	var filter string
	cmd := &cobra.Command{
		Use: "subjects STREAM [flags]", Short: "Count the messages of each subject",
		Long:    `Count the messages that a stream has of each subject.`,
		Example: `  meshctl stream subjects flights/dead --filter 'dead.aviation.>'`, Args: arguments("STREAM"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withStream(cmd, home, args[0], func(ctx context.Context, c *app.Client, a app.StreamAddress) error {
				all, err := c.StreamSubjects(ctx, a.Home, mesh.SubjectsQuery{Stream: a.Stream, Filter: filter})
				if err != nil {
					return err
				}
				return g.write(o.format, all, func() ([]string, [][]string) {
					rows := [][]string{}
					for _, s := range all {
						rows = append(rows, []string{s.Subject, fmt.Sprint(s.Messages)})
					}
					return []string{"subject", "messages"}, rows
				})
			})
		},
	}
	home.bind(cmd)
	cmd.Flags().StringVar(&filter, "filter", "", "only these `subjects`, wildcards allowed")
	o.bind(cmd)
	return cmd
}

func newStreamConsumers(g *globals) *cobra.Command {
	var o output
	var home homeFlag
	cmd := &cobra.Command{
		Use: "consumers STREAM [flags]", Short: "Show who reads a stream, and how far",
		Long:    `Show the consumers of a stream: how far each is, and what it has not acknowledged.`,
		Example: `  meshctl stream consumers flights.flights`, Args: arguments("STREAM"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withStream(cmd, home, args[0], func(ctx context.Context, c *app.Client, a app.StreamAddress) error {
				all, err := c.StreamsOf(ctx, a.Home, mesh.StreamQuery{Stream: a.Stream, Consumers: true})
				if err != nil {
					return err
				}
				return g.write(o.format, all[0].Consumers, func() ([]string, [][]string) { return consumerRows(g, all[0].Consumers) })
			})
		},
	}
	home.bind(cmd)
	o.bind(cmd)
	return cmd
}

func consumerRows(g *globals, all []mesh.StreamConsumer) (header []string, rows [][]string) {
	for i := range all {
		c := &all[i]
		kind := "pull"
		if c.Config.DeliverSubject != "" {
			kind = "push"
		}
		state := catalog.Ago(g.Now(), c.LastActive)
		if c.Paused {
			state = "paused"
		}
		rows = append(rows, []string{
			c.Name, kind, fmt.Sprint(c.Delivered), fmt.Sprint(c.Acked), fmt.Sprint(c.Pending), fmt.Sprint(c.Unacked), fmt.Sprint(c.Redeliver), state,
		})
	}
	return []string{"consumer", "kind", "delivered", "acknowledged", "pending", "unacknowledged", "redelivered", "active"}, rows
}
