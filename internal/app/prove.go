package app

import (
	"context"
	"errors"

	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/olap"
)

// prove reads all that the product has on its disk, and notes what is damaged. It is an
// error when something could not be read for another reason.
func (p *Product) prove(ctx context.Context) error {
	p.proving.Lock() // two would find the same
	defer p.proving.Unlock()
	p.mu.RLock()
	db := p.kv // a rebuild may put another one in its place
	p.mu.RUnlock()
	inKV := db.Prove(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, pt := range p.sortedPorts() {
		if err := pt.prove(ctx); err != nil {
			return err
		}
		if pt.kv != nil {
			pt.damage.report("key-value")(inKV)
		}
	}
	return nil
}

func (pt *port) prove(ctx context.Context) error {
	state, err := mesh.State(ctx, pt.p.leaf.Conn(), "", pt.id.Stream())
	if err != nil {
		return err
	}
	found := pt.p.whole(ctx, pt.id, &pt.out, state, 0)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	pt.damage.report("log")(found)
	if err := pt.table.Prove(ctx); err != nil && !errors.Is(err, olap.ErrDamaged) { // else Damage tells
		return err
	}
	return nil
}
