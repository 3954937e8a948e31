package pipeline

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/meshctl/meshctl/internal/durable"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

// outboxBatch is the whole result of one batch of logic, ready to be published.
type outboxBatch struct {
	Number   uint64                `json:"number"`
	Before   record.Seq            `json:"before"` // last of the log when the batch was made
	Inputs   map[string]record.Seq `json:"inputs"`
	Trimmed  map[string]record.Seq `json:"trimmed,omitempty"` // how far inboxes were trimmed already
	Buried   []string              `json:"buried,omitempty"`  // see emitterRun.buried
	Emitted  []Outgoing            `json:"-"`                 // without their positions
	Rejected []Rejected            `json:"-"`
	Counts   [2]int                `json:"counts"` // of Emitted and Rejected
}

// Outbox is the file that holds the latest batch's result until the streams have it.
// It makes logic exactly once though logic need not be deterministic: the result is
// durable before its first message is published, and is what gets published after a
// crash, even if the contract has changed by then. A header line, then the messages
// and the rejected records, one JSON value a line.
type Outbox struct {
	Path string
	lazy bool // see Checkpoint
}

func (o Outbox) save(b *outboxBatch) error {
	b.Counts = [2]int{len(b.Emitted), len(b.Rejected)}
	if err := durable.Replace(o.Path, !o.lazy, b.encode); err != nil {
		return fmt.Errorf("save outbox: %w", err)
	}
	return nil
}

func (b *outboxBatch) encode(to io.Writer) error {
	w := bufio.NewWriterSize(to, 1<<18)
	enc := json.NewEncoder(w)
	if err := enc.Encode(b); err != nil {
		return err
	}
	for i := range b.Emitted {
		if err := enc.Encode(&b.Emitted[i]); err != nil {
			return err
		}
	}
	for i := range b.Rejected {
		if err := enc.Encode(&b.Rejected[i]); err != nil {
			return err
		}
	}
	return w.Flush()
}

// load is the batch that was saved last, nil when none was.
func (o Outbox) load() (*outboxBatch, error) {
	f, err := os.Open(o.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	defer f.Close()
	b, err := decodeOutbox(f)
	if err != nil {
		return nil, fault.New(fault.Internal, "restore it from a backup; without it the rest of the last batch is lost",
			"read outbox %s: %w", o.Path, err)
	}
	return b, nil
}

func decodeOutbox(r io.Reader) (*outboxBatch, error) {
	dec := json.NewDecoder(bufio.NewReaderSize(r, 1<<18))
	var b outboxBatch
	if err := dec.Decode(&b); err != nil {
		return nil, fmt.Errorf("its first line: %w", err)
	}
	for i := range b.Counts[0] {
		var out Outgoing
		if err := dec.Decode(&out); err != nil {
			return nil, fmt.Errorf("message %d of %d: %w", i+1, b.Counts[0], noEOF(err))
		}
		b.Emitted = append(b.Emitted, out)
	}
	for i := range b.Counts[1] {
		var rej Rejected
		if err := dec.Decode(&rej); err != nil {
			return nil, fmt.Errorf("rejected record %d of %d: %w", i+1, b.Counts[1], noEOF(err))
		}
		b.Rejected = append(b.Rejected, rej)
	}
	return &b, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
