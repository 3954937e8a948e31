package mesh

import (
	"context"
	"crypto/tls"
	"errors"
	"net/url"
	"time"

	"github.com/nats-io/jsm.go/natscontext"
	"github.com/nats-io/nats.go"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/trust"
)

// ConnectOptions says how to reach a hub. With Context it is the named context of the
// nats command line; URL and Creds then override what the context says.
type ConnectOptions struct {
	URL     string
	Context string
	Creds   string       // a credentials file
	Held    *trust.Creds // or the credential itself
	CA      string       // file of the authorities that vouch for the hub; the system's when empty
	Host    string       // that the hub's certificate is for, where it is not the URL's
	Name    string       // who connects, for the server's own list
}

// Connect connects to a hub and keeps the connection, through interruptions, until it
// is closed. A hub that is not there is Unavailable, one that does not let us in Denied.
func Connect(ctx context.Context, o ConnectOptions) (*Conn, error) {
	opts := clientOptions(o.Name)
	where := o.URL
	if o.Context != "" {
		c, err := natscontext.New(o.Context, true)
		if err != nil {
			return nil, fault.New(fault.Invalid, "list the contexts with nats context ls", "read NATS context %s: %w", o.Context, err)
		}
		fromContext, err := c.NATSOptions(opts...)
		if err != nil {
			return nil, fault.New(fault.Invalid, "correct it with nats context edit", "read NATS context %s: %w", o.Context, err)
		}
		opts = fromContext
		if where == "" {
			where = c.ServerURL()
		}
		// NATSOptions knows the context's credentials, but not where their holder gets answers.
		if held, err := trust.ReadCreds(c.Creds()); err == nil && c.InboxPrefix() == "" && held.Inbox() != "" {
			opts = append(opts, nats.CustomInboxPrefix(held.Inbox()))
		}
	}
	creds := o.Held
	if o.Held == nil && o.Creds != "" {
		var err error
		if creds, err = trust.ReadCreds(o.Creds); err != nil {
			return nil, err
		}
	}
	if o.CA != "" || o.Host != "" {
		config, err := trusting(o.CA, o.Host)
		if err != nil {
			return nil, err
		}
		opts = append(opts, nats.Secure(config))
	}
	if deadline, ok := ctx.Deadline(); ok {
		opts = append(opts, nats.Timeout(min(5*time.Second, max(time.Until(deadline), time.Millisecond))))
	}
	nc, err := connect(where, creds, opts...)
	if err != nil {
		return nil, connectFault(err, where)
	}
	return nc, nil
}

func connectFault(err error, where string) error {
	var bad *url.Error
	var stranger *tls.CertificateVerificationError
	switch {
	case errors.As(err, &stranger):
		return fault.New(fault.Unavailable, "name the authority that signed its certificate with --tls-ca", "connect to %s: %w", where, err)
	case isDenied(err):
		return fault.New(fault.Denied, "check the credentials, or ask the mesh's operator for some", "connect to %s: %w", where, err)
	case errors.As(err, &bad):
		return fault.New(fault.Invalid, "write it as nats://host:port", "connect to %s: %w", where, err)
	default:
		return fault.New(fault.Unavailable, "start a mesh with meshctl up, or say where one is", "connect to %s: %w", where, err)
	}
}

// syncQueue is how many answers may wait in one subscription. Each call makes its own, and
// by default has half a megabyte for them; a page of a list is the most that is asked for.
const syncQueue = 4 * listPage

// clientOptions are those of every client, inside a process or not.
func clientOptions(name string) []nats.Option {
	return []nats.Option{
		nats.Name(name),
		nats.SyncQueueLen(syncQueue),
		nats.Timeout(5 * time.Second),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(200 * time.Millisecond),
		nats.ReconnectJitter(50*time.Millisecond, 50*time.Millisecond),
		nats.PermissionErrOnSubscribe(true),
	}
}
