package app

import (
	"context"
	"sync"
	"time"
)

// group is goroutines that are stopped and waited for together.
type group struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func newGroup(ctx context.Context) *group {
	g := &group{}
	g.ctx, g.cancel = context.WithCancel(ctx)
	return g
}

func (g *group) run(f func(context.Context)) { g.wg.Go(func() { f(g.ctx) }) }

func (g *group) stop() {
	g.cancel()
	g.wg.Wait()
}

// patience tells once when something has failed for longer than a start takes.
type patience struct {
	since time.Time
	said  bool
}

// startTime is how long the parts of a mesh may take to find each other.
const startTime = 3 * time.Second

func newPatience() *patience { return &patience{since: time.Now()} }

// over says whether it is time to tell of err: it has been so for a while, and was not
// told. Nil starts anew.
func (p *patience) over(err error) bool {
	if err == nil {
		p.since, p.said = time.Now(), false
		return false
	}
	if p.said || time.Since(p.since) < startTime {
		return false
	}
	p.said = true
	return true
}
