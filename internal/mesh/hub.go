package mesh

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/trust"
)

// HubOptions says where a hub keeps its data and listens.
type HubOptions struct {
	Dir         string // JetStream's folder
	TrustDir    string // keeps the accounts, with what was revoked
	Keys        *trust.Keys
	Host        string       // 127.0.0.1 when empty
	ClientPort  int          // -1 is any free port
	LeafPort    int          // -1 is any free port
	MonitorPort int          // of the server's own HTTP pages, /healthz among them; 0 is none, -1 any free port
	Certificate *Certificate // nil: links and clients are not encrypted
	Cluster     *Cluster     // nil: the hub is this one node
	Logger      *slog.Logger
}

// Hub is the server that leaves join. It holds the catalog.
type Hub struct {
	*node
	opts HubOptions
	sys  *Conn // in the account SYS
}

// StartHub starts a hub and returns when clients and leaves can join; a node of a
// cluster returns when a majority of nodes is there. A port that is taken is a Conflict
// that names it.
func StartHub(ctx context.Context, o HubOptions) (*Hub, error) {
	if o.Host == "" {
		o.Host = "127.0.0.1"
	}
	opts := baseOptions(o.Dir, product.HubDomain)
	opts.Host, opts.Port = o.Host, o.ClientPort
	opts.LeafNode = server.LeafNodeOpts{Host: o.Host, Port: o.LeafPort, Compression: linkCompression()}
	opts.HTTPHost, opts.HTTPPort = o.Host, o.MonitorPort
	if o.Certificate != nil {
		config, err := o.Certificate.config()
		if err != nil {
			return nil, err
		}
		opts.TLSConfig, opts.LeafNode.TLSConfig = config, config.Clone()
		opts.TLSTimeout, opts.LeafNode.TLSTimeout = tlsSeconds, tlsSeconds
	}
	if o.Cluster != nil {
		if err := o.Cluster.join(opts, o.Keys); err != nil {
			return nil, err
		}
	}
	if err := trustKeys(opts, o); err != nil {
		return nil, fmt.Errorf("start hub: %w", err)
	}
	own, err := o.Keys.Own()
	if err != nil {
		return nil, fmt.Errorf("start hub: %w", err)
	}
	n, err := startNode(ctx, opts, newServerLog(o.Logger), own)
	if err != nil {
		return nil, err
	}
	h := &Hub{node: n, opts: o}
	if err = h.dialSystem(); err == nil {
		if o.Cluster != nil {
			err = o.Cluster.awaitCatalog(ctx, n.nc, orDiscard(o.Logger))
		} else {
			err = makeBuckets(ctx, n.nc, 1)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("start hub: %w", joinClose(ctx, err, n))
	}
	return h, nil
}

// ClientURL is where clients connect.
func (h *Hub) ClientURL() string { return h.srv.ClientURL() }

// LeafURL is where leaves join.
func (h *Hub) LeafURL() string {
	varz, err := h.srv.Varz(nil)
	port := h.opts.LeafPort
	if err == nil && varz.LeafNode.Port > 0 {
		port = varz.LeafNode.Port
	}
	host := h.opts.Host
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	u := url.URL{Scheme: "nats-leaf", Host: net.JoinHostPort(host, strconv.Itoa(port))}
	return u.String()
}

// MonitorURL is where the server's own HTTP pages are, "" without them.
func (h *Hub) MonitorURL() string {
	addr := h.srv.MonitorAddr()
	if addr == nil {
		return ""
	}
	return fmt.Sprintf("http://%s", addr)
}

// Clustered says whether the hub has several nodes.
func (h *Hub) Clustered() bool { return h.opts.Cluster != nil }

// Handle has the server's own HTTP pages, where there are some, answer at a further path.
func (h *Hub) Handle(path string, page http.Handler) error {
	switch pages := h.srv.HTTPHandler().(type) {
	case nil:
		return nil
	case *http.ServeMux:
		pages.Handle(path, page)
		return nil
	default:
		return fault.New(fault.Internal, "", "the server's own pages, a %T, take no further one", pages)
	}
}

// Leaves is how many leaves are joined.
func (h *Hub) Leaves() int { return h.srv.NumLeafNodes() }

// Close stops the hub; leaves keep serving and rejoin when it is back.
func (h *Hub) Close(ctx context.Context) error {
	h.sys.Close()
	return h.close(ctx)
}
