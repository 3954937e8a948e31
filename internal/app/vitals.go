package app

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/pipeline"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/serve"
)

// vitalsRequest asks a product or the hub how it fares.
type vitalsRequest struct {
	Deep bool `json:"deep,omitempty"` // with every stream and consumer, and the sizes of stores
	Data bool `json:"data,omitempty"` // after it has read all that it has
}

// Vitals is how the product's leaf fares; deep adds every stream, and the sizes of stores.
func (p *Product) Vitals(ctx context.Context, deep bool) (catalog.Vitals, error) {
	v, err := p.leaf.Vitals(deep)
	if err != nil {
		return v, err
	}
	desc := p.descriptor()
	v.Version, v.Meshctl, v.Started = desc.Metadata.Version, p.o.Version, p.started
	if disk, err := diskOf(p.data.path); err == nil {
		v.Storage.DiskFree, v.Storage.DiskSize = disk.free, disk.size
	}
	if desc.Spec.Storage.Size != "" {
		if v.Storage.Volume, err = desc.Spec.Storage.Size.Bytes(); err != nil {
			return v, err
		}
	}
	if deep {
		p.mu.RLock()
		db := p.kv // a rebuild may put another one in its place
		p.mu.RUnlock()
		v.Storage.KeyValue, v.Storage.Table = uint64(db.Size()), bytesBelow(p.data.sub(tableFolder))
	}
	if c := p.creds.Load(); c != nil {
		v.Key, v.Expires = c.Key, c.Expires
	}
	v.Inputs = p.inputEntries(desc)
	for _, pt := range p.sortedPorts() {
		reach, err := pt.reach(ctx)
		if err != nil {
			return v, err
		}
		v.Ports = append(v.Ports, reach)
	}
	v.Now = time.Now().UTC()
	return v, nil
}

// reach is how far the port's stores are behind its log.
func (pt *port) reach(ctx context.Context) (catalog.Reach, error) {
	r := catalog.Reach{Port: pt.id.String(), Contract: pt.version, Stream: pt.id.Stream()}
	if err := pt.trouble(); err != nil {
		r.Error = err.Error()
	}
	progress := pt.progress.State()
	r.Accepted, r.Refused = progress.Accepted, progress.Dead
	for _, s := range pt.stores() { // before the log, so that none seems to be ahead of it
		at, err := s.Position(ctx)
		if err != nil && r.Error == "" {
			r.Error = err.Error()
		}
		kind := catalog.Table
		if s == pipeline.Store(pt.kv) {
			kind = catalog.KeyValue
		}
		r.Stores = append(r.Stores, catalog.StorePosition{Kind: kind, Position: at})
	}
	log, err := mesh.State(ctx, pt.p.leaf.Conn(), "", r.Stream)
	if err != nil {
		return r, err
	}
	r.First, r.Last, r.Records = log.First, log.Last, log.Msgs
	if r.Dead, err = pt.dead(ctx); err != nil {
		return r, err
	}
	for i := range r.Stores {
		s := &r.Stores[i]
		s.Lag = uint64(r.Last - min(r.Last, s.Position))
	}
	return r, nil
}

// Vitals is how the hub fares, with all of its nodes.
func (h *Hub) Vitals(ctx context.Context, deep bool) (catalog.Vitals, error) {
	v, err := h.Hub.Vitals(ctx, deep)
	if err != nil {
		return v, err
	}
	v.Meshctl, v.Started = h.version, h.started
	if disk, err := diskOf(h.data.path); err == nil {
		v.Storage.DiskFree, v.Storage.DiskSize = disk.free, disk.size
	}
	v.Now = time.Now().UTC()
	return v, nil
}

// metrics answers in the Prometheus text format.
func (h *Hub) metrics(w http.ResponseWriter, r *http.Request) {
	v, err := h.Vitals(r.Context(), true)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	var text bytes.Buffer // whole before it is sent, for half a scrape is a wrong one
	serve.WriteVitals(&text, &v)
	w.Header().Set("Content-Type", serve.MetricsType)
	_, _ = w.Write(text.Bytes()) // who does not wait for it does not get it
}

func (p *Product) vitals(ctx context.Context, q vitalsRequest) (catalog.Vitals, error) {
	if q.Data {
		if err := p.prove(ctx); err != nil {
			return catalog.Vitals{}, err
		}
	}
	return p.Vitals(ctx, q.Deep)
}

func (h *Hub) vitals(ctx context.Context, q vitalsRequest) (catalog.Vitals, error) {
	return h.Vitals(ctx, q.Deep)
}

// ReadAll makes a product read its logs and stores, and returns when it has. What it finds
// damaged its vitals say from then on, until it finds that whole.
func (c *Client) ReadAll(ctx context.Context, name string) error {
	_, err := call[catalog.Vitals](ctx, c, name, product.EndpointVitals, vitalsRequest{Data: true})
	return err
}

// Vitals is how a product fares, or the hub by its name, as it says itself.
func (c *Client) Vitals(ctx context.Context, name string, deep bool) (catalog.Vitals, error) {
	began := time.Now()
	v, err := call[catalog.Vitals](ctx, c, name, product.EndpointVitals, vitalsRequest{Deep: deep})
	if err != nil {
		return v, err
	}
	took := time.Since(began)
	v.RoundTrip = catalog.Span(took)
	v.Skew = catalog.Span(v.Now.Sub(began.Add(took / 2)))
	return v, nil
}

// vitalsLimit is how long a product or the hub may take to tell how it fares.
const vitalsLimit = 2 * time.Second

// askedAtOnce bounds how many are asked side by side: their answers compete for the
// same link.
const askedAtOnce = 64

// vitalsOf asks the hub and these products side by side.
func (c *Client) vitalsOf(ctx context.Context, all catalog.Catalog, deep bool) (*catalog.MeshVitals, error) {
	m := &catalog.MeshVitals{Products: []catalog.Vitals{}, Silent: []string{}}
	limited, cancel := context.WithTimeout(ctx, vitalsLimit)
	defer cancel()
	var err error
	if m.Hub, err = c.Vitals(limited, product.HubName, deep); err != nil {
		return nil, err
	}
	answers := make([]catalog.Vitals, len(all))
	errs := make([]error, len(all))
	var asking sync.WaitGroup
	turns := make(chan struct{}, askedAtOnce)
	for i := range all {
		turns <- struct{}{}
		asking.Go(func() {
			defer func() { <-turns }()
			mine, cancel := context.WithTimeout(ctx, vitalsLimit)
			defer cancel()
			answers[i], errs[i] = c.Vitals(mine, all[i].Product.Metadata.Name, deep)
		})
	}
	asking.Wait()
	for i := range all {
		if errs[i] != nil {
			m.Silent = append(m.Silent, all[i].Product.Metadata.Name)
			continue
		}
		m.Products = append(m.Products, answers[i])
	}
	m.Sort()
	return m, ctx.Err()
}
