package tui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"
)

// feed brings what comes one by one, from a call that goes on, to the model in batches,
// so that a thousand a second do not draw a thousand screens.
type feed[T any] struct {
	items  chan T
	err    error // after items is closed
	cancel context.CancelFunc
	wrap   func(items []T, ended bool, err error) tea.Msg
}

const (
	feedAhead = 4096 // what is held for the model; beyond it the sender waits
	feedMost  = 2000 // in one batch
	feedEvery = 80 * time.Millisecond
)

// startFeed runs a call until it ends or the feed is stopped.
func startFeed[T any](m *Model, run func(ctx context.Context, emit func(T) error) error, wrap func([]T, bool, error) tea.Msg) *feed[T] {
	ctx, cancel := context.WithCancel(m.ctx)
	f := &feed[T]{items: make(chan T, feedAhead), cancel: cancel, wrap: wrap}
	m.work.Go(func() {
		defer close(f.items)
		f.err = run(ctx, func(item T) error {
			select {
			case f.items <- item:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	return f
}

// next waits for the next batch.
func (f *feed[T]) next() tea.Cmd {
	return func() tea.Msg {
		first, open := <-f.items
		if !open {
			return f.wrap(nil, true, f.err)
		}
		batch := []T{first}
		end := time.NewTimer(feedEvery)
		defer end.Stop()
		for len(batch) < feedMost {
			select {
			case item, open := <-f.items:
				if !open {
					return f.wrap(batch, false, nil) // that it ended is told next
				}
				batch = append(batch, item)
			case <-end.C:
				return f.wrap(batch, false, nil)
			}
		}
		return f.wrap(batch, false, nil)
	}
}

// stop ends the call; what it brought is not told any more.
func (f *feed[T]) stop() {
	if f != nil {
		f.cancel()
	}
}
