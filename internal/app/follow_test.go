package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/serve"
)

// A query over two products is answered again when one of them has moved, and not asked
// while neither does.
func TestFollowAnswersWhenAProductMoves(t *testing.T) {
	audit := newAuditLog(t)
	o := meshOptions(t, t.TempDir(), t.TempDir(), folder(t, ordersYAML), folder(t, customersYAML))
	o.Logger = slog.New(audit)
	w := startWorldWith(t, o)
	w.publish(t, "customers", `{"name":"Ann","city":"Rome"}`)
	w.publish(t, "orders", `{"id":"1","customer":"Ann","total":1}`)
	var mu sync.Mutex
	var answers []string
	seen := func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(answers, " ")
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		const sql = "SELECT city || count(*) AS a FROM orders JOIN customers ON name = customer GROUP BY city"
		done <- w.client.Follow(ctx, serve.QueryRequest{SQL: sql}, func(a *Answer) (serve.QueryAnswer, error) {
			for {
				b, err := a.Next(ctx)
				if errors.Is(err, io.EOF) {
					return a.Finish()
				}
				if err != nil {
					return serve.QueryAnswer{}, err
				}
				mu.Lock()
				for i := range int(b.NumRows()) {
					answers = append(answers, strings.Clone(b.Column(0).ValueStr(i)))
				}
				mu.Unlock()
				b.Release()
			}
		})
	}()
	await(t, "first answer", func() bool { return seen() == "Rome1" })
	asked := audit.count()
	select {
	case err := <-done:
		t.Fatal(err)
	case <-time.After(3 * followPause): // nothing moves
	}
	if n := audit.count(); n != asked {
		t.Errorf("%d queries while nothing moved", n-asked)
	}
	w.publish(t, "orders", `{"id":"2","customer":"Ann","total":1}`)
	await(t, "answer after orders moved", func() bool { return seen() == "Rome1 Rome2" })
	w.publish(t, "customers", `{"name":"Ann","city":"Oslo"}`)
	await(t, "answer after customers moved", func() bool { return seen() == "Rome1 Rome2 Oslo2" })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Follow ended with %v", err)
	}
	err := w.product(t, "orders").awaitMove(t.Context(), map[string]record.Seq{"orders.nothing": 1})
	if fault.KindOf(err) != fault.NotFound {
		t.Errorf("waiting for a table that is not there: %v", err)
	}
}

func (a auditLog) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(*a.lines)
}

func TestLagIsHowFarTheLogIsAhead(t *testing.T) {
	w := startWorld(t, t.TempDir(), folder(t, ordersYAML))
	w.publish(t, "orders", `{"id":"1","customer":"Ann"}`, `{"id":"2","customer":"Ann"}`, `{"id":"3","customer":"Ann"}`)
	marks := map[string]record.Watermark{"orders.orders": {Seq: 1}}
	if err := w.product(t, "orders").addLag(t.Context(), marks); err != nil || marks["orders.orders"].Lag != 2 {
		t.Errorf("marks = %+v, %v", marks, err)
	}
	if _, a := w.query(t, "SELECT count(*) FROM orders"); a.Watermarks["orders.orders"].Lag != 0 || a.Bytes != 8 && a.Bytes != 9 {
		t.Errorf("answer = %+v", a)
	}
}
