package app

import (
	"context"
	"errors"

	"github.com/meshctl/meshctl/internal/kv"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/record"
)

// prove reads all that the product has on its disk, and notes what is damaged. It is an
// error when something could not be read for another reason.
func (p *Product) prove(ctx context.Context) error {
	p.proving.Lock() // two would find the same
	defer p.proving.Unlock()
	for _, pt := range p.sortedPorts() {
		if err := pt.prove(ctx); err != nil {
			return err
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
	if pt.kv != nil {
		// Badger's own verification ends the process when it finds something.
		found = pt.kv.Scan(ctx, kv.Range{}, func(record.Record) error { return nil })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		pt.damage.report("key-value")(found)
	}
	if err := pt.table.Prove(ctx); err != nil && !errors.Is(err, olap.ErrDamaged) { // else Damage tells
		return err
	}
	return nil
}
