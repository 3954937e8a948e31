package serve

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
)

func TestListen(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, err := Listen(ctx, "127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Err() != nil {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	cancel() // the end of ctx does not cut requests
	if r := get(t, s.Addr()); r.StatusCode != 200 {
		t.Errorf("GET = %d after the end of Listen's context", r.StatusCode)
	}
	_, err = Listen(t.Context(), strings.TrimPrefix(s.Addr(), "http://"), http.NotFoundHandler())
	if fault.KindOf(err) != fault.Conflict || fault.HintOf(err) == "" {
		t.Errorf("a taken port = %v; want Conflict", err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("Close = %v", err)
	}
	if c, err := net.Dial("tcp", strings.TrimPrefix(s.Addr(), "http://")); err == nil {
		c.Close()
		t.Error("it still listens after Close")
	}
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("second Close = %v", err)
	}
}

func TestListenRefuses(t *testing.T) {
	for _, addr := range []string{"127.0.0.1", "127.0.0.1:99999", "192.0.2.1:0", "127.0.0.1:no-such-service"} {
		s, err := Listen(t.Context(), addr, http.NotFoundHandler())
		if err == nil {
			s.Close(t.Context())
		}
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("Listen(%s) = %v; want Invalid", addr, err)
		}
	}
}

func TestAddrIsReachable(t *testing.T) {
	for addr, want := range map[string]string{"127.0.0.1:0": "http://127.0.0.1:", "localhost:0": "http://localhost:", ":0": "http://127.0.0.1:", "0.0.0.0:0": "http://127.0.0.1:"} {
		s, err := Listen(t.Context(), addr, http.NotFoundHandler())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(s.Addr(), want) {
			t.Errorf("Addr of %s = %s; want %s…", addr, s.Addr(), want)
		}
		if r := get(t, s.Addr()); r.StatusCode != 404 {
			t.Errorf("GET %s = %d", s.Addr(), r.StatusCode)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
}

// Close lets a request finish, and cuts one that takes longer than its context.
func TestCloseCutsWhatStays(t *testing.T) {
	f := newFake()
	s, err := Listen(t.Context(), "127.0.0.1:0", NewHandler(f, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() {
		res, err := http.Get(s.Addr() + "/v1/query?sql=wait")
		if err == nil {
			res.Body.Close()
		}
		answered <- err
	}()
	<-f.waiting
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close = %v; want the deadline", err)
	}
	select {
	case err := <-f.ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("query ended by %v; want it cancelled", err)
		}
	default:
		t.Error("a query goes on after Close")
	}
	<-answered
}

func TestCloseWaitsForRequests(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s, err := Listen(t.Context(), "127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-leave
		if r.Context().Err() != nil {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	status := make(chan int, 1)
	go func() {
		res, err := http.Get(s.Addr())
		if err != nil {
			status <- 0
			return
		}
		res.Body.Close()
		status <- res.StatusCode
	}()
	<-entered
	closed := make(chan error, 1)
	go func() { closed <- s.Close(t.Context()) }()
	for { // until nobody else is let in
		c, err := net.Dial("tcp", strings.TrimPrefix(s.Addr(), "http://"))
		if err != nil {
			break
		}
		c.Close()
	}
	close(leave)
	if got := <-status; got != 200 {
		t.Errorf("the request under way = %d; want 200", got)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close = %v", err)
	}
}

func TestIsLoopback(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:80": true, "localhost:0": true, "[::1]:80": true, "127.9.9.9:1": true,
		":80": false, "0.0.0.0:80": false, "[::]:80": false, "10.0.0.1:80": false, "127.0.0.1": false, "example.com:80": false,
	} {
		if got := IsLoopback(addr); got != want {
			t.Errorf("IsLoopback(%s) = %v", addr, got)
		}
	}
}
