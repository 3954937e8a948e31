package mesh

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
)

// run is one life of a Reader's consumer. It ends when a message of its order is
// missing or the server falls silent; the Reader then starts another one after the
// last message that arrived.
type run struct {
	name  string
	sub   *nats.Subscription
	next  uint64    // the consumer sequence that must come now
	heard time.Time // when the server was last heard of
}

// start creates the consumer and makes it the Reader's.
func (r *Reader) start(ctx context.Context) error {
	this := &run{name: "r" + nuid.Next(), next: 1, heard: time.Now()}
	inbox := r.nc.NewInbox()
	sub, err := r.nc.Subscribe(inbox, func(m *nats.Msg) { r.arrived(this, m) })
	if err != nil {
		return connFault(err, domainName(r.domain))
	}
	// The server's flow control bounds what is under way, not the client.
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return err
	}
	this.sub = sub
	r.mu.Lock()
	r.run = this
	after := r.last
	r.mu.Unlock()
	req := api.JSApiConsumerCreateRequest{Stream: r.stream, Config: r.config(this.name, inbox, uint64(after))}
	answer, err := ask[api.JSApiConsumerCreateResponse](ctx, r.nc, r.domain,
		fmt.Sprintf(api.JSApiConsumerCreateWithNameT, r.stream, this.name), req)
	if err != nil {
		r.mu.Lock()
		r.run = nil
		r.mu.Unlock()
		_ = sub.Unsubscribe() // fails only on a closed connection
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	this.heard = time.Now()
	if this.next == 1 && answer.ConsumerInfo != nil {
		r.pending = answer.NumPending
	}
	return nil
}

func (r *Reader) config(name, inbox string, after uint64) api.ConsumerConfig {
	c := api.ConsumerConfig{
		Name: name, DeliverSubject: inbox, FilterSubject: r.filter,
		AckPolicy: api.AckNone, MaxDeliver: 1, ReplayPolicy: api.ReplayInstant,
		FlowControl: true, Heartbeat: readerHeartbeat, InactiveThreshold: 30 * time.Second,
		MemoryStorage: true, Replicas: 1,
		DeliverPolicy: api.DeliverAll,
	}
	if after > 0 {
		c.DeliverPolicy, c.OptStartSeq = api.DeliverByStartSequence, after+1
	}
	return c
}

// arrived takes in one message of a consumer's inbox.
func (r *Reader) arrived(this *run, m *nats.Msg) {
	if m.Header != nil && len(m.Data) == 0 && m.Header.Get("Status") == "100" {
		r.control(this, m)
		return
	}
	d, ok := parseDelivery(m.Reply)
	r.mu.Lock()
	if r.run != this || !ok {
		r.mu.Unlock()
		return
	}
	this.heard = time.Now()
	if d.consumer != this.next {
		r.run = nil // a gap: start again after the last one
		r.mu.Unlock()
		r.abandon(this)
		return
	}
	this.next++
	r.last, r.pending = d.seq, d.pending
	r.queue = append(r.queue, Message{Seq: d.seq, Time: d.time, Subject: m.Subject, Header: m.Header, Data: m.Data})
	r.mu.Unlock()
	r.signal()
}

// control answers flow control, and learns from a heartbeat what should have come.
func (r *Reader) control(this *run, m *nats.Msg) {
	r.mu.Lock()
	if r.run != this {
		r.mu.Unlock()
		return
	}
	this.heard = time.Now()
	sent, err := strconv.ParseUint(m.Header.Get("Nats-Last-Consumer"), 10, 64)
	gap := err == nil && sent >= this.next
	if gap {
		r.run = nil
	}
	r.mu.Unlock()
	if gap {
		r.abandon(this)
		return
	}
	// A publish that fails here costs silence, and silence a new consumer.
	if m.Reply != "" {
		_ = r.nc.Publish(m.Reply, nil)
	} else if stalled := m.Header.Get("Nats-Consumer-Stalled"); stalled != "" {
		_ = r.nc.Publish(stalled, nil)
	}
}

func (r *Reader) abandon(this *run) {
	this.stop(r.nc, r.domain, r.stream)
	r.signal()
}

// stop ends the consumer's life without waiting for the server, which would end it
// by itself some time after the interest is gone.
func (u *run) stop(nc *nats.Conn, domain, stream string) {
	_ = u.sub.Unsubscribe()
	_ = nc.Publish(jsm.APISubject(fmt.Sprintf(api.JSApiConsumerDeleteT, stream, u.name), "", domain), nil)
}
