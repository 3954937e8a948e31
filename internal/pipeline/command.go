package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/meshctl/meshctl/internal/product"
)

// Command is logic in a program of the product's own. It reads NDJSON on stdin and
// writes NDJSON on stdout, framed in batches:
//
//	{"$batch":7,"input":"orders"}      a batch begins
//	{"id":1,"total":"9.90"}            its records, one a line
//	{"$delete":"42"}                   a deleted key of a state input
//	{"$end":7}                         a batch ends
//
// For each batch the program writes its records, {"$delete":KEY} for a key to delete,
// {"$reject":RECORD,"reason":"why"} for a dead letter, and at last repeats the $end line.
// It may repeat the $batch line too, so that cat is a program. A batch may be empty.
//
// A program that dies or exceeds its time limit fails the batch; the next Apply starts
// a new one. One that ends between two batches is started again. A program's children
// end with it.
type Command struct {
	Spec   product.CommandLogic
	Dir    string   // working directory: the product's folder
	Env    []string // of the process, as os.Environ
	Logger *slog.Logger

	process *process
}

// Find says whether there is such a program, and starts nothing.
func (c *Command) Find() error {
	name := c.Spec.Run[0]
	if strings.Contains(name, "/") && !filepath.IsAbs(name) {
		name = filepath.Join(c.Dir, name)
	}
	if _, err := exec.LookPath(name); err != nil {
		return noProgram(err)
	}
	return nil
}

// Apply runs one batch through the program, in frames of at most BatchSize records.
// What is no JSON object, or would be taken for a frame's line, is rejected unseen.
func (c *Command) Apply(ctx context.Context, number uint64, input string, items []Item) ([]Emitted, []Rejected, error) {
	var emitted []Emitted
	items, rejected := fitting(items)
	size := max(c.Spec.BatchSize, 1)
	for first := true; first || len(items) > 0; first = false {
		n := min(size, len(items))
		e, r, err := c.answer(ctx, frame{number, input, items[:n]})
		if err != nil {
			return nil, nil, err
		}
		emitted, rejected = append(emitted, e...), append(rejected, r...)
		items = items[n:]
	}
	return emitted, rejected, nil
}

// Close ends the program: it closes stdin, gives it a second, then kills it. The error
// is that of a program which says by itself that it failed.
func (c *Command) Close() error {
	if c.process == nil {
		return nil
	}
	err := c.process.end()
	c.process = nil
	if err != nil {
		return fmt.Errorf("program %s ended: %w", c.Spec.Run[0], err)
	}
	return nil
}

// answer is the program's answer to one frame. Whether a program that has answered
// before died of this frame or before it, a new one shows.
func (c *Command) answer(ctx context.Context, f frame) ([]Emitted, []Rejected, error) {
	for {
		fresh := c.process == nil
		if fresh {
			var err error
			if c.process, err = startProcess(c); err != nil {
				return nil, nil, err
			}
		}
		emitted, rejected, err := c.exchange(ctx, f)
		if err == nil {
			return emitted, rejected, nil
		}
		died := errors.Is(err, errEnded)
		if status := c.process.end(); died && status != nil {
			err = fmt.Errorf("%w: %w", err, status)
		}
		c.process = nil
		switch {
		case ctx.Err() != nil:
			return nil, nil, fmt.Errorf("program %s: %w", c.Spec.Run[0], ctx.Err())
		case fresh || !died:
			return nil, nil, fmt.Errorf("%w: program %s: %w", ErrBatch, c.Spec.Run[0], err)
		}
		c.Logger.Warn("the program has ended; starting it again", "program", c.Spec.Run[0], "error", err)
	}
}

// exchange writes a frame and reads the answer.
func (c *Command) exchange(ctx context.Context, f frame) ([]Emitted, []Rejected, error) {
	p, limit := c.process, time.Duration(c.Spec.Timeout)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stop := context.AfterFunc(ctx, p.kill)

	// The program may answer while it still reads: write and read side by side.
	wrote := make(chan error, 1)
	go func() { wrote <- f.write(p.stdin) }()
	emitted, rejected, err := readFrame(p.lines, f.number)
	if err == nil {
		err = f.trace(rejected)
	}
	if err != nil && !errors.Is(err, errEnded) {
		p.kill()
	}
	if err != nil {
		p.stdin.Close() // ends the write
	}
	if wroteErr := <-wrote; err == nil {
		err = wroteErr
	}
	if !stop() {
		return nil, nil, fmt.Errorf("it has not answered a batch of %d records within %s", len(f.items), limit)
	}
	return emitted, rejected, err
}

// fitting are the items that a program can be shown.
func fitting(items []Item) (fit []Item, rejected []Rejected) {
	fit = items
	for i, it := range items {
		reason := unfit(it)
		switch {
		case reason != "" && rejected == nil:
			fit = append([]Item(nil), items[:i]...)
			fallthrough
		case reason != "":
			rejected = append(rejected, Rejected{Value: it.Value, Reason: reason, Origin: it.Origin})
		case rejected != nil:
			fit = append(fit, it)
		}
	}
	return fit, rejected
}

func unfit(it Item) string {
	if it.Delete != nil {
		return ""
	}
	if !json.Valid(it.Value) || !bytes.HasPrefix(bytes.TrimLeft(it.Value, " \t\r\n"), []byte{'{'}) {
		return "input: the record is not a JSON object"
	}
	switch field := controlField(it.Value); field {
	case "$batch", "$end", "$reject":
		return fmt.Sprintf("input: the field %s is not for records", field)
	}
	return ""
}
