package pipeline

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/meshctl/meshctl/internal/contract"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

// Emitted is one record that logic made: a JSON object, or the key to delete.
type Emitted struct {
	Value  []byte
	Delete []string // texts of the key
}

// Rejected is one input record that logic refused, or one output that broke the contract.
type Rejected struct {
	Value  []byte `json:"value"`
	Reason string `json:"reason"`
	Origin string `json:"origin"`
	Input  string `json:"input,omitempty"` // where the origin alone does not tell it
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
	encoder *encoder
	inputs  map[string]record.Seq // reached, and all that came of it is in the log
	next    uint64                // number of the next batch
	logged  record.Seq
	unsaved int // batches since the outbox was saved
	// buried is the digests of the rejected records of the last batch. Logic that is run
	// over whole tables makes the same bad rows each time; they are buried once.
	buried  []string
	repeat  bool                  // the logic is such
	trimmed map[string]record.Seq // how far the inboxes among the inputs are trimmed
}

// resume publishes what the outbox holds and the streams lack.
func (e *Emitter) resume(ctx context.Context) (*emitterRun, error) {
	run := &emitterRun{Emitter: e, encoder: newEncoder(e.Port, e.Contract), inputs: map[string]record.Seq{}, trimmed: map[string]record.Seq{}}
	logged, done, err := lastPosition(ctx, e.Log)
	if err != nil {
		return nil, err
	}
	_, dead, err := lastPosition(ctx, e.Dead)
	if err != nil {
		return nil, err
	}
	box, err := e.Outbox.load()
	if err != nil {
		return nil, err
	}
	run.logged = logged
	last := max(done.Major, dead.Major) // of a door too, where the port had no logic before
	if box != nil {
		last = max(last, box.Number)
		run.buried = box.Buried
		maps.Copy(run.trimmed, box.Trimmed)
	}
	run.next = last + 1
	switch {
	case box != nil && (box.Number >= done.Major || !done.ofLogic()):
		if dead.Major > 0 && !dead.ofLogic() { // a door went on behind the batch's letters
			box.Rejected = nil
		}
		if err := run.publish(ctx, box, box.published(logged, done)); err != nil {
			return nil, err
		}
		run.inputs = box.Inputs
	case done.ofLogic():
		run.inputs = done.Inputs
	}
	run.reached(run.inputs)
	return run, nil
}

func lastPosition(ctx context.Context, l Log) (record.Seq, Position, error) {
	seq, at, err := l.Last(ctx)
	if err != nil {
		return 0, Position{}, err
	}
	p, err := ParsePosition(at)
	return seq, p, err
}

// published is how many messages of the batch the log has, or has had.
func (b *outboxBatch) published(logged record.Seq, done Position) int {
	switch {
	case !done.ofLogic() && logged > b.Before: // the log's retention has dropped what the batch wrote
		return min(int(logged-b.Before), len(b.Emitted))
	case done.ofLogic() && done.Major == b.Number:
		return done.Index
	}
	return 0
}

// saveEvery bounds how many batches that came to nothing are done again after a crash.
const saveEvery = 64

// emit makes the result of a batch durable and publishes it.
func (r *emitterRun) emit(ctx context.Context, inputs map[string]record.Seq, emitted []Emitted, rejected []Rejected) error {
	box := &outboxBatch{Number: r.next, Before: r.logged, Inputs: inputs, Rejected: rejected}
	for i, e := range emitted {
		out, err := r.encode(e)
		if err != nil {
			line, lineErr := e.line()
			if lineErr != nil {
				return lineErr
			}
			origin := fmt.Sprintf("logic:%d:%d", box.Number, i+1)
			box.Rejected = append(box.Rejected, Rejected{Value: line, Reason: err.Error(), Origin: origin})
			continue
		}
		box.Emitted = append(box.Emitted, out)
	}
	if r.repeat {
		box.dropBuried(r.buried)
	}
	r.unsaved++
	if len(box.Emitted)+len(box.Rejected) > 0 || r.unsaved >= saveEvery {
		if err := r.save(box); err != nil {
			return err
		}
	}
	if err := r.publish(ctx, box, 0); err != nil {
		return err
	}
	r.inputs, r.buried, r.next = inputs, box.Buried, box.Number+1
	r.reached(inputs)
	return nil
}

// keep makes the position durable though the last batches came to nothing.
func (r *emitterRun) keep() error {
	if r.unsaved == 0 {
		return nil
	}
	return r.save(&outboxBatch{Number: r.next - 1, Before: r.logged, Inputs: r.inputs, Buried: r.buried})
}

func (r *emitterRun) save(box *outboxBatch) error {
	box.Trimmed = r.trimmed
	if err := r.Outbox.save(box); err != nil {
		return err
	}
	r.unsaved = 0
	return nil
}

// dropBuried drops the rejected records that the batch before had too.
func (b *outboxBatch) dropBuried(before []string) {
	known := map[string]bool{}
	for _, digest := range before {
		known[digest] = true
	}
	seen := map[string]bool{}
	b.Rejected = slices.DeleteFunc(b.Rejected, func(rej Rejected) bool {
		sum := sha256.Sum256(rej.Value)
		digest := hex.EncodeToString(sum[:16])
		twice := seen[digest]
		seen[digest] = true
		return twice || known[digest]
	})
	b.Buried = slices.Sorted(maps.Keys(seen))
}

func (r *emitterRun) reached(inputs map[string]record.Seq) {
	for name, seq := range inputs {
		r.Progress.setReached(name, seq, r.logged)
	}
}

// publish appends the dead letters that are not there yet and the emitted records
// from index published on.
func (r *emitterRun) publish(ctx context.Context, box *outboxBatch, published int) error {
	var letters []letter
	for i, rej := range box.Rejected {
		at := Position{Major: box.Number, Index: i + 1, Inputs: box.Inputs}
		l := newLetter(r.Port, "logic", rej.Origin, rej.Reason, rej.Value, at)
		if rej.Input != "" {
			l.out.Header = append(l.out.Header, [2]string{product.HeaderInput, rej.Input})
		}
		letters = append(letters, l)
	}
	buried, err := bury(ctx, r.Dead, r.Port, letters)
	if err != nil {
		return err
	}
	// The position but for its index, which comes between.
	_, inputs, _ := bytes.Cut([]byte(Position{Major: box.Number, Inputs: box.Inputs}.String()), []byte(":0"))
	for start := published; start < len(box.Emitted); start += batchLimit {
		msgs := slices.Clone(box.Emitted[start:min(start+batchLimit, len(box.Emitted))])
		for i := range msgs {
			at := strconv.FormatUint(box.Number, 10) + ":" + strconv.Itoa(start+i+1) + string(inputs)
			msgs[i].Header = append(slices.Clip(msgs[i].Header), [2]string{product.HeaderPosition, at})
		}
		last, err := r.Log.Append(ctx, msgs)
		if err != nil {
			return fmt.Errorf("append %d records to %s: %w", len(msgs), r.Port, err)
		}
		r.logged = last
	}
	r.Progress.count(len(box.Emitted)-published, buried)
	return nil
}

func (r *emitterRun) encode(e Emitted) (Outgoing, error) {
	if e.Delete != nil {
		return r.encoder.encodeDelete(e.Delete)
	}
	return r.encoder.encode(bytes.TrimSpace(e.Value))
}

// line is the emitted record as it would be published.
func (e Emitted) line() ([]byte, error) {
	if e.Delete == nil {
		return e.Value, nil
	}
	return DeleteLine(e.Delete)
}
