package app

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
)

// Entry is the product as the catalog shows it, with its present state.
func (p *Product) Entry(ctx context.Context) (catalog.Entry, error) {
	e := catalog.Entry{
		Product: *p.descriptor(), HTTP: p.HTTPURL(), Meshctl: p.o.Version,
		Started: p.started, Seen: time.Now().UTC(), Ports: []catalog.Port{},
		SetAside: p.asides(),
	}
	e.Inputs = p.inputEntries(&e.Product)
	for _, pt := range p.sortedPorts() {
		port, err := pt.entry(ctx)
		if err != nil {
			return e, err
		}
		e.Ports = append(e.Ports, port)
	}
	return e, nil
}

// register keeps the product's entry in the catalog fresh until ctx is done. While the
// hub cannot be reached it goes on trying.
func (p *Product) register(ctx context.Context) {
	var once sync.Once
	patience := newPatience()
	for {
		pause := catalog.HeartbeatEvery
		err := p.putEntry(ctx)
		if err == nil {
			once.Do(func() { close(p.registered) })
		} else {
			pause = 200 * time.Millisecond
		}
		if patience.over(err) && ctx.Err() == nil {
			p.log.Warn("the catalog cannot be reached; trying on", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-p.applied:
		case <-time.After(pause):
		}
	}
}

func (p *Product) putEntry(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, catalog.HeartbeatEvery)
	defer cancel()
	e, err := p.Entry(ctx)
	if err != nil {
		return err
	}
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	bucket, err := mesh.Catalog(ctx, p.leaf.Conn(), product.HubDomain)
	if err != nil {
		return err
	}
	return bucket.Put(ctx, e.Product.Metadata.Name, data)
}
