package mesh

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/meshctl/meshctl/internal/fault"
)

var errCallerGone = errors.New("the caller has given up")

func joinStop(err error, m micro.Service) error { return errors.Join(err, m.Stop()) }

// call is one request being answered.
type call struct {
	s      *Service
	name   string // empty: the caller takes one plain message
	reply  string // where the first message of the answer goes
	ctx    context.Context
	cancel context.CancelCauseFunc
	took   chan struct{} // holds a token when the caller has been heard of

	send sync.Mutex // one message at a time, in their order

	mu    sync.Mutex
	begun bool // the first message has left
	sent  int  // pieces that have left
	inbox string
	room  int       // the first piece that must not leave yet
	heard time.Time // when the caller was last heard of
	quiet time.Time // since when nothing was sent
}

// serve runs the handler and answers.
func (c *call) serve(h Handler, req []byte) {
	c.heard, c.quiet = time.Now(), time.Now()
	beating := make(chan struct{})
	var beat *time.Timer // most calls are over before it begins
	if c.name != "" {
		beat = time.AfterFunc(callBeat, func() { defer close(beating); c.beat() })
	}
	final, err := c.run(h, req)
	if err == nil {
		err = c.finish(final)
	}
	if err != nil {
		c.fail(err)
	}
	c.cancel(nil)
	if beat != nil && !beat.Stop() {
		<-beating
	}
}

// run calls the handler. A handler that panics is this call's failure, not the
// product's end.
func (c *call) run(h Handler, req []byte) (final []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Internal, "", "answer a call of %s: %v", c.s.spec.Name, p)
		}
	}()
	return h(c.ctx, req, c.chunk)
}

// chunk is the handler's send.
func (c *call) chunk(data []byte) error {
	for len(data) > MaxChunk {
		if err := c.piece(data[:MaxChunk], ""); err != nil {
			return err
		}
		data = data[MaxChunk:]
	}
	return c.piece(data, "")
}

// finish sends the final part of the answer.
func (c *call) finish(final []byte) error {
	if len(final) <= MaxChunk && c.plain(final) {
		return nil
	}
	for len(final) > MaxChunk {
		if err := c.piece(final[:MaxChunk], lastMore); err != nil {
			return err
		}
		final = final[MaxChunk:]
	}
	return c.piece(final, lastEnd)
}

// plain answers with one message, if nothing has left before.
func (c *call) plain(final []byte) bool {
	c.send.Lock()
	defer c.send.Unlock()
	c.mu.Lock()
	begun := c.begun
	c.begun = true
	c.mu.Unlock()
	if begun {
		return false
	}
	_ = c.s.nc.PublishMsg(&nats.Msg{Subject: c.reply, Data: final}) // the caller notices the silence
	return true
}

// piece sends one piece as soon as the caller has room for it. PublishMsg copies, so
// the handler may use the buffer again.
func (c *call) piece(data []byte, last string) error {
	if c.name == "" {
		return fault.New(fault.Invalid, "ask with meshctl, which takes an answer in pieces", "the answer does not fit one message")
	}
	for {
		sent, err := c.trySend(data, last)
		if sent || err != nil {
			return err
		}
		select {
		case <-c.took:
		case <-c.ctx.Done():
			return context.Cause(c.ctx)
		}
	}
}

// trySend sends a piece if there is room. The first goes to the reply subject without
// asking, the others to the inbox that the caller attached.
func (c *call) trySend(data []byte, last string) (bool, error) {
	c.send.Lock()
	defer c.send.Unlock()
	if c.ctx.Err() != nil {
		return false, context.Cause(c.ctx)
	}
	c.mu.Lock()
	to := c.inbox
	first := !c.begun
	if first {
		to = c.reply
	} else if c.inbox == "" || c.sent+1 >= c.room {
		c.mu.Unlock()
		return false, nil
	}
	if first {
		c.begun, c.heard = true, time.Now()
	}
	c.sent++
	n := c.sent
	c.quiet = time.Now()
	c.mu.Unlock()
	m := &nats.Msg{Subject: to, Data: data, Header: nats.Header{headerPiece: {strconv.Itoa(n)}}}
	if last != "" {
		m.Header[headerLast] = []string{last}
	}
	if err := c.s.nc.PublishMsg(m); err != nil {
		return false, connFault(err, "the caller")
	}
	return true, nil
}

// fail sends an error in place of the rest of the answer.
func (c *call) fail(err error) {
	c.s.mu.Lock()
	c.s.failed++
	c.s.mu.Unlock()
	if errors.Is(context.Cause(c.ctx), errCallerGone) {
		return // nobody listens
	}
	if errors.Is(err, context.Canceled) && c.s.ctx.Err() != nil {
		err = fault.New(fault.Unavailable, "try again when it is back", "product %s is stopping", c.s.spec.Name)
	}
	c.send.Lock()
	defer c.send.Unlock()
	c.mu.Lock()
	to := c.inbox
	if !c.begun {
		to = c.reply
	}
	c.begun = true
	c.mu.Unlock()
	if to == "" { // it has begun, and the caller has not attached yet
		to = c.awaitInbox()
	}
	if to == "" {
		return
	}
	m := &nats.Msg{Subject: to}
	setFault(m, err)
	_ = c.s.nc.PublishMsg(m) // the caller notices the silence
}

// awaitInbox waits for the caller to attach.
func (c *call) awaitInbox() string {
	deadline := time.NewTimer(callSilence)
	defer deadline.Stop()
	for {
		c.mu.Lock()
		inbox := c.inbox
		c.mu.Unlock()
		if inbox != "" {
			return inbox
		}
		select {
		case <-c.took:
		case <-deadline.C:
			return ""
		}
	}
}

// take notes where the caller wants the next pieces and how many it has room for.
func (c *call) take(inbox string, room int) {
	c.mu.Lock()
	c.inbox, c.room, c.heard = inbox, max(c.room, room), time.Now()
	c.mu.Unlock()
	select {
	case c.took <- struct{}{}:
	default:
	}
}

// beat sends a sign of life whenever nothing else was sent for a while, and cancels a
// call whose caller has been silent for too long.
func (c *call) beat() {
	tick := time.NewTicker(callBeat)
	defer tick.Stop()
	for c.ctx.Err() == nil {
		c.mu.Lock()
		begun, heard := c.begun, c.heard
		c.mu.Unlock()
		if begun && time.Since(heard) > callSilence {
			c.cancel(fmt.Errorf("%w: silent for %s", errCallerGone, callSilence))
			return
		}
		c.alive()
		select {
		case <-c.ctx.Done():
		case <-tick.C:
		}
	}
}

func (c *call) alive() {
	c.send.Lock()
	defer c.send.Unlock()
	c.mu.Lock()
	to := c.inbox
	if !c.begun {
		to = c.reply
	}
	if to == "" || time.Since(c.quiet) < callBeat/2 || c.ctx.Err() != nil {
		c.mu.Unlock()
		return
	}
	if !c.begun {
		c.begun, c.heard = true, time.Now() // from now on the caller has to speak
	}
	c.mu.Unlock()
	_ = c.s.nc.PublishMsg(&nats.Msg{Subject: to, Header: nats.Header{headerPiece: {pieceAlive}}})
}
