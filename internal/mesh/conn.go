package mesh

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/meshctl/meshctl/internal/trust"
)

// Conn is a connection to a hub or a leaf.
type Conn struct {
	*nats.Conn
	denials *denials
}

// connect connects as the holder of creds; nil where the server asks for none.
func connect(where string, creds *trust.Creds, opts ...nats.Option) (*Conn, error) {
	c := &Conn{denials: &denials{waiting: map[*denial]struct{}{}}}
	opts = append(opts, nats.ErrorHandler(c.denials.heard))
	if creds != nil {
		opts = append(opts, nats.UserJWT(func() (string, error) { return creds.Token(), nil }, creds.Sign))
		if inbox := creds.Inbox(); inbox != "" {
			opts = append(opts, nats.CustomInboxPrefix(inbox))
		}
	}
	var err error
	c.Conn, err = nats.Connect(where, opts...)
	return c, err
}

// denials tells requests that the server does not let them pass. It answers none of
// them; it only tells the connection.
type denials struct {
	mu      sync.Mutex
	waiting map[*denial]struct{}
}

type denial struct {
	subject string
	cancel  context.CancelCauseFunc
}

// heard takes in an error that the server sent.
func (d *denials) heard(_ *nats.Conn, _ *nats.Subscription, err error) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for w := range d.waiting {
		if strings.Contains(err.Error(), `"`+w.subject+`"`) {
			w.cancel(err)
		}
	}
}

// watch is ctx, and ends when the server does not let a request to subject pass; cause
// then gives the denial. cancel ends it for another cause; end must be called.
func (d *denials) watch(ctx context.Context, subject string) (_ context.Context, cancel context.CancelCauseFunc, end func()) {
	ctx, cancel = context.WithCancelCause(ctx)
	w := &denial{subject, cancel}
	d.mu.Lock()
	d.waiting[w] = struct{}{}
	d.mu.Unlock()
	return ctx, cancel, func() {
		d.mu.Lock()
		delete(d.waiting, w)
		d.mu.Unlock()
		cancel(nil)
	}
}

// errNoAnswer is that a request was given up before ctx was.
var errNoAnswer = fmt.Errorf("no answer came: %w", context.DeadlineExceeded)

// request is one message and its answer, for which it waits that long: then the error is
// errNoAnswer. One that the server does not let pass is Denied at once, as far as the
// server tells: a leaf's does not. A get is one request, so it makes one context for both.
func (c *Conn) request(ctx context.Context, m *nats.Msg, patience time.Duration) (*nats.Msg, error) {
	watched, cancel, end := c.denials.watch(ctx, m.Subject)
	defer end()
	defer time.AfterFunc(patience, func() { cancel(errNoAnswer) }).Stop()
	answer, err := c.RequestMsgWithContext(watched, m)
	if err != nil && watched.Err() != nil && ctx.Err() == nil {
		err = context.Cause(watched)
	}
	return answer, err
}

// Ended says why a connection is no more.
func Ended(c *Conn) error {
	err := c.LastError()
	if err == nil {
		err = nats.ErrConnectionClosed
	}
	return connFault(err, "the hub")
}
