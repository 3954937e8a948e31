package mesh

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/trust"
)

// startTimeout bounds a server's start; recovering a large stream takes a while.
const startTimeout = 2 * time.Minute

// node is what a hub and a leaf have in common: an embedded server and a client
// inside its process.
type node struct {
	srv   *server.Server
	nc    *Conn
	creds *trust.Creds // of clients inside the process; nil where the server asks for none
	inbox string       // of those without creds
}

// maxMemory is for streams in memory, which there are none of: without a limit the server
// claims three quarters of the machine's.
const maxMemory = 1 << 30

func baseOptions(dir, domain string) *server.Options {
	return &server.Options{
		// Two leaves of one name would throw each other out of the hub, over and over.
		ServerName:         domain + "-" + nuid.Next(),
		JetStream:          true,
		JetStreamDomain:    domain,
		StoreDir:           dir,
		JetStreamMaxMemory: maxMemory,
		MaxPayload:         maxPayload,
		NoSigs:             true,
		// A link that carries nothing any more is noticed in about twenty seconds, not in four
		// minutes. Much sooner, and a machine that is overloaded takes its links for dead.
		PingInterval: 5 * time.Second,
		MaxPingsOut:  3,
		// Subjects that name domain, stream and consumer, so that credentials can be narrow.
		FeatureFlags: map[string]bool{server.FeatureFlagJsAckFormatV2: true, server.FeatureFlagJsAPIReplyFormatV2: true},
	}
}

// linkCompression is the cheapest one. Left to itself, the server compresses the harder the
// slower the other side answers, so that an overloaded machine gets slower still.
func linkCompression() server.CompressionOpts {
	return server.CompressionOpts{Mode: server.CompressionS2Fast}
}

// startNode starts a server and returns when it is ready.
func startNode(ctx context.Context, opts *server.Options, log *serverLog, creds *trust.Creds) (*node, error) {
	srv, err := server.NewServer(opts)
	if err != nil {
		return nil, fault.New(fault.Invalid, "", "configure server %s: %w", opts.JetStreamDomain, err)
	}
	srv.SetLoggerV2(log, false, false, false)
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	srv.Start()
	if err := awaitReady(ctx, srv, log); err != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil, fmt.Errorf("start server %s: %w", opts.JetStreamDomain, err)
	}
	n := &node{srv: srv, creds: creds, inbox: product.ProductInbox(opts.JetStreamDomain)}
	if n.nc, err = n.Dial("meshctl"); err != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil, err
	}
	return n, nil
}

func awaitReady(ctx context.Context, srv *server.Server, log *serverLog) error {
	for !srv.ReadyForConnections(20*time.Millisecond) || !srv.JetStreamEnabled() {
		select {
		case err := <-log.fatal:
			return startFault(err)
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
	}
	select {
	case err := <-log.fatal: // a listener may fail after the client's was ready
		return startFault(err)
	default:
		return nil
	}
}

func startFault(err error) error {
	text := err.Error()
	if strings.Contains(text, "address already in use") {
		return fault.New(fault.Conflict, "choose another port, or stop what listens on it", "%w", err)
	}
	if strings.Contains(text, "permission denied") || strings.Contains(text, "cannot assign requested address") {
		return fault.New(fault.Invalid, "choose another address or folder", "%w", err)
	}
	return err
}

// Conn is the node's own client, inside the process. It lives as long as the node.
func (n *node) Conn() *Conn { return n.nc }

// Dial is a further client inside the process, for traffic that must not wait behind
// the node's own; the caller closes it.
func (n *node) Dial(name string) (*Conn, error) {
	opts := append(clientOptions(name), nats.InProcessServer(n.srv), nats.CustomInboxPrefix(n.inbox))
	nc, err := connect("", n.creds, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect in process: %w", err)
	}
	return nc, nil
}

// close lets what was published leave, then stops the server.
func (n *node) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err := n.nc.FlushWithContext(ctx)
	n.nc.Close()
	n.srv.Shutdown()
	n.srv.WaitForShutdown()
	if err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		return fmt.Errorf("flush before closing: %w", err)
	}
	return nil
}

// joinClose closes a node whose start went wrong for reason err.
func joinClose(ctx context.Context, err error, n *node) error {
	return errors.Join(err, n.close(context.WithoutCancel(ctx)))
}
