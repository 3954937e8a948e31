package app

import (
	"context"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
)

// openStreams makes the port's streams, or changes those there are to what its contract says.
func (pt *port) openStreams(ctx context.Context) error {
	nc := pt.p.leaf.Conn()
	spec, err := logSpec(pt.id, &pt.out, pt.version)
	if err != nil {
		return err
	}
	if spec.LoseData, err = pt.p.mayLose(); err != nil {
		return err
	}
	if err := mesh.EnsureStream(ctx, nc, spec); err != nil {
		return err
	}
	switch {
	case pt.out.Type == product.Object:
		return pt.openFiles(ctx, spec.LoseData)
	case pt.p.desc.Spec.Logic == nil:
		return mesh.EnsureStream(ctx, nc, inboxSpec(pt.id, &pt.out))
	}
	return nil
}

// planStreams is what a descriptor would change of the streams that its ports have: those
// that openStreams would make or change, in the order of the descriptor.
func (p *Product) planStreams(ctx context.Context, desc product.Product) ([]*mesh.StreamPlan, error) {
	if desc.Metadata.Name != p.Name() {
		return nil, fault.New(fault.Invalid, "ask the product that it is of", "%s has no part in the descriptor of %q", p.Name(), desc.Metadata.Name)
	}
	nc, all := p.leaf.Conn(), []*mesh.StreamPlan{}
	for i := range desc.Spec.Outputs {
		out := &desc.Spec.Outputs[i]
		id := desc.ID(out.Name)
		if !product.ValidName(out.Name) {
			return nil, fault.New(fault.Invalid, "validate the descriptor first", "%q is no name of a port", out.Name)
		}
		spec, err := logSpec(id, out, desc.Metadata.Version)
		if err != nil {
			return nil, err
		}
		plan, err := mesh.PlanStream(ctx, nc, spec)
		if err != nil {
			return nil, err
		}
		all = append(all, plan)
		switch {
		case out.Type == product.Object:
			plan, err = filesPlan(ctx, nc, id, out)
		case desc.Spec.Logic == nil:
			plan, err = mesh.PlanStream(ctx, nc, inboxSpec(id, out))
		default:
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, plan)
	}
	return all, nil
}

// PlanStreams is what a descriptor would change of the streams of its product, which says so
// itself.
func (c *Client) PlanStreams(ctx context.Context, desc *product.Product) ([]*mesh.StreamPlan, error) {
	return call[[]*mesh.StreamPlan](ctx, c, desc.Metadata.Name, product.EndpointStreamPlan, desc)
}
