package pipeline

import (
	"context"
	"sync"

	"github.com/meshctl/meshctl/internal/record"
)

// Progress is how far one port came, for those who wait for it.
type Progress struct {
	mu      sync.Mutex
	changed chan struct{}
	state   ProgressState
	reached map[string]record.Seq // by input
}

// ProgressState is a copy of a Progress at one moment.
type ProgressState struct {
	Logged   record.Seq `json:"logged"`   // last record of the log that this run knows of
	Visible  record.Seq `json:"visible"`  // last record that every store holds
	Accepted uint64     `json:"accepted"` // records since the process started
	Dead     uint64     `json:"dead"`     // dead letters since the process started
}

// NewProgress is the progress of a port that has not begun.
func NewProgress() *Progress {
	return &Progress{changed: make(chan struct{}), reached: map[string]record.Seq{}}
}

func (p *Progress) update(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	close(p.changed)
	p.changed = make(chan struct{})
}

// setReached says that input has been worked off up to seq and the log holds all that
// came of it, up to logged.
func (p *Progress) setReached(input string, seq, logged record.Seq) {
	p.update(func() {
		p.reached[input] = max(p.reached[input], seq)
		p.state.Logged = max(p.state.Logged, logged)
	})
}

func (p *Progress) count(accepted, dead int) {
	p.update(func() {
		p.state.Accepted += uint64(accepted)
		p.state.Dead += uint64(dead)
	})
}

func (p *Progress) setVisible(seq record.Seq) {
	p.update(func() { p.state.Visible = max(p.state.Visible, seq) })
}

// Restart says that the stores may have less than before: what is visible is unknown
// until the materialiser tells.
func (p *Progress) Restart() { p.update(func() { p.state.Visible = 0 }) }

// State is how far the port is now.
func (p *Progress) State() ProgressState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// Await returns when everything that came of input up to seq is in every store, or
// with ctx's error.
func (p *Progress) Await(ctx context.Context, input string, seq record.Seq) error {
	var logged record.Seq
	err := p.wait(ctx, func() bool {
		logged = p.state.Logged
		return p.reached[input] >= seq
	})
	if err != nil {
		return err
	}
	return p.AwaitVisible(ctx, logged)
}

// AwaitVisible returns when every store holds the log up to seq, or with ctx's error.
func (p *Progress) AwaitVisible(ctx context.Context, seq record.Seq) error {
	return p.wait(ctx, func() bool { return p.state.Visible >= seq })
}

func (p *Progress) wait(ctx context.Context, done func() bool) error {
	for {
		p.mu.Lock()
		ok, changed := done(), p.changed
		p.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}
