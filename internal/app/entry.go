package app

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/trust"
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
	var presented *trust.Creds
	patience := newPatience()
	for {
		pause := catalog.HeartbeatEvery
		err := p.putEntry(ctx)
		if err == nil {
			once.Do(func() { close(p.registered) })
			presented, err = p.present(ctx, presented)
		}
		if err != nil {
			pause = 200 * time.Millisecond
			if refused := p.leaf.Refused(); refused != nil {
				err = refused
			}
		}
		if patience.over(err) && ctx.Err() == nil {
			p.log.Warn("the catalog cannot be reached; trying on", "error", err, "hint", fault.HintOf(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-p.applied:
		case <-time.After(pause):
		}
	}
}

// present shows the hub the credential that the leaf joined with, unless it was shown.
func (p *Product) present(ctx context.Context, shown *trust.Creds) (*trust.Creds, error) {
	c := p.creds.Load()
	if c == nil || c == shown || shown != nil && c.Key == shown.Key {
		return shown, nil
	}
	ctx, cancel := context.WithTimeout(ctx, catalog.HeartbeatEvery)
	defer cancel()
	if _, err := call[struct{}](ctx, &Client{nc: p.leaf.Conn()}, product.HubName, "present", presentRequest{c.Token()}); err != nil {
		return shown, err
	}
	return c, nil
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
	return mesh.CatalogOfHub(p.leaf).Put(ctx, e.Product.Metadata.Name, data)
}
