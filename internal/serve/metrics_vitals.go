package serve

import (
	"io"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
)

// WriteVitals writes how a product's leaf, or the hub, fares in the Prometheus text format:
// positions and lag of stores, streams, consumers, storage, the link, credentials.
func WriteVitals(w io.Writer, v *catalog.Vitals) {
	gauges(w, "product", v.Name,
		gauge{"meshctl_storage_used_bytes", "Bytes that streams use.", float64(v.Storage.Used)},
		gauge{"meshctl_storage_limit_bytes", "Bytes that streams may use.", float64(v.Storage.Limit)},
		gauge{"meshctl_disk_free_bytes", "Bytes that are free on the disk of the data folder.", float64(v.Storage.DiskFree)},
		gauge{"meshctl_disk_size_bytes", "Bytes that the disk of the data folder has.", float64(v.Storage.DiskSize)},
		gauge{"meshctl_started_seconds", "When it was started, in seconds since 1970.", float64(v.Started.Unix())},
	)
	if !v.Expires.IsZero() {
		gauges(w, "product", v.Name, gauge{"meshctl_credential_expires_seconds", "When the credential expires that the leaf joined with, in seconds since 1970.", float64(v.Expires.Unix())})
	}
	writeLink(w, v)
	writeStores(w, v)
	writeStreams(w, v)
	writeHub(w, v)
}

type gauge struct {
	name, help string
	value      float64
}

func gauges(w io.Writer, label, of string, all ...gauge) {
	for _, g := range all {
		family(w, g.name, "gauge", g.help)
		sample(w, g.name, g.value, label, of)
	}
}

func writeLink(w io.Writer, v *catalog.Vitals) {
	l := v.Link
	if l == nil {
		return
	}
	joined := 0.0
	if l.Joined {
		joined = 1
	}
	gauges(w, "product", v.Name,
		gauge{"meshctl_link_up", "1 while the leaf is joined to the hub, else 0.", joined},
		gauge{"meshctl_link_round_trip_seconds", "Round trip to the hub, as it was measured last.", time.Duration(l.RTT).Seconds()},
		gauge{"meshctl_link_in_bytes_per_second", "Bytes from the hub, the mean of the last seconds.", l.In},
		gauge{"meshctl_link_out_bytes_per_second", "Bytes to the hub, the mean of the last seconds.", l.Out},
	)
	family(w, "meshctl_link_joins_total", "counter", "How often the leaf has joined the hub.")
	sample(w, "meshctl_link_joins_total", float64(l.Joins), "product", v.Name)
}

func writeStores(w io.Writer, v *catalog.Vitals) {
	if len(v.Ports) == 0 {
		return
	}
	for _, m := range []struct {
		name, help string
		value      func(catalog.StorePosition) float64
	}{
		{"meshctl_store_position", "Sequence of the log that the store has reached.", func(s catalog.StorePosition) float64 { return float64(s.Position) }},
		{"meshctl_store_lag", "Sequences that the store is behind the log.", func(s catalog.StorePosition) float64 { return float64(s.Lag) }},
	} {
		family(w, m.name, "gauge", m.help)
		for _, p := range v.Ports {
			for _, s := range p.Stores {
				sample(w, m.name, m.value(s), "product", v.Name, "stream", p.Stream, "store", s.Kind)
			}
		}
	}
	family(w, "meshctl_store_bytes", "gauge", "Bytes that the stores have on the volume.")
	sample(w, "meshctl_store_bytes", float64(v.Storage.KeyValue), "product", v.Name, "store", catalog.KeyValue)
	sample(w, "meshctl_store_bytes", float64(v.Storage.Table), "product", v.Name, "store", catalog.Table)
	for _, m := range []struct {
		name, help string
		value      func(catalog.Reach) uint64
	}{
		{"meshctl_port_accepted_total", "Records that came into the port's log since the process started.", func(p catalog.Reach) uint64 { return p.Accepted }},
		{"meshctl_port_refused_total", "Records that became dead letters since the process started.", func(p catalog.Reach) uint64 { return p.Refused }},
	} {
		family(w, m.name, "counter", m.help)
		for _, p := range v.Ports {
			sample(w, m.name, float64(m.value(p)), "product", v.Name, "stream", p.Stream)
		}
	}
}

func writeStreams(w io.Writer, v *catalog.Vitals) {
	if len(v.Details) == 0 {
		return
	}
	for _, m := range []struct {
		name, help string
		value      func(*catalog.Stream) float64
	}{
		{"meshctl_stream_messages", "Messages in the stream.", func(s *catalog.Stream) float64 { return float64(s.Messages) }},
		{"meshctl_stream_bytes", "Bytes of the stream.", func(s *catalog.Stream) float64 { return float64(s.Bytes) }},
		{"meshctl_stream_last_seq", "Sequence of the stream's last message.", func(s *catalog.Stream) float64 { return float64(s.Last) }},
		{"meshctl_stream_replicas_current", "Replicas of the stream that are up to date.", func(s *catalog.Stream) float64 { return float64(s.Current) }},
	} {
		family(w, m.name, "gauge", m.help)
		for i := range v.Details {
			sample(w, m.name, m.value(&v.Details[i]), "product", v.Name, "stream", v.Details[i].Name)
		}
	}
	for _, m := range []struct {
		name, help string
		value      func(*catalog.Consumer) float64
	}{
		{"meshctl_consumer_pending", "Messages that the consumer has not delivered yet.", func(c *catalog.Consumer) float64 { return float64(c.Pending) }},
		{"meshctl_consumer_ack_pending", "Messages that were delivered and are not acknowledged.", func(c *catalog.Consumer) float64 { return float64(c.Unacked) }},
	} {
		family(w, m.name, "gauge", m.help)
		for i := range v.Details {
			for j := range v.Details[i].Consumers {
				// One without a durable name has another name after each interruption.
				if c := &v.Details[i].Consumers[j]; c.Durable {
					sample(w, m.name, m.value(c), "product", v.Name, "stream", v.Details[i].Name, "consumer", c.Name)
				}
			}
		}
	}
}

// writeHub tells of the hub's nodes and of who has joined them.
func writeHub(w io.Writer, v *catalog.Vitals) {
	if v.Size == 0 {
		return
	}
	gauges(w, "product", v.Name,
		gauge{"meshctl_hub_nodes", "Nodes of the hub that answer.", float64(len(v.Nodes))},
		gauge{"meshctl_hub_nodes_expected", "Nodes that the hub should have.", float64(v.Size)},
		gauge{"meshctl_hub_leaves", "Leaves that are joined.", float64(len(v.Leaves))},
	)
	for _, m := range []struct {
		name, help string
		value      func(*catalog.Joined) float64
	}{
		{"meshctl_leaf_in_bytes_total", "Bytes that came from the leaf since it joined.", func(j *catalog.Joined) float64 { return float64(j.InBytes) }},
		{"meshctl_leaf_out_bytes_total", "Bytes that went to the leaf since it joined.", func(j *catalog.Joined) float64 { return float64(j.OutBytes) }},
	} {
		family(w, m.name, "counter", m.help)
		for i := range v.Leaves {
			j := &v.Leaves[i]
			sample(w, m.name, m.value(j), "leaf", j.Domain, "server", j.Server)
		}
	}
}

// MetricsType is the media type of the Prometheus text format.
const MetricsType = mediaMetrics
