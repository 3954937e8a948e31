package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/pipeline"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

// Sent says what became of published records.
type Sent struct {
	Port     string `json:"port"`
	Sent     uint64 `json:"sent"`     // of this session, earlier tries of the same import included
	Accepted uint64 `json:"accepted"` // of those
	Dead     uint64 `json:"dead"`     // of those
	Skipped  uint64 `json:"skipped"`  // were there already from an earlier try
	Visible  bool   `json:"visible"`  // in get and SQL
}

// PublishOptions say how records are published.
type PublishOptions struct {
	NoWait   bool              // do not wait until they are visible
	Progress func(rows uint64) // is told now and then how many rows are stored
}

// A message of the inbox holds at most so many rows and about so many bytes.
const (
	sessionRows  = 1000
	sessionBytes = 256 << 10
	// the longest record that can be published: a message of the log must hold it.
	maxRecord = 4 << 20
)

// Lines gives the records to publish, each one a JSON object on one line, until
// io.EOF. What it returns is used until the next call only.
type Lines func() ([]byte, error)

// session publishes rows to one subject of an inbox. Each message tells how many rows
// the session has sent. An import's is stored only if the one before it is the last
// there, so an import that stopped anywhere resumes exactly, and two of the same content
// at one time exclude each other.
type session struct {
	nc      *mesh.Conn
	id      product.PortID
	token   string
	rows    uint64     // stored
	last    record.Seq // of the last message, 0 before the first
	pending bytes.Buffer
	n       int // rows in pending
}

// Publish sends records to a port, or to an input that takes published records.
func (c *Client) Publish(ctx context.Context, address string, next Lines, o PublishOptions) (Sent, error) {
	to, err := c.inbox(ctx, address)
	if err != nil {
		return Sent{}, err
	}
	s := &session{nc: c.nc, id: to.id, token: "publish-" + rand.Text()}
	return c.send(ctx, s, to.into, next, 0, o)
}

// inbox is where an address is published to.
type inbox struct {
	id   product.PortID // names the inbox
	into product.PortID // the port that its records end up in
	out  product.Output // what it takes; without a schema anything
}

// inbox finds where an address is published to: an input that takes published records,
// or else the port itself.
func (c *Client) inbox(ctx context.Context, address string) (to inbox, err error) {
	all, err := c.Catalog(ctx)
	if err != nil {
		return to, err
	}
	want, err := product.ParsePort(address)
	if err != nil {
		return to, fault.New(fault.Invalid, "", "%w", err)
	}
	if e := all.Product(want.Product); e != nil && e.Product.Spec.Logic != nil {
		p := &e.Product
		for _, in := range p.Spec.Inputs {
			if in.Port == "" && (in.Name == want.Port || len(p.Spec.Inputs) == 1) {
				out := product.Output{Name: in.Name, Type: product.Event, Schema: in.Schema}
				return inbox{p.ID(in.Name), p.ID(p.Spec.Outputs[0].Name), out}, nil
			}
		}
		return to, fault.New(fault.Invalid, "publish to the ports that it reads",
			"%s is made by the logic of product %s, and it has no input %q that takes published records", address, want.Product, want.Port)
	}
	e, p, err := all.Port(address)
	if err != nil {
		return to, err
	}
	if p.Output.Type == product.Object {
		return to, fault.New(fault.Invalid, "put files there with meshctl object put", "%s takes files, and no records", address)
	}
	return inbox{e.ID(p), e.ID(p), p.Output}, nil
}

func (c *Client) send(ctx context.Context, s *session, into product.PortID, next Lines, skipped uint64, o PublishOptions) (Sent, error) {
	sent := Sent{Port: into.String(), Skipped: skipped}
	for {
		line, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return sent, errors.Join(err, s.flush(ctx))
		}
		stored := s.rows
		if err := s.add(ctx, line); err != nil {
			return sent, err
		}
		if o.Progress != nil && s.rows > stored {
			o.Progress(s.rows)
		}
	}
	if err := s.flush(ctx); err != nil {
		return sent, err
	}
	sent.Sent = s.rows
	if o.NoWait {
		return sent, nil
	}
	a, err := call[awaitAnswer](ctx, c, s.id.Product, "await", awaitRequest{
		Port: portName(into), Input: s.id.Port, Seq: s.last, Session: s.token,
	})
	if err != nil {
		return sent, fmt.Errorf("wait until %d records of %s are visible: %w", sent.Sent, into, err)
	}
	sent.Dead, sent.Visible = a.Dead, true
	sent.Accepted = sent.Sent - min(a.Dead, sent.Sent)
	return sent, nil
}

func (s *session) add(ctx context.Context, line []byte) error {
	if len(line) > maxRecord {
		return fault.New(fault.Invalid, "store large content elsewhere and publish a reference to it",
			"record %d has %d bytes; a record can have %d", s.rows+uint64(s.n)+1, len(line), maxRecord)
	}
	if s.n > 0 && s.pending.Len()+len(line) > sessionBytes {
		if err := s.flush(ctx); err != nil {
			return err
		}
	}
	s.pending.Write(line)
	s.pending.WriteByte('\n')
	if s.n++; s.n >= sessionRows {
		return s.flush(ctx)
	}
	return nil
}

func (s *session) flush(ctx context.Context) error {
	if s.n == 0 {
		return nil
	}
	rows := s.rows + uint64(s.n)
	seq, err := s.store(ctx, map[string]string{product.HeaderRows: strconv.FormatUint(rows, 10)})
	if err != nil {
		return fmt.Errorf("publish to %s after %d records: %w", s.id, s.rows, err)
	}
	s.rows, s.last, s.n = rows, seq, 0
	s.pending.Reset()
	return nil
}

// store appends the pending rows to the inbox. Of an import the message before stays
// there, so each one is stored only behind the one that this session knows; what others
// publish is trimmed as soon as it is worked off, and nobody resumes it.
func (s *session) store(ctx context.Context, header map[string]string) (record.Seq, error) {
	subject := s.id.InboxSubject(s.token)
	if !strings.HasPrefix(s.token, pipeline.ImportSession) {
		return mesh.Publish(ctx, s.nc, subject, s.pending.Bytes(), header)
	}
	return mesh.PublishExpect(ctx, s.nc, subject, s.pending.Bytes(), header, uint64(s.last))
}

// resume takes up an import where an earlier try of it stopped.
func (s *session) resume(ctx context.Context) error {
	a, err := call[sessionAnswer](ctx, &Client{nc: s.nc}, s.id.Product, "session", sessionRequest{s.id.Port, s.id.Major, s.token})
	s.last, s.rows = a.Seq, a.Rows
	return err
}

// sessionRequest asks how far a session has come that published to an inbox.
type sessionRequest struct {
	Inbox   string `json:"inbox"` // a port or an input
	Major   int    `json:"major"`
	Session string `json:"session"`
}

type sessionAnswer struct {
	Seq  record.Seq `json:"seq"` // of its last message, 0 before the first
	Rows uint64     `json:"rows"`
}

func (p *Product) session(ctx context.Context, q sessionRequest) (a sessionAnswer, err error) {
	id := p.descriptor().ID(q.Inbox)
	id.Major = q.Major
	if !product.ValidName(q.Inbox) || strings.ContainsAny(q.Session, ".*> ") {
		return a, fault.New(fault.Invalid, "name a port or input, and one session", "no session %q can publish to %q", q.Session, q.Inbox)
	}
	m, ok, err := mesh.LastMessage(ctx, p.leaf.Conn(), "", id.InboxStream(), id.InboxSubject(q.Session))
	if err != nil || !ok {
		return a, err
	}
	a.Seq = m.Seq
	if a.Rows, err = strconv.ParseUint(m.Header.Get(product.HeaderRows), 10, 64); err != nil {
		return a, fmt.Errorf("read how far the import came: %w", err)
	}
	return a, nil
}

// importToken is the session of importing content with that digest: the same content
// into the same port is the same import.
func importToken(digest []byte) string {
	return pipeline.ImportSession + hex.EncodeToString(digest[:16])
}

// digestOf is the digest of a file's content and of how it is read.
func digestOf(content io.Reader, how string) ([]byte, error) {
	h := sha256.New()
	if _, err := io.Copy(h, content); err != nil {
		return nil, err
	}
	h.Write([]byte("\x00" + how))
	return h.Sum(nil), nil
}
