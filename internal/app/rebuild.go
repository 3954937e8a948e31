package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
)

// RebuildRequest names the stores to make again from the log; all ports when Port is "".
type RebuildRequest struct {
	Port  string `json:"port,omitempty"`
	KV    bool   `json:"kv,omitempty"`
	Table bool   `json:"table,omitempty"`
	// LoseExpired allows it though the log no longer holds its oldest records.
	LoseExpired bool `json:"loseExpired,omitempty"`
}

// RebuildAnswer says which stores were dropped; they fill again in the background.
type RebuildAnswer struct {
	Ports   []string `json:"ports"`
	Records uint64   `json:"records"` // in their logs
}

// Rebuild drops stores and makes them again from the log, and returns when they hold
// the log as it was when it began. Meanwhile reads see them fill. A store too damaged to
// be dropped is set aside whole, with those of the product's other ports.
func (p *Product) Rebuild(ctx context.Context, q RebuildRequest) (RebuildAnswer, error) {
	a := RebuildAnswer{Ports: []string{}}
	ports := p.sortedPorts()
	if q.Port != "" {
		pt, err := p.port(q.Port)
		if err != nil {
			return a, err
		}
		ports = []*port{pt}
	}
	for _, pt := range ports {
		id, out := pt.id, pt.out
		state, err := mesh.State(ctx, p.leaf.Conn(), "", id.Stream())
		if err != nil {
			return a, err
		}
		if err := expired(id, &out, state, 0); err != nil && !q.LoseExpired {
			return a, fault.New(fault.Conflict, "pass --dangerous-lose-expired to rebuild without them", "rebuild %s: %w", id, err)
		}
		if err := p.whole(ctx, id, &out, state, 0); err != nil && !q.LoseExpired {
			return a, fault.New(fault.Conflict, fault.HintOf(err)+", or pass --dangerous-lose-expired to rebuild without them", "rebuild %s: %w", id, err)
		}
		// A renewal for the port before may have opened this one anew.
		p.mu.RLock()
		pt = p.ports[id.Folder()]
		p.mu.RUnlock()
		if err := p.rebuildPort(ctx, pt, q); err != nil {
			return a, fmt.Errorf("rebuild %s: %w", id, err)
		}
		if err := pt.progress.AwaitVisible(ctx, state.Last); err != nil {
			return a, err
		}
		a.Ports = append(a.Ports, id.String())
		a.Records += state.Msgs
	}
	return a, nil
}

func (p *Product) rebuildPort(ctx context.Context, pt *port, q RebuildRequest) error {
	var inKV, inTable error
	err := pt.pausing(func() error {
		if pt.kv != nil && q.KV {
			inKV = pt.kv.Drop(ctx)
		}
		if q.Table {
			inTable = pt.table.Drop(ctx)
		}
		return nil
	})
	found := errors.Join(inKV, inTable)
	away := p.store.Bucket != nil && fault.KindOf(inTable) == fault.Unavailable // which is no damage
	if err != nil || found == nil || ctx.Err() != nil || away {
		return errors.Join(err, found)
	}
	if whole := p.logsWhole(ctx, ""); whole != nil && !q.LoseExpired {
		return fault.New(fault.Conflict, "pass --dangerous-lose-expired to rebuild without them", "%w; %w", found, whole)
	}
	return p.renew(ctx, inKV, inTable)
}

// renew sets the stores aside that have an error, and goes on with new ones.
func (p *Product) renew(ctx context.Context, inKV, inTable error) (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer func() {
		if err != nil { // it cannot go on as it is
			p.fail(err)
		}
	}()
	p.stopPorts()
	if inKV != nil {
		if err := p.kv.Close(); err != nil {
			p.log.Warn("a damaged store was closed badly", "error", err)
		}
		if err := errors.Join(p.setAside(kvFolder, inKV), p.openKV(ctx)); err != nil {
			return err
		}
	}
	if inTable != nil {
		if err := p.tables.Close(); err != nil {
			p.log.Warn("a damaged store was closed badly", "error", err)
		}
		if err := errors.Join(p.setAside(tableFolder, inTable), p.openTables(ctx)); err != nil {
			return err
		}
	}
	if err := p.openPorts(ctx); err != nil {
		return err
	}
	return p.startPorts(ctx)
}

// fail says that the product cannot go on and must be started again. The first reason counts.
func (p *Product) fail(why error) {
	select {
	case p.failed <- why:
	default:
	}
}
