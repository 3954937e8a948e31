package pipeline

import (
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

// Checkpoint is a small file that remembers a position which no message of the stream
// carries: the records were all refused, or the stream's retention has dropped what they
// became. It may lag behind the stream; the later of the two counts.
type Checkpoint struct {
	Path string
	lazy bool // models crash processes, never machines
}

// mark is a position, the last of the log there, and how far the inbox was trimmed
// already.
type mark struct {
	Position
	Logged  record.Seq
	Trimmed record.Seq
}

// Load is the position that was saved last, zero when none was.
func (c Checkpoint) Load() (Position, error) {
	m, err := c.load()
	return m.Position, err
}

// Save replaces the file in one step.
func (c Checkpoint) Save(p Position) error { return c.save(mark{Position: p}) }

// Begin says that an empty log begins behind that sequence: what came before was never in it.
func (c Checkpoint) Begin(logged record.Seq) error { return c.save(mark{Logged: logged}) }

func (c Checkpoint) load() (mark, error) {
	var m mark
	data, err := os.ReadFile(c.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		return mark{}, fault.New(fault.Internal, "restore it from a backup; without it records may come twice",
			"read checkpoint %s: %w", c.Path, err)
	}
	return m, nil
}

func (c Checkpoint) save(m mark) error {
	err := durable.Replace(c.Path, !c.lazy, func(w io.Writer) error { return json.NewEncoder(w).Encode(m) })
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	return nil
}
