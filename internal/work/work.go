// Package work counts what goes on beside somebody, who waits for it before leaving.
package work

import "sync"

// Work is what goes on. The zero value is ready.
type Work struct {
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

// Begin says whether one more may begin; Done must follow then.
func (w *Work) Begin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.wg.Add(1)
	}
	return !w.closed
}

// Done says that what began has ended.
func (w *Work) Done() { w.wg.Done() }

// Go runs f unless the work is over.
func (w *Work) Go(f func()) {
	if !w.Begin() {
		return
	}
	go func() {
		defer w.Done()
		f()
	}()
}

// Wait lets nothing more begin and waits for what runs.
func (w *Work) Wait() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.wg.Wait()
}
