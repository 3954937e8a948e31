package mesh

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// Call asks a product's service and returns its whole answer.
func Call(ctx context.Context, nc *Conn, subject string, req []byte) ([]byte, error) {
	var all []byte
	final, err := CallStream(ctx, nc, subject, req, func(chunk []byte) error {
		all = append(all, chunk...)
		return nil
	})
	if err != nil || all == nil {
		return final, err
	}
	return append(all, final...), nil
}

// Ask is Call, for questions that change nothing and whose answer comes at once and fits
// one message. It goes out without the name that a call is steered by, which costs each
// server on the way; where that does not do, it calls.
func Ask(ctx context.Context, nc *Conn, subject string, req []byte) ([]byte, error) {
	answer, err := nc.request(ctx, &nats.Msg{Subject: subject, Data: req}, callSilence)
	if err == nil && faultIn(answer) == nil {
		return answer.Data, nil
	}
	return Call(ctx, nc, subject, req)
}

// CallStream asks a product's service. It hands each piece of the answer to chunk, in
// their order, and returns the final part. The pieces need not be cut as the handler
// cut them. An error of the handler comes back as the fault that it was; a product
// that is not there, or goes away meanwhile, is Unavailable. When ctx ends, or chunk
// returns an error, the handler is told.
func CallStream(ctx context.Context, nc *Conn, subject string, req []byte, chunk func([]byte) error) ([]byte, error) {
	return newCaller(nc, subject, chunk).call(ctx, req)
}

// CallOrigin asks a product to send a port's records to the mirror of reader, and
// returns its answer.
func CallOrigin(ctx context.Context, nc *Conn, origin, reader string, req []byte) ([]byte, error) {
	c := newCaller(nc, product.SubscribeSubject(origin, reader), func([]byte) error {
		return fault.New(fault.Internal, "", "product %s sent more than an answer", origin)
	})
	c.answers = product.AnswerSubject(reader, origin, c.name)
	return c.call(ctx, req)
}

func newCaller(nc *Conn, subject string, chunk func([]byte) error) *caller {
	return &caller{nc: nc, name: nuid.Next(), subject: subject, chunk: chunk}
}

func (c *caller) call(ctx context.Context, req []byte) ([]byte, error) {
	final, err := c.ask(ctx, req)
	var told *fault.Error
	switch {
	case errors.As(err, &told):
		return nil, err // it says what was asked of whom
	case err != nil:
		return nil, fmt.Errorf("call %s: %w", c.subject, err)
	}
	return final, nil
}

// caller is one call under way.
type caller struct {
	nc      *Conn
	name    string
	subject string
	answers string // where the answer arrives; "" for an inbox of the connection
	chunk   func([]byte) error

	sub   *nats.Subscription
	inbox string
	got   int          // pieces taken in
	room  atomic.Int64 // the first piece that there is no room for
	final []byte       // of several pieces
}

func (c *caller) ask(ctx context.Context, req []byte) ([]byte, error) {
	m := &nats.Msg{Subject: c.subject, Data: req, Header: nats.Header{headerCall: {c.name}}}
	answer, err := c.first(ctx, m)
	switch {
	case err == nil:
	case errors.Is(err, nats.ErrNoResponders):
		return nil, notRunning(c.subject)
	case errors.Is(err, nats.ErrMaxPayload):
		return nil, fault.New(fault.Invalid, "make the request smaller", "%d bytes are more than a request may have", len(req))
	case ctx.Err() != nil:
		c.steer(doCancel, 0)
		return nil, ctx.Err()
	case errors.Is(err, errNoAnswer):
		c.steer(doCancel, 0)
		return nil, c.silent()
	default:
		return nil, connFault(err, "product "+productOf(c.subject))
	}
	if err := faultIn(answer); err != nil {
		return nil, err
	}
	if answer.Header == nil || answer.Header.Get(headerPiece) == "" {
		return answer.Data, nil
	}
	final, err := c.stream(ctx, answer)
	if err != nil {
		c.steer(doCancel, 0)
	}
	return final, err
}

// first asks, and waits for the first message of the answer.
func (c *caller) first(ctx context.Context, m *nats.Msg) (*nats.Msg, error) {
	if c.answers == "" {
		return c.nc.request(ctx, m, callSilence)
	}
	m.Reply = c.answers
	sub, err := c.nc.SubscribeSync(m.Reply)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := c.nc.PublishMsg(m); err != nil {
		return nil, err
	}
	wait, cancel := context.WithTimeoutCause(ctx, callSilence, errNoAnswer)
	defer cancel()
	answer, err := sub.NextMsgWithContext(wait)
	if err != nil && wait.Err() != nil && ctx.Err() == nil {
		err = context.Cause(wait)
	}
	if err == nil && len(answer.Data) == 0 && answer.Header.Get("Status") == "503" {
		err = nats.ErrNoResponders
	}
	return answer, err
}

// stream takes an answer of several pieces.
func (c *caller) stream(ctx context.Context, first *nats.Msg) ([]byte, error) {
	if done, err := c.take(first); err != nil || done {
		return c.final, err
	}
	if c.inbox = c.answers; c.inbox == "" {
		c.inbox = c.nc.NewInbox()
	}
	sub, err := c.nc.SubscribeSync(c.inbox)
	if err != nil {
		return nil, connFault(err, "the mesh")
	}
	c.sub = sub
	defer func() { _ = sub.Unsubscribe() }()
	c.room.Store(int64(c.got + 1 + callWindow))
	defer c.keepAlive(ctx)()
	for {
		m, err := c.next(ctx)
		if err != nil {
			return nil, err
		}
		if err := faultIn(m); err != nil {
			return nil, err
		}
		if done, err := c.take(m); err != nil || done {
			return c.final, err
		}
		if room := int64(c.got + 1 + callWindow); room-c.room.Load() >= callWindow/2 {
			c.room.Store(room)
			c.steer(doTake, int(room))
		}
	}
}

// keepAlive attaches the inbox, and tells the owner every now and then that the caller
// is there, however long it takes over a piece. What it returns ends that.
func (c *caller) keepAlive(ctx context.Context) (end func()) {
	c.steer(doTake, int(c.room.Load()))
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(callBeat)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				c.steer(doTake, int(c.room.Load()))
			}
		}
	}()
	return func() { cancel(); <-done }
}

func (c *caller) next(ctx context.Context) (*nats.Msg, error) {
	wait, cancel := context.WithTimeout(ctx, callSilence)
	defer cancel()
	m, err := c.sub.NextMsgWithContext(wait)
	switch {
	case err == nil:
		return m, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case wait.Err() != nil:
		return nil, c.silent()
	default:
		return nil, connFault(err, "product "+productOf(c.subject))
	}
}

// take takes one message of the answer in; done when it was the last.
func (c *caller) take(m *nats.Msg) (done bool, err error) {
	if m.Header.Get(headerPiece) == pieceAlive {
		return false, nil
	}
	n, ok := pieceNumber(m)
	if !ok || n != c.got+1 {
		return false, fault.New(fault.Unavailable, "try again", "a piece of the answer was lost after %d", c.got)
	}
	c.got = n
	switch m.Header.Get(headerLast) {
	case lastMore:
		c.final = append(c.final, m.Data...)
		return false, nil
	case lastEnd:
		c.final = append(c.final, m.Data...)
		return true, nil
	}
	return false, c.chunk(m.Data)
}

// steer tells the owner. Should that get lost, the silence after it tells both sides.
func (c *caller) steer(do string, room int) {
	h := nats.Header{headerCall: {c.name}, headerDo: {do}}
	if do == doTake {
		h[headerPiece] = []string{strconv.Itoa(room)}
	}
	_ = c.nc.PublishMsg(&nats.Msg{Subject: controlSubject(c.subject), Reply: c.inbox, Header: h})
}

func (c *caller) silent() error {
	return fault.New(fault.Unavailable, "check that the product runs and has joined the mesh",
		"product %s has given no sign of life for %s", productOf(c.subject), callSilence)
}
