package app

import (
	"context"
	"errors"
	"time"

	"github.com/meshctl/meshctl/internal/olap"
)

// healthEvery is how often it is asked whether a log or a store has stopped for good.
const healthEvery = 500 * time.Millisecond

// watchHealth tells when the product cannot go on: a log that could not be written
// refuses everything from then on, also when the disk has room again, and so do tables.
func (p *Product) watchHealth(ctx context.Context) {
	err := stopped(ctx, p.stuck)
	if err != nil {
		p.fail(err)
	}
}

// stopped returns the error that stuck gives twice in a row; nil when ctx is done.
func stopped(ctx context.Context, stuck func() error) error {
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	for before := error(nil); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := stuck()
		if err != nil && before != nil {
			return err
		}
		before = err
	}
}

func (p *Product) stuck() error {
	if err := p.leaf.Err(); err != nil {
		return err
	}
	for _, pt := range p.sortedPorts() {
		if err := pt.faults.err(); errors.Is(err, olap.ErrStopped) {
			return err
		}
	}
	return nil
}

// sql is the product's tables as they are now; a rebuild may put others in their place.
func (p *Product) sql() *olap.DB {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.tables
}
