package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
)

// maxBody is the most bytes of a request's body.
const maxBody = 1 << 20

// Options are what a handler needs beside its product. The zero value works.
type Options struct {
	Logger       *slog.Logger                // where failures go; nil drops them
	Version      string                      // of meshctl
	Metrics      func(w io.Writer) error     // adds to /metrics, in the Prometheus text format
	Ready        func(context.Context) error // nil is always ready
	LoopbackOnly bool                        // refuse a Host that is not this machine's loopback, against DNS rebinding
}

// NewHandler is the HTTP face of a product. Every answer that is not a success is a
// problem (RFC 9457). An answer that fails after its first byte was sent ends in a
// broken connection, so that a client never takes a part for the whole.
func NewHandler(p Product, o Options) http.Handler {
	h := &handler{product: p, options: o, log: o.Logger, keys: newKeyWidths(p)}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	h.routes = routes()
	h.requests = newRequests()
	return h
}

type handler struct {
	product  Product
	options  Options
	log      *slog.Logger
	routes   []route
	requests *requests
	keys     *keyWidths
}

// call is one request on its way through a route.
type call struct {
	w     *tracked
	r     *http.Request
	path  map[string]string // the route's parameters, decoded
	rest  []string          // the segments of the route's last parameter, decoded
	query map[string][]string
}

func (c *call) context() context.Context { return c.r.Context() }

// param is the first value of a query parameter.
func (c *call) param(name string) string {
	if v := c.query[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// tracked knows what of an answer is beyond recall.
type tracked struct {
	http.ResponseWriter
	status int // 0 until the header was written
}

func (t *tracked) WriteHeader(status int) {
	if t.status == 0 {
		t.status = status
	}
	t.ResponseWriter.WriteHeader(status)
}

func (t *tracked) Write(b []byte) (int, error) {
	if t.status == 0 {
		t.status = http.StatusOK
	}
	return t.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (t *tracked) Unwrap() http.ResponseWriter { return t.ResponseWriter }

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t, start, name, done := &tracked{ResponseWriter: w}, time.Now(), unrouted, false
	defer func() {
		code := fmt.Sprint(t.status)
		if !done {
			code = aborted
		}
		h.requests.observe(r.Method, name, code, time.Since(start))
	}()
	t.Header().Set("X-Content-Type-Options", "nosniff")
	t.Header().Set("Cache-Control", "no-store")
	if h.options.LoopbackOnly && !LoopbackHost(r.Host) {
		WriteProblem(t, fault.New(fault.Denied, "use http://127.0.0.1 or http://localhost with the port it listens on",
			"host %q is not this machine", r.Host))
		done = true
		return
	}
	rt, c, err := h.route(t, r)
	if err == nil {
		name = rt.path
		err = h.run(rt, c)
	}
	if err != nil {
		h.fail(t, r, err)
	}
	done = true
}

// run gives the call to its route; a panic becomes an error.
func (h *handler) run(rt *route, c *call) (err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p)
		default:
			h.log.Error("handler panicked", "method", c.r.Method, "path", c.r.URL.Path, "panic", p, "stack", string(debug.Stack()))
			err = fault.New(fault.Internal, "report it with the product's log", "the handler panicked")
		}
	}()
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, maxBody)
	return rt.serve(h, c)
}

// fail answers err, or breaks the connection when an answer is already under way.
func (h *handler) fail(t *tracked, r *http.Request, err error) {
	gone := errors.Is(r.Context().Err(), context.Canceled)
	if gone && fault.KindOf(err) == fault.Internal {
		err = fault.New(fault.Unavailable, "", "the request was cancelled: %w", err)
	}
	switch {
	case t.status != 0:
		h.log.Warn("answer cut short", "method", r.Method, "path", r.URL.Path, "error", err)
		panic(http.ErrAbortHandler)
	case fault.KindOf(err) == fault.Internal:
		h.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	WriteProblem(t, err)
}
