package mesh

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
)

// pullBatch is how many messages one request of a consumer asks for. Two requests are
// under way at most.
const pullBatch = 2000

// burst is how many messages of one burst may wait for the rest of it.
const burst = 500

// run is one life of a Reader's consumer. It ends when a message of its order is
// missing or the server falls silent; the Reader then starts another one after the
// last message that arrived.
type run struct {
	name   string
	inbox  string
	sub    *nats.Subscription
	credit int       // messages asked for that have not come
	next   uint64    // the consumer sequence that must come now
	heard  time.Time // when the server was last heard of, about
}

// start creates the consumer and makes it the Reader's.
func (r *Reader) start(ctx context.Context) error {
	this := &run{name: "r" + nuid.Next(), inbox: r.nc.NewInbox(), next: 1}
	sub, err := r.nc.Subscribe(this.inbox, func(m *nats.Msg) { r.arrived(this, m) })
	if err != nil {
		return connFault(err, domainName(r.domain))
	}
	this.sub = sub
	err = sub.SetPendingLimits(-1, -1) // what was asked for bounds it
	if err == nil {
		err = r.create(ctx, this)
	}
	if err != nil {
		_ = sub.Unsubscribe() // fails only on a closed connection
		return err
	}
	return nil
}

func (r *Reader) create(ctx context.Context, this *run) error {
	config := api.ConsumerConfig{
		Name: this.name, FilterSubject: r.filter, AckPolicy: api.AckNone, MaxDeliver: 1,
		ReplayPolicy: api.ReplayInstant, InactiveThreshold: 30 * time.Second,
		MemoryStorage: true, Replicas: 1, DeliverPolicy: api.DeliverAll,
	}
	r.mu.Lock()
	if r.last > 0 {
		config.DeliverPolicy, config.OptStartSeq = api.DeliverByStartSequence, uint64(r.last)+1
	}
	r.mu.Unlock()
	answer, err := ask[api.JSApiConsumerCreateResponse](ctx, r.nc, r.domain,
		fmt.Sprintf(api.JSApiConsumerCreateWithNameT, r.stream, this.name),
		api.JSApiConsumerCreateRequest{Stream: r.stream, Config: config})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	this.heard = time.Now()
	r.run = this
	if answer.ConsumerInfo != nil {
		r.pending = answer.NumPending
	}
	r.pull()
	return nil
}

// pullRequest is a request for a consumer's next messages.
type pullRequest struct {
	Batch    int           `json:"batch"`
	MaxBytes int           `json:"max_bytes"`
	Expires  time.Duration `json:"expires"`
	Beat     time.Duration `json:"idle_heartbeat"`
}

// pull asks for more when little is under way and there is room; the caller holds the
// lock.
func (r *Reader) pull() {
	room := r.queueBytes < readerAhead || !r.met()
	if r.run.credit > pullBatch/2 || !room {
		return
	}
	body, err := json.Marshal(pullRequest{
		Batch: pullBatch, MaxBytes: maxPayload + 64<<10, Expires: 10 * time.Second, Beat: readerBeat,
	})
	if err != nil {
		return // it cannot: the request is made of numbers
	}
	r.run.credit += pullBatch
	// If it gets lost the server is silent, and silence makes a new consumer.
	_ = r.nc.PublishRequest(jsm.APISubject(fmt.Sprintf(api.JSApiRequestNextT, r.stream, r.run.name), "", r.domain), r.run.inbox, body)
}

// arrived takes in one message of a consumer's inbox.
func (r *Reader) arrived(this *run, m *nats.Msg) {
	d, ok := parseDelivery(m.Reply)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.run != this {
		return
	}
	if !ok {
		r.status(this, m)
		r.notify(this)
		return
	}
	if d.consumer != this.next {
		r.abandon(this)
		return
	}
	if this.next%256 == 0 || len(r.queue) == 0 {
		this.heard = time.Now()
	}
	this.next++
	this.credit--
	r.last, r.pending = d.seq, d.pending
	if r.queue == nil {
		r.queue = make([]Message, 0, min(r.taken+r.taken/8, 1<<16))
	}
	r.queue = append(r.queue, Message{Seq: d.seq, Time: d.time, Subject: m.Subject, Header: m.Header, Data: m.Data})
	r.queueBytes += r.queue[len(r.queue)-1].size()
	r.pull()
	r.notify(this)
}

// notify wakes Next when its demand is met; within a burst not for each message. The
// caller holds the lock.
func (r *Reader) notify(this *run) {
	if !r.met() {
		return
	}
	// The message at hand still counts as pending.
	if behind, _, err := this.sub.Pending(); err == nil && behind > 1 && len(r.queue) < r.want.count+burst {
		return
	}
	r.signal()
}

// status takes in what the server says of a request: a sign of life, or how much of it
// will not come. The caller holds the lock.
func (r *Reader) status(this *run, m *nats.Msg) {
	this.heard = time.Now()
	sent, err := strconv.ParseUint(m.Header.Get("Nats-Last-Consumer"), 10, 64)
	if err == nil && sent >= this.next {
		r.abandon(this) // some of what it sent is missing
		return
	}
	if m.Header.Get("Status") == "100" {
		return
	}
	left, err := strconv.Atoi(m.Header.Get("Nats-Pending-Messages"))
	if err != nil { // the consumer is gone, or the server stops
		r.abandon(this)
		return
	}
	this.credit -= left
	r.pull()
}

// abandon gives a consumer up; the caller holds the lock. Next makes the next one.
func (r *Reader) abandon(this *run) {
	r.run = nil
	r.end(this)
	r.signal()
}

// end ends the consumer's life without waiting for the server, which would end it by
// itself some time after nobody asks any more.
func (r *Reader) end(this *run) {
	_ = this.sub.Unsubscribe()
	_ = r.nc.Publish(jsm.APISubject(fmt.Sprintf(api.JSApiConsumerDeleteT, r.stream, this.name), "", r.domain), nil)
}
