package mesh

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/trust"
)

// LeafOptions says where a leaf keeps its data and which hub it joins.
type LeafOptions struct {
	Dir        string // JetStream's folder
	Domain     string // the product's name; unique in the mesh
	HubLeafURL string // empty: it joins nothing
	CA         string // file of the authorities that vouch for the hub; the system's when empty
	// Creds is asked for the leaf's credential at each attempt to join.
	Creds    func() (*trust.Creds, error)
	MaxStore int64 // most bytes on disk; 0 leaves it to the server
	Logger   *slog.Logger
}

// Leaf is a product's own server, with its own JetStream domain. It serves its
// product whether or not the hub is there.
type Leaf struct {
	*node
	domain string
	log    *slog.Logger
	guard  *guard
	desk   *desk
	creds  func() (*trust.Creds, error)
	cancel context.CancelFunc
	done   sync.WaitGroup
	// why the hub does not let it in, in its words; nil at first
	refused atomic.Pointer[string]
}

// StartLeaf starts a leaf and returns when it serves its own product. It joins the
// hub in the background, now and again after each interruption.
func StartLeaf(ctx context.Context, o LeafOptions) (*Leaf, error) {
	l := &Leaf{domain: o.Domain, log: orDiscard(o.Logger), creds: o.Creds}
	opts := baseOptions(o.Dir, o.Domain)
	opts.DontListen = true
	opts.JetStreamMaxStore = o.MaxStore
	if o.HubLeafURL != "" {
		u, err := url.Parse(o.HubLeafURL)
		if err != nil || u.Host == "" {
			return nil, fault.New(fault.Invalid, "write it as nats-leaf://host:port", "hub address %q is not a URL", o.HubLeafURL)
		}
		var authorities *tls.Config
		if o.CA != "" { // otherwise it is as the hub asks, and the system's authorities count
			if authorities, err = trusting(o.CA, u.Hostname()); err != nil {
				return nil, err
			}
		}
		opts.LeafNode = server.LeafNodeOpts{
			ReconnectInterval: 200 * time.Millisecond,
			Remotes: []*server.RemoteLeafOpts{{
				URLs: []*url.URL{u},
				// It joins where it was told to, also where the hub has addresses of its own behind that one.
				IgnoreDiscoveredServers: true,
				Compression:             linkCompression(),
				DenyImports:             []string{product.MirrorRequests}, DenyExports: []string{product.MirrorRequests},
				TLSConfig:   authorities,
				TLSTimeout:  tlsSeconds,
				SignatureCB: func(nonce []byte) (string, []byte, error) { return l.sign(nonce) },
			}},
		}
	}
	log := newServerLog(o.Logger)
	log.heard = l.heard
	n, err := startNode(ctx, opts, log, nil)
	if err != nil {
		return nil, err
	}
	l.node = n
	if l.desk, err = newDesk(n.nc); err != nil {
		return nil, fmt.Errorf("start leaf %s: %w", o.Domain, joinClose(ctx, err, n))
	}
	if l.guard, err = newGuard(n, o.Domain); err != nil {
		return nil, fmt.Errorf("start leaf %s: %w", o.Domain, joinClose(ctx, err, n))
	}
	watch, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l.cancel = cancel
	l.done.Go(func() { l.guard.watch(watch, l.joined, l.log) })
	return l, nil
}

// Domain is the leaf's JetStream domain.
func (l *Leaf) Domain() string { return l.domain }

// Connected says whether the leaf has joined the hub.
func (l *Leaf) Connected() bool { return l.srv.NumLeafNodes() > 0 }

// sign shows the hub the leaf's credential.
func (l *Leaf) sign(nonce []byte) (token string, signed []byte, err error) {
	creds, err := l.creds()
	if err != nil {
		return "", nil, err
	}
	signed, err = creds.Sign(nonce)
	return creds.Token(), signed, err
}

// heard takes in what the leaf's server says of its attempts to join. That there is no
// credential yet is not told at once: a hub that has just begun may be about to issue it.
func (l *Leaf) heard(text string) bool {
	if _, reason, ok := strings.Cut(text, "Error signing the nonce: "); ok {
		l.refused.Store(&reason)
		return true
	}
	_, reason, ok := strings.Cut(text, "Leafnode Error ")
	if !ok || !strings.Contains(reason, "Auth") { // …orization Violation, …entication Revoked, …entication Expired
		return false
	}
	reason = strings.Trim(reason, "'")
	if l.refused.Swap(&reason) == nil {
		err := l.refusal(reason)
		l.log.Error("the leaf works on alone", "error", err, "hint", fault.HintOf(err))
	}
	return true
}

func (l *Leaf) refusal(reason string) error {
	return fault.New(fault.Denied, "have others issued with meshctl creds issue or rotate",
		"the hub does not take the credentials of %s: %s", l.domain, reason)
}

// joined is Connected, and forgets what there was against it.
func (l *Leaf) joined() bool {
	if !l.Connected() {
		return false
	}
	l.refused.Store(nil)
	return true
}

// Refused says why the leaf may not join the hub; nil when it has, or has not tried.
func (l *Leaf) Refused() error {
	why := l.refused.Load()
	if why == nil || l.Connected() {
		return nil
	}
	return l.refusal(*why)
}

// Rejoin joins the hub again, with the credential that there is now. It returns when
// others reach the leaf, or when ctx is done; then it goes on trying.
func (l *Leaf) Rejoin(ctx context.Context) error {
	links, err := l.srv.Leafz(nil)
	if err != nil {
		return fmt.Errorf("rejoin: %w", err)
	}
	for _, link := range links.Leafs {
		_ = l.srv.DisconnectClientByID(link.ID) // one that is gone meanwhile joins anyway
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for len(links.Leafs) > 0 {
		// An answer of the hub comes behind what the leaf has told it at joining.
		if _, err := CatalogOfHub(l).Get(ctx, l.domain); err == nil || fault.KindOf(err) == fault.NotFound {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	return nil
}

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
