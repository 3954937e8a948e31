package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"golang.org/x/sync/errgroup"

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
	Name   string // names its positions
	Stream string
	Source OpenSource
	Trim   TrimInbox // of an inbox; nil for another product's port
	Limit  int       // most messages in a batch
	// Again is the input that dead letters are taken again for, each a message that
	// bears its origin; "" for an input proper.
	Again string
	// Transform is this input's own; nil for that of the logic.
	Transform Transform
}

// Logic drives a transform from its inputs and writes what it emits to the log.
type Logic struct {
	Inputs    []LogicInput
	Transform Transform
	Emitter   Emitter
	Logger    *slog.Logger
}

// logicRun is one run of logic, from a resume to an error.
type logicRun struct {
	*Logic
	out      *emitterRun
	trimmers []trimmer // of the inputs
}

// taken is one read of one input.
type taken struct {
	input int
	msgs  []Message
}

// Run works until ctx is done or a step fails. Run it again to resume.
func (l *Logic) Run(ctx context.Context) error {
	out, err := l.Emitter.resume(ctx)
	if err != nil {
		return fmt.Errorf("resume %s: %w", l.Emitter.Port, err)
	}
	run := &logicRun{Logic: l, out: out, trimmers: make([]trimmer, len(l.Inputs))}
	g, ctx := errgroup.WithContext(ctx)
	batches := make(chan taken)
	for i := range l.Inputs {
		in := &l.Inputs[i]
		after := out.inputs[in.Name]
		if in.Trim != nil { // what is worked off already will be trimmed at last
			after = min(after, out.trimmed[in.Name])
		}
		g.Go(func() error { return l.read(ctx, i, after, batches) })
	}
	g.Go(func() error { return run.work(ctx, batches) })
	return g.Wait()
}

// read hands on what input i receives.
func (l *Logic) read(ctx context.Context, i int, after record.Seq, batches chan<- taken) error {
	in := &l.Inputs[i]
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
		case batches <- taken{i, msgs}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *logicRun) work(ctx context.Context, batches <-chan taken) error {
	idle := time.NewTicker(trimEvery)
	defer idle.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case t := <-batches:
			err = r.batch(ctx, t)
		case <-idle.C:
			err = r.trim(ctx)
		}
		if err != nil {
			return err
		}
	}
}

func (r *logicRun) batch(ctx context.Context, t taken) error {
	in := &r.Inputs[t.input]
	if in.Trim != nil {
		defer r.trimmers[t.input].add(t.msgs)
	}
	for len(t.msgs) > 0 && t.msgs[0].Seq <= r.out.inputs[in.Name] {
		t.msgs = t.msgs[1:]
	}
	if len(t.msgs) == 0 {
		return nil
	}
	items, broken := t.items(in)
	transform := r.Transform
	if in.Transform != nil {
		transform = in.Transform
	}
	name := cmp.Or(in.Again, in.Name)
	emitted, rejected, err := transform.Apply(ctx, r.out.next, name, items)
	if err != nil {
		return fmt.Errorf("apply the logic of %s to input %s: %w", r.Emitter.Port, name, err)
	}
	inputs := maps.Clone(r.out.inputs)
	inputs[in.Name] = t.msgs[len(t.msgs)-1].Seq
	return r.out.emit(ctx, inputs, emitted, append(broken, rejected...))
}

// trim removes what has been worked off from the inboxes.
func (r *logicRun) trim(ctx context.Context) error {
	if err := r.out.keep(); err != nil {
		return err
	}
	for i := range r.trimmers {
		if t := &r.trimmers[i]; t.pending() {
			if err := t.run(ctx, r.Inputs[i].Trim); err != nil {
				return err
			}
			name := r.Inputs[i].Name
			r.out.trimmed[name] = max(r.out.trimmed[name], t.upTo)
		}
	}
	return nil
}

// items are the records of the messages; a delete that cannot be read is rejected.
func (t taken) items(in *LogicInput) (items []Item, broken []Rejected) {
	for i := range t.msgs {
		m := &t.msgs[i]
		if m.header(product.HeaderDelete) == "" {
			for index, line := range lines(m) {
				items = append(items, Item{Value: line, Origin: in.origin(m, index)})
			}
			continue
		}
		texts, err := deletedTexts(m)
		if err != nil {
			broken = append(broken, Rejected{Value: m.Data, Reason: err.Error(), Origin: in.origin(m, 1)})
			continue
		}
		items = append(items, Item{Delete: texts, Origin: in.origin(m, 1)})
	}
	return items, broken
}

// origin is where a record came from, at first.
func (in *LogicInput) origin(m *Message, index int) string {
	if in.Again != "" {
		return m.header(product.HeaderOrigin)
	}
	return fmt.Sprintf("%s:%d:%d", in.Stream, m.Seq, index)
}
