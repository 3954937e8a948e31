package mesh

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

const (
	readerAhead = 8 << 20  // bytes read ahead of the caller
	readerMost  = 64 << 20 // bytes in one answer of Next, about

	readerBeat    = time.Second    // of the server, when there are no messages
	readerSilence = 3 * readerBeat // then the consumer is taken for lost
	readerRetry   = 200 * time.Millisecond
)

// Reader reads a stream's messages in stream order, each exactly once, across
// reconnects and restarts of either side. Where messages were purged it goes on with
// the first one there is. It reads ahead, but only so far. One goroutine may use it
// at a time.
type Reader struct {
	nc             *Conn
	domain, stream string
	filter         string

	mu         sync.Mutex
	run        *run // the consumer of the moment; nil when one has to be made
	queue      []Message
	queueBytes int
	taken      int // messages that the last Next took, a guess for the next one
	last       record.Seq
	pending    uint64        // in the stream behind the queue, when its last message left the server
	want       demand        // what Next waits for
	wake       chan struct{} // holds a token when something changed that Next waits for
}

// demand is what a Next waits for; the zero value is satisfied by anything.
type demand struct{ count, bytes int }

// NewReader starts to read the messages after sequence after whose subject matches
// filter (wildcards allowed, "" any). A stream that does not exist is NotFound, a
// domain that does not answer Unavailable.
func NewReader(ctx context.Context, nc *Conn, domain, stream string, after record.Seq, filter string) (*Reader, error) {
	r := &Reader{
		nc: nc, domain: domain, stream: stream, filter: filter,
		last: after, wake: make(chan struct{}, 1),
	}
	if err := r.start(ctx); err != nil {
		return nil, fmt.Errorf("read stream %s: %w", stream, err)
	}
	return r, nil
}

// Next waits for a message, then, for catchUp at most, for those that the stream is known
// to have behind it, and for more until rest is over; both since it was called, 0 to wait
// for none. It ends at once when it has max of them, or maxBytes. Limits of 0 are none,
// though an answer never gets much larger than 64 MiB; one message is returned even if it
// is larger. The messages are the caller's to keep.
func (r *Reader) Next(ctx context.Context, max int, maxBytes int, rest, catchUp time.Duration) ([]Message, error) {
	if maxBytes <= 0 || maxBytes > readerMost {
		maxBytes = readerMost
	}
	began := time.Now()
	if err := r.await(ctx, demand{count: 1}); err != nil {
		return nil, err
	}
	known := int(min(r.Pending(), math.MaxInt32))
	if max > 0 {
		known = min(known, max)
	}
	if err := r.awaitUntil(ctx, began.Add(catchUp), demand{count: known, bytes: maxBytes}); err != nil {
		return nil, err
	}
	if err := r.awaitUntil(ctx, began.Add(rest), demand{count: max, bytes: maxBytes}); err != nil {
		return nil, err
	}
	return r.take(max, maxBytes), nil
}

// awaitUntil returns when the demand is met or the deadline has passed.
func (r *Reader) awaitUntil(ctx context.Context, deadline time.Time, want demand) error {
	if time.Until(deadline) <= 0 {
		return nil
	}
	bounded, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	if err := r.await(bounded, want); err != nil && bounded.Err() == nil {
		return err
	}
	return ctx.Err()
}

// Pending is how many messages of the stream are behind the last one handed out, as
// the server knew when it sent the newest one that has arrived.
func (r *Reader) Pending() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pending + uint64(len(r.queue))
}

// Close stops reading.
func (r *Reader) Close() {
	r.mu.Lock()
	run := r.run
	r.run = nil
	r.mu.Unlock()
	if run != nil {
		r.end(run)
	}
}

// await returns when the demand is met. It replaces a consumer that is lost.
func (r *Reader) await(ctx context.Context, want demand) error {
	for {
		r.mu.Lock()
		r.want = want
		met, lost := r.met(), r.run == nil
		var deadline time.Time
		if !lost {
			deadline = r.run.heard.Add(readerSilence)
			r.pull()
		}
		r.mu.Unlock()
		if met {
			return nil
		}
		if lost {
			if err := r.restart(ctx); err != nil {
				return fmt.Errorf("read stream %s: %w", r.stream, err)
			}
			continue
		}
		wait := time.NewTimer(time.Until(deadline))
		select {
		case <-r.wake:
		case <-wait.C:
			r.lose()
		case <-ctx.Done():
			wait.Stop()
			return fmt.Errorf("read stream %s: %w", r.stream, ctx.Err())
		}
		wait.Stop()
	}
}

// met says whether the queue holds what Next waits for; the caller holds the lock.
func (r *Reader) met() bool {
	return r.want.count > 0 && len(r.queue) >= r.want.count || r.want.bytes > 0 && r.queueBytes >= r.want.bytes
}

// take cuts the front off the queue.
func (r *Reader) take(max, maxBytes int) []Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.queue)
	if max > 0 && n > max {
		n = max
	}
	size := 0
	for i := range n {
		one := r.queue[i].size()
		if size+one > maxBytes && i > 0 {
			n = i
			break
		}
		size += one
	}
	out := r.queue[:n:n]
	r.taken = n
	r.queueBytes -= size
	if r.queue = r.queue[n:]; len(r.queue) == 0 {
		r.queue = nil // the array is the caller's now
	}
	if r.run != nil {
		r.pull()
	}
	return out
}

// lose drops a consumer that has been silent for too long.
func (r *Reader) lose() {
	r.mu.Lock()
	run := r.run
	if run == nil || time.Since(run.heard) < readerSilence {
		r.mu.Unlock()
		return
	}
	r.run = nil
	r.mu.Unlock()
	r.end(run)
}

// restart makes a new consumer, trying until ctx is done while the other side is away.
func (r *Reader) restart(ctx context.Context) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, readerSilence)
		err := r.start(attempt)
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case r.nc.IsClosed():
			return err
		}
		if k := fault.KindOf(err); k != fault.Unavailable && k != fault.Timeout {
			return err
		}
		select {
		case <-time.After(readerRetry):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *Reader) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
