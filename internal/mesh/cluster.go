package mesh

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/trust"
)

// Cluster makes a hub one node of several, which together go on while a majority of
// them runs.
type Cluster struct {
	Name   string   // the node's, the same at every start: it is a vote
	Port   int      // that the other nodes connect to
	Routes []string // URLs of all nodes, this one among them
}

// join sets up a server as a node of the cluster. Addresses of the nodes are not told
// to clients and leaves: those know one name for all of them, and where that leads.
func (c *Cluster) join(opts *server.Options, keys *trust.Keys) error {
	if c.Name == "" || c.Port == 0 || len(c.Routes) < 3 || len(c.Routes)%2 == 0 {
		return fault.New(fault.Invalid, "name the node, its port, and the routes of all nodes, 3 of them",
			"a node of a hub with name %q, port %d and %d routes", c.Name, c.Port, len(c.Routes))
	}
	for _, route := range c.Routes {
		if !strings.Contains(route, "://") {
			return fault.New(fault.Invalid, "write it as nats-route://host:port", "route %q is not a URL", route)
		}
	}
	opts.ServerName = c.Name
	opts.Cluster = server.ClusterOpts{
		Name: product.HubName, Host: opts.Host, Port: c.Port, NoAdvertise: true,
		Username: product.HubName, Password: keys.RoutePassword(),
	}
	opts.LeafNode.NoAdvertise = true
	opts.Routes = server.RoutesFromStr(strings.Join(c.Routes, ","))
	for _, route := range opts.Routes {
		route.User = url.UserPassword(product.HubName, keys.RoutePassword())
	}
	return nil
}

// awaitCatalog opens the catalog with a copy on each node. It waits for a majority of
// the nodes, however long that takes.
func (c *Cluster) awaitCatalog(ctx context.Context, nc *Conn, log *slog.Logger) error {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for told := time.Now(); ; {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := makeBuckets(try, nc, len(c.Routes))
		cancel()
		if err == nil {
			return nil
		}
		if time.Since(told) > 10*time.Second {
			log.Warn("waiting for a majority of the hub's nodes", "node", c.Name, "error", err)
			told = time.Now()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for a majority of the hub's nodes: %w", ctx.Err())
		case <-tick.C:
		}
	}
}
