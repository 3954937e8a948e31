package mesh

import (
	"context"
	"crypto/tls"
	"errors"
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
	HubLeafURL string // of the hub, several with commas of the nodes of one; empty: it joins nothing
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
	link   *link
	cutOff atomic.Bool // somebody keeps it off the hub
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
		nodes, err := hubNodes(o.HubLeafURL)
		if err != nil {
			return nil, err
		}
		var authorities *tls.Config
		if o.CA != "" { // otherwise it is as the hub asks, and the system's authorities count
			host := ""
			if len(nodes) == 1 {
				host = nodes[0].Hostname()
			}
			if authorities, err = trusting(o.CA, host); err != nil {
				return nil, err
			}
		}
		opts.LeafNode = server.LeafNodeOpts{
			ReconnectInterval: 200 * time.Millisecond,
			Remotes: []*server.RemoteLeafOpts{{
				URLs: nodes,
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
	l.link = &link{srv: n.srv}
	watch, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l.cancel = cancel
	l.done.Go(func() { l.guard.watch(watch, l.joined, l.link.look, l.log) })
	return l, nil
}

// hubNodes are the addresses of a hub's nodes.
func hubNodes(urls string) (nodes []*url.URL, err error) {
	for node := range strings.SplitSeq(urls, ",") {
		u, err := url.Parse(strings.TrimSpace(node))
		if err != nil || u.Host == "" {
			return nil, fault.New(fault.Invalid, "write it as nats-leaf://host:port", "hub address %q is not a URL", node)
		}
		nodes = append(nodes, u)
	}
	return nodes, nil
}

// Domain is the leaf's JetStream domain.
func (l *Leaf) Domain() string { return l.domain }

// Connected says whether the leaf has joined the hub.
func (l *Leaf) Connected() bool { return l.srv.NumLeafNodes() > 0 }

// sign shows the hub the leaf's credential.
func (l *Leaf) sign(nonce []byte) (token string, signed []byte, err error) {
	if l.cutOff.Load() {
		return "", nil, errors.New("its link was cut on purpose")
	}
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

// Cut keeps the leaf off the hub until ctx is done, and returns when it has joined again,
// or when again is done: how long it was cut, and how long it took from then on.
func (l *Leaf) Cut(ctx, again context.Context) (cut, back time.Duration, err error) {
	if l.cutOff.Swap(true) {
		return 0, 0, fault.New(fault.Conflict, "wait until that has ended", "the link of %s is cut already", l.domain)
	}
	began := time.Now()
	_, err = l.disconnect()
	if err == nil {
		<-ctx.Done()
	}
	l.cutOff.Store(false)
	if err != nil {
		return 0, 0, fmt.Errorf("cut the link of %s: %w", l.domain, err)
	}
	healed := time.Now()
	cut = healed.Sub(began)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !l.Connected() {
		select {
		case <-again.Done():
			return cut, time.Since(healed), again.Err()
		case <-tick.C:
		}
	}
	return cut, time.Since(healed), nil
}

// disconnect ends the leaf's connections to the hub, and says how many there were. It
// joins again by itself.
func (l *Leaf) disconnect() (int, error) {
	links, err := l.srv.Leafz(nil)
	if err != nil {
		return 0, err
	}
	for _, link := range links.Leafs {
		_ = l.srv.DisconnectClientByID(link.ID) // one that is gone meanwhile joins anyway
	}
	return len(links.Leafs), nil
}

// Rejoin joins the hub again, with the credential that there is now. It returns when
// others reach the leaf, or when ctx is done; then it goes on trying.
func (l *Leaf) Rejoin(ctx context.Context) error {
	had, err := l.disconnect()
	if err != nil {
		return fmt.Errorf("rejoin: %w", err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for had > 0 {
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
