package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/fault"
)

func TestStatusOfEachKind(t *testing.T) {
	want := map[fault.Kind]int{
		fault.Invalid: 400, fault.NotFound: 404, fault.Conflict: 409, fault.Rejected: 422,
		fault.Denied: 403, fault.Unavailable: 503, fault.Timeout: 504, fault.Internal: 500,
	}
	f := newFake()
	at := serveFake(t, f, Options{})
	for kind, status := range want {
		f.err = fmt.Errorf("ask the store: %w", fault.New(kind, "do this", "it said no"))
		for _, path := range []string{"/v1", "/v1/ports", "/v1/ports/legs", "/v1/ports/legs/records/a/b", "/v1/ports/legs/records/a",
			"/v1/ports/legs/records?key=a", "/v1/ports/legs/scan", "/v1/query?sql=rows+1", "/openapi.json", "/metrics"} {
			r := get(t, at+path)
			wantProblem(t, r, status, kind, "it said no")
			if p := parse[Problem](t, r); p.Hint != "do this" {
				t.Errorf("%s hint = %q", path, p.Hint)
			}
		}
	}
	f.err = context.DeadlineExceeded
	wantProblem(t, get(t, at+"/v1"), 504, fault.Timeout, "deadline")
}

func TestUnroutedRequests(t *testing.T) {
	at := serveFake(t, newFake(), Options{})
	for _, path := range []string{"/", "/v2", "/v1/", "/v1/ports/", "/v1/ports/flights/", "/v1/ports/flights/nothing", "//v1", "/v1/../v1", "/metrics/x"} {
		status := 404
		if path == "/v1/ports/" { // a port without a name
			status = 400
		}
		if r := get(t, at+path); r.StatusCode != status || r.Header.Get("Content-Type") != mediaProblem {
			t.Errorf("GET %s = %d %s; want %d", path, r.StatusCode, r.body, status)
		}
	}
	for _, tt := range []struct{ method, path, allow string }{
		{"POST", "/v1", "GET, HEAD"},
		{"DELETE", "/v1/ports/flights/records/a", "GET, HEAD"},
		{"PUT", "/v1/query", "GET, HEAD, POST"},
		{"GET", "/v1/ports/flights/query", "POST"},
		{"OPTIONS", "/healthz", "GET, HEAD"},
	} {
		r := do(t, tt.method, at+tt.path, "")
		wantProblem(t, r, 405, fault.Invalid, tt.method)
		if got := r.Header.Get("Allow"); got != tt.allow {
			t.Errorf("%s %s allows %q; want %q", tt.method, tt.path, got, tt.allow)
		}
	}
}

func TestHead(t *testing.T) {
	f := newFake()
	f.add("flights", "LH400", "{}")
	at := serveFake(t, f, Options{})
	for _, rt := range routes() {
		if rt.method != http.MethodGet {
			continue
		}
		path := strings.NewReplacer("{port}", "flights", "{key}", "LH400").Replace(rt.path)
		for _, p := range rt.params {
			if p.required {
				path += "?" + p.name + "=" + map[string]string{"key": "LH400", "sql": "rows+1"}[p.name]
			}
		}
		head, full := do(t, http.MethodHead, at+path, ""), get(t, at+path)
		if head.StatusCode != 200 || head.body != "" || head.Header.Get("Content-Type") != full.Header.Get("Content-Type") || full.body == "" {
			t.Errorf("HEAD %s = %d %q %v", path, head.StatusCode, head.body, head.Header)
		}
	}
}

func TestPanicIsAProblem(t *testing.T) {
	f := newFake()
	f.boom = true
	var logged bytes.Buffer
	h := NewHandler(f, Options{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1", nil))
	if w.Code != 500 || !strings.Contains(w.Body.String(), `"kind":"internal"`) || strings.Contains(w.Body.String(), "boom") {
		t.Errorf("panic = %d %s", w.Code, w.Body)
	}
	if text := logged.String(); !strings.Contains(text, "panic=boom") || !strings.Contains(text, "fake_test.go") {
		t.Errorf("log = %s; want the panic and its stack", text)
	}
}

func TestFailureIsLoggedOnce(t *testing.T) {
	for kind, want := range map[fault.Kind]int{fault.Internal: 1, fault.NotFound: 0} {
		f := newFake()
		f.err = fault.New(kind, "", "it said no")
		var logged bytes.Buffer
		h := NewHandler(f, Options{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/v1", nil))
		if got := strings.Count(logged.String(), "it said no"); got != want {
			t.Errorf("%s is logged %d times; want %d: %s", kind, got, want, &logged)
		}
	}
}

func TestEndOfRequestEndsQuery(t *testing.T) {
	f := newFake()
	at := serveFake(t, f, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-f.waiting
		cancel()
	}()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at+"/v1/query?sql=wait", nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := http.DefaultClient.Do(r); !errors.Is(err, context.Canceled) {
		t.Fatalf("request = %v, %v; want it cancelled", res, err)
	}
	select {
	case err := <-f.ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("query ended by %v", err)
		}
	case <-t.Context().Done():
		t.Error("query goes on")
	}
}

func TestLoopbackOnly(t *testing.T) {
	at := serveFake(t, newFake(), Options{LoopbackOnly: true})
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	for host, ok := range map[string]bool{
		u.Host: true, "localhost": true, "LOCALHOST:" + u.Port(): true, "127.0.0.1": true, "127.1.2.3:80": true, "[::1]:80": true, "[::1]": true, "[::ffff:127.0.0.1]": true,
		"evil.example": false, "evil.example:" + u.Port(): false, "localhost.evil.example": false, "127.0.0.1.evil.example": false,
		"10.0.0.1": false, "0.0.0.0": false, "[::]:80": false, "foo.localhost": false,
	} {
		for _, path := range []string{"/v1", "/metrics", "/nothing"} {
			r := get(t, at+path, "Host", host)
			if refused := r.StatusCode == 403; refused == ok {
				t.Errorf("Host %s of %s = %d; want it allowed: %v", host, path, r.StatusCode, ok)
			}
		}
	}
	wantProblem(t, get(t, at+"/v1", "Host", "evil.example"), 403, fault.Denied, "evil.example")
	open := serveFake(t, newFake(), Options{})
	if r := get(t, open+"/v1", "Host", "mesh.example"); r.StatusCode != 200 {
		t.Errorf("another host = %d without LoopbackOnly", r.StatusCode)
	}
}

func TestProbes(t *testing.T) {
	f := newFake()
	f.err = errors.New("it is down")
	var notReady error
	at := serveFake(t, f, Options{Version: "v9", Ready: func(ctx context.Context) error {
		if _, ok := ctx.Deadline(); !ok {
			return errors.New("no deadline")
		}
		return notReady
	}})
	if h := parse[Health](t, get(t, at+"/healthz")); h != (Health{Status: "up", Version: "v9"}) {
		t.Errorf("health = %+v", h)
	}
	if h := parse[Health](t, get(t, at+"/readyz")); h.Status != "ready" {
		t.Errorf("ready = %+v", h)
	}
	notReady = fault.New(fault.NotFound, "wait", "the hub is away")
	wantProblem(t, get(t, at+"/readyz"), 503, fault.Unavailable, "the hub is away")
	if h := parse[Health](t, get(t, serveFake(t, f, Options{})+"/readyz")); h.Status != "ready" {
		t.Errorf("ready without a check = %+v", h)
	}
}

// stuck is a client that reads nothing.
type stuck struct{ http.ResponseWriter }

func (stuck) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestUnsendableAnswerIsCut(t *testing.T) {
	h := NewHandler(newFake(), Options{})
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("recovered %v; want http.ErrAbortHandler", p)
		}
	}()
	h.ServeHTTP(stuck{httptest.NewRecorder()}, httptest.NewRequest(http.MethodGet, "/v1", nil))
	t.Error("an answer that could not be sent passed for one")
}
