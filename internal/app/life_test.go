package app

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/serve"
)

const programYAML = `  logic:
    command: {run: ["%s"], env: {` + roleVar + `: program}}
`

func TestClosedMeshLeavesNothingRunning(t *testing.T) {
	before := ours()
	made := fmt.Sprintf(crashHead, "made") + rawSpec + fmt.Sprintf(programYAML, programPath(t)) + fmt.Sprintf(madeSpec, "state")
	w := startWorld(t, t.TempDir(), folder(t, ordersYAML), folder(t, customersYAML), folder(t, revenueYAML), folder(t, made))
	w.publish(t, "customers", `{"name":"Ann","city":"Rome"}`)
	w.publish(t, "orders", `{"id":"1","customer":"Ann","total":1}`)
	w.publish(t, "made", `{"id":"1","n":1}`)
	w.eventually(t, "SELECT orders FROM revenue", "1")
	products := w.mesh.Products()
	w.stop(t)
	for _, p := range products {
		if err := p.Close(t.Context()); err != nil {
			t.Errorf("second close of %s: %v", p.Name(), err)
		}
	}
	for deadline := time.Now().Add(20 * time.Second); ; pause(t.Context(), 20*time.Millisecond) {
		left := ours()
		if len(left) <= len(before) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines are left, such as\n%s", len(left)-len(before), left[0])
		}
	}
}

func TestCloseWaitsForSteps(t *testing.T) {
	w := startWorld(t, t.TempDir(), folder(t, ordersYAML))
	pt, err := w.mesh.Products()[0].port("orders")
	if err != nil {
		t.Fatal(err)
	}
	var ended atomic.Bool
	pt.step("linger", func(ctx context.Context) error {
		<-ctx.Done()
		pause(context.WithoutCancel(ctx), 300*time.Millisecond)
		ended.Store(true)
		return ctx.Err()
	})
	w.stop(t)
	if !ended.Load() {
		t.Error("the product was closed while a step was at work")
	}
}

// ours are the goroutines that run code of this module, but for tests.
func ours() []string {
	buf := make([]byte, 16<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var found []string
	for stack := range strings.SplitSeq(string(buf), "\n\n") {
		if strings.Contains(stack, "meshctl/internal/") && !strings.Contains(stack, "testing.(*T)") && !strings.Contains(stack, "testing.tRunner") {
			found = append(found, stack)
		}
	}
	return found
}

func TestDescriptorThatCannotRunLeavesTheProductRunning(t *testing.T) {
	yaml := fmt.Sprintf(crashHead, "made") + rawSpec + `  logic:
    sql: {query: "SELECT id, n, 'one' AS run FROM raw"}
` + fmt.Sprintf(madeSpec, "event")
	dir := folder(t, yaml)
	w := startWorld(t, t.TempDir(), dir)
	w.publish(t, "made", `{"id":"1","n":1}`)
	broken := *loaded(t, dir)
	logic := *broken.Spec.Logic.SQL
	logic.Query, logic.File = "", "missing.sql"
	broken.Spec.Logic = &product.Logic{SQL: &logic}
	p := w.mesh.Products()[0]
	if _, err := p.Apply(t.Context(), &broken); err == nil || !strings.Contains(err.Error(), "missing.sql") {
		t.Fatalf("err = %v", err)
	}
	if sent := w.publish(t, "made", `{"id":"2","n":2}`); sent.Accepted != 1 || !sent.Visible {
		t.Errorf("sent = %+v", sent)
	}
	if rows, _ := w.query(t, "SELECT id, n, run FROM made.made ORDER BY id"); strings.Join(rows, ";") != "1|1|one;2|2|one" {
		t.Errorf("rows = %v", rows)
	}
}

// Logic whose descriptor was edited goes on from where it was, with inputs opened anew.
func TestEditedLogicGoesOnFromItsInputs(t *testing.T) {
	dir := folder(t, revenueYAML)
	w := startWorld(t, t.TempDir(), folder(t, ordersYAML), folder(t, customersYAML), dir)
	const revenue = "SELECT city, orders FROM revenue ORDER BY city"
	w.publish(t, "customers", `{"name":"Ann","city":"Rome"}`)
	w.publish(t, "orders", `{"id":"1","customer":"Ann","total":1}`)
	w.eventually(t, revenue, "Rome|1")
	p := w.mesh.Products()[2]
	before := p.knownInput("orders")
	desc := loaded(t, dir)
	desc.Spec.Logic.SQL.Query = strings.Replace(desc.Spec.Logic.SQL.Query, "count(*)", "100 + count(*)", 1)
	if _, err := p.Apply(t.Context(), desc); err != nil {
		t.Fatal(err)
	}
	if before.steps.ctx.Err() == nil {
		t.Error("the steps of an input go on beside the new ones")
	}
	w.eventually(t, revenue, "Rome|101")
	w.publish(t, "orders", `{"id":"2","customer":"Ann","total":1}`)
	w.eventually(t, revenue, "Rome|102")
	r := &crashRun{client: w.client}
	if log := r.log(t, product.PortID{Product: "revenue", Domain: "shop", Port: "revenue", Major: 1}); len(log) != 3 {
		t.Errorf("the log has %d records, want 3", len(log))
	}
}

// A fault of an input is told as one of the port that is made of it.
func TestFaultOfAnInputIsTold(t *testing.T) {
	w := startWorld(t, t.TempDir(), folder(t, ordersYAML), folder(t, customersYAML), folder(t, revenueYAML))
	w.publish(t, "customers", `{"name":"Ann","city":"Rome"}`)
	w.publish(t, "orders", `{"id":"1","customer":"Ann","total":1}`)
	w.eventually(t, "SELECT orders FROM revenue", "1")
	p := w.mesh.Products()[2]
	if err := p.Ready(); err != nil {
		t.Fatal(err)
	}
	if err := mesh.DeleteStream(t.Context(), p.leaf.Conn(), p.knownInput("orders").stream); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; pause(t.Context(), 20*time.Millisecond) {
		err := p.Ready()
		if err != nil && strings.Contains(err.Error(), "input orders") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("a product whose input is broken says %v", err)
		}
	}
}

func loaded(t *testing.T, dir string) *product.Product {
	t.Helper()
	desc, err := product.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return desc
}

// While records are published, the descriptor is applied anew and stores are rebuilt.
func TestPublishingGoesOnWhileTheDescriptorChanges(t *testing.T) {
	dir := folder(t, ordersYAML)
	w := startWorld(t, t.TempDir(), dir)
	p := w.mesh.Products()[0]
	stop := make(chan struct{})
	var changing sync.WaitGroup
	changing.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(70 * time.Millisecond):
			}
			desc := loaded(t, dir)
			out := &desc.Spec.Outputs[0]
			for c := range 1 + i%3 { // a column more, or one less than before, which is refused
				out.Schema = append(out.Schema, product.Column{Name: fmt.Sprintf("extra%d", c), LogicalType: "string"})
			}
			_, err := p.Apply(t.Context(), desc)
			if err != nil && i < 3 {
				t.Error(err)
			}
		}
	})
	changing.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
			}
			_, err := p.Rebuild(t.Context(), RebuildRequest{KV: true, Table: true})
			if err != nil && !strings.Contains(err.Error(), "just applied") {
				t.Error(err)
			}
		}
	})
	const rounds, each = 30, 20
	for round := range rounds {
		lines := make([]string, each)
		for i := range lines {
			lines[i] = fmt.Sprintf(`{"id":"%d","customer":"Ann","total":1}`, round*each+i)
		}
		if sent := w.publish(t, "orders", lines...); sent.Accepted != each {
			t.Errorf("sent = %+v", sent)
		}
	}
	close(stop)
	changing.Wait()
	if _, err := p.Rebuild(t.Context(), RebuildRequest{KV: true, Table: true}); err != nil {
		t.Fatal(err)
	}
	rows, _ := w.query(t, "SELECT count(*), count(DISTINCT id), count(extra0) FROM orders.orders")
	if rows[0] != "600|600|0" {
		t.Errorf("rows = %v", rows)
	}
	a, err := w.client.Scan(t.Context(), "orders.orders", serve.ScanRequest{}, func(serve.Record) error { return nil })
	if err != nil || a.Count != 600 {
		t.Errorf("scan = %+v, %v", a, err)
	}
}

func TestRebuildMakesStoresAgainFromTheLog(t *testing.T) {
	w := startWorld(t, t.TempDir(), folder(t, ordersYAML))
	w.publish(t, "orders", `{"id":"1","customer":"Ann","total":1}`, `{"id":"2","customer":"Bob","total":2}`, `{"$delete":"1"}`)
	p := w.mesh.Products()[0]
	pt, err := p.port("orders")
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []RebuildRequest{{KV: true}, {Table: true}, {KV: true, Table: true}} {
		emptied := false
		err := pt.pausing(func() error {
			if q.KV {
				if err := pt.kv.Drop(t.Context()); err != nil {
					return err
				}
			}
			if q.Table {
				if err := pt.table.Drop(t.Context()); err != nil {
					return err
				}
			}
			at, err := pt.table.Position(t.Context())
			emptied = at == 0 == q.Table
			return err
		})
		if err != nil || !emptied {
			t.Fatalf("%+v: not dropped: %v", q, err)
		}
		if _, err := w.client.Rebuild(t.Context(), "orders", RebuildRequest{KV: q.KV, Table: q.Table}); err != nil {
			t.Fatal(err)
		}
		rows, a := w.query(t, "SELECT id, customer FROM orders.orders")
		if strings.Join(rows, ";") != "2|Bob" || a.Watermarks["orders.orders"].Seq != 3 {
			t.Errorf("%+v: rows = %v as of %v", q, rows, a.Watermarks)
		}
		got, err := w.client.Get(t.Context(), "orders.orders", []string{"1", "2"})
		if err != nil || len(got.Records) != 1 || len(got.Missing) != 1 {
			t.Errorf("%+v: get = %+v, %v", q, got, err)
		}
	}
}

// What breaks the contract waits, with its reason and bytes, until the contract takes it.
func TestDeadLettersWaitAndAreReplayed(t *testing.T) {
	dir := folder(t, ordersYAML)
	w := startWorld(t, t.TempDir(), dir)
	bad := `{"id":"1", "total": 1.00}`
	if sent := w.publish(t, "orders", `{"id":"0","customer":"Ann"}`, bad, `{"id":"2","customer":"Bob"}`, `no json`); sent.Accepted != 2 || sent.Dead != 2 {
		t.Fatalf("sent = %+v", sent)
	}
	letters, err := w.client.DeadLetters(t.Context(), "orders")
	if err != nil || len(letters) != 2 || letters[0].Value != bad || letters[1].Value != "no json" ||
		!strings.Contains(letters[0].Reason, "customer") || !strings.HasPrefix(letters[0].Origin, "in-orders-v1:1:2") {
		t.Fatalf("letters = %+v, %v", letters, err)
	}
	desc := loaded(t, dir)
	desc.Spec.Outputs[0].Schema[1].Required = false
	p := w.mesh.Products()[0]
	if _, err := p.Apply(t.Context(), desc); err != nil {
		t.Fatal(err)
	}
	a, err := w.client.ReplayDead(t.Context(), "orders", DeadRequest{All: true})
	if err != nil || a.Count != 2 {
		t.Fatalf("replay = %+v, %v", a, err)
	}
	w.publish(t, "orders", `{"id":"3"}`) // behind the replayed, and so are what they became
	rows, _ := w.query(t, "SELECT id FROM orders.orders ORDER BY id")
	if strings.Join(rows, ",") != "0,1,2,3" {
		t.Errorf("rows = %v", rows)
	}
	letters, err = w.client.DeadLetters(t.Context(), "orders")
	if err != nil || len(letters) != 1 || letters[0].Value != "no json" {
		t.Errorf("letters = %+v, %v", letters, err)
	}
}

// With the hub gone a leaf takes, keeps and answers; when it is back, others find it.
func TestLeafStandsAloneWithoutTheHub(t *testing.T) {
	hub := childOptions{Data: t.TempDir(), State: t.TempDir(), ClientPort: freePort(t), LeafPort: freePort(t)}
	child := childOptions{Data: t.TempDir(), State: hub.State, HubLeaf: fmt.Sprintf("nats-leaf://127.0.0.1:%d", hub.LeafPort)}
	p, err := StartProduct(t.Context(), ProductOptions{
		Dir: folder(t, ordersYAML), Data: child.Data, HubLeaf: child.HubLeaf, Creds: child.creds(),
		HTTP: "127.0.0.1:0", Version: "test", Logger: meshOptions(t, "", "").Logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, p.Close)
	c := cutRun{t: t, things: p}
	if !c.alone(crashPort("orders", "orders"), `{"id":"1","customer":"Ann","total":1}`) {
		t.Error("what was published at the leaf is not visible")
	}
	startChild(t, "hub", hub)
	w := &world{}
	if w.client, err = Dial(t.Context(), ClientOptions{StateDir: hub.State}); err != nil {
		t.Fatal(err)
	}
	defer w.client.Close()
	<-p.Registered()
	if rows, _ := w.query(t, "SELECT id FROM orders.orders"); strings.Join(rows, ",") != "1" {
		t.Errorf("rows = %v", rows)
	}
}

// alone publishes one record at the leaf.
func (c *cutRun) alone(id product.PortID, text string) bool {
	c.t.Helper()
	id.Domain = "shop"
	client := &Client{nc: c.things.leaf.Conn()}
	s := &session{nc: client.nc, id: id, token: "alone"}
	given := false
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	sent, err := client.send(ctx, s, id, func() ([]byte, error) {
		if given {
			return nil, io.EOF
		}
		given = true
		return []byte(text), nil
	}, 0, PublishOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	return sent.Visible && sent.Accepted == 1
}
