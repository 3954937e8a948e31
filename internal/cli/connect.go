package cli

import (
	"context"
	"time"

	"github.com/meshctl/meshctl/internal/app"
)

// callLimit is how long a command waits for a mesh unless --timeout says otherwise.
const callLimit = 30 * time.Second

// clientOptions name the mesh that the flags or the environment do; without, it is the one
// that runs on this machine.
func (g *globals) clientOptions() app.ClientOptions {
	o := app.ClientOptions{Server: g.Server, Context: g.Context, StateDir: g.StateDir()}
	if o.Server == "" && o.Context == "" {
		o.Server, o.Context, o.Creds = g.Env("NATS_URL"), g.Env("NATS_CONTEXT"), g.Env("NATS_CREDS")
	}
	return o
}

func (g *globals) dial(ctx context.Context) (*app.Client, error) {
	return app.Dial(ctx, g.clientOptions())
}

// withClient does something over a connection that is closed in the end.
func (g *globals) withClient(ctx context.Context, limit time.Duration, do func(context.Context, *app.Client) error) error {
	ctx, cancel := g.within(ctx, limit)
	defer cancel()
	c, err := g.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return do(ctx, c)
}
