package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/serve"
)

const ordersYAML = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: orders, domain: shop, owner: shop@example.org, version: 1.0.0}
spec:
  outputs:
  - name: orders
    type: state
    key: [id]
    schema:
    - {name: id, logicalType: string}
    - {name: customer, logicalType: string, required: true}
    - {name: total, logicalType: number, physicalType: "decimal(10,2)"}
`

const customersYAML = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: customers, domain: shop, owner: shop@example.org, version: 1.0.0}
spec:
  outputs:
  - name: customers
    type: state
    key: [name]
    schema:
    - {name: name, logicalType: string}
    - {name: city, logicalType: string}
`

const revenueYAML = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: revenue, domain: shop, owner: shop@example.org, version: 1.0.0}
spec:
  inputs:
  - {name: orders, port: orders.orders}
  - {name: customers, port: customers.customers}
  logic:
    sql:
      mode: table
      interval: 10ms
      query: SELECT city, sum(total) AS total, count(*) AS orders FROM orders JOIN customers ON customer = name GROUP BY city
  outputs:
  - name: revenue
    type: state
    key: [city]
    schema:
    - {name: city, logicalType: string}
    - {name: total, logicalType: number, physicalType: "decimal(18,2)"}
    - {name: orders, logicalType: integer}
`

// folder makes a product's folder with that descriptor.
func folder(t *testing.T, yaml string) string {
	t.Helper()
	dir := t.TempDir()
	writeDescriptor(t, dir, yaml)
	return dir
}

func writeDescriptor(t *testing.T, dir, yaml string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "dataproduct.yaml"), []byte(yaml), 0o644); err != nil {
		t.Fatal(err)
	}
}

type world struct {
	mesh   *Mesh
	client *Client
}

func meshOptions(t testing.TB, data, state string, dirs ...string) MeshOptions {
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	return MeshOptions{
		Hub:  HubOptions{Data: data, Host: "127.0.0.1", ClientPort: -1, LeafPort: -1, StateDir: state, Logger: log},
		Dirs: dirs, Version: "test", Env: os.Environ(), Logger: log,
	}
}

func startWorld(t *testing.T, data string, dirs ...string) *world {
	t.Helper()
	return startWorldWith(t, meshOptions(t, data, t.TempDir(), dirs...))
}

func startWorldWith(t *testing.T, o MeshOptions) *world {
	t.Helper()
	m, err := StartMesh(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{mesh: m}
	t.Cleanup(func() { w.stop(t) })
	if w.client, err = Dial(t.Context(), ClientOptions{StateDir: o.Hub.StateDir}); err != nil {
		t.Fatal(err)
	}
	return w
}

// closeAtEnd closes the client when the test ends.
func closeAtEnd(t testing.TB, c *Client) {
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

func (w *world) stop(t *testing.T) {
	if w.client != nil {
		if err := w.client.Close(); err != nil {
			t.Error(err)
		}
		w.client = nil
	}
	if w.mesh != nil {
		if err := w.mesh.Close(context.Background()); err != nil {
			t.Error(err)
		}
		w.mesh = nil
	}
}

func (w *world) publish(t *testing.T, address string, lines ...string) Sent {
	t.Helper()
	i := 0
	sent, err := w.client.Publish(t.Context(), address, func() ([]byte, error) {
		if i == len(lines) {
			return nil, io.EOF
		}
		i++
		return []byte(lines[i-1]), nil
	}, PublishOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

// query is the answer's rows as text, columns joined by "|".
func (w *world) query(t *testing.T, sql string) ([]string, serve.QueryAnswer) {
	t.Helper()
	answer, err := w.client.Query(t.Context(), serve.QueryRequest{SQL: sql})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := answer.Close(); err != nil {
			t.Error(err)
		}
	}()
	rows := []string{}
	for {
		b, err := answer.Next(t.Context())
		if errors.Is(err, io.EOF) {
			a, err := answer.Finish()
			if err != nil {
				t.Fatal(err)
			}
			return rows, a
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range int(b.NumRows()) {
			cells := make([]string, b.NumCols())
			for c, col := range b.Columns() {
				cells[c] = col.ValueStr(i)
			}
			rows = append(rows, strings.Join(cells, "|"))
		}
		b.Release()
	}
}

// eventually asks until the rows are those wanted; the test's own time limit ends it.
func (w *world) eventually(t *testing.T, sql string, want ...string) {
	t.Helper()
	for {
		rows, _ := w.query(t, sql)
		if strings.Join(rows, ";") == strings.Join(want, ";") {
			return
		}
		if deadline, ok := t.Deadline(); ok && t.Context().Err() != nil {
			t.Fatalf("%s: %v by %v, want %v", sql, rows, deadline, want)
		}
	}
}

func TestPublishedRecordsAreVisibleInGetScanSQLAndTail(t *testing.T) {
	w := startWorld(t, t.TempDir(), folder(t, ordersYAML))
	sent := w.publish(t, "orders", `{"id":"a.b c","customer":"Ann","total":1.50}`, `{"id":"2","customer":"Bob","total":"7.25"}`,
		`{"id":"3","total":1}`, `{"id":"2","customer":"Bob","total":8}`)
	if sent.Accepted != 3 || sent.Dead != 1 || !sent.Visible {
		t.Errorf("sent = %+v", sent)
	}
	got, err := w.client.Get(t.Context(), "orders.orders", []string{"a.b c", "2", "3"})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Records) != 2 || string(got.Records[1].Value) != `{"id":"2","customer":"Bob","total":8}` || len(got.Missing) != 1 {
		t.Errorf("get = %+v", got)
	}
	var scanned []string
	if _, err := w.client.Scan(t.Context(), "orders", serve.ScanRequest{Reverse: true}, func(r serve.Record) error {
		scanned = append(scanned, r.Key)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if strings.Join(scanned, ",") != "a.b c,2" {
		t.Errorf("scan = %v", scanned)
	}
	rows, a := w.query(t, "SELECT id, total FROM orders.orders ORDER BY id")
	if strings.Join(rows, ";") != "2|8;a.b c|1.5" {
		t.Errorf("rows = %v", rows)
	}
	if a.Watermarks["orders.orders"].Seq != 3 {
		t.Errorf("watermarks = %v", a.Watermarks)
	}
	var keys []string
	if err := w.client.Tail(t.Context(), "orders", TailOptions{Last: 10}, func(r Tailed) error {
		keys = append(keys, r.Key)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if strings.Join(keys, ",") != "a.b c,2,2" {
		t.Errorf("tail = %v", keys)
	}
	letters, err := w.client.DeadLetters(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	if len(letters) != 1 || letters[0].Value != `{"id":"3","total":1}` || !strings.Contains(letters[0].Reason, "customer") {
		t.Errorf("letters = %+v", letters)
	}
}

func TestSQLOverOtherProductsFollowsThem(t *testing.T) {
	data := t.TempDir()
	dirs := []string{folder(t, ordersYAML), folder(t, customersYAML), folder(t, revenueYAML)}
	w := startWorld(t, data, dirs...)
	const revenue = "SELECT city, orders FROM revenue ORDER BY city"
	w.publish(t, "customers", `{"name":"Ann","city":"Rome"}`, `{"name":"Bob","city":"Oslo"}`)
	w.publish(t, "orders", `{"id":"1","customer":"Ann","total":1.50}`, `{"id":"2","customer":"Bob","total":2}`)
	w.eventually(t, revenue, "Oslo|1", "Rome|1")
	w.publish(t, "orders", `{"$delete":"2"}`, `{"id":"3","customer":"Ann","total":4}`)
	w.eventually(t, revenue, "Rome|2")
	w.stop(t)
	*w = *startWorld(t, data)
	w.eventually(t, revenue, "Rome|2")
	w.publish(t, "orders", `{"id":"4","customer":"Bob","total":4}`)
	w.eventually(t, revenue, "Oslo|1", "Rome|2")
	rows, a := w.query(t, "SELECT c.city, o.id, r.orders FROM orders.orders o JOIN customers c ON c.name = o.customer JOIN revenue r USING (city) ORDER BY o.id")
	if strings.Join(rows, ";") != "Rome|1|2;Rome|3|2;Oslo|4|1" || len(a.Watermarks) != 3 {
		t.Errorf("join = %v as of %v", rows, a.Watermarks)
	}
}

func TestASecondMeshOnTheSameDataIsRefused(t *testing.T) {
	data := t.TempDir()
	startWorld(t, data)
	_, err := StartMesh(t.Context(), meshOptions(t, data, t.TempDir()))
	if err == nil || !strings.Contains(err.Error(), "in use") {
		t.Fatalf("err = %v", err)
	}
}

func TestPublishGoesOnThoughItsFirstRecordsWereTrimmed(t *testing.T) {
	w := startWorld(t, t.TempDir(), folder(t, ordersYAML))
	p := w.mesh.Products()[0]
	pt, err := p.port("orders")
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	sent, err := w.client.Publish(t.Context(), "orders", func() ([]byte, error) {
		if i++; i > 2*sessionRows {
			return nil, io.EOF
		}
		if i == sessionRows+1 { // the first message is stored: work it off and trim it, as a door does now and then
			if err := pt.progress.Await(t.Context(), "orders", 1); err != nil {
				return nil, err
			}
			if _, err := mesh.Purge(t.Context(), p.leaf.Conn(), "", pt.id.InboxStream(), "", 0); err != nil {
				return nil, err
			}
		}
		return fmt.Appendf(nil, `{"id":"%d","customer":"Ann"}`, i), nil
	}, PublishOptions{})
	if err != nil || sent.Accepted != 2*sessionRows {
		t.Errorf("sent = %+v, %v", sent, err)
	}
}
