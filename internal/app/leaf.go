package app

import (
	"context"
	"slices"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
)

// Ping is how long a product, or the hub, takes to answer, n times one after the other.
func (c *Client) Ping(ctx context.Context, name string, n int, each func(time.Duration)) error {
	for range n {
		began := time.Now()
		if _, err := mesh.Call(ctx, c.nc, product.ServiceSubject(name, "ping"), nil); err != nil {
			return err
		}
		each(time.Since(began))
	}
	return nil
}

// CutAnswer says how a cut went.
type CutAnswer struct {
	Product string       `json:"product"`
	Cut     catalog.Span `json:"cutSeconds"`  // how long the link was cut
	Back    catalog.Span `json:"backSeconds"` // from then on until the leaf had joined again
}

// Cut keeps a product of the mesh of one process off its hub for a while, or until ctx
// is done.
func (c *Client) Cut(ctx context.Context, name string, span time.Duration) (CutAnswer, error) {
	return call[CutAnswer](ctx, c, product.UpService, "cut", cutRequest{name, catalog.Span(span)})
}

type cutRequest struct {
	Product string       `json:"product"`
	For     catalog.Span `json:"forSeconds"`
}

// rejoinWait is how long a leaf that was cut off may take to join again.
const rejoinWait = 20 * time.Second

func (m *Mesh) cut(ctx context.Context, q cutRequest) (CutAnswer, error) {
	a := CutAnswer{Product: q.Product}
	all := m.Products()
	i := slices.IndexFunc(all, func(p *Product) bool { return p.Name() == q.Product })
	if i < 0 {
		return a, notHere(q.Product)
	}
	span, heal := context.WithTimeout(ctx, time.Duration(q.For))
	defer heal()
	again, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Duration(q.For)+rejoinWait)
	defer cancel()
	lasted, back, err := all[i].leaf.Cut(span, again)
	a.Cut, a.Back = catalog.Span(lasted), catalog.Span(back)
	return a, err
}
