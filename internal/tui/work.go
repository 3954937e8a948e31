package tui

import (
	"context"
	"sync"

	tea "charm.land/bubbletea/v2"
)

// work is what goes on beside the screen; whoever leaves waits for it.
type work struct {
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

// begin says whether one more may begin.
func (w *work) begin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.wg.Add(1)
	}
	return !w.closed
}

func (w *work) done() { w.wg.Done() }

// Go runs f unless the work is over.
func (w *work) Go(f func()) {
	if !w.begin() {
		return
	}
	go func() {
		defer w.done()
		f()
	}()
}

// wait lets nothing more begin and waits for what runs.
func (w *work) wait() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.wg.Wait()
}

// ask is a call to the mesh beside the screen; what it returns comes as a message.
func (m *Model) ask(ctx context.Context, call func(ctx context.Context) tea.Msg) tea.Cmd {
	return func() tea.Msg {
		if !m.work.begin() {
			return nil
		}
		defer m.work.done()
		return call(ctx)
	}
}
