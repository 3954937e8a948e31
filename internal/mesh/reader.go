package mesh

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

const (
	readerHeartbeat = time.Second
	readerSilence   = 3 * readerHeartbeat // then the consumer is taken for lost
	readerRetry     = 200 * time.Millisecond
)

// Reader reads a stream's messages in stream order, each exactly once, across
// reconnects and restarts of either side. Where messages were purged it goes on with
// the first one there is. One goroutine may use it at a time.
type Reader struct {
	nc             *nats.Conn
	domain, stream string
	filter         string

	mu      sync.Mutex
	run     *run      // the consumer of the moment; nil when one has to be made
	queue   []Message // arrived, not yet handed out
	last    record.Seq
	pending uint64        // in the stream behind the queue, when its last message left the server
	wake    chan struct{} // holds a token when something changed
}

// NewReader starts to read the messages after sequence after whose subject matches
// filter (wildcards allowed, "" any). A stream that does not exist is NotFound, a
// domain that does not answer Unavailable.
func NewReader(ctx context.Context, nc *nats.Conn, domain, stream string, after record.Seq, filter string) (*Reader, error) {
	r := &Reader{
		nc: nc, domain: domain, stream: stream, filter: filter,
		last: after, wake: make(chan struct{}, 1),
	}
	if err := r.start(ctx); err != nil {
		return nil, fmt.Errorf("read stream %s: %w", stream, err)
	}
	return r, nil
}

// Next waits for a message, then for more until it has max of them, or maxBytes, or
// linger is over (0: what has arrived already). Limits of 0 are none; one message is
// returned even if it is larger. The messages are the caller's to keep.
func (r *Reader) Next(ctx context.Context, max int, maxBytes int, linger time.Duration) ([]Message, error) {
	if err := r.await(ctx, 1, 0); err != nil {
		return nil, err
	}
	if linger > 0 {
		bounded, cancel := context.WithTimeout(ctx, linger)
		err := r.await(bounded, max, maxBytes)
		cancel()
		if err != nil && bounded.Err() == nil {
			return nil, err
		}
	}
	return r.take(max, maxBytes), nil
}

// Pending is how many messages of the stream were behind the last one handed out, as
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
		run.stop(r.nc, r.domain, r.stream)
	}
}

// await returns when enough messages have arrived. It replaces a consumer that is lost.
func (r *Reader) await(ctx context.Context, enough, enoughBytes int) error {
	for {
		r.mu.Lock()
		full := r.full(enough, enoughBytes)
		lost := r.run == nil
		var deadline time.Time
		if !lost {
			deadline = r.run.heard.Add(readerSilence)
		}
		r.mu.Unlock()
		switch {
		case full:
			return nil
		case lost:
			if err := r.restart(ctx); err != nil {
				return fmt.Errorf("read stream %s: %w", r.stream, err)
			}
			continue
		}
		wait := time.NewTimer(time.Until(deadline))
		select {
		case <-r.wake:
			wait.Stop()
		case <-wait.C:
			r.lose()
		case <-ctx.Done():
			wait.Stop()
			return fmt.Errorf("read stream %s: %w", r.stream, ctx.Err())
		}
	}
}

// full says whether the queue holds enough; the caller holds the lock.
func (r *Reader) full(enough, enoughBytes int) bool {
	if enough > 0 && len(r.queue) >= enough {
		return true
	}
	if enoughBytes <= 0 {
		return false
	}
	size := 0
	for i := range r.queue {
		if size += r.queue[i].size(); size >= enoughBytes {
			return true
		}
	}
	return false
}

// take cuts the front off the queue.
func (r *Reader) take(max, maxBytes int) []Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.queue)
	if max > 0 && n > max {
		n = max
	}
	if maxBytes > 0 {
		size := 0
		for i := range n {
			if size += r.queue[i].size(); size > maxBytes && i > 0 {
				n = i
				break
			}
		}
	}
	out := r.queue[:n:n]
	if n == len(r.queue) {
		r.queue = nil
	} else {
		r.queue = r.queue[n:]
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
	run.stop(r.nc, r.domain, r.stream)
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
