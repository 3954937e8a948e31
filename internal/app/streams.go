package app

import (
	"context"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/pipeline"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

// readBytes bounds what one read of a stream takes.
const readBytes = 16 << 20

// Batches follow each other every batchPace at most, since what a commit costs hardly
// depends on its size. A reader that is behind waits for catchUp for what is known to be
// there. It never waits longer because the batch before took long: then the next one is
// larger, takes longer still, and half of the highest rate is enough to keep it so.
const (
	batchPace = 10 * time.Millisecond
	catchUp   = 50 * time.Millisecond
)

// source reads a stream of this leaf for the pipeline.
type source struct {
	reader *mesh.Reader
	given  time.Time // when Next returned last
}

// openSource opens a stream of the leaf that nc belongs to.
func openSource(nc *mesh.Conn, stream string) pipeline.OpenSource { return openSubject(nc, stream, "") }

// openSubject opens what a stream has of a subject, wildcards allowed.
func openSubject(nc *mesh.Conn, stream, subject string) pipeline.OpenSource {
	return func(ctx context.Context, after record.Seq) (pipeline.Source, error) {
		state, err := mesh.State(ctx, nc, "", stream)
		if err != nil {
			return nil, err
		}
		if after > state.Last && !state.Mirror {
			return nil, fault.New(fault.Conflict, "restore the stream, or rebuild what was kept from it",
				"stream %s ends at %d, but %d was read from it: it has been made anew", stream, state.Last, after)
		}
		r, err := mesh.NewReader(ctx, nc, "", stream, after, subject)
		if err != nil {
			return nil, err
		}
		return &source{reader: r}, nil
	}
}

func (s *source) Next(ctx context.Context, limit int) ([]pipeline.Message, error) {
	var rest time.Duration // after a rest, what is there goes on at once
	if !s.given.IsZero() {
		rest = batchPace - time.Since(s.given)
	}
	defer func() { s.given = time.Now() }()
	got, err := s.reader.Next(ctx, limit, readBytes, rest, catchUp)
	if err != nil {
		return nil, err
	}
	msgs := make([]pipeline.Message, len(got))
	for i := range got {
		m := &got[i]
		msgs[i] = pipeline.Message{Seq: m.Seq, Time: m.Time, Subject: m.Subject, Data: m.Data}
		if m.Header != nil {
			msgs[i].Header = m.Header
		}
	}
	return msgs, nil
}

func (s *source) Close() { s.reader.Close() }

// appendLog is a stream of this leaf that the product alone appends to.
type appendLog struct {
	nc        *mesh.Conn
	publisher *mesh.Publisher
	stream    string
	filter    string // of the messages that count for Last; "" for all
	// floor holds a position at least as late as those of messages that were removed.
	floor pipeline.Checkpoint
}

func newLog(nc *mesh.Conn, stream, filter string) *appendLog {
	return &appendLog{nc: nc, publisher: mesh.NewPublisher(nc, stream), stream: stream, filter: filter}
}

func (l *appendLog) Append(ctx context.Context, msgs []pipeline.Outgoing) (record.Seq, error) {
	out := make([]mesh.Outgoing, len(msgs))
	for i, m := range msgs {
		out[i] = mesh.Outgoing{Subject: m.Subject, Header: m.Header, Data: m.Data}
	}
	return l.publisher.Append(ctx, out)
}

func (l *appendLog) Last(ctx context.Context) (record.Seq, string, error) {
	state, err := mesh.State(ctx, l.nc, "", l.stream)
	if err != nil {
		return 0, "", err
	}
	at, err := l.lastPosition(ctx, state)
	if err != nil || l.floor.Path == "" {
		return state.Last, at, err
	}
	floor, err := l.floor.Load()
	if err != nil {
		return state.Last, "", err
	}
	if at == pipeline.Emptied {
		return state.Last, floor.String(), nil
	}
	if last, err := pipeline.ParsePosition(at); err != nil || !floor.After(last) {
		return state.Last, at, err
	}
	return state.Last, floor.String(), nil
}

// lastPosition is the position of the last message that has one: others may have
// appended to the stream past the product.
func (l *appendLog) lastPosition(ctx context.Context, state mesh.StreamState) (string, error) {
	m, ok, err := mesh.LastMessage(ctx, l.nc, "", l.stream, l.filter)
	if err != nil {
		return "", err
	}
	for ok && m.Header.Get(product.HeaderPosition) == "" && m.Seq > state.First {
		if m, ok, err = mesh.MessageBefore(ctx, l.nc, l.stream, m.Seq); err != nil {
			return "", err
		}
	}
	switch {
	case ok:
		return m.Header.Get(product.HeaderPosition), nil
	case state.Last > 0 && l.filter == "":
		return pipeline.Emptied, nil
	}
	return "", nil
}

// holdFloor remembers the position of the last message, so that removing it does not
// make the pipeline append it again after a restart.
func (l *appendLog) holdFloor(ctx context.Context) error {
	_, at, err := l.Last(ctx)
	if err != nil {
		return err
	}
	last, err := pipeline.ParsePosition(at)
	if err != nil {
		return err
	}
	return l.floor.Save(last)
}

// trimInbox removes worked-off messages of an inbox of this leaf. A dead letter that was
// taken again goes too once the letter is gone, for it is not asked for again then.
func trimInbox(nc *mesh.Conn, stream string) pipeline.TrimInbox {
	return func(ctx context.Context, subject string, upTo record.Seq) error {
		if letter, ok := takenAgain(subject); ok {
			_, waits, err := mesh.GetMessage(ctx, nc, "", product.DeadStream, letter)
			if err != nil {
				return err
			}
			if !waits {
				upTo++
			}
		}
		_, err := mesh.Purge(ctx, nc, "", stream, subject, upTo)
		return err
	}
}

// logSpec is the stream that holds a port's records.
func logSpec(id product.PortID, out *product.Output, version string) (mesh.StreamSpec, error) {
	if out.Type == product.Object { // the rest bounds the files, and each that goes is a delete here
		listed := *out
		listed.Retention = product.Retention{Compact: out.Retention.Compact}
		out = &listed
	}
	var maxBytes int64
	if out.Retention.Bytes != "" {
		var err error
		if maxBytes, err = out.Retention.Bytes.Bytes(); err != nil {
			return mesh.StreamSpec{}, err
		}
	}
	spec := mesh.StreamSpec{
		Name:     id.Stream(),
		Subjects: []string{id.Subject(), id.Subject() + ".>"},
		MaxAge:   time.Duration(out.Retention.Age),
		MaxBytes: maxBytes,
		MaxMsgs:  int64(out.Retention.Records),
		Compress: out.Stream.Compression == product.CompressionS2,
		Metadata: monitored(map[string]string{
			catalog.MetaProduct: id.Product, catalog.MetaPort: id.Port, catalog.MetaContract: version,
		}, out, false),
	}
	if out.Retention.Compact {
		spec.MaxMsgsPerSubject = 1
	}
	return spec, nil
}

func inboxSpec(id product.PortID, out *product.Output) mesh.StreamSpec {
	return mesh.StreamSpec{
		Duplicates: time.Duration(out.Stream.Duplicates),
		Name:       id.InboxStream(), Subjects: []string{id.InboxSubject(">")},
		Metadata: map[string]string{catalog.MetaProduct: id.Product, catalog.MetaInbox: id.Port},
	}
}

func deadSpec(p *product.Product) mesh.StreamSpec {
	return mesh.StreamSpec{
		Name: product.DeadStream, Subjects: []string{p.DeadSubjects()},
		Metadata: map[string]string{catalog.MetaProduct: p.Metadata.Name},
	}
}

// mirrorSpec is the copy of another product's port in this leaf.
func mirrorSpec(id product.PortID, out *product.Output, reader string) mesh.StreamSpec {
	spec := mesh.StreamSpec{
		Name:     id.MirrorStream(),
		Mirror:   &mesh.MirrorSpec{Port: id, Reader: reader},
		Compress: out.Stream.Compression == product.CompressionS2,
		Metadata: monitored(map[string]string{catalog.MetaSource: id.String()}, out, true),
	}
	if out.Retention.Compact && !id.Objects { // all the chunks of a file have one subject
		spec.MaxMsgsPerSubject = 1
	}
	return spec
}
