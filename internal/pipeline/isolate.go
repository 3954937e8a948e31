package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// ErrBatch is wrapped by a transform's error when a record of the batch may be the
// cause. Any other error is the transform's own, and no record is blamed for it.
var ErrBatch = errors.New("the batch failed")

// Isolate is a transform that finds the record that makes inner fail and rejects it,
// so that bad data never blocks. A failed batch is halved until the record stands
// alone; it is rejected after it has failed Tries times while an empty batch passed
// each time, which shows that the logic as such works.
type Isolate struct {
	Inner  Transform
	Tries  int
	Pause  time.Duration // before the second try of a lone record; doubles with each
	Logger *slog.Logger
}

// Apply is inner's, without the records that it cannot take.
func (t *Isolate) Apply(ctx context.Context, number uint64, input string, items []Item) ([]Emitted, []Rejected, error) {
	emitted, rejected, err := t.Inner.Apply(ctx, number, input, items)
	if err == nil || !errors.Is(err, ErrBatch) || ctx.Err() != nil || len(items) == 0 {
		return emitted, rejected, err
	}
	if len(items) == 1 {
		return t.alone(ctx, number, input, items[0], err)
	}
	t.Logger.Warn("a batch of the logic failed; looking for the record", "input", input, "records", len(items), "error", err)
	half := len(items) / 2
	emitted, rejected, err = t.Apply(ctx, number, input, items[:half])
	if err != nil {
		return nil, nil, err
	}
	e, r, err := t.Apply(ctx, number, input, items[half:])
	if err != nil {
		return nil, nil, err
	}
	return append(emitted, e...), append(rejected, r...), nil
}

func (t *Isolate) alone(ctx context.Context, number uint64, input string, it Item, err error) ([]Emitted, []Rejected, error) {
	pause := t.Pause
	for try := 1; ; try++ {
		if _, _, broken := t.Inner.Apply(ctx, number, input, nil); broken != nil {
			return nil, nil, errors.Join(err, broken)
		}
		if try >= t.Tries {
			break
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(pause):
		}
		pause *= 2
		var emitted []Emitted
		var rejected []Rejected
		if emitted, rejected, err = t.Inner.Apply(ctx, number, input, []Item{it}); err == nil || !errors.Is(err, ErrBatch) {
			return emitted, rejected, err
		}
	}
	value := it.Value
	if it.Delete != nil {
		var marshal error
		if value, marshal = DeleteLine(it.Delete); marshal != nil {
			return nil, nil, marshal
		}
	}
	return nil, []Rejected{{Value: value, Reason: err.Error(), Origin: it.Origin}}, nil
}
