package objectstest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Proxy passes requests on to a server, or does with them what Rule says.
type Proxy struct {
	URL string

	mu   sync.Mutex
	rule Rule
	seen map[string]int // requests by method
}

// Fault is what happens to a request.
type Fault struct {
	Status int           // answered instead, when not 0
	Cut    int64         // the connection breaks after so many bytes of the answer's body, when not 0
	Drop   bool          // the answer is lost, though the server did what was asked
	Slow   time.Duration // waited before each 64 KiB of the answer, and before the request
}

// Rule says what happens to a request; the zero Fault lets it pass.
type Rule func(*http.Request) Fault

// NewProxy is a proxy before the server at a URL. It ends with the test.
func NewProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{seen: map[string]int{}}
	pass := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { // the host stays: it is part of the signature
			r.Out.URL.Scheme, r.Out.URL.Host = u.Scheme, u.Host
			r.Out.Host = r.In.Host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { panic(http.ErrAbortHandler) },
		ErrorLog:     nil,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(pass, w, r) }))
	t.Cleanup(server.Close)
	p.URL = server.URL
	return p
}

// Set makes the rule hold from the next request on; nil lets all pass.
func (p *Proxy) Set(rule Rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rule = rule
}

// Seen is how many requests of that method came.
func (p *Proxy) Seen(method string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[method]
}

func (p *Proxy) serve(pass http.Handler, w http.ResponseWriter, r *http.Request) {
	var f Fault
	p.mu.Lock()
	p.seen[r.Method]++
	if p.rule != nil {
		f = p.rule(r)
	}
	p.mu.Unlock()
	wait(r, f.Slow)
	switch {
	case f.Status != 0:
		_, _ = io.Copy(io.Discard, r.Body) // the client may be gone
		w.WriteHeader(f.Status)
	case f.Drop:
		pass.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	default:
		pass.ServeHTTP(&answer{ResponseWriter: w, r: r, fault: f}, r)
	}
}

// answer is a response on its way back.
type answer struct {
	http.ResponseWriter
	r     *http.Request
	fault Fault
	sent  int64
}

func (a *answer) Write(b []byte) (int, error) {
	total := 0
	for len(b) > 0 {
		n := min(len(b), 64<<10)
		if a.fault.Cut > 0 && a.sent+int64(n) > a.fault.Cut {
			_, _ = a.ResponseWriter.Write(b[:a.fault.Cut-a.sent])
			panic(http.ErrAbortHandler)
		}
		wait(a.r, a.fault.Slow)
		n, err := a.ResponseWriter.Write(b[:n])
		total += n
		a.sent += int64(n)
		if err != nil {
			return total, err
		}
		b = b[n:]
	}
	return total, nil
}

func wait(r *http.Request, d time.Duration) {
	if d == 0 {
		return
	}
	select {
	case <-r.Context().Done():
	case <-time.After(d):
	}
}
