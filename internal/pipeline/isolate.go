package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// ErrBatch is wrapped by a transform's error when a record of the batch may be the
// cause. Any other error is the transform's own, and no record is blamed for it.
var ErrBatch = errors.New("the batch failed")

// Isolate is a transform that finds the record that makes inner fail and rejects it,
// so that bad data never blocks. When a batch fails while an empty one passes, which
// shows that the logic as such works, it is halved until the record stands alone; it is
// rejected after it has failed Tries times while an empty batch passed each time.
type Isolate struct {
	Inner  Transform
	Tries  int
	Pause  time.Duration // before the second try of a lone record; doubles with each
	Logger *slog.Logger
}

// Apply is inner's, without the records that it cannot take.
func (t *Isolate) Apply(ctx context.Context, number uint64, input string, items []Item) ([]Emitted, []Rejected, error) {
	emitted, rejected, err := t.Inner.Apply(ctx, number, input, items)
	if !errors.Is(err, ErrBatch) || ctx.Err() != nil || len(items) == 0 {
		return emitted, rejected, err
	}
	if err := t.works(ctx, number, input, err); err != nil {
		return nil, nil, err
	}
	t.Logger.Warn("a batch of the logic failed; looking for the record", "input", input, "records", len(items), "error", err)
	return t.search(ctx, number, input, items, err)
}

// works is nil when an empty batch passes: a record is what failed the batch with cause.
func (t *Isolate) works(ctx context.Context, number uint64, input string, cause error) error {
	if _, _, err := t.Inner.Apply(ctx, number, input, nil); err != nil {
		return fmt.Errorf("%w (an empty batch fails too: %w)", cause, err)
	}
	return ctx.Err()
}

// search is Apply for items that have failed together, with cause.
func (t *Isolate) search(ctx context.Context, number uint64, input string, items []Item, cause error) (emitted []Emitted, rejected []Rejected, err error) {
	if len(items) == 1 {
		return t.alone(ctx, number, input, items, cause)
	}
	half := len(items) / 2
	for _, part := range [][]Item{items[:half], items[half:]} {
		e, r, err := t.Inner.Apply(ctx, number, input, part)
		if errors.Is(err, ErrBatch) && ctx.Err() == nil {
			e, r, err = t.search(ctx, number, input, part, err)
		}
		if err != nil {
			return nil, nil, err
		}
		emitted, rejected = append(emitted, e...), append(rejected, r...)
	}
	return emitted, rejected, nil
}

// alone is search for one record.
func (t *Isolate) alone(ctx context.Context, number uint64, input string, item []Item, cause error) ([]Emitted, []Rejected, error) {
	for try, pause := 1, t.Pause; ; try, pause = try+1, 2*pause {
		if err := t.works(ctx, number, input, cause); err != nil {
			return nil, nil, err
		}
		if try >= t.Tries {
			break
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(pause):
		}
		emitted, rejected, err := t.Inner.Apply(ctx, number, input, item)
		if !errors.Is(err, ErrBatch) {
			return emitted, rejected, err
		}
		cause = err
	}
	value := item[0].Value
	if item[0].Delete != nil {
		var err error
		if value, err = DeleteLine(item[0].Delete); err != nil {
			return nil, nil, err
		}
	}
	return nil, []Rejected{{Value: value, Reason: cause.Error(), Origin: item[0].Origin}}, nil
}
