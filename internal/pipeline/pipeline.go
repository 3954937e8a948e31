// Package pipeline is the write path of a product: the door that checks what is
// published, the logic that makes records of other records, the outbox that makes
// logic exactly once, and the materialiser that keeps stores from the log.
//
// Every step resumes from a position that is stored with the data it wrote: a message
// of the log carries the position that made it, a store commits its position in the
// transaction of its rows. Consumer acknowledgements were refused as positions: they
// are a second truth, and the two disagree after a crash. Deduplication windows were
// refused because they expire.
//
// The streams and stores are interfaces here, so that the model tests crash them at
// every step.
package pipeline

import (
	"context"
	"log/slog"
	"time"

	"github.com/meshctl/meshctl/internal/record"
)

// Message is one message of a stream.
type Message struct {
	Seq     record.Seq
	Time    time.Time
	Subject string
	Header  Header // nil for none
	Data    []byte
}

// Header is a message's headers; Get is "" for one that is not there.
type Header interface{ Get(name string) string }

func (m *Message) header(name string) string {
	if m.Header == nil {
		return ""
	}
	return m.Header.Get(name)
}

// Source reads one stream in order, without gap or double.
type Source interface {
	// Next waits for at least one message and returns at most limit, and not many
	// megabytes. When ctx ends first it has taken nothing and can be called again.
	Next(ctx context.Context, limit int) ([]Message, error)
	Close()
}

// OpenSource opens a stream for reading behind sequence after.
type OpenSource func(ctx context.Context, after record.Seq) (Source, error)

// Outgoing is a message to append.
type Outgoing struct {
	Subject string
	Header  [][2]string
	Data    []byte
}

// Log is a stream that this process alone appends to.
type Log interface {
	// Append stores msgs in order and returns the sequence of the last. On an error a
	// prefix of msgs may have been stored.
	Append(ctx context.Context, msgs []Outgoing) (record.Seq, error)
	// Last is the sequence of the last message, and the position header of the last
	// message that has one: a message put there past the pipeline has none. The
	// sequence of a stream that its retention emptied remains, and its position is
	// Emptied. Both are zero for a new stream.
	Last(ctx context.Context) (record.Seq, string, error)
}

// Emptied is the position of a log that has had messages and has none any more.
const Emptied = "-"

// Store is one materialisation. Commit makes the batch and upTo durable in one
// transaction, so a restart resumes exactly where the data ends. upTo is its own
// argument because a batch may have lost its last records to the dead letters. A batch
// may begin with records that the store has already: it passes over those up to its
// position.
type Store interface {
	Position(ctx context.Context) (record.Seq, error)
	Commit(ctx context.Context, b record.Batch, upTo record.Seq) error
}

// most messages taken from a stream, and records put into one append or commit, at a time.
const batchLimit = 50_000

// Supervise runs step until ctx is done, again after each error, with a pause that
// doubles from 100 ms up to 10 s and starts over once a run has lasted a minute. Each
// error is given to report, and nil when a run begins.
func Supervise(ctx context.Context, log *slog.Logger, what string, report func(error), step func(context.Context) error) {
	const shortest, longest = 100 * time.Millisecond, 10 * time.Second
	for pause := shortest; ; {
		began := time.Now()
		report(nil)
		err := step(ctx)
		if ctx.Err() != nil {
			return
		}
		report(err)
		if time.Since(began) > time.Minute {
			pause = shortest
		}
		log.Warn("a step of the product stopped and will start again", "step", what, "error", err, "pause", pause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, longest)
	}
}
