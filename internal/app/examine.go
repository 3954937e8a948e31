package app

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/doctor"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/trust"
)

// Examine asks all of a mesh how it fares, for the doctor to look at. What credentials
// there are only an admin is told. With data, each product reads all that it has first.
func (c *Client) Examine(ctx context.Context, now time.Time, limits doctor.Limits, data bool) (*doctor.Live, error) {
	l := &doctor.Live{Now: now, Limits: limits}
	if data {
		if err := c.readEverything(ctx); err != nil {
			return nil, err
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		if l.Catalog, err = c.Catalog(ctx); err != nil {
			return err
		}
		l.Mesh, err = c.vitalsOf(ctx, l.Catalog, true)
		return err
	})
	g.Go(func() error {
		all, err := c.Credentials(ctx)
		if fault.KindOf(err) == fault.Denied {
			return nil
		}
		for _, one := range all {
			l.Credentials = append(l.Credentials, doctor.Credential{
				Holder: one.Holder.Name, Key: one.Key, Product: one.Holder.Role == trust.Product,
				Expires: one.Expires, Revoked: !one.Revoked.IsZero(),
			})
		}
		return err
	})
	return l, g.Wait()
}

// readEverything makes all products read what they have, those that answer.
func (c *Client) readEverything(ctx context.Context) error {
	all, err := c.Catalog(ctx)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(askedAtOnce)
	for _, e := range all {
		g.Go(func() error {
			err := c.ReadAll(ctx, e.Product.Metadata.Name)
			if fault.KindOf(err) == fault.Unavailable { // the vitals tell that it is silent
				return nil
			}
			return err
		})
	}
	return g.Wait()
}

// MeshVitals asks the hub and every product of the catalog how they fare. A hub that
// does not answer is an error; products that do not are listed.
func (c *Client) MeshVitals(ctx context.Context, deep bool) (*catalog.MeshVitals, error) {
	all, err := c.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	return c.vitalsOf(ctx, all, deep)
}
