package app

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kv"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/serve"
)

const threeOrders = "SELECT id, customer FROM orders ORDER BY id"

// shop is the data of a stopped mesh: orders, with a segment, and revenue, SQL over them.
func shop(t *testing.T) (data string, dirs []string) {
	t.Helper()
	data, dirs = t.TempDir(), []string{folder(t, ordersYAML), folder(t, customersYAML), folder(t, revenueYAML)}
	w := startWorld(t, data, dirs...)
	w.publish(t, "customers", `{"name":"Ann","city":"Rome"}`, `{"name":"Bob","city":"Oslo"}`)
	w.publish(t, "orders", `{"id":"1","customer":"Ann","total":1}`, `{"id":"2","customer":"Ann","total":2}`)
	pt, err := w.product(t, "orders").port("orders")
	if err != nil {
		t.Fatal(err)
	}
	if err := pt.table.Roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.publish(t, "orders", `{"id":"3","customer":"Bob","total":3}`)
	w.eventually(t, "SELECT city, orders FROM revenue ORDER BY city", "Oslo|1", "Rome|2")
	w.stop(t)
	return data, dirs
}

func (w *world) product(t *testing.T, name string) *Product {
	t.Helper()
	for _, p := range w.mesh.Products() {
		if p.Name() == name {
			return p
		}
	}
	t.Fatalf("product %s does not run", name)
	return nil
}

// spoilFile changes each file of that pattern; to nil removes it.
func spoilFile(t *testing.T, pattern string, how func([]byte) []byte) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no file %s: %v", pattern, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err == nil {
			if b = how(b); b == nil {
				err = os.Remove(file)
			} else {
				err = os.WriteFile(file, b, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func half(b []byte) []byte  { return b[:len(b)/2] }
func noise(b []byte) []byte { return []byte(strings.Repeat("noise", 1+len(b)/5)) }

// A damaged store is set aside, kept, and made again; logic over tables that are made
// again emits nothing that it had not emitted.
func TestDamagedStoreIsMadeAgain(t *testing.T) {
	data, dirs := shop(t)
	spoilFile(t, filepath.Join(data, "products/revenue/table/tables.duckdb"), noise)
	for _, c := range []struct {
		file  string
		spoil func([]byte) []byte
	}{
		{"kv/MANIFEST", noise}, {"kv/*.sst", half}, {"kv/*.sst", func([]byte) []byte { return nil }},
		{"table/tables.duckdb", half}, {"table/tables.duckdb", noise},
		{"table/orders-v1/*.parquet", half}, {"table/orders-v1/*.parquet", func([]byte) []byte { return nil }},
	} {
		spoilFile(t, filepath.Join(data, "products/orders", c.file), c.spoil)
		t.Run(c.file, func(t *testing.T) {
			w := startWorld(t, data, dirs...)
			w.eventually(t, threeOrders, "1|Ann", "2|Ann", "3|Bob")
			orders := w.product(t, "orders")
			a, err := orders.Get(t.Context(), serve.GetRequest{Port: "orders", Keys: []string{"1", "2", "3"}})
			if err != nil || len(a.Records) != 3 {
				t.Errorf("%d records, %v", len(a.Records), err)
			}
			folder, _, _ := strings.Cut(c.file, "/")
			if kept := orders.asides(); len(kept) == 0 || !strings.Contains(strings.Join(kept, " "), "/"+folder+asideMark) {
				t.Errorf("kept are %v", kept)
			}
			w.eventually(t, "SELECT city, orders FROM revenue ORDER BY city", "Oslo|1", "Rome|2")
			for name, want := range map[string]uint64{"orders": 3, "revenue": 2} {
				if e, err := w.product(t, name).Entry(t.Context()); err != nil || e.Ports[0].Records != want {
					t.Errorf("the log of %s has %d records, %v", name, e.Ports[0].Records, err)
				}
			}
			pt, err := orders.port("orders")
			if err == nil {
				err = pt.table.Roll(t.Context()) // a segment for the next one
			}
			if err != nil {
				t.Fatal(err)
			}
			w.stop(t)
		})
	}
}

// Where the log has dropped records, a damaged store holds more than it: nothing is made
// again unless it is asked for.
func TestDamagedStoreOfATrimmedLogIsLeftAlone(t *testing.T) {
	data, dirs := shop(t)
	w := startWorld(t, data, dirs...)
	orders := w.product(t, "orders")
	id := orders.descriptor().ID("orders")
	if _, err := mesh.Purge(t.Context(), orders.leaf.Conn(), "", id.Stream(), "", 3); err != nil {
		t.Fatal(err)
	}
	w.stop(t)
	o := ProductOptions{Dir: dirs[0], Data: filepath.Join(data, "products/orders"), Version: "test", Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	spoilFile(t, filepath.Join(o.Data, "kv/MANIFEST"), noise)
	p, err := StartProduct(t.Context(), o)
	if err == nil {
		t.Fatal(errors.Join(errors.New("the product runs without the records"), p.Close(t.Context())))
	}
	if !errors.Is(err, kv.ErrDamaged) || fault.KindOf(err) != fault.Conflict || !strings.Contains(fault.HintOf(err), "--dangerous-lose-expired") {
		t.Errorf("%v, hint %q", err, fault.HintOf(err))
	}
	if left, err := filepath.Glob(o.Data + "/*" + asideMark + "*"); err != nil || len(left) > 0 {
		t.Errorf("set aside were %v, %v", left, err)
	}
	o.LoseExpired = true
	if p, err = StartProduct(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	defer p.Close(t.Context())
	pt, err := p.port("orders")
	if err == nil {
		err = pt.progress.AwaitVisible(t.Context(), 3)
	}
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.Get(t.Context(), serve.GetRequest{Port: "orders", Keys: []string{"1", "3"}})
	if err != nil || len(a.Records) != 1 || len(a.Missing) != 1 {
		t.Errorf("%+v, %v", a, err)
	}
}

// Rebuild also helps a running product whose stores take nothing any more.
func TestRebuildOfStoresThatDoNotWork(t *testing.T) {
	w := startWorld(t, t.TempDir(), folder(t, ordersYAML))
	w.publish(t, "orders", `{"id":"1","customer":"Ann","total":1}`, `{"id":"2","customer":"Ann","total":2}`, `{"id":"3","customer":"Bob","total":3}`)
	p := w.product(t, "orders")
	if err := errors.Join(p.kv.Close(), p.tables.Close()); err != nil {
		t.Fatal(err)
	}
	a, err := w.client.Rebuild(t.Context(), "orders", RebuildRequest{KV: true, Table: true})
	if err != nil || a.Records != 3 {
		t.Fatalf("%+v, %v", a, err)
	}
	w.eventually(t, threeOrders, "1|Ann", "2|Ann", "3|Bob")
	if got, err := w.client.Get(t.Context(), "orders.orders", []string{"3"}); err != nil || len(got.Records) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if kept := p.asides(); len(kept) != 2 {
		t.Errorf("kept are %v", kept)
	}
	w.publish(t, "orders", `{"id":"4","customer":"Bob","total":3}`)
	w.eventually(t, "SELECT count(*) FROM orders", "4")
}

func TestNewerDataIsRefused(t *testing.T) {
	for _, kind := range []string{productData, meshData, hubData} {
		dir := t.TempDir()
		d, err := claimData(dir, kind, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := d.release(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, markerFile)
		writeText(t, path, fmt.Sprintf(`{"kind":%q,"format":%d}`, kind, dataFormat+1))
		if _, err := claimData(dir, kind, ""); fault.KindOf(err) != fault.Conflict || !strings.Contains(fault.HintOf(err), "newer meshctl") {
			t.Errorf("%s: %v, hint %q", kind, err, fault.HintOf(err))
		}
		// Without a format it is older, is opened, and gets one.
		writeText(t, path, fmt.Sprintf(`{"kind":%q}`, kind))
		if d, err = claimData(dir, kind, ""); err != nil {
			t.Fatal(err)
		}
		if err := d.release(); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if want := fmt.Sprintf(`"format":%d`, dataFormat); err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s: the marker is %s, %v", kind, got, err)
		}
		// One that a power cut left empty says what to do.
		writeText(t, path, "")
		if _, err := claimData(dir, kind, ""); fault.KindOf(err) != fault.Conflict || fault.HintOf(err) == "" {
			t.Errorf("%s: %v, hint %q", kind, err, fault.HintOf(err))
		}
	}
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
