package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/federate"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/serve"
	"github.com/meshctl/meshctl/internal/trust"
)

// again is a client's answer, whether it was made of what the client had kept, and as of when.
func again(t *testing.T, c *Client, sql string) (rows []string, kept bool, f serve.QueryAnswer) {
	t.Helper()
	rows, kept, f, err := asking(t.Context(), c, serve.QueryRequest{SQL: sql})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return rows, kept, f
}

func asking(ctx context.Context, c *Client, r serve.QueryRequest) (rows []string, kept bool, f serve.QueryAnswer, err error) {
	a, err := c.Query(ctx, r)
	if err != nil {
		return nil, false, f, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	if rows, err = texts(ctx, a, false); err != nil {
		return nil, false, f, err
	}
	f, err = a.Finish()
	return rows[1:], ofKept(a.steps()), f, err
}

// ofKept says whether an answer was made without fetching anything.
func ofKept(steps []Step) bool {
	what := func(w string) bool { return slices.ContainsFunc(steps, func(s Step) bool { return s.What == w }) }
	return what("check") && !what("fetch") && !what("plan")
}

// other is another client of the same mesh, which keeps nothing yet.
func other(t *testing.T, c *Client) *Client {
	fresh := &Client{nc: c.nc}
	t.Cleanup(func() {
		if err := fresh.here.close(); err != nil {
			t.Error(err)
		}
	})
	return fresh
}

const boughtSQL = `SELECT p.*, o.total FROM buyers.people p LEFT JOIN sales.orders o ON o.buyer = p.id`

// Whatever changes what can be read of a table, a statement that was asked before is
// answered as if it had not been.
func TestWhatHasMovedIsFetchedAnew(t *testing.T) {
	dir := folder(t, buyersYAML)
	w := startWorld(t, t.TempDir(), dir, folder(t, salesYAML), folder(t, itemsYAML))
	w.publish(t, "buyers.people", `{"id":1,"name":"Ann"}`, `{"id":2,"name":"bob"}`)
	w.publish(t, "sales.orders", `{"id":1,"buyer":1,"total":10}`)
	table := func(name string) *olap.Table {
		pt, err := w.product(t, strings.Split(name, ".")[0]).port(strings.Split(name, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		return pt.table
	}
	again(t, w.client, boughtSQL)
	for _, change := range []struct {
		what  string
		do    func()
		moves bool // or the answer may be made of what is kept
	}{
		{"nothing", func() {}, false},
		{"another port", func() { w.publish(t, "sales.lines", `{"id":1}`) }, false},
		{"another product", func() { w.publish(t, "the-items.items", `{"item":"i"}`) }, false},
		{"a record", func() { w.publish(t, "sales.orders", `{"id":2,"buyer":2,"total":20}`) }, true},
		{"another value", func() { w.publish(t, "buyers.people", `{"id":2,"name":"Bob"}`) }, true},
		{"a delete", func() { w.publish(t, "buyers.people", `{"$delete":"1"}`) }, true},
		{"a roll", func() { w.roll(t, "buyers") }, true},
		{"a record above a segment", func() { w.publish(t, "buyers.people", `{"id":3,"name":"Cy"}`) }, true},
		{"another segment", func() { w.roll(t, "buyers") }, true},
		{"a compaction", func() {
			if err := table("buyers.people").Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"a rebuild", func() {
			if _, err := w.client.Rebuild(t.Context(), "sales", RebuildRequest{KV: true, Table: true}); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"an edit", func() {
			writeDescriptor(t, dir, strings.Replace(buyersYAML, "version: 1.0.0", "version: 1.1.0", 1)+"    - {name: mail, logicalType: string}\n")
			awaiting(t, "the edit is applied", func() bool {
				_, _, _, err := asking(t.Context(), w.client, serve.QueryRequest{SQL: "SELECT mail FROM buyers.people"})
				return err == nil
			})
		}, true},
		{"a record with the new column", func() { w.publish(t, "buyers.people", `{"id":4,"name":"Di","mail":"di@example.org"}`) }, true},
	} {
		change.do()
		got, kept, f := again(t, w.client, boughtSQL)
		want, _, wantF := again(t, other(t, w.client), boughtSQL)
		if !slices.Equal(got, want) || !maps.Equal(f.Watermarks, wantF.Watermarks) {
			t.Errorf("after %s: %q as of %v, want %q as of %v", change.what, got, f.Watermarks, want, wantF.Watermarks)
		}
		if change.moves && kept {
			t.Errorf("after %s the answer is made of what was kept", change.what)
		}
		if _, kept, _ = again(t, w.client, boughtSQL); !kept {
			t.Errorf("after %s the second answer is not made of what was kept", change.what)
		}
	}
}

// What is asked again with other parameters, or about another moment, is another statement.
func TestOnlyTheSameStatementIsKept(t *testing.T) {
	w := startWorld(t, t.TempDir(), folder(t, buyersYAML), folder(t, salesYAML))
	w.publish(t, "buyers.people", `{"id":1,"name":"Ann"}`, `{"id":2,"name":"bob"}`)
	w.publish(t, "sales.orders", `{"id":1,"buyer":1,"total":10}`, `{"id":2,"buyer":2,"total":20}`)
	const sql = `SELECT name FROM buyers.people p JOIN sales.orders o ON o.buyer = p.id WHERE o.id = $id`
	for _, ask := range []struct {
		r    serve.QueryRequest
		kept bool
		want string
	}{
		{serve.QueryRequest{SQL: sql, Args: map[string]any{"id": 1}}, false, "Ann"},
		{serve.QueryRequest{SQL: sql, Args: map[string]any{"id": 2}}, false, "bob"},
		{serve.QueryRequest{SQL: sql, Args: map[string]any{"id": 1}}, true, "Ann"},
		{serve.QueryRequest{SQL: sql, Args: map[string]any{"id": 1}, Limit: 5, AllowPartial: true}, true, "Ann"},
		{serve.QueryRequest{SQL: sql, Args: map[string]any{"id": 1}, AsOf: map[string]string{"": time.Now().UTC().Format(time.RFC3339Nano)}}, false, "Ann"},
		{serve.QueryRequest{SQL: sql + ` AND now() > TIMESTAMPTZ '2000-01-01'`, Args: map[string]any{"id": 1}}, false, "Ann"},
		{serve.QueryRequest{SQL: sql + ` AND now() > TIMESTAMPTZ '2000-01-01'`, Args: map[string]any{"id": 1}}, false, "Ann"},
		{serve.QueryRequest{SQL: sql + ` AND random() < 2`, Args: map[string]any{"id": 1}}, false, "Ann"},
		{serve.QueryRequest{SQL: sql + ` AND random() < 2`, Args: map[string]any{"id": 1}}, true, "Ann"},
	} {
		rows, kept, _, err := asking(t.Context(), w.client, ask.r)
		if err != nil || kept != ask.kept || !slices.Equal(rows, []string{ask.want}) {
			t.Errorf("%+v: %q, of what is kept %t, %v", ask.r, rows, kept, err)
		}
	}
}

// An owner that is away is told of, though all that is needed of it is kept; an answer
// without it is not kept, and one that was killed and started again is asked anew.
func TestAnOwnerThatWasKilledIsNotAnsweredFor(t *testing.T) {
	hub := childOptions{Data: t.TempDir(), State: t.TempDir(), ClientPort: freePort(t), LeafPort: freePort(t)}
	startChild(t, "hub", hub)
	leaf := fmt.Sprintf("nats-leaf://127.0.0.1:%d", hub.LeafPort)
	sales := childOptions{Dir: folder(t, salesYAML), Data: t.TempDir(), State: hub.State, HubLeaf: leaf}
	startChild(t, "product", childOptions{Dir: folder(t, buyersYAML), Data: t.TempDir(), State: hub.State, HubLeaf: leaf})
	owner := startChild(t, "product", sales)
	client, err := Dial(t.Context(), ClientOptions{StateDir: hub.State})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, client)
	w := &world{client: client}
	awaiting(t, "both products are known", func() bool {
		all, err := client.Catalog(t.Context())
		return err == nil && len(all) == 2
	})
	w.publish(t, "buyers.people", `{"id":1,"name":"Ann"}`)
	w.publish(t, "sales.orders", `{"id":1,"buyer":1,"total":10}`)
	for round := range 3 { // whoever is away in the first, and back unnoticed in the others
		want, _, _ := again(t, client, boughtSQL)
		if rows, kept, _ := again(t, client, boughtSQL); !kept || !slices.Equal(rows, want) {
			t.Errorf("%q, of what is kept %t", rows, kept)
		}
		owner.kill()
		if round == 0 {
			_, _, _, err := asking(t.Context(), client, serve.QueryRequest{SQL: boughtSQL})
			if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "product sales was last heard of at") {
				t.Errorf("without the owner: %v", err)
			}
			for range 2 {
				rows, kept, f, err := asking(t.Context(), client, serve.QueryRequest{SQL: boughtSQL, AllowPartial: true})
				if err != nil || kept || len(f.Missing) != 1 || slices.Equal(rows, want) {
					t.Errorf("in part: %q, of what is kept %t, missing %v, %v", rows, kept, f.Missing, err)
				}
			}
		}
		owner = startChild(t, "product", sales)
		awaiting(t, "the owner is asked", func() bool {
			rows, kept, _, err := asking(t.Context(), client, serve.QueryRequest{SQL: boughtSQL})
			if err == nil && (kept || !slices.Equal(rows, want)) {
				t.Errorf("after the kill %q, want %q, of what is kept %t", rows, want, kept)
			}
			return err == nil
		})
	}
}

// Files that have become too old are not kept either.
func TestFilesThatWentByAgeAreNotKept(t *testing.T) {
	w := startWorld(t, t.TempDir(), folder(t, papersYAML+"    retention: {age: 3s}\n"), folder(t, buyersYAML))
	const sql = `SELECT s.name FROM papers.scans s, buyers.people`
	w.publish(t, "buyers.people", `{"id":1,"name":"Ann"}`)
	w.put(t, "a", randomBytes(1000))
	pt, err := w.product(t, "papers").port("scans")
	if err != nil {
		t.Fatal(err)
	}
	if rows, _, _ := again(t, w.client, sql); !slices.Equal(rows, []string{"a"}) {
		t.Fatalf("files %q", rows)
	}
	awaiting(t, "the file goes", func() bool {
		if err := pt.sweep(t.Context()); err != nil { // which is due every minute
			t.Fatal(err)
		}
		rows, _, _ := again(t, other(t, w.client), sql)
		return len(rows) == 0
	})
	if rows, kept, _ := again(t, w.client, sql); kept || len(rows) > 0 {
		t.Errorf("files %q, of what is kept %t", rows, kept)
	}
}

// Who may not ask any more gets nothing of what is kept either.
func TestPromise9WhatIsKeptNeedsTheRightToAsk(t *testing.T) {
	w := startWorld(t, t.TempDir(), folder(t, buyersYAML), folder(t, salesYAML))
	w.publish(t, "buyers.people", `{"id":1,"name":"Ann"}`)
	w.publish(t, "sales.orders", `{"id":1,"buyer":1,"total":10}`)
	creds, err := w.client.IssueCreds(t.Context(), trust.Holder{Name: "ann", Role: trust.ReadOnly}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	ann, err := Dial(t.Context(), ClientOptions{Server: w.mesh.Hub().ClientURL(), Held: creds, StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, ann)
	again(t, ann, boughtSQL)
	if _, kept, _ := again(t, ann, boughtSQL); !kept {
		t.Error("nothing is kept")
	}
	if _, err := w.client.RevokeCreds(t.Context(), RevokeRequest{Name: "ann"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if rows, _, _, err := asking(ctx, ann, serve.QueryRequest{SQL: boughtSQL}); err == nil {
		t.Errorf("the answer is still %q", rows)
	}
}

// Of many statements those that were asked last are kept, and of much only so much.
func TestWhatIsKeptIsBounded(t *testing.T) {
	w := startWorld(t, t.TempDir(), folder(t, buyersYAML), folder(t, salesYAML))
	w.publish(t, "buyers.people", `{"id":1,"name":"Ann"}`)
	w.publish(t, "sales.orders", `{"id":1,"buyer":1,"total":10}`)
	here := &w.client.here
	nth := func(i int) string { return fmt.Sprintf("%s WHERE p.id <> -%d", boughtSQL, i) }
	keeps := func(i int) bool {
		return slices.ContainsFunc(here.all, func(d *desk) bool {
			return slices.ContainsFunc(d.kept, func(k *kept) bool { return strings.Contains(k.key, fmt.Sprintf("-%d\"", i)) })
		})
	}
	for i := range mostKept + 3 {
		again(t, w.client, nth(i))
		again(t, w.client, nth(0))
	}
	for i, want := range map[int]bool{0: true, 1: false, 2: false, 3: false, 4: true, mostKept + 2: true} {
		if keeps(i) != want {
			t.Errorf("statement %d is kept: %t", i, !want)
		}
	}
	if len(here.all) != 1 {
		t.Errorf("%d databases for one statement at a time", len(here.all))
	}
	var all int64
	for _, k := range here.all[0].kept {
		if k.bytes == 0 {
			t.Fatalf("%s takes no bytes", k.key)
		}
		all += k.bytes
	}
	here.most = all / 2
	again(t, w.client, nth(0))
	if n := len(here.all[0].kept); n == 0 || n > mostKept*2/3 || !keeps(0) {
		t.Errorf("half as many bytes keep %d statements, the last: %t", n, keeps(0))
	}
	here.most = 1
	if again(t, w.client, nth(0)); len(here.all[0].kept) != 0 {
		t.Errorf("%d statements are kept in one byte", len(here.all[0].kept))
	}
}

// What DuckDB tells the moment by is known.
func TestFunctionsThatTellTheMomentAreNotTimeless(t *testing.T) {
	list := functions(t, "stability = 'CONSISTENT_WITHIN_QUERY' OR macro_definition SIMILAR TO '.*(current_|now|today).*'")
	for _, name := range append(list, "age", "current_localtimestamp", "localtime") {
		if name != "user" && federate.Timeless("SELECT "+name+" (a) FROM t") {
			t.Errorf("%s is taken for a function that means the same at any time", name)
		}
		if federate.Steady("SELECT " + name + " (a) FROM t") {
			t.Errorf("%s is asked of an owner", name)
		}
	}
	for sql, want := range map[string]bool{
		"SELECT 1 WHERE d < CURRENT_DATE": false, `SELECT "now" /* at */ ()`: false, "SELECT localtimestamp": false,
		"SELECT age, now, current_price, 'now()' FROM t -- today()": true, "SELECT random(), uuid()": true,
	} {
		if federate.Timeless(sql) != want {
			t.Errorf("%s is timeless: %t", sql, !want)
		}
	}
}
