package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"

	"golang.org/x/sync/errgroup"

	"github.com/meshctl/meshctl/internal/contract"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

// Item is one input record of logic.
type Item struct {
	Value  []byte   // the JSON object; nil for a delete
	Delete []string // texts of the deleted key
	Origin string   // "<stream>:<seq>:<line>"
}

// Transform is logic that works batch by batch. What it returns for a batch may differ
// from one call to the next; it is called again for a batch only if nothing came of
// the first call.
type Transform interface {
	Apply(ctx context.Context, number uint64, input string, items []Item) ([]Emitted, []Rejected, error)
}

// LogicInput is one stream that logic is driven by.
type LogicInput struct {
	Name   string
	Stream string
	Source OpenSource
	Trim   TrimInbox // of an inbox; nil for another product's port
	Limit  int       // most messages in a batch
}

// Logic drives a transform from its inputs and writes what it emits to the log.
type Logic struct {
	Inputs    []LogicInput
	Transform Transform
	Emitter   Emitter
	Logger    *slog.Logger
}

// taken is one read of one input.
type taken struct {
	input *LogicInput
	msgs  []Message
}

// Run works until ctx is done or a step fails. Run it again to resume.
func (l *Logic) Run(ctx context.Context) error {
	run, err := l.Emitter.resume(ctx)
	if err != nil {
		return fmt.Errorf("resume %s: %w", l.Emitter.Port, err)
	}
	g, ctx := errgroup.WithContext(ctx)
	batches := make(chan taken)
	for i := range l.Inputs {
		in := &l.Inputs[i]
		after := run.inputs[in.Name]
		g.Go(func() error { return in.read(ctx, after, batches) })
	}
	g.Go(func() error {
		var trim trimmer
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case t := <-batches:
				if err := l.batch(ctx, run, t, &trim); err != nil {
					return err
				}
			}
		}
	})
	return g.Wait()
}

func (in *LogicInput) read(ctx context.Context, after record.Seq, batches chan<- taken) error {
	src, err := in.Source(ctx, after)
	if err != nil {
		return fmt.Errorf("read input %s: %w", in.Name, err)
	}
	defer src.Close()
	limit := batchLimit
	if in.Limit > 0 {
		limit = in.Limit
	}
	for {
		msgs, err := src.Next(ctx, limit)
		if err != nil {
			return fmt.Errorf("read input %s: %w", in.Name, err)
		}
		select {
		case batches <- taken{in, msgs}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *Logic) batch(ctx context.Context, run *emitterRun, t taken, trim *trimmer) error {
	items, broken := t.items()
	number := run.next
	emitted, rejected, err := l.Transform.Apply(ctx, number, t.input.Name, items)
	if err != nil {
		return fmt.Errorf("apply the logic of %s to input %s: %w", l.Emitter.Port, t.input.Name, err)
	}
	inputs := maps.Clone(run.inputs)
	inputs[t.input.Name] = t.msgs[len(t.msgs)-1].Seq
	if t.input.Trim != nil {
		for _, m := range t.msgs {
			trim.add(m)
		}
	}
	// A trim must find its position saved.
	if err := run.emit(ctx, inputs, emitted, append(broken, rejected...), trim.due()); err != nil {
		return err
	}
	if t.input.Trim != nil && trim.due() {
		return trim.run(ctx, t.input.Trim)
	}
	return nil
}

// items are the records of the messages; a delete that cannot be read is rejected.
func (t taken) items() (items []Item, broken []Rejected) {
	for _, m := range t.msgs {
		if m.header(product.HeaderDelete) != "" {
			it := Item{Origin: fmt.Sprintf("%s:%d:1", t.input.Stream, m.Seq)}
			if err := json.Unmarshal([]byte(m.header(product.HeaderKey)), &it.Delete); err != nil {
				broken = append(broken, Rejected{Value: m.Data, Reason: "read the key of a delete: " + err.Error(), Origin: it.Origin})
				continue
			}
			items = append(items, it)
			continue
		}
		for i, line := range lines(m) {
			items = append(items, Item{Value: line, Origin: fmt.Sprintf("%s:%d:%d", t.input.Stream, m.Seq, i+1)})
		}
	}
	return items, broken
}

// Emitter writes what logic makes: first to the outbox, then the dead letters, then the log.
type Emitter struct {
	Port     product.PortID
	Contract *contract.Contract
	Log      Log
	Dead     Log
	Outbox   Outbox
	Progress *Progress
}

// emitterRun is one run of an emitter, from a resume to an error.
type emitterRun struct {
	*Emitter
	decoder *contract.Decoder
	inputs  map[string]record.Seq // reached, and all that came of it is in the log
	next    uint64                // number of the next batch
	logged  record.Seq
	unsaved int // batches since the outbox was saved
}

// resume publishes what the outbox holds and the streams lack.
func (e *Emitter) resume(ctx context.Context) (*emitterRun, error) {
	run := &emitterRun{Emitter: e, decoder: e.Contract.NewDecoder(), inputs: map[string]record.Seq{}}
	logged, at, err := e.Log.Last(ctx)
	if err != nil {
		return nil, err
	}
	run.logged = logged
	done, err := ParsePosition(at)
	if err != nil {
		return nil, err
	}
	box, err := e.Outbox.load()
	if err != nil {
		return nil, err
	}
	if box != nil && box.Number >= done.Major {
		published := 0
		switch {
		case done.Major == box.Number:
			published = done.Index
		case logged > box.Before: // the log's retention has dropped what the batch wrote
			published = min(int(logged-box.Before), len(box.Emitted))
		}
		if err := run.publish(ctx, box, published); err != nil {
			return nil, err
		}
		run.inputs, run.next = box.Inputs, box.Number+1
	} else {
		maps.Copy(run.inputs, done.Inputs)
		run.next = done.Major + 1
	}
	for name, seq := range run.inputs {
		e.Progress.setReached(name, seq, run.logged)
	}
	return run, nil
}

// saveEvery bounds how many batches that came to nothing are done again after a crash.
const saveEvery = 64

// emit makes the result of a batch durable and publishes it. save asks for the
// position to be durable even if the batch came to nothing.
func (r *emitterRun) emit(ctx context.Context, inputs map[string]record.Seq, emitted []Emitted, rejected []Rejected, save bool) error {
	box := &outboxBatch{Number: r.next, Before: r.logged, Inputs: inputs, Rejected: rejected}
	for i, e := range emitted {
		if _, err := r.encode(e); err != nil {
			origin := fmt.Sprintf("logic:%d:%d", box.Number, i+1)
			box.Rejected = append(box.Rejected, Rejected{Value: e.line(), Reason: err.Error(), Origin: origin})
			continue
		}
		box.Emitted = append(box.Emitted, e)
		if r.decoder.Len() >= batchLimit {
			r.decoder.Reset()
		}
	}
	r.decoder.Reset()
	r.unsaved++
	if len(box.Emitted)+len(box.Rejected) > 0 || save || r.unsaved >= saveEvery {
		if err := r.Outbox.save(box); err != nil {
			return err
		}
		r.unsaved = 0
	}
	if err := r.publish(ctx, box, 0); err != nil {
		return err
	}
	r.inputs, r.next = inputs, box.Number+1
	for name, seq := range inputs {
		r.Progress.setReached(name, seq, r.logged)
	}
	r.Progress.count(len(box.Emitted), len(box.Rejected))
	return nil
}

// publish appends the dead letters that are not there yet and the emitted records
// from index published on.
func (r *emitterRun) publish(ctx context.Context, box *outboxBatch, published int) error {
	if err := r.publishRejected(ctx, box); err != nil {
		return err
	}
	for start := published; start < len(box.Emitted); start += batchLimit {
		end := min(start+batchLimit, len(box.Emitted))
		msgs := make([]Outgoing, 0, end-start)
		for i := start; i < end; i++ {
			out, err := r.encode(box.Emitted[i])
			if err != nil {
				return fmt.Errorf("encode record %d of the outbox: %w", i+1, err)
			}
			at := Position{Major: box.Number, Index: i + 1, Inputs: box.Inputs}
			out.Header = append(out.Header, [2]string{product.HeaderPosition, at.String()})
			msgs = append(msgs, out)
		}
		r.decoder.Reset()
		last, err := r.Log.Append(ctx, msgs)
		if err != nil {
			return fmt.Errorf("append %d records to %s: %w", len(msgs), r.Port, err)
		}
		r.logged = last
	}
	return nil
}

func (r *emitterRun) publishRejected(ctx context.Context, box *outboxBatch) error {
	if len(box.Rejected) == 0 {
		return nil
	}
	_, deadAt, err := r.Dead.Last(ctx)
	if err != nil {
		return err
	}
	dead, err := ParsePosition(deadAt)
	if err != nil {
		return err
	}
	var letters []Outgoing
	for i, rej := range box.Rejected {
		at := Position{Major: box.Number, Index: i + 1}
		if at.After(dead) {
			letters = append(letters, letter(r.Port, "logic", rej.Origin, rej.Reason, rej.Value, at))
		}
	}
	if len(letters) == 0 {
		return nil
	}
	if _, err := r.Dead.Append(ctx, letters); err != nil {
		return fmt.Errorf("append %d dead letters of %s: %w", len(letters), r.Port, err)
	}
	return nil
}

func (r *emitterRun) encode(e Emitted) (Outgoing, error) {
	if e.Delete != nil {
		return encodeDelete(r.Port, r.Contract, e.Delete)
	}
	return encodeRecord(r.Port, r.Contract, r.decoder, bytes.TrimSpace(e.Value))
}

// line is the emitted record as it would be published.
func (e Emitted) line() []byte {
	if e.Delete == nil {
		return e.Value
	}
	line, err := DeleteLine(e.Delete)
	if err != nil { // texts always marshal
		panic(err)
	}
	return line
}
