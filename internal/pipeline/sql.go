package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/cell"
	"github.com/meshctl/meshctl/internal/contract"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

// Rows is an answer, batch by batch; Next ends with io.EOF and the caller releases.
type Rows interface {
	Next(ctx context.Context) (arrow.RecordBatch, error)
	Close() error
}

// SQLBatch is logic that runs a SELECT over each batch of one input. Deletes of a
// state input are not rows and are passed over.
type SQLBatch struct {
	Input *contract.Contract // of the input that drives
	// Query runs the product's statement with batch as the driving input's table.
	Query func(ctx context.Context, batch arrow.RecordBatch) (Rows, error)
}

// Apply runs the statement once over all items.
func (s *SQLBatch) Apply(ctx context.Context, number uint64, _ string, items []Item) ([]Emitted, []Rejected, error) {
	decoder := s.Input.NewDecoder()
	defer decoder.Reset()
	var rejected []Rejected
	for _, it := range items {
		if it.Delete != nil {
			continue
		}
		if _, err := decoder.Append(it.Value); err != nil {
			rejected = append(rejected, Rejected{Value: it.Value, Reason: "input: " + err.Error(), Origin: it.Origin})
		}
	}
	if decoder.Len() == 0 && len(items) > 0 {
		return nil, rejected, nil
	}
	batch := decoder.Flush()
	defer batch.Release()
	rows, err := s.Query(ctx, batch)
	if err != nil {
		return nil, nil, sqlError(err)
	}
	emitted, bad, err := emitRows(ctx, rows, number)
	if err != nil {
		return nil, nil, sqlError(err)
	}
	return emitted, append(rejected, bad...), nil
}

func sqlError(err error) error {
	if fault.KindOf(err) == fault.Rejected {
		return fmt.Errorf("%w: %w", ErrBatch, err)
	}
	return err
}

// emitRows reads an answer to its end. A row with a value that JSON cannot hold, such
// as NaN, is rejected.
func emitRows(ctx context.Context, rows Rows, number uint64) (emitted []Emitted, rejected []Rejected, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for {
		batch, err := rows.Next(ctx)
		if errors.Is(err, io.EOF) {
			return emitted, rejected, nil
		}
		if err != nil {
			return nil, nil, err
		}
		for i := range int(batch.NumRows()) {
			value, err := contract.AppendRow(nil, batch, i)
			if err == nil {
				emitted = append(emitted, Emitted{Value: value})
				continue
			}
			near, _, _ := cell.AppendRow(nil, batch, i)
			rejected = append(rejected, Rejected{Value: near, Reason: err.Error(), Origin: logicOrigin(number)})
		}
		batch.Release()
	}
}

// logicOrigin is the origin of a dead letter that logic made of nobody knows which input.
func logicOrigin(number uint64) string { return "logic:" + strconv.FormatUint(number, 10) }

// Diff is what a statement over whole tables changes in the output.
type Diff struct {
	Changed Rows                  // rows that are new or differ
	Deleted [][]string            // texts of the keys that vanished
	Inputs  map[string]record.Seq // positions of the inputs in the snapshot that was read
}

// SQLTable is logic that runs a SELECT over the whole inputs when one has changed, and
// emits the rows that changed or vanished since.
type SQLTable struct {
	// Diff runs the statement and compares its rows with the output's table, which
	// holds the whole log by then.
	Diff func(ctx context.Context) (Diff, error)
	// Changed returns when an input's table is beyond the position given for it.
	Changed  func(ctx context.Context, than map[string]record.Seq) error
	Interval time.Duration
	Emitter  Emitter
	Logger   *slog.Logger
}

// Run works until ctx is done or a step fails. Run it again to resume. It begins with
// one run of the statement, which may be another than before.
func (s *SQLTable) Run(ctx context.Context) error {
	run, err := s.Emitter.resume(ctx)
	if err != nil {
		return fmt.Errorf("resume %s: %w", s.Emitter.Port, err)
	}
	run.repeat = true
	for {
		if err := s.step(ctx, run); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(s.Interval):
		}
		if err := s.Changed(ctx, run.inputs); err != nil {
			return err
		}
	}
}

func (s *SQLTable) step(ctx context.Context, run *emitterRun) error {
	if err := s.Emitter.Progress.AwaitVisible(ctx, run.logged); err != nil {
		return err
	}
	diff, err := s.Diff(ctx)
	if err != nil {
		return fmt.Errorf("run the SQL of %s: %w", s.Emitter.Port, err)
	}
	emitted, rejected, err := emitRows(ctx, diff.Changed, run.next)
	if err != nil {
		return fmt.Errorf("run the SQL of %s: %w", s.Emitter.Port, err)
	}
	if behind(diff.Inputs, run.inputs) {
		s.Logger.Info("an input's table is being made again; the SQL waits for it", "port", s.Emitter.Port.String())
		return nil
	}
	deleted := make([]Emitted, 0, len(diff.Deleted)+len(emitted))
	for _, key := range diff.Deleted {
		deleted = append(deleted, Emitted{Delete: key})
	}
	return run.emit(ctx, maps.Clone(diff.Inputs), append(deleted, emitted...), rejected)
}

// behind says whether a snapshot lacks what an earlier one had: its rows would seem to
// have vanished.
func behind(snapshot, reached map[string]record.Seq) bool {
	for name, seq := range reached {
		if at, ok := snapshot[name]; ok && at < seq {
			return true
		}
	}
	return false
}
