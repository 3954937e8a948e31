package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
)

// Server is an HTTP server that listens.
type Server struct {
	http   *http.Server
	url    string
	cancel context.CancelFunc // of the requests
	done   chan error         // how serving ended; closed after it
	busy   sync.RWMutex       // read-held by each request
	closed bool
}

// Listen serves h at addr, a host and a port, until Close. Port 0 takes any free one. A
// port that is taken is a Conflict. Requests carry ctx's values; its end does not cut
// them, Close does.
func Listen(ctx context.Context, addr string, h http.Handler) (*Server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, listenFault(addr, err)
	}
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &Server{url: urlOf(addr, l.Addr()), cancel: cancel, done: make(chan error, 1)}
	s.http = &http.Server{
		Handler: s.gate(h), BaseContext: func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.done <- fmt.Errorf("serve http at %s: %w", addr, err)
		}
	}()
	return s, nil
}

// gate lets requests in until the server is closed.
func (s *Server) gate(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.busy.RLock()
		defer s.busy.RUnlock()
		if s.closed {
			panic(http.ErrAbortHandler) // its connection is cut already
		}
		h.ServeHTTP(w, r)
	})
}

func listenFault(addr string, err error) error {
	var wrong *net.AddrError
	var unknown *net.DNSError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fault.New(fault.Conflict, "stop what listens there, or choose another port", "listen on %s: the port is taken", addr)
	case errors.Is(err, syscall.EACCES):
		return fault.New(fault.Denied, "choose a port from 1024 on", "listen on %s: %w", addr, err)
	case errors.As(err, &wrong), errors.As(err, &unknown), errors.Is(err, syscall.EADDRNOTAVAIL):
		return fault.New(fault.Invalid, "write a host of this machine and a port, such as 127.0.0.1:8080", "listen on %s: %w", addr, err)
	}
	return fmt.Errorf("listen on %s: %w", addr, err)
}

// urlOf is the URL of what was bound; for all interfaces it names the loopback one,
// which is sure to be there.
func urlOf(addr string, bound net.Addr) string {
	host, port, err := net.SplitHostPort(bound.String())
	if err != nil {
		return "http://" + bound.String()
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	if asked, _, err := net.SplitHostPort(addr); err == nil && asked == "localhost" {
		host = asked
	}
	return "http://" + net.JoinHostPort(host, port)
}

// Addr is the URL it answers at, such as http://127.0.0.1:8080.
func (s *Server) Addr() string { return s.url }

// Close takes no more requests and waits for those under way until ctx ends; then it
// cuts them. No request is under way when it returns. It reports how serving ended,
// if not by Close, or that it had to cut.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	s.cancel()
	if err != nil {
		err = errors.Join(fmt.Errorf("close http server: %w", err), s.http.Close())
	}
	s.busy.Lock()
	s.closed = true
	s.busy.Unlock()
	return errors.Join(err, <-s.done)
}

// IsLoopback says whether addr, a host and a port, can be reached from this machine only.
func IsLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && host != "" && LoopbackHost(host)
}

// LoopbackHost says whether a Host header names this machine's loopback. A name that
// merely resolves to it does not: that is what DNS rebinding uses.
func LoopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
