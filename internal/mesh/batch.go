package mesh

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

const (
	batchFlow    = 500     // messages between two acknowledgements, at most
	batchAhead   = 8       // acknowledgements that may be under way: a busy machine is slow to pass them on
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

const endSuffix = ".3.$FI" // of the reply subject of opEnd

// batch is one Append under way.
type batch struct {
	p      *Publisher
	msgs   []Outgoing
	prefix string // of the reply subject, up to the sequence
	limit  int    // of the window
	window int    // messages that may be unacknowledged
	acked  int
	sent   int

	closing bool
	cause   error      // why the batch cannot be whole
	ended   bool       // the server has said its last word
	last    record.Seq // what is stored, once ended
	msg     nats.Msg   // reused: PublishMsg copies it
	reply   []byte
}

func newBatch(p *Publisher, msgs []Outgoing) *batch {
	largest := 1
	for i := range msgs {
		largest = max(largest, len(msgs[i].Data))
	}
	flow := min(batchFlow, max(1, batchBytes/largest))
	return &batch{
		p: p, msgs: msgs, limit: batchAhead * flow, window: batchAhead * flow,
		prefix: fmt.Sprintf("%s.%s.%d.fail.", p.inbox, nuid.Next(), flow),
		msg:    nats.Msg{Header: nats.Header{}},
	}
}

// run sends the batch and waits for its end. If it cannot be whole, it is closed
// before run returns, so that nothing is stored afterwards.
func (b *batch) run(ctx context.Context) (record.Seq, error) {
	err := b.send(ctx)
	if err == nil && b.cause == nil {
		return b.last, nil
	}
	b.cause = orCause(b.cause, err)
	if b.sent > 0 && !b.ended {
		rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchSilence)
		defer cancel()
		b.close(rest)
	}
	return b.last, b.cause
}

// send sends all and hears until the server has ended the batch.
func (b *batch) send(ctx context.Context) error {
	for i := range b.msgs {
		for b.sent-b.acked >= b.window && !b.ended {
			if err := b.hear(ctx); err != nil {
				return err
			}
		}
		if b.ended {
			return nil
		}
		op := opAppend
		switch {
		case i == len(b.msgs)-1:
			op = opCommit
		case i == 0:
			op = opStart
		}
		if err := b.publish(&b.msgs[i], op); err != nil {
			return fmt.Errorf("message %d of %d: %w", i+1, len(b.msgs), err)
		}
	}
	for !b.ended {
		if err := b.hear(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) publish(o *Outgoing, op int) error {
	b.msg.Subject, b.msg.Data = o.Subject, o.Data
	b.msg.Reply = b.subject(b.sent+1, op)
	clear(b.msg.Header)
	for i := range o.Header {
		b.msg.Header[o.Header[i][0]] = o.Header[i][1:2]
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

// close ends the batch where it is and learns what is stored.
func (b *batch) close(ctx context.Context) {
	b.closing = true
	if b.p.nc.PublishRequest(b.msgs[0].Subject, b.subject(b.sent+1, opEnd), nil) != nil {
		return // the connection is gone; the server ends the batch by itself
	}
	for !b.ended {
		if b.hear(ctx) != nil {
			return
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

// hear takes in the server's next answer.
func (b *batch) hear(ctx context.Context) error {
	m, err := b.answer(ctx)
	if err != nil {
		return err
	}
	if m.Header.Get("Status") == "503" {
		return b.nobody(ctx, m)
	}
	var a flowAnswer
	if err := json.Unmarshal(m.Data, &a); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	switch a.Type {
	case "ack":
		b.acked = max(b.acked, int(a.Seq))
		if a.Msgs > 0 {
			b.window = min(b.limit, max(64, batchAhead*a.Msgs))
		}
	case "gap":
		b.cause = orCause(b.cause, fault.New(fault.Unavailable, "try again", "a message of the batch was lost"))
	case "err":
		b.cause = orCause(b.cause, apiFault(a.Error))
	default:
		b.finish(a)
	}
	return nil
}

// nobody takes in that no stream in reach takes one of the messages. The batch then
// has a gap, and is closed to learn what is stored. Where no stream takes even the
// close, there is no batch.
func (b *batch) nobody(ctx context.Context, m *nats.Msg) error {
	b.cause = orCause(b.cause, fault.New(fault.NotFound, "", "no stream takes the subject of a message"))
	if strings.HasSuffix(m.Subject, endSuffix) {
		b.ended = true
		return nil
	}
	if b.closing {
		return nil
	}
	b.close(ctx)
	return nil
}

// finish takes in the server's last word.
func (b *batch) finish(a flowAnswer) {
	b.ended = true
	if a.Error != nil {
		b.cause = orCause(b.cause, apiFault(a.Error))
		return
	}
	b.last = record.Seq(a.Seq)
	if a.Count < len(b.msgs) {
		b.cause = fmt.Errorf("stored %d of %d: %w", a.Count, len(b.msgs),
			orCause(b.cause, fault.New(fault.Internal, "", "the server ended the batch")))
	}
}

func orCause(cause, otherwise error) error {
	if cause != nil {
		return cause
	}
	return otherwise
}

// answer is the server's next answer to this batch; those to an earlier one, which
// ended in an error, are dropped. After a silence it asks once.
func (b *batch) answer(ctx context.Context) (*nats.Msg, error) {
	silence := time.NewTimer(batchSilence)
	defer silence.Stop()
	for asked := false; ; {
		select {
		case m := <-b.p.heard:
			if strings.HasPrefix(m.Subject, b.prefix) {
				return m, nil
			}
			continue
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-silence.C:
		}
		if asked || b.p.nc.IsClosed() {
			return nil, fault.New(fault.Unavailable, "try again", "the server has been silent for %s", 2*batchSilence)
		}
		asked = true
		silence.Reset(batchSilence)
		if err := b.p.nc.PublishRequest(b.msgs[0].Subject, b.subject(b.sent, opPing), nil); err != nil {
			return nil, connFault(err, domainName(""))
		}
	}
}
