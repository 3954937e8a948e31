package app

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/objectstest"
	"github.com/meshctl/meshctl/internal/serve"
)

// inBucket is a descriptor whose segments live in the bucket behind an endpoint.
func inBucket(yaml, endpoint string) string {
	return strings.Replace(yaml, "spec:\n", fmt.Sprintf("spec:\n  storage: {bucket: s3://%s/mesh, endpoint: %q, pathStyle: true, cache: 1Mi}\n", objectstest.Bucket, endpoint), 1)
}

// bucketKeys gives this process the bucket's credentials.
func bucketKeys(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", objectstest.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", objectstest.SecretKey)
}

func (w *world) roll(t *testing.T, name string) {
	t.Helper()
	for _, pt := range w.product(t, name).sortedPorts() {
		if err := pt.table.Roll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) get(t *testing.T, address string, keys ...string) int {
	t.Helper()
	a, err := w.client.Get(t.Context(), address, keys)
	if err != nil {
		t.Fatal(err)
	}
	return len(a.Records)
}

// The table of a product is there again, from the bucket and the log, when the volume has
// lost it, though the log has dropped what is in the bucket.
func TestTableComesBackFromBucketAndLog(t *testing.T) {
	bucketKeys(t)
	s := objectstest.New(t)
	data, dir := t.TempDir(), folder(t, inBucket(ordersYAML, s.URL))
	w := startWorld(t, data, dir)
	w.publish(t, "orders", `{"id":"1","customer":"Ann","total":1}`, `{"id":"2","customer":"Ann","total":2}`)
	w.roll(t, "orders")
	w.publish(t, "orders", `{"id":"3","customer":"Bob","total":3}`)
	orders := w.product(t, "orders")
	if _, err := mesh.Purge(t.Context(), orders.leaf.Conn(), "", orders.descriptor().ID("orders").Stream(), "", 3); err != nil {
		t.Fatal(err)
	}
	w.stop(t)
	table := filepath.Join(data, "products/orders", tableFolder)
	for name, lose := range map[string]func() error{
		"empty":   func() error { return os.RemoveAll(table) },
		"damaged": func() error { return os.WriteFile(filepath.Join(table, "tables.duckdb"), []byte("noise"), 0o600) },
		"kept":    func() error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			if err := lose(); err != nil {
				t.Fatal(err)
			}
			w := startWorld(t, data, dir)
			w.eventually(t, threeOrders, "1|Ann", "2|Ann", "3|Bob")
			w.stop(t)
		})
	}
	w = startWorld(t, data, dir)
	w.publish(t, "orders", `{"id":"2","customer":"Cid","total":2}`)
	w.roll(t, "orders")
	w.eventually(t, threeOrders, "1|Ann", "2|Cid", "3|Bob")
	_, err := w.client.Rebuild(t.Context(), "orders", RebuildRequest{Table: true})
	if fault.KindOf(err) != fault.Conflict {
		t.Errorf("rebuild from a log that lacks records: %v", err)
	}
	if _, err := w.client.Rebuild(t.Context(), "orders", RebuildRequest{Table: true, LoseExpired: true}); err != nil {
		t.Fatal(err)
	}
	w.eventually(t, threeOrders, "2|Cid", "3|Bob")
}

// A volume that has lost all, its log too, is refused; asked for, the product goes on
// behind what the bucket has.
func TestLostLog(t *testing.T) {
	bucketKeys(t)
	s := objectstest.New(t)
	dir := folder(t, inBucket(ordersYAML, s.URL))
	w := startWorld(t, t.TempDir(), dir)
	w.publish(t, "orders", `{"id":"1","customer":"Ann","total":1}`, `{"id":"2","customer":"Ann","total":2}`)
	w.roll(t, "orders")
	w.publish(t, "orders", `{"id":"3","customer":"Bob","total":3}`) // in the lost log only
	w.stop(t)

	o := ProductOptions{Dir: dir, Data: t.TempDir(), Version: "test", Env: os.Environ(), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	p, err := StartProduct(t.Context(), o)
	if err == nil {
		t.Fatal(errors.Join(errors.New("it runs with another log"), p.Close(t.Context())))
	}
	if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "another volume") || !strings.Contains(fault.HintOf(err), "--dangerous-lose-expired") {
		t.Errorf("%v, hint %q", err, fault.HintOf(err))
	}
	data := t.TempDir()
	options := meshOptions(t, data, t.TempDir(), dir)
	options.LoseExpired = true
	m, err := StartMesh(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 { // no flag is needed any more
		w = startWorld(t, data, dir)
		w.eventually(t, "SELECT id FROM orders WHERE id < '4' ORDER BY id", "1", "2")
		w.publish(t, "orders", `{"id":"4","customer":"Dan","total":4}`)
		w.eventually(t, "SELECT id FROM orders ORDER BY id", "1", "2", "4")
		w.roll(t, "orders")
		if n := w.get(t, "orders.orders", "4"); n != 1 {
			t.Errorf("there are %d records of key 4", n)
		}
		if e, err := w.product(t, "orders").Entry(t.Context()); err != nil || e.Ports[0].Last <= logGap {
			t.Errorf("the log is at %d, %v", e.Ports[0].Last, err)
		}
		w.stop(t)
	}
}

// A product that kept its segments in its volume moves them when it is told a bucket.
func TestSegmentsMoveIntoABucket(t *testing.T) {
	bucketKeys(t)
	s := objectstest.New(t)
	data, dir := t.TempDir(), folder(t, ordersYAML)
	w := startWorld(t, data, dir)
	w.publish(t, "orders", `{"id":"1","customer":"Ann","total":1}`)
	w.roll(t, "orders")
	w.publish(t, "orders", `{"id":"2","customer":"Ann","total":2}`)
	w.stop(t)
	writeDescriptor(t, dir, inBucket(ordersYAML, s.URL))
	w = startWorld(t, data, dir)
	if n := len(s.Objects()); n != 3 { // marker, manifest, segment
		t.Errorf("the bucket has %v", s.Objects())
	}
	w.eventually(t, "SELECT id FROM orders ORDER BY id", "1", "2")
	w.stop(t)
	if err := os.RemoveAll(filepath.Join(data, "products/orders", tableFolder)); err != nil {
		t.Fatal(err)
	}
	w = startWorld(t, data, dir)
	w.eventually(t, "SELECT id FROM orders ORDER BY id", "1", "2")
}

// While the bucket is away records come in and get visible, and what the volume has is
// answered; afterwards the product catches up.
func TestBucketIsAway(t *testing.T) {
	bucketKeys(t)
	s := objectstest.New(t)
	proxy := objectstest.NewProxy(t, s.URL)
	data, dir := t.TempDir(), folder(t, strings.Replace(inBucket(ordersYAML, proxy.URL), "cache:", "segmentAge: 100ms, cache:", 1))
	w := startWorld(t, data, dir)
	w.publish(t, "orders", `{"id":"1","customer":"Ann","total":1}`)
	w.roll(t, "orders")
	away := func(*http.Request) objectstest.Fault { return objectstest.Fault{Status: http.StatusServiceUnavailable} }
	proxy.Set(away)
	w.publish(t, "orders", `{"id":"2","customer":"Bob","total":2}`)
	w.awaitMesh(t, "say that the bucket is away", func() bool { return w.product(t, "orders").Ready() != nil })
	if err := w.product(t, "orders").Ready(); fault.KindOf(errors.Unwrap(err)) != fault.Unavailable && !strings.Contains(err.Error(), "503") && !strings.Contains(err.Error(), "maintain") {
		t.Errorf("it says %v", err)
	}
	w.publish(t, "orders", `{"id":"3","customer":"Bob","total":3}`)
	w.eventually(t, threeOrders, "1|Ann", "2|Bob", "3|Bob")
	w.stop(t)

	w = startWorld(t, data, dir) // a restart meanwhile
	w.publish(t, "orders", `{"id":"2","customer":"Cid","total":2}`)
	w.eventually(t, threeOrders, "1|Ann", "2|Cid", "3|Bob")
	cache := filepath.Join(data, "products/orders", tableFolder, "orders-v1")
	if err := os.RemoveAll(cache); err != nil {
		t.Fatal(err)
	}
	_, err := w.product(t, "orders").Query(t.Context(), serve.QueryRequest{SQL: "SELECT * FROM orders"}, nil, nil)
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.HintOf(err), proxy.URL) {
		t.Errorf("a segment that is not in the volume: %v, hint %q", err, fault.HintOf(err))
	}
	proxy.Set(nil)
	w.eventually(t, threeOrders, "1|Ann", "2|Cid", "3|Bob")
	w.awaitMesh(t, "catch up", func() bool { return w.product(t, "orders").Ready() == nil })
	w.roll(t, "orders")
	w.eventually(t, threeOrders, "1|Ann", "2|Cid", "3|Bob")
}

func TestBucketThatCannotBeUsed(t *testing.T) {
	s := objectstest.New(t)
	start := func(yaml string) error {
		o := ProductOptions{Dir: folder(t, yaml), Data: t.TempDir(), Version: "test", Env: os.Environ(), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
		p, err := StartProduct(t.Context(), o)
		if err == nil {
			t.Error("it runs")
			err = p.Close(t.Context())
		}
		return err
	}
	expect := func(err error, kind fault.Kind, hint string) {
		t.Helper()
		if fault.KindOf(err) != kind || !strings.Contains(fault.HintOf(err), hint) {
			t.Errorf("%v is %s, hint %q", err, fault.KindOf(err), fault.HintOf(err))
		}
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	expect(start(inBucket(ordersYAML, s.URL)), fault.Denied, "AWS_ACCESS_KEY_ID")
	bucketKeys(t)
	expect(start(strings.Replace(inBucket(ordersYAML, s.URL), "s3://lake", "s3://nowhere", 1)), fault.NotFound, "create the bucket nowhere")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	expect(start(inBucket(ordersYAML, s.URL)), fault.Denied, "AWS_SECRET_ACCESS_KEY")
	began := time.Now()
	expect(start(inBucket(ordersYAML, "http://127.0.0.1:1")), fault.Unavailable, "http://127.0.0.1:1")
	if d := time.Since(began); d > 30*time.Second {
		t.Errorf("it took %s to say so", d)
	}
}
