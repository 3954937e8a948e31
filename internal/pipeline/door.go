package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/meshctl/meshctl/internal/contract"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

// Door takes what is published to a port without logic: it reads the inbox, checks
// each record against the contract, and appends what keeps it to the log and what
// breaks it to the dead letters.
//
// Letters are appended before the log, batch by batch, so what is in the log up to a
// position has its letters up to there; a letter that is there already is skipped. What
// one contract has begun to sort so is sorted by it to the end, also when the port has
// got another one by then: else a line could end up in both places, or in neither.
type Door struct {
	Port       product.PortID
	Contract   *contract.Contract
	Output     product.Output // what the contract is of
	Inbox      OpenSource
	Stream     string // that Inbox reads
	Log        Log
	Dead       Log // the dead letters of this port
	Checkpoint Checkpoint
	Progress   *Progress
	Trim       TrimInbox
}

const (
	// most bytes of records put into one append, about.
	batchBytes = 16 << 20
	// records of whole messages that are put into an append of their own. A busy door would
	// else fall behind its inbox, and each batch be as long as the one before took.
	pieceLimit = 4000
)

// Run works until ctx is done or a step fails. Run it again to resume.
func (d *Door) Run(ctx context.Context) error {
	run := doorRun{Door: d, encoder: newEncoder(d.Port, d.Contract)}
	after, err := run.resume(ctx)
	if err != nil {
		return fmt.Errorf("resume %s: %w", d.Port, err)
	}
	inbox, err := d.Inbox(ctx, after)
	if err != nil {
		return fmt.Errorf("read the inbox of %s: %w", d.Port, err)
	}
	defer inbox.Close()
	for {
		msgs, err := run.next(ctx, inbox)
		if err != nil {
			return fmt.Errorf("read the inbox of %s: %w", d.Port, err)
		}
		if err := run.take(ctx, msgs); err != nil {
			return err
		}
	}
}

// doorRun is one run of a door, from a resume to an error.
type doorRun struct {
	*Door
	encoder *encoder
	before  *encoder   // of the contract that judged the lines up to judged; nil once they are all done
	judged  Position   // last of the letters
	passed  Position   // last of the lines
	done    Position   // all up to here is where it belongs
	dropped uint64     // records behind done that the log has had, and its retention dropped
	logged  record.Seq // last of the log
	worked  record.Seq // last of the inbox that is wholly worked off
	trimmed record.Seq // last of the inbox that is trimmed too
	out     []Outgoing
	letters []letter
	refused bool // letters since the last checkpoint
	bytes   int
	trimmer trimmer
}

// wholeMessage is an index beyond any line: all of the message is done.
const wholeMessage = 1 << 30

// resume finds out what is done, and behind which message of the inbox to read on.
func (r *doorRun) resume(ctx context.Context) (record.Seq, error) {
	logged, at, err := r.Log.Last(ctx)
	if err != nil {
		return 0, err
	}
	if r.done, err = ParsePosition(at); err != nil {
		return 0, err
	}
	if r.done.ofLogic() { // the port had logic until now, and this inbox is new
		r.done = Position{}
	}
	saved, err := r.Checkpoint.load()
	if err != nil {
		return 0, err
	}
	if saved.After(r.done) {
		r.done = saved.Position
	}
	if at == Emptied && logged > saved.Logged { // each of them was one record
		r.dropped = uint64(logged - saved.Logged)
	}
	r.logged = logged
	r.worked = record.Seq(r.done.Major)
	if r.done.Major > 0 && r.done.Index < wholeMessage {
		r.worked-- // it is read again, for it may have lines behind the one that is done
	}
	r.Progress.setReached(r.Port.Port, r.worked, logged)
	r.trimmed = saved.Trimmed
	if err := r.recall(ctx); err != nil {
		return 0, err
	}
	return min(r.worked, r.trimmed), nil // what is worked off already will be trimmed at last
}

// next waits for messages; it returns none when only a trim is due.
func (r *doorRun) next(ctx context.Context, inbox Source) ([]Message, error) {
	if !r.trimmer.pending() {
		return inbox.Next(ctx, batchLimit)
	}
	wait, cancel := context.WithTimeout(ctx, trimEvery)
	defer cancel()
	msgs, err := inbox.Next(wait, batchLimit)
	if err != nil && wait.Err() != nil && ctx.Err() == nil {
		return nil, nil
	}
	return msgs, err
}

// take works off messages and appends what came of them, piece by piece: who waits for a
// record waits for the append that it is part of.
func (r *doorRun) take(ctx context.Context, msgs []Message) error {
	first := 0
	for i := range msgs {
		m := &msgs[i]
		for index, line := range lines(m) {
			at := Position{Major: uint64(m.Seq), Index: index}
			if err := r.settle(ctx, at); err != nil {
				return err
			}
			r.line(m, at, line)
			if len(r.out)+len(r.letters) >= batchLimit || r.bytes > batchBytes {
				if err := r.flush(ctx); err != nil {
					return err
				}
			}
		}
		if len(r.out)+len(r.letters) >= pieceLimit || i == len(msgs)-1 {
			if err := r.finish(ctx, msgs[first:i+1]); err != nil {
				return err
			}
			first = i + 1
		}
	}
	return r.trim(ctx)
}

// finish appends what came of messages, and says so.
func (r *doorRun) finish(ctx context.Context, msgs []Message) error {
	if err := r.flush(ctx); err != nil {
		return err
	}
	r.trimmer.add(msgs)
	r.worked = max(r.worked, msgs[len(msgs)-1].Seq)
	if r.refused { // another contract may take these lines: they must not be judged again
		if err := r.save(); err != nil {
			return err
		}
		r.refused = false
	}
	r.Progress.setReached(r.Port.Port, r.worked, r.logged)
	return nil
}

// save saves the checkpoint: all that has been worked off is where it belongs.
func (r *doorRun) save() error {
	at := Position{Major: uint64(r.worked), Index: wholeMessage}
	if r.done.After(at) {
		at = r.done
	}
	logged := r.logged - record.Seq(r.dropped) // none is appended before all those are passed
	return r.Checkpoint.save(mark{at, logged, r.trimmed})
}

// lines are the records of an inbox message, counted from 1: NDJSON when the message
// tells how many rows its session has sent, otherwise the whole payload is one record.
func lines(m *Message) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		if m.header(product.HeaderRows) == "" {
			yield(1, m.Data)
			return
		}
		index := 0
		for line := range bytes.SplitSeq(bytes.TrimSuffix(m.Data, []byte{'\n'}), []byte{'\n'}) {
			if index++; !yield(index, line) {
				return
			}
		}
	}
}

func (r *doorRun) line(m *Message, at Position, line []byte) {
	if !at.After(r.done) {
		return
	}
	r.passed = at
	encoder := r.encoder
	if r.before != nil {
		encoder = r.before
	}
	out, err := encoder.encode(line)
	switch {
	case err != nil:
		origin := fmt.Sprintf("%s:%d:%d", r.Stream, m.Seq, at.Index)
		r.letters = append(r.letters, newLetter(r.Port, subjectTail(m.Subject), origin, err.Error(), line, at))
	case r.dropped > 0:
		r.dropped--
		return
	default:
		out.Header = append(out.Header, [2]string{product.HeaderPosition, at.String()})
		r.out = append(r.out, out)
	}
	r.bytes += len(line)
}

func (r *doorRun) flush(ctx context.Context) error {
	buried, err := bury(ctx, r.Dead, r.Port, r.letters)
	if err != nil {
		return err
	}
	if len(r.out) > 0 {
		last, err := r.Log.Append(ctx, r.out)
		if err != nil {
			return fmt.Errorf("append %d records to %s: %w", len(r.out), r.Port, err)
		}
		r.logged = last
	}
	r.Progress.count(len(r.out), buried)
	r.refused = r.refused || len(r.letters) > 0
	clear(r.out)
	clear(r.letters)
	r.out, r.letters, r.bytes = r.out[:0], r.letters[:0], 0
	return nil
}

// trim saves the checkpoint and removes what has been worked off from the inbox, now and then.
func (r *doorRun) trim(ctx context.Context) error {
	if !r.trimmer.due() {
		return nil
	}
	if err := r.save(); err != nil {
		return err
	}
	if err := r.trimmer.run(ctx, r.Trim); err != nil {
		return err
	}
	r.trimmed = max(r.trimmed, r.trimmer.upTo)
	return nil
}
