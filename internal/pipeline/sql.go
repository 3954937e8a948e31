package pipeline

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

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
func (s *SQLBatch) Apply(ctx context.Context, _ uint64, _ string, items []Item) ([]Emitted, []Rejected, error) {
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
	emitted, err := emitRows(ctx, rows)
	if err != nil {
		return nil, nil, sqlError(err)
	}
	return emitted, rejected, nil
}

func sqlError(err error) error {
	if fault.KindOf(err) == fault.Rejected {
		return fmt.Errorf("%w: %w", ErrBatch, err)
	}
	return err
}

func emitRows(ctx context.Context, rows Rows) (emitted []Emitted, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for {
		batch, err := rows.Next(ctx)
		if errors.Is(err, io.EOF) {
			return emitted, nil
		}
		if err != nil {
			return nil, err
		}
		for i := range int(batch.NumRows()) {
			value, err := contract.AppendRow(nil, batch, i)
			if err != nil {
				batch.Release()
				return nil, err
			}
			emitted = append(emitted, Emitted{Value: value})
		}
		batch.Release()
	}
}

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

// Run works until ctx is done or a step fails. Run it again to resume.
func (s *SQLTable) Run(ctx context.Context) error {
	run, err := s.Emitter.resume(ctx)
	if err != nil {
		return fmt.Errorf("resume %s: %w", s.Emitter.Port, err)
	}
	buried := map[[sha256.Size]byte]bool{}
	for {
		if err := s.Changed(ctx, run.inputs); err != nil {
			return err
		}
		if err := s.step(ctx, run, buried); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(s.Interval):
		}
	}
}

func (s *SQLTable) step(ctx context.Context, run *emitterRun, buried map[[sha256.Size]byte]bool) error {
	if err := s.Emitter.Progress.AwaitVisible(ctx, run.logged); err != nil {
		return err
	}
	diff, err := s.Diff(ctx)
	if err != nil {
		return fmt.Errorf("run the SQL of %s: %w", s.Emitter.Port, err)
	}
	rows, err := emitRows(ctx, diff.Changed)
	if err != nil {
		return fmt.Errorf("run the SQL of %s: %w", s.Emitter.Port, err)
	}
	emitted := make([]Emitted, 0, len(rows)+len(diff.Deleted))
	for _, key := range diff.Deleted {
		emitted = append(emitted, Emitted{Delete: key})
	}
	// A row that breaks the contract is no row of the output, so every run finds it
	// again; it is buried once.
	var rejected []Rejected
	for _, e := range rows {
		if _, err := run.encode(e); err == nil {
			emitted = append(emitted, e)
			continue
		} else if sum := sha256.Sum256(e.Value); !buried[sum] {
			buried[sum] = true
			rejected = append(rejected, Rejected{Value: e.Value, Reason: err.Error(), Origin: fmt.Sprintf("logic:%d", run.next)})
		}
	}
	run.decoder.Reset()
	return run.emit(ctx, maps.Clone(diff.Inputs), emitted, rejected, false)
}
