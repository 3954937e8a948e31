package mesh

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// LeafOptions says where a leaf keeps its data and which hub it joins.
type LeafOptions struct {
	Dir        string // JetStream's folder
	Domain     string // the product's name; unique in the mesh
	HubLeafURL string // empty: it joins nothing
	MaxStore   int64  // most bytes on disk; 0 leaves it to the server
	Logger     *slog.Logger
}

// Leaf is a product's own server, with its own JetStream domain. It serves its
// product whether or not the hub is there.
type Leaf struct {
	*node
	domain string
	log    *slog.Logger
	guard  *guard
	desk   *desk
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// StartLeaf starts a leaf and returns when it serves its own product. It joins the
// hub in the background, now and again after each interruption.
func StartLeaf(ctx context.Context, o LeafOptions) (*Leaf, error) {
	opts := baseOptions(o.Dir, o.Domain)
	opts.DontListen = true
	opts.JetStreamMaxStore = o.MaxStore
	if o.HubLeafURL != "" {
		u, err := url.Parse(o.HubLeafURL)
		if err != nil || u.Host == "" {
			return nil, fault.New(fault.Invalid, "write it as nats-leaf://host:port", "hub address %q is not a URL", o.HubLeafURL)
		}
		opts.LeafNode = server.LeafNodeOpts{
			ReconnectInterval: 200 * time.Millisecond,
			Remotes: []*server.RemoteLeafOpts{{
				URLs: []*url.URL{u},
				// It joins where it was told to, also where the hub has addresses of its own behind that one.
				IgnoreDiscoveredServers: true,
				Compression:             linkCompression(),
				DenyImports:             []string{product.MirrorRequests}, DenyExports: []string{product.MirrorRequests},
			}},
		}
	}
	n, err := startNode(ctx, opts, newServerLog(o.Logger))
	if err != nil {
		return nil, err
	}
	l := &Leaf{node: n, domain: o.Domain, log: orDiscard(o.Logger)}
	if l.desk, err = newDesk(n.nc); err != nil {
		return nil, fmt.Errorf("start leaf %s: %w", o.Domain, joinClose(ctx, err, n))
	}
	if l.guard, err = newGuard(n, o.Domain); err != nil {
		return nil, fmt.Errorf("start leaf %s: %w", o.Domain, joinClose(ctx, err, n))
	}
	watch, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l.cancel = cancel
	l.done.Go(func() { l.guard.watch(watch, l.Connected, l.log) })
	return l, nil
}

// Domain is the leaf's JetStream domain.
func (l *Leaf) Domain() string { return l.domain }

// Connected says whether the leaf has joined the hub.
func (l *Leaf) Connected() bool { return l.srv.NumLeafNodes() > 0 }

// Conflict yields one Conflict when a leaf of the same domain had joined the mesh
// before this one did. Two leaves of one domain answer for each other at random, so
// this one should be closed.
func (l *Leaf) Conflict() <-chan error { return l.guard.conflict }

// Close stops the leaf.
func (l *Leaf) Close(ctx context.Context) error {
	l.cancel()
	l.done.Wait()
	return l.close(ctx)
}
