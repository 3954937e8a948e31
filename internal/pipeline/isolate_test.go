package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func values(emitted []Emitted) []string {
	var out []string
	for _, e := range emitted {
		out = append(out, string(e.Value)+strings.Join(e.Delete, "/"))
	}
	return out
}

func reasons(rejected []Rejected) []string {
	var out []string
	for _, r := range rejected {
		out = append(out, fmt.Sprintf("%s %s: %s", r.Origin, r.Value, r.Reason))
	}
	return out
}

func isBatch(err error) bool { return errors.Is(err, ErrBatch) }

// poisoned is logic that some records fail, or that is broken as such.
type poisoned struct {
	poison func(Item) bool
	empty  error // what an empty batch meets
	calls  int
}

func (p *poisoned) Apply(_ context.Context, _ uint64, _ string, items []Item) ([]Emitted, []Rejected, error) {
	p.calls++
	if len(items) == 0 && p.empty != nil {
		return nil, nil, p.empty
	}
	var emitted []Emitted
	for _, it := range items {
		if p.poison(it) {
			return nil, nil, fmt.Errorf("%w: boom at %s", ErrBatch, it.Value)
		}
		emitted = append(emitted, Emitted{Value: it.Value})
	}
	return emitted, nil, nil
}

func thousand() (items []Item) {
	for i := range 1000 {
		items = append(items, Item{Value: fmt.Appendf(nil, "%d", i), Origin: fmt.Sprintf("in:%d:1", i)})
	}
	return items
}

// Promise 6: of a thousand records the two that logic cannot take are buried, with the
// reason, and all others pass once and in order.
func TestPromise6PoisonIsIsolated(t *testing.T) {
	inner := &poisoned{poison: func(it Item) bool { return string(it.Value) == "123" || string(it.Value) == "777" }}
	iso := Isolate{Inner: inner, Tries: 3, Pause: time.Microsecond, Logger: quiet}
	emitted, rejected, err := iso.Apply(t.Context(), 1, "in", thousand())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "rejected", reasons(rejected), []string{
		"in:123:1 123: the batch failed: boom at 123", "in:777:1 777: the batch failed: boom at 777",
	})
	var wanted []string
	for _, it := range thousand() {
		if !inner.poison(it) {
			wanted = append(wanted, string(it.Value))
		}
	}
	equal(t, "emitted", values(emitted), wanted)
	if inner.calls > 60 {
		t.Errorf("%d calls to find two of a thousand", inner.calls)
	}
}

func TestIsolateTakesARecordThatFailsOnce(t *testing.T) {
	failures := 2
	inner := &poisoned{poison: func(Item) bool { failures--; return failures >= 0 }}
	iso := Isolate{Inner: inner, Tries: 3, Pause: time.Microsecond, Logger: quiet}
	emitted, rejected, err := iso.Apply(t.Context(), 1, "in", thousand()[:1])
	if err != nil || len(emitted) != 1 || len(rejected) != 0 {
		t.Fatalf("%d emitted, %d rejected, %v", len(emitted), len(rejected), err)
	}
}

// Promise 6, its other half: logic that is broken as such blames no record.
func TestIsolateBlamesNoRecordForBrokenLogic(t *testing.T) {
	for name, inner := range map[string]*poisoned{
		"an empty batch fails too":  {poison: func(Item) bool { return true }, empty: ErrBatch},
		"an empty batch cannot run": {poison: func(Item) bool { return true }, empty: errors.New("no such program")},
	} {
		iso := Isolate{Inner: inner, Tries: 3, Pause: time.Microsecond, Logger: quiet}
		_, rejected, err := iso.Apply(t.Context(), 1, "in", thousand())
		if err == nil || len(rejected) > 0 {
			t.Errorf("%s: %d rejected, error %v", name, len(rejected), err)
		}
		if inner.calls > 2 {
			t.Errorf("%s: %d calls", name, inner.calls)
		}
	}
	startless := startFails{}
	iso := Isolate{Inner: startless, Tries: 3, Logger: quiet}
	if _, rejected, err := iso.Apply(t.Context(), 1, "in", thousand()); err == nil || len(rejected) > 0 {
		t.Errorf("%d rejected, error %v", len(rejected), err)
	}
}

type startFails struct{}

func (startFails) Apply(context.Context, uint64, string, []Item) ([]Emitted, []Rejected, error) {
	return nil, nil, errors.New("start: not found")
}

// A batch that fails because the product stops blames no record, at whatever call.
func TestIsolateBlamesNoRecordForAStop(t *testing.T) {
	for i := range 12 {
		records, stop := 1+i%2, 1+i/2
		ctx, cancel := context.WithCancel(t.Context())
		inner := &poisoned{poison: func(Item) bool { return true }}
		stopping := transformFunc(func(items []Item) ([]Emitted, []Rejected, error) {
			if inner.calls == stop-1 {
				cancel()
			}
			return inner.Apply(ctx, 1, "in", items)
		})
		iso := Isolate{Inner: stopping, Tries: 2, Logger: quiet}
		_, rejected, err := iso.Apply(ctx, 1, "in", thousand()[:records])
		if stopped := ctx.Err() != nil; stopped && (err == nil || len(rejected) > 0) {
			t.Errorf("stopped at call %d: %d rejected, error %v", stop, len(rejected), err)
		}
		cancel()
	}
}

type transformFunc func([]Item) ([]Emitted, []Rejected, error)

func (f transformFunc) Apply(_ context.Context, _ uint64, _ string, items []Item) ([]Emitted, []Rejected, error) {
	return f(items)
}
