package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/meshctl/meshctl/internal/contract"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

// Door takes what is published to a port without logic: it reads the inbox, checks
// each record against the contract, and appends what keeps it to the log and what
// breaks it to the dead letters.
//
// Letters are appended before the log, batch by batch, so what is in the log up to a
// position has its letters up to there; a letter that is there already is skipped.
type Door struct {
	Port       product.PortID
	Contract   *contract.Contract
	Inbox      OpenSource
	Log        Log
	Dead       Log // the dead letters of this port
	Checkpoint Checkpoint
	Progress   *Progress
	Trim       TrimInbox
}

// Run works until ctx is done or a step fails. Run it again to resume.
func (d *Door) Run(ctx context.Context) error {
	run := doorRun{Door: d, decoder: d.Contract.NewDecoder()}
	defer run.decoder.Reset()
	if err := run.resume(ctx); err != nil {
		return fmt.Errorf("resume %s: %w", d.Port, err)
	}
	// The message at the resumed position is read again: lines behind it may be missing.
	inbox, err := d.Inbox(ctx, record.Seq(max(run.done.Major, 1)-1))
	if err != nil {
		return fmt.Errorf("read the inbox of %s: %w", d.Port, err)
	}
	defer inbox.Close()
	for {
		msgs, err := inbox.Next(ctx, batchLimit)
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
	decoder  *contract.Decoder
	done     Position // of the log
	deadDone Position // of the dead letters
	logged   record.Seq
	out      []Outgoing
	letters  []Outgoing
	bytes    int
	trimmer  trimmer
}

func (r *doorRun) resume(ctx context.Context) error {
	logged, at, err := r.Log.Last(ctx)
	if err != nil {
		return err
	}
	_, deadAt, err := r.Dead.Last(ctx)
	if err != nil {
		return err
	}
	saved, err := r.Checkpoint.Load()
	if err != nil {
		return err
	}
	if r.done, err = ParsePosition(at); err != nil {
		return err
	}
	if r.deadDone, err = ParsePosition(deadAt); err != nil {
		return err
	}
	if saved.After(r.done) {
		r.done = saved
	}
	r.logged = logged
	r.Progress.setReached(r.Port.Port, record.Seq(max(r.done.Major, 1)-1), logged)
	return nil
}

// take works off messages and appends what came of them.
func (r *doorRun) take(ctx context.Context, msgs []Message) error {
	for _, m := range msgs {
		for i, line := range lines(m) {
			r.line(m, Position{Major: uint64(m.Seq), Index: i + 1}, line)
			if len(r.out)+len(r.letters) >= batchLimit || r.bytes > 16<<20 {
				if err := r.flush(ctx); err != nil {
					return err
				}
			}
		}
		r.trimmer.add(m)
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	last := msgs[len(msgs)-1].Seq
	r.Progress.setReached(r.Port.Port, last, r.logged)
	return r.trim(ctx, last)
}

// lines are the records of an inbox message: NDJSON when the message tells how many
// rows its session has sent, otherwise the whole payload is one record.
func lines(m Message) [][]byte {
	if m.header(product.HeaderRows) == "" {
		return [][]byte{m.Data}
	}
	return bytes.Split(bytes.TrimSuffix(m.Data, []byte{'\n'}), []byte{'\n'})
}

func (r *doorRun) line(m Message, at Position, line []byte) {
	if !at.After(r.done) {
		return
	}
	out, err := encodeRecord(r.Port, r.Contract, r.decoder, line)
	if err != nil {
		if at.After(r.deadDone) {
			origin := fmt.Sprintf("%s:%d:%d", r.Port.InboxStream(), m.Seq, at.Index)
			r.letters = append(r.letters, letter(r.Port, subjectTail(m.Subject), origin, err.Error(), line, at))
			r.bytes += len(line)
		}
		return
	}
	out.Header = append(out.Header, [2]string{product.HeaderPosition, at.String()})
	r.out = append(r.out, out)
	r.bytes += len(line)
}

func (r *doorRun) flush(ctx context.Context) error {
	r.decoder.Reset()
	if len(r.letters) > 0 {
		if _, err := r.Dead.Append(ctx, r.letters); err != nil {
			return fmt.Errorf("append %d dead letters of %s: %w", len(r.letters), r.Port, err)
		}
	}
	if len(r.out) > 0 {
		last, err := r.Log.Append(ctx, r.out)
		if err != nil {
			return fmt.Errorf("append %d records to %s: %w", len(r.out), r.Port, err)
		}
		r.logged = last
	}
	r.Progress.count(len(r.out), len(r.letters))
	clear(r.out)
	r.out, r.letters, r.bytes = r.out[:0], nil, 0
	return nil
}

// trim saves the checkpoint and removes what has been worked off from the inbox, now and then.
func (r *doorRun) trim(ctx context.Context, last record.Seq) error {
	if !r.trimmer.due() {
		return nil
	}
	// The index is beyond any line, so that the whole message counts as done.
	if err := r.Checkpoint.Save(Position{Major: uint64(last), Index: 1 << 30}); err != nil {
		return err
	}
	return r.trimmer.run(ctx, r.Trim)
}

func subjectTail(subject string) string { return subject[strings.LastIndexByte(subject, '.')+1:] }

func letter(port product.PortID, source, origin, reason string, value []byte, at Position) Outgoing {
	return Outgoing{
		Subject: port.DeadSubject(source),
		Header: [][2]string{
			{product.HeaderReason, headerSafe(reason)},
			{product.HeaderOrigin, origin},
			{product.HeaderPosition, at.String()},
		},
		Data: value,
	}
}

// headerSafe is s on one line, for a NATS header.
func headerSafe(s string) string {
	if strings.ContainsAny(s, "\r\n") {
		return strconv.Quote(s)
	}
	return s
}
