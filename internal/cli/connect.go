package cli

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/deploy"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kube"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/trust"
)

// callLimit is how long a command waits for a mesh unless --timeout says otherwise.
const callLimit = 30 * time.Second

// dial connects to the mesh that the flags or the environment name, or to the one that
// runs on this machine.
func (g *globals) dial(ctx context.Context) (*app.Client, error) {
	return app.Dial(ctx, g.mesh())
}

// mesh is the mesh that the flags or the environment name.
func (g *globals) mesh() app.ClientOptions {
	o := app.ClientOptions{
		Server: g.Server, Context: g.Context, Creds: g.absUnlessEmpty(cmp.Or(g.Creds, g.Env("NATS_CREDS"))), StateDir: g.StateDir(),
		CA: g.absUnlessEmpty(g.TLSCA),
	}
	if o.Server == "" && o.Context == "" {
		o.Server, o.Context = g.Env("NATS_URL"), g.Env("NATS_CONTEXT")
	}
	return o
}

// withClient does something over a connection that is closed in the end.
func (g *globals) withClient(ctx context.Context, limit time.Duration, do func(context.Context, *app.Client) error) error {
	ctx, cancel := g.within(ctx, limit)
	defer cancel()
	c, err := g.dial(ctx)
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, c), c.Close())
}

// forwardedFor is how long the credential may be used that a command makes for itself.
const forwardedFor = time.Hour

// forwardHub makes o lead to the hub of a cluster's namespace, with a credential that the
// keys in the cluster sign unless one was named; end is nil when no hub answers.
func (g *globals) forwardHub(ctx context.Context, c *kube.Cluster, role trust.Role, o *app.ClientOptions) (end func(), err error) {
	pod, err := deploy.HubPod(ctx, c)
	if err != nil || pod == "" {
		return nil, err
	}
	if o.Creds == "" {
		keys, err := deploy.HubKeys(ctx, c)
		if err != nil {
			return nil, err
		}
		if keys == nil {
			return nil, fault.New(fault.Denied, "name credentials with --creds", "the keys of the mesh are not in the cluster, or you may not read them")
		}
		if o.Held, err = keys.Issue(trust.Holder{Name: forwardedName, Role: role}, g.Now().Add(forwardedFor)); err != nil {
			return nil, err
		}
	}
	address, end, err := c.Forward(ctx, pod, product.ClientPort)
	if err != nil {
		return nil, err
	}
	o.Server = "nats://" + address
	if o.CA != "" {
		o.Host = product.ServiceHost(product.HubName, c.Namespace)
	}
	return end, nil
}

// forwardedName is the holder of the credentials that commands make for themselves.
const forwardedName = "meshctl"
