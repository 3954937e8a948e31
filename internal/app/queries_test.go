package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/linktest"
	"github.com/meshctl/meshctl/internal/serve"
)

// long is an answer of 100 GB, which a client hardly ever reads to its end.
const long = "SELECT range AS n, repeat('x', 1000) AS filler FROM range(100000000)"

// auditLog keeps the lines that tell of queries.
type auditLog struct {
	slog.Handler
	mu    *sync.Mutex
	lines *[]map[string]any
}

func newAuditLog(t *testing.T) auditLog {
	return auditLog{slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}), &sync.Mutex{}, &[]map[string]any{}}
}

func (a auditLog) Enabled(context.Context, slog.Level) bool { return true }

func (a auditLog) WithAttrs([]slog.Attr) slog.Handler { return a }

func (a auditLog) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "query" {
		return nil
	}
	line := map[string]any{}
	r.Attrs(func(at slog.Attr) bool { line[at.Key] = at.Value.Any(); return true })
	a.mu.Lock()
	defer a.mu.Unlock()
	*a.lines = append(*a.lines, line)
	return nil
}

// of is the line of a statement, nil while there is none.
func (a auditLog) of(sql string) map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range *a.lines {
		if l["sql"] == sql {
			return l
		}
	}
	return nil
}

// begun is an answer of which one batch was read.
func (w *world) begun(t *testing.T, name, sql string) *productStream {
	t.Helper()
	s, err := w.client.openQuery(t.Context(), name, serve.QueryRequest{SQL: sql})
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.Release()
	return s
}

func metricsOf(t *testing.T, p *Product) string {
	t.Helper()
	resp, err := http.Get(p.HTTPURL() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestQueriesWaitTheirTurnAndAreToldOf(t *testing.T) {
	audit := newAuditLog(t)
	o := meshOptions(t, t.TempDir(), t.TempDir(), folder(t, ordersYAML))
	o.Logger, o.Queries = slog.New(audit), QueryLimits{Running: 1, Waiting: 1}
	w := startWorldWith(t, o)
	p := w.product(t, "orders")
	first := w.begun(t, "orders", long)
	second := make(chan error, 1)
	var waited serve.QueryAnswer
	go func() {
		a, err := w.client.Query(t.Context(), serve.QueryRequest{SQL: "SELECT count(*) FROM orders"})
		if err == nil {
			_, err = a.Next(t.Context())
			for err == nil {
				_, err = a.Next(t.Context())
			}
			if errors.Is(err, io.EOF) {
				waited, err = a.Finish()
			}
			err = errors.Join(err, a.Close())
		}
		second <- err
	}()
	await(t, "query that waits", func() bool { return strings.Contains(metricsOf(t, p), "\nmeshctl_queries_waiting 1\n") })
	if text := metricsOf(t, p); !strings.Contains(text, "\nmeshctl_queries_running 1\n") {
		t.Errorf("metrics: %s", text)
	}
	err := drained(t, w, "orders", "SELECT 3")
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "product orders has 1 queries running and 1 waiting") || fault.HintOf(err) == "" {
		t.Errorf("a third query: %v (%v)", err, fault.KindOf(err))
	}
	select {
	case err := <-second:
		t.Errorf("the second did not wait: %v", err)
	default:
	}
	first.close()
	if err := <-second; err != nil || waited.Waited <= 0 || waited.Waited > waited.Millis {
		t.Errorf("the second: %+v, %v", waited, err)
	}
	await(t, "line of the first", func() bool { return audit.of(long) != nil })
	line := audit.of(long)
	if line["who"] != "user local" || line["outcome"] != "cancelled" || line["rows"].(int64) == 0 {
		t.Errorf("audit of what was given up: %v", line)
	}
	// A client that does not read holds up the owner: what is under way is bounded.
	if sent := line["bytes"].(int64); sent > 64<<20 {
		t.Errorf("%d bytes were made for a client that read one batch", sent)
	}
	if line = audit.of("SELECT 3"); line["outcome"] != "unavailable" || line["error"] == nil {
		t.Errorf("audit of what was refused: %v", line)
	}
	if line = audit.of("SELECT count(*) FROM orders"); line["outcome"] != "ok" || line["rows"] != int64(1) || line["bytes"].(int64) < 8 || line["waited"] == nil {
		t.Errorf("audit of what was answered: %v", line)
	}
	text := metricsOf(t, p)
	for _, want := range []string{
		`meshctl_queries_total{outcome="ok"} 1`, `meshctl_queries_total{outcome="cancelled"} 1`, `meshctl_queries_total{outcome="unavailable"} 1`,
		"meshctl_query_duration_seconds_count 3", `meshctl_query_duration_seconds_bucket{le="+Inf"} 3`, "meshctl_queries_running 0", "meshctl_queries_waiting 0",
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("metrics lack %s", want)
		}
	}
}

func TestCallersDeadlineEndsTheWork(t *testing.T) {
	w := startWorld(t, t.TempDir(), folder(t, ordersYAML))
	_, err := w.client.openQuery(t.Context(), "orders", serve.QueryRequest{SQL: "SELECT count(*) FROM range(1000000000000) WHERE hash(range) = 1", TimeoutMillis: 200})
	if fault.KindOf(err) != fault.Timeout || !strings.Contains(err.Error(), "product orders had no answer within the 200ms") {
		t.Errorf("%v (%v)", err, fault.KindOf(err))
	}
	if n := len(w.product(t, "orders").queries.running); n != 0 {
		t.Errorf("%d queries run on", n)
	}
}

// An owner that stops, is cut off or falls silent in the middle of an answer ends it with
// an error that names it, and leaves nothing behind: no query, goroutine or file.
func TestOwnerThatGoesAwayEndsItsAnswer(t *testing.T) {
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	state := t.TempDir()
	hub, err := StartHub(t.Context(), HubOptions{Data: t.TempDir(), Host: "127.0.0.1", ClientPort: -1, LeafPort: -1, StateDir: state, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, hub.Close)
	link := linktest.New(t, hub.LeafURL())
	data := t.TempDir()
	p, err := StartProduct(t.Context(), ProductOptions{
		Dir: folder(t, ordersYAML), Data: data, HubLeaf: link.URL(), Creds: hub.signer(), Version: "test", Logger: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, p.Close)
	<-p.Registered()
	client, err := Dial(t.Context(), ClientOptions{StateDir: state})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	w := &world{client: client}
	w.begun(t, "orders", long).close() // whatever is made once is there now
	settled := func() int {
		var n int
		await(t, "rest", func() bool { return len(p.queries.places) == 0 })
		n = runtime.NumGoroutine()
		return n
	}
	before := settled()
	for _, c := range []struct {
		name string
		do   func()
	}{
		{"cut", func() { link.Set(true, false) }},
		{"silent", func() { link.Set(false, true) }},
	} {
		s := w.begun(t, "orders", long)
		c.do()
		err := readOn(t, s)
		if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "orders") {
			t.Errorf("%s: %v (%v); want it unavailable, and named", c.name, err, fault.KindOf(err))
		}
		s.close()
		await(t, "end of the owner's work", func() bool { return len(p.queries.places) == 0 })
		link.Set(true, false)
		link.Set(false, false)
		await(t, "link that is back", func() bool {
			_, err := client.Entry(t.Context(), "orders")
			return err == nil
		})
	}
	await(t, "goroutines as before", func() bool { return runtime.NumGoroutine() <= before+2 })
	if left := spilled(t, p); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
	s := w.begun(t, "orders", long)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond) // of its drain
	defer cancel()
	_ = p.Close(ctx)
	if err := readOn(t, s); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "product orders") {
		t.Errorf("stopped: %v (%v); want it unavailable, and named", err, fault.KindOf(err))
	}
	s.close()
}

// readOn reads until the answer ends.
func readOn(t *testing.T, s *productStream) error {
	for {
		b, err := s.next(t.Context())
		if err != nil {
			return err
		}
		b.Release()
	}
}

// spilled are the files that the product's queries left in their folder for them.
func spilled(t *testing.T, p *Product) []string {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(p.data.sub(tableFolder), "tmp"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	slices.Sort(names)
	return names
}
