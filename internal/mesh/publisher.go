package mesh

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

// Outgoing is one message to append.
type Outgoing struct {
	Subject string
	Data    []byte
	Header  [][2]string // name and value
}

// Publisher appends to one stream by fast batches (ADR-50). It may be used by several
// goroutines; their batches do not interleave.
type Publisher struct {
	nc     *nats.Conn
	stream string

	mu    sync.Mutex
	inbox string
	sub   *nats.Subscription
}

// NewPublisher makes a publisher for a stream that EnsureStream made.
func NewPublisher(nc *nats.Conn, stream string) *Publisher {
	return &Publisher{nc: nc, stream: stream}
}

// Append stores the messages in their order and returns, when the last one is stored,
// its sequence. On an error a prefix of them may be stored, never one without all
// before it. An Append that starts again after an error must therefore first look how
// far the stream came.
func (p *Publisher) Append(ctx context.Context, msgs []Outgoing) (record.Seq, error) {
	if len(msgs) == 0 {
		return 0, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.listen(); err != nil {
		return 0, fmt.Errorf("append to stream %s: %w", p.stream, err)
	}
	b := newBatch(p, msgs)
	last, err := b.send(ctx)
	if err != nil {
		return last, fmt.Errorf("append to stream %s: %w", p.stream, err)
	}
	return last, nil
}

// Close frees the publisher's subscription.
func (p *Publisher) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sub != nil {
		_ = p.sub.Unsubscribe() // fails only on a closed connection
		p.sub = nil
	}
}

func (p *Publisher) listen() error {
	if p.sub != nil && p.sub.IsValid() {
		return nil
	}
	p.inbox = p.nc.NewInbox()
	sub, err := p.nc.SubscribeSync(p.inbox + ".>")
	if err != nil {
		return connFault(err, domainName(""))
	}
	p.sub = sub
	return nil
}

const (
	batchFlow    = 500     // messages between two acknowledgements, at most
	batchBytes   = 4 << 20 // bytes between two acknowledgements, about
	batchSilence = 5 * time.Second
)

// The operations of the fast batch protocol.
const (
	opStart = iota
	opAppend
	opCommit
	opEnd
	opPing
)

// batch is one Append under way.
type batch struct {
	p      *Publisher
	msgs   []Outgoing
	prefix string // of the reply subject, up to the sequence
	window int    // messages that may be unacknowledged
	acked  int
	sent   int
	cause  error // what the server said before it ended the batch

	msg   nats.Msg // reused: PublishMsg copies it
	reply []byte
}

func newBatch(p *Publisher, msgs []Outgoing) *batch {
	largest := 1
	for i := range msgs {
		largest = max(largest, len(msgs[i].Data))
	}
	flow := min(batchFlow, max(1, batchBytes/largest))
	return &batch{
		p: p, msgs: msgs, window: 2 * flow,
		prefix: fmt.Sprintf("%s.%s.%d.fail.", p.inbox, nuid.Next(), flow),
		msg:    nats.Msg{Header: nats.Header{}},
	}
}

func (b *batch) send(ctx context.Context) (record.Seq, error) {
	for i := range b.msgs {
		for b.sent-b.acked >= b.window {
			if last, done, err := b.hear(ctx); done || err != nil {
				return last, err
			}
		}
		op := opAppend
		switch {
		case i == len(b.msgs)-1:
			op = opCommit
		case i == 0:
			op = opStart
		}
		if err := b.publish(&b.msgs[i], op); err != nil {
			return b.end(ctx, fmt.Errorf("message %d of %d: %w", i+1, len(b.msgs), err))
		}
	}
	for {
		if last, done, err := b.hear(ctx); done || err != nil {
			return last, err
		}
	}
}

func (b *batch) publish(o *Outgoing, op int) error {
	b.msg.Subject, b.msg.Data = o.Subject, o.Data
	b.msg.Reply = b.subject(b.sent+1, op)
	clear(b.msg.Header)
	for _, h := range o.Header {
		b.msg.Header.Add(h[0], h[1])
	}
	if err := b.p.nc.PublishMsg(&b.msg); err != nil {
		return connFault(err, domainName(""))
	}
	b.sent++
	return nil
}

func (b *batch) subject(seq, op int) string {
	r := append(b.reply[:0], b.prefix...)
	r = strconv.AppendInt(r, int64(seq), 10)
	r = append(r, '.')
	r = strconv.AppendInt(r, int64(op), 10)
	b.reply = append(r, ".$FI"...)
	return string(b.reply)
}

// end commits what was sent before a message that could not be.
func (b *batch) end(ctx context.Context, cause error) (record.Seq, error) {
	if b.sent == 0 {
		return 0, cause
	}
	b.cause = cause
	if err := b.p.nc.PublishRequest(b.msgs[0].Subject, b.subject(b.sent+1, opEnd), nil); err != nil {
		return 0, cause
	}
	for {
		if last, done, err := b.hear(ctx); done || err != nil {
			return last, err
		}
	}
}

// flowAnswer is any of the server's answers to a batch.
type flowAnswer struct {
	Type  string        `json:"type"` // ack, gap, err; empty for the final one
	Seq   uint64        `json:"seq"`  // in the batch; of the final one, in the stream
	Msgs  int           `json:"msgs"`
	Count int           `json:"count"`
	Error *api.ApiError `json:"error"`
}

// hear takes in the server's next answer; done when it was the last one.
func (b *batch) hear(ctx context.Context) (last record.Seq, done bool, err error) {
	a, err := b.answer(ctx)
	if err != nil {
		return 0, false, err
	}
	switch a.Type {
	case "ack":
		b.acked = max(b.acked, int(a.Seq))
		if a.Msgs > 0 {
			b.window = max(64, 2*a.Msgs)
		}
		return 0, false, nil
	case "gap":
		b.cause = orCause(b.cause, fault.New(fault.Unavailable, "try again", "a message of the batch was lost"))
		return 0, false, nil
	case "err":
		b.cause = orCause(b.cause, apiFault(a.Error))
		return 0, false, nil
	}
	if a.Error != nil {
		return 0, false, orCause(b.cause, apiFault(a.Error))
	}
	last = record.Seq(a.Seq)
	if a.Count != len(b.msgs) {
		return last, true, fmt.Errorf("stored %d of %d: %w", a.Count, len(b.msgs),
			orCause(b.cause, fault.New(fault.Internal, "", "the server ended the batch")))
	}
	return last, true, nil
}

func orCause(cause, otherwise error) error {
	if cause != nil {
		return cause
	}
	return otherwise
}

// answer is the server's next answer to this batch. After a silence it asks once.
func (b *batch) answer(ctx context.Context) (flowAnswer, error) {
	asked := false
	for {
		wait, cancel := context.WithTimeout(ctx, batchSilence)
		m, err := b.p.sub.NextMsgWithContext(wait)
		cancel()
		switch {
		case err == nil && !strings.HasPrefix(m.Subject, b.prefix):
			continue // of a batch that ended in an error
		case err == nil && m.Header.Get("Status") == "503":
			return flowAnswer{}, fault.New(fault.NotFound, "", "no stream takes subject %s", b.msgs[0].Subject)
		case err == nil:
			var a flowAnswer
			if err := json.Unmarshal(m.Data, &a); err != nil {
				return a, fmt.Errorf("read the server's answer: %w", err)
			}
			return a, nil
		case ctx.Err() != nil:
			return flowAnswer{}, ctx.Err()
		case wait.Err() == nil:
			return flowAnswer{}, connFault(err, domainName(""))
		case asked:
			return flowAnswer{}, fault.New(fault.Unavailable, "try again", "the server has been silent for %s", 2*batchSilence)
		}
		asked = true
		if err := b.p.nc.PublishRequest(b.msgs[0].Subject, b.subject(b.sent, opPing), nil); err != nil {
			return flowAnswer{}, connFault(err, domainName(""))
		}
	}
}
