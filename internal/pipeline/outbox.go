package pipeline

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/meshctl/meshctl/internal/record"
)

// Emitted is one record that logic made: a JSON object, or the key to delete.
type Emitted struct {
	Value  []byte   `json:"value,omitempty"`
	Delete []string `json:"delete,omitempty"` // texts of the key
}

// Rejected is one input record that logic refused, or one output that broke the contract.
type Rejected struct {
	Value  []byte `json:"value"`
	Reason string `json:"reason"`
	Origin string `json:"origin"`
}

// outboxBatch is the whole result of one batch of logic.
type outboxBatch struct {
	Number   uint64                `json:"number"`
	Before   record.Seq            `json:"before"` // last of the log when the batch was made
	Inputs   map[string]record.Seq `json:"inputs"`
	Emitted  []Emitted             `json:"-"`
	Rejected []Rejected            `json:"-"`
	Counts   [2]int                `json:"counts"` // of Emitted and Rejected
}

// Outbox is the file that holds the latest batch's result until the streams have it.
// It makes logic exactly once though logic need not be deterministic: the result is
// durable before its first message is published, and is what gets published after a
// crash. A header line, then the emitted and the rejected, one JSON value a line.
type Outbox struct{ Path string }

func (o Outbox) save(b *outboxBatch) (err error) {
	b.Counts = [2]int{len(b.Emitted), len(b.Rejected)}
	tmp, err := os.Create(o.Path + ".tmp")
	if err != nil {
		return fmt.Errorf("save outbox: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("save outbox: %w", errors.Join(err, tmp.Close(), os.Remove(tmp.Name())))
		}
	}()
	w := bufio.NewWriterSize(tmp, 1<<18)
	enc := json.NewEncoder(w)
	if err := enc.Encode(b); err != nil {
		return err
	}
	for _, e := range b.Emitted {
		if err := enc.Encode(e); err != nil {
			return err
		}
	}
	for _, r := range b.Rejected {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), o.Path)
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
		return nil, fmt.Errorf("read outbox %s: %w", o.Path, err)
	}
	return b, nil
}

func decodeOutbox(r io.Reader) (*outboxBatch, error) {
	dec := json.NewDecoder(bufio.NewReaderSize(r, 1<<18))
	var b outboxBatch
	if err := dec.Decode(&b); err != nil {
		return nil, err
	}
	b.Emitted = make([]Emitted, b.Counts[0])
	for i := range b.Emitted {
		if err := dec.Decode(&b.Emitted[i]); err != nil {
			return nil, err
		}
	}
	b.Rejected = make([]Rejected, b.Counts[1])
	for i := range b.Rejected {
		if err := dec.Decode(&b.Rejected[i]); err != nil {
			return nil, err
		}
	}
	return &b, nil
}
