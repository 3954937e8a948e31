package cli

import (
	"context"
	"sync"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/deploy"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kube"
	"github.com/meshctl/meshctl/internal/product"
)

// makePlan compares the units with the cluster, and their descriptors with the streams that
// their products have.
func makePlan(ctx context.Context, g *globals, c *kube.Cluster, units []deploy.Unit, o deploy.PlanOptions) (*deploy.Plan, error) {
	var descs []*product.Product
	for _, u := range units {
		if u.Product != nil {
			descs = append(descs, u.Product)
		}
	}
	if len(descs) > 0 {
		o.Streams = askStreams(ctx, g, c, descs)
	}
	o.Now = g.Now()
	return deploy.MakePlan(ctx, c, units, o)
}

// askStreams asks products what their descriptors change of their streams. Where nobody can
// tell, a deploy goes on, for no product loses records unless somebody insists.
func askStreams(ctx context.Context, g *globals, c *kube.Cluster, descs []*product.Product) []deploy.Streams {
	ctx, cancel := context.WithTimeout(ctx, meshLimit)
	defer cancel()
	told := make([]deploy.Streams, len(descs))
	for i, desc := range descs {
		told[i] = deploy.Streams{Unit: desc.Metadata.Name, Unknown: "no hub of the namespace answers"}
	}
	client, end, err := clusterMesh(ctx, g, c)
	if err != nil {
		for i := range told {
			told[i].Unknown = "the mesh could not be asked: " + firstLine(err.Error())
		}
	}
	if client == nil {
		return told
	}
	defer end()
	var asking sync.WaitGroup
	for i := range descs {
		asking.Go(func() { told[i] = askStreamsOf(ctx, client, descs[i]) })
	}
	asking.Wait()
	return told
}

func askStreamsOf(ctx context.Context, c *app.Client, desc *product.Product) deploy.Streams {
	s := deploy.Streams{Unit: desc.Metadata.Name}
	var err error
	if s.Plans, err = c.PlanStreams(ctx, desc); err != nil {
		s.Unknown = firstLine(err.Error())
	}
	if fault.KindOf(err) == fault.Unavailable { // a meshctl before this question does not hear it
		s.Unknown += ", or its meshctl is an older one"
	}
	return s
}
