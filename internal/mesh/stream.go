package mesh

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jsm.go/api"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// MirrorSpec is the port whose log a mirror copies, sequence by sequence. The mirror
// stands still unless Leaf.KeepMirror runs for it.
type MirrorSpec struct {
	Port   product.PortID
	Reader string // the product that the mirror belongs to
}

// defaultDuplicates is how long the server remembers a Nats-Msg-Id unless told otherwise.
const defaultDuplicates = 2 * time.Minute

// StreamSpec is a stream as it should be. A limit of 0 is none.
type StreamSpec struct {
	Name              string
	Description       string
	Subjects          []string    // none for a mirror
	Mirror            *MirrorSpec // nil for a stream of its own
	MaxAge            time.Duration
	MaxBytes          int64
	MaxMsgs           int64
	MaxMsgsPerSubject int64
	Compress          bool
	Metadata          map[string]string
	Duplicates        time.Duration // how long a Nats-Msg-Id is remembered; two minutes when 0, or MaxAge if that is shorter
	LoseData          bool          // let a change of limits drop messages
	// Files makes it the object store of a port's files: it also takes chunks at the port's
	// inbox, and when it is full nothing more.
	Files *product.PortID
}

// config is the spec on top of what the server has now; base is the zero value for a
// new stream. What the spec does not speak about stays.
func (s StreamSpec) config(base api.StreamConfig) api.StreamConfig {
	c := base
	c.Name, c.Description = s.Name, s.Description
	c.Subjects = slices.Clone(s.Subjects)
	c.Retention, c.Storage, c.Discard = api.LimitsPolicy, api.FileStorage, api.DiscardOld
	c.Replicas = max(c.Replicas, 1)
	c.MaxConsumers, c.MaxMsgs, c.MaxMsgSize = -1, orNone(s.MaxMsgs), -1
	c.Compression = api.NoCompression
	if s.Compress {
		c.Compression = api.S2Compression
	}
	c.MaxAge, c.MaxBytes, c.MaxMsgsPer = s.MaxAge, orNone(s.MaxBytes), orNone(s.MaxMsgsPerSubject)
	c.AllowDirect = true
	if s.Files != nil || s.Mirror != nil && s.Mirror.Port.Objects { // what is known of a file takes the place of what was
		c.RollupAllowed = true
	}
	c.Metadata = mergeMetadata(base.Metadata, s.Metadata)
	if s.Mirror != nil {
		c.Mirror = &api.StreamSource{
			Name:     s.Mirror.Port.Stream(),
			External: &api.ExternalStream{ApiPrefix: product.MirrorPrefix(s.Mirror.Port.Product)},
			Consumer: &api.StreamConsumerSource{
				Name: s.Mirror.Reader, DeliverSubject: s.Mirror.Port.DeliverSubject(s.Mirror.Reader),
			},
		}
		return c
	}
	c.Mirror = nil
	c.AllowBatchPublish = true
	if s.Files != nil {
		c.Discard = api.DiscardNew
		c.SubjectTransform = &api.SubjectTransformConfig{
			Source: s.Files.InboxSubject("*"), Destination: s.Files.ChunkSubject("{{wildcard(1)}}"),
		}
	}
	if c.Duplicates = s.Duplicates; c.Duplicates == 0 {
		if c.Duplicates = defaultDuplicates; c.MaxAge > 0 { // what is gone cannot be a duplicate
			c.Duplicates = min(c.Duplicates, c.MaxAge)
		}
	}
	return c
}

func orNone(n int64) int64 {
	if n <= 0 {
		return -1
	}
	return n
}

// mergeMetadata is want, and of have what the server itself keeps there.
func mergeMetadata(have, want map[string]string) map[string]string {
	out := maps.Clone(want)
	for k, v := range have {
		if strings.HasPrefix(k, "_nats.") {
			if out == nil {
				out = map[string]string{}
			}
			out[k] = v
		}
	}
	return out
}

// EnsureStream creates the stream in the local domain, or changes the one there is to
// the spec. It never deletes a stream. A change that would lose messages, or that the
// server would refuse, is a Conflict and leaves everything as it was.
func EnsureStream(ctx context.Context, nc *Conn, spec StreamSpec) error {
	have, err := streamInfo(ctx, nc, "", spec.Name)
	if fault.KindOf(err) == fault.NotFound {
		return createStream(ctx, nc, spec)
	}
	if err != nil {
		return fmt.Errorf("ensure %w", err)
	}
	want := spec.config(have.Config)
	if reflect.DeepEqual(normal(want), normal(have.Config)) {
		return nil
	}
	refused, err := productReasons(ctx, nc, have, &want, spec.LoseData)
	if err == nil {
		err = (&StreamPlan{Stream: spec.Name, Action: Change, Refused: refused}).Err()
	}
	if err != nil {
		return err
	}
	_, err = ask[api.JSApiStreamUpdateResponse](ctx, nc, "", fmt.Sprintf(api.JSApiStreamUpdateT, spec.Name), want)
	if err != nil {
		return fmt.Errorf("change stream %s: %w", spec.Name, serverNo(err, "keep the stream as it was, or make a new major version of the port"))
	}
	return nil
}

// PlanStream is what EnsureStream would do, and what speaks against it, the dangers too that
// somebody may insist on. Metadata are no setting, and left out.
func PlanStream(ctx context.Context, nc *Conn, spec StreamSpec) (*StreamPlan, error) {
	p := &StreamPlan{Stream: spec.Name, Action: Unchanged, Fields: []FieldChange{}, Refused: []Reason{}}
	have, err := streamInfo(ctx, nc, "", spec.Name)
	if fault.KindOf(err) == fault.NotFound {
		p.Action = Create
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("plan %w", err)
	}
	want := spec.config(have.Config)
	all, err := fieldChanges(have.Config, want)
	p.Fields = append(p.Fields, slices.DeleteFunc(all, func(f FieldChange) bool { return f.Field == "metadata" || f.Field == "description" })...)
	if err != nil || len(p.Fields) == 0 {
		return p, err
	}
	p.Action = Change
	refused, err := productReasons(ctx, nc, have, &want, spec.LoseData)
	p.Refused = append(p.Refused, refused...)
	return p, err
}

func createStream(ctx context.Context, nc *Conn, spec StreamSpec) error {
	c := spec.config(api.StreamConfig{})
	_, err := ask[api.JSApiStreamCreateResponse](ctx, nc, "", fmt.Sprintf(api.JSApiStreamCreateT, spec.Name), c)
	if err != nil {
		return fmt.Errorf("create stream %s: %w", spec.Name, err)
	}
	return nil
}

// normal makes two configurations comparable that mean the same.
func normal(c api.StreamConfig) api.StreamConfig {
	c.Subjects = slices.Sorted(slices.Values(c.Subjects))
	c.Metadata = maps.Clone(c.Metadata)
	maps.DeleteFunc(c.Metadata, func(k, _ string) bool { return strings.HasPrefix(k, "_nats.") })
	if len(c.Metadata) == 0 {
		c.Metadata = nil
	}
	if len(c.Subjects) == 0 {
		c.Subjects = nil
	}
	return c
}

// DeleteStream deletes a stream of the local domain and all it holds.
func DeleteStream(ctx context.Context, nc *Conn, name string) error {
	_, err := ask[api.JSApiStreamDeleteResponse](ctx, nc, "", fmt.Sprintf(api.JSApiStreamDeleteT, name), nil)
	if err != nil {
		return fmt.Errorf("delete stream %s: %w", name, err)
	}
	return nil
}
