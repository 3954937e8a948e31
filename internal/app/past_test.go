package app

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/serve"
)

// asked is a query's rows as one text, sorted, and as of when it holds.
func (w *world) asked(t *testing.T, r serve.QueryRequest) (string, serve.QueryAnswer, error) {
	t.Helper()
	a, err := w.client.Query(t.Context(), r)
	if err != nil {
		return "", serve.QueryAnswer{}, err
	}
	defer func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	var rows []string
	for {
		b, err := a.Next(t.Context())
		if errors.Is(err, io.EOF) {
			f, err := a.Finish()
			slices.Sort(rows)
			return strings.Join(rows, " "), f, err
		}
		if err != nil {
			return "", serve.QueryAnswer{}, err
		}
		for i := range int(b.NumRows()) {
			rows = append(rows, strings.Clone(b.Column(0).ValueStr(i)))
		}
		b.Release()
	}
}

// Every sequence and every time of a log can be asked, of states and of events, alone and
// joined, also after the tables have rolled: the answer is what a model had then.
func TestAnswersAsOfEarlierAreExact(t *testing.T) {
	const eventsYAML = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: visits, domain: shop, owner: shop@example.org, version: 1.0.0}
spec:
  outputs:
  - name: visits
    type: event
    schema:
    - {name: who, logicalType: string}
`
	w := startWorld(t, t.TempDir(), folder(t, ordersYAML), folder(t, eventsYAML))
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	states, now := []string{""}, map[string]int{}
	for i := range 40 {
		id := fmt.Sprintf("k%d", rng.IntN(6))
		if _, there := now[id]; there && rng.IntN(4) == 0 {
			delete(now, id)
			w.publish(t, "orders", fmt.Sprintf(`{"$delete":%q}`, id))
		} else {
			now[id] = i
			w.publish(t, "orders", fmt.Sprintf(`{"id":%q,"customer":"Ann","total":%d}`, id, i))
		}
		var rows []string
		for _, id := range slices.Sorted(maps.Keys(now)) {
			rows = append(rows, fmt.Sprintf("%s=%d.00", id, now[id]))
		}
		states = append(states, strings.Join(rows, " "))
		w.publish(t, "visits", fmt.Sprintf(`{"who":"k%d"}`, i%6))
		if i == 20 {
			pt, err := w.product(t, "orders").port("orders")
			if err != nil {
				t.Fatal(err)
			}
			if err := pt.table.Roll(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	times := map[int]time.Time{}
	if err := w.client.Tail(t.Context(), "orders", TailOptions{From: 1}, func(r Tailed) error { times[int(r.Seq)] = r.Time; return nil }); err != nil {
		t.Fatal(err)
	}
	const sql = "SELECT id || '=' || total FROM orders"
	for n := 0; n < len(states); n += 1 + rng.IntN(5) {
		got, a, err := w.asked(t, serve.QueryRequest{SQL: sql, AsOf: map[string]string{"": fmt.Sprint(n)}})
		if err != nil || got != states[n] || int(a.Watermarks["orders.orders"].Seq) != n || a.Watermarks["orders.orders"].Lag != 0 {
			t.Errorf("as of record %d: %q as of %+v, %v; want %q", n, got, a.Watermarks, err, states[n])
		}
		if n == 0 {
			continue
		}
		at := times[n].Format(time.RFC3339Nano)
		if got, _, err = w.asked(t, serve.QueryRequest{SQL: sql, AsOf: map[string]string{"orders": at}}); err != nil || got != states[n] {
			t.Errorf("as of %s: %q, %v; want %q", at, got, err, states[n])
		}
		got, _, err = w.asked(t, serve.QueryRequest{
			SQL:  "SELECT (SELECT count(*) FROM visits) || ':' || (SELECT count(*) FROM orders)",
			AsOf: map[string]string{"orders.orders": fmt.Sprint(n), "visits": fmt.Sprint(n - 1)},
		})
		if want := fmt.Sprintf("%d:%d", n-1, len(strings.Fields(states[n]))); err != nil || got != want {
			t.Errorf("two products as of record %d: %q, %v; want %q", n, got, err, want)
		}
	}
	for moment, want := range map[string]string{
		"99": "the log of orders.orders has no record 99 yet", "2999-01-01": "is not known", "tomorrow": "neither a sequence nor a time",
	} {
		if _, _, err := w.asked(t, serve.QueryRequest{SQL: sql, AsOf: map[string]string{"": moment}}); err == nil || !strings.Contains(err.Error(), want) || fault.HintOf(err) == "" {
			t.Errorf("as of %s: %v", moment, err)
		}
	}
	for name, sql := range map[string]string{"": "FROM orders, visits", "visits": "FROM orders"} {
		if _, _, err := w.asked(t, serve.QueryRequest{SQL: sql, AsOf: map[string]string{name: "1"}}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s as of %s=1: %v", sql, name, err)
		}
	}
	left, err := os.ReadDir(w.product(t, "orders").data.sub(pastFolder))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
