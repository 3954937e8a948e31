package app

import (
	"context"
	"sync"
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
