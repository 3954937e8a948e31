package pipeline

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/meshctl/meshctl/internal/record"
)

// Position says how far a pipeline came. Behind a door, Major is a sequence of the
// inbox and Index a line of that message; behind logic, Major counts batches and
// Index the messages of one, and Inputs tells the sequence of each input that the
// batch reached. Positions are ordered by Major, then Index; both count from 1, so the
// zero Position is before all.
type Position struct {
	Major  uint64
	Index  int
	Inputs map[string]record.Seq
}

// After says whether p comes after q.
func (p Position) After(q Position) bool {
	if c := cmp.Compare(p.Major, q.Major); c != 0 {
		return c > 0
	}
	return p.Index > q.Index
}

// String is the position as the header carries it: "17:3", or with inputs
// "17:3 airports=88 flights=120".
func (p Position) String() string {
	b := strconv.AppendUint(make([]byte, 0, 24), p.Major, 10)
	b = append(b, ':')
	b = strconv.AppendInt(b, int64(p.Index), 10)
	for _, name := range slices.Sorted(maps.Keys(p.Inputs)) {
		b = append(append(append(b, ' '), name...), '=')
		b = strconv.AppendUint(b, uint64(p.Inputs[name]), 10)
	}
	return string(b)
}

// ParsePosition is the inverse of String; "" is the zero Position.
func ParsePosition(s string) (Position, error) {
	var p Position
	if s == "" {
		return p, nil
	}
	fields := strings.Fields(s)
	major, index, ok := strings.Cut(fields[0], ":")
	var err error
	if p.Major, err = strconv.ParseUint(major, 10, 64); err != nil || !ok {
		return Position{}, fmt.Errorf("parse position %q: the first field must be number:number", s)
	}
	if p.Index, err = strconv.Atoi(index); err != nil {
		return Position{}, fmt.Errorf("parse position %q: the first field must be number:number", s)
	}
	for _, f := range fields[1:] {
		name, seq, _ := strings.Cut(f, "=")
		n, err := strconv.ParseUint(seq, 10, 64)
		if err != nil {
			return Position{}, fmt.Errorf("parse position %q: %q must be input=number", s, f)
		}
		if p.Inputs == nil {
			p.Inputs = map[string]record.Seq{}
		}
		p.Inputs[name] = record.Seq(n)
	}
	return p, nil
}

// Checkpoint is a small file that remembers a position which no message of the log
// carries: that of records which were all refused, or whose messages the log's
// retention has dropped. It may lag behind the log; the later of the two counts.
type Checkpoint struct{ Path string }

// Load is the position that was saved last, zero when none was.
func (c Checkpoint) Load() (Position, error) {
	data, err := os.ReadFile(c.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return Position{}, nil
	}
	if err != nil {
		return Position{}, fmt.Errorf("read checkpoint: %w", err)
	}
	var p Position
	if err := json.Unmarshal(data, &p); err != nil {
		return Position{}, fmt.Errorf("read checkpoint %s: %w", c.Path, err)
	}
	return p, nil
}

// Save replaces the file in one step.
func (c Checkpoint) Save(p Position) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := replaceFile(c.Path, data); err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	return nil
}

// replaceFile writes data beside path, syncs it and renames it into place.
func replaceFile(path string, data []byte) error {
	tmp, err := os.Create(path + ".tmp")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
