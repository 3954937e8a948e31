package mesh

import (
	"context"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"

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
	nc     *Conn
	stream string

	mu    sync.Mutex
	inbox string
	sub   *nats.Subscription
	heard chan *nats.Msg // what the server answers; a full window of errors fits
}

// NewPublisher makes a publisher for a stream that EnsureStream made.
func NewPublisher(nc *Conn, stream string) *Publisher {
	return &Publisher{nc: nc, stream: stream}
}

// Append stores the messages in their order and returns, when the last one is stored,
// its sequence. On an error a prefix of them may be stored, never one without all
// before it, and none of them any more once Append has returned. An Append that starts
// again after an error must therefore first look how far the stream came.
func (p *Publisher) Append(ctx context.Context, msgs []Outgoing) (record.Seq, error) {
	if len(msgs) == 0 {
		return 0, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.listen(); err != nil {
		return 0, fmt.Errorf("append to stream %s: %w", p.stream, err)
	}
	last, err := newBatch(p, msgs).run(ctx)
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
	p.heard = make(chan *nats.Msg, 2*batchAhead*batchFlow)
	sub, err := p.nc.ChanSubscribe(p.inbox+".>", p.heard)
	if err != nil {
		return connFault(err, domainName(""))
	}
	p.sub = sub
	return nil
}
