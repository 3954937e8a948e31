package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// granting is a descriptor whose ports have a line of grants.
func granting(yaml, grants string) string {
	return strings.Replace(yaml, "    type: state\n", "    type: state\n    grants: "+grants+"\n", 1)
}

// input waits until an input of a product fares as it is to, and says how long that took.
func (w *world) input(t *testing.T, name, input string, ok func(trouble string, denied bool) bool) time.Duration {
	t.Helper()
	began := time.Now()
	last := ""
	for time.Since(began) < time.Minute {
		e, err := w.client.Entry(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range e.Inputs {
			if last = fmt.Sprint(in.Error, in.Denied); in.Name == input && ok(in.Error, in.Denied) {
				return time.Since(began)
			}
		}
		<-time.After(20 * time.Millisecond)
	}
	t.Fatalf("input %s of %s: %s", input, name, last)
	return 0
}

// A port that is not granted gives nothing and says so at once; from the moment that it
// is granted everything comes, and from the moment that the grant is taken back nothing.
func TestPromise9GrantsDecideWhoReads(t *testing.T) {
	orders := folder(t, granting(ordersYAML, "[]"))
	w := startWorld(t, t.TempDir(), orders, folder(t, customersYAML), folder(t, revenueYAML))
	w.publish(t, "customers", `{"name":"Ann","city":"Bonn"}`)
	w.publish(t, "orders", `{"id":"1","customer":"Ann","total":9.90}`)
	refused := func(trouble string, denied bool) bool { return denied && trouble != "" }
	took := w.input(t, "revenue", "orders", refused)
	t.Logf("said to be refused after %s", took)
	if took > 3*time.Second {
		t.Errorf("it took %s to say that orders is not granted", took)
	}
	w.input(t, "revenue", "orders", func(trouble string, _ bool) bool {
		return strings.Contains(trouble, "orders.orders is not granted") &&
			strings.Contains(trouble, "ask shop@example.org to run meshctl grant orders.orders --to revenue")
	})
	if in := w.product(t, "revenue").mirrors["from-orders_orders-v1"]; in.state.Last != 0 {
		t.Fatalf("%d records have come all the same", in.state.Last)
	}

	writeDescriptor(t, orders, granting(ordersYAML, "[somebody, revenue]"))
	w.eventually(t, "SELECT city, orders FROM revenue", "Bonn|1")
	w.input(t, "revenue", "orders", func(trouble string, denied bool) bool { return trouble == "" && !denied })

	writeDescriptor(t, orders, granting(ordersYAML, "[somebody]"))
	took = w.input(t, "revenue", "orders", refused)
	t.Logf("said to be taken back after %s", took)
	w.publish(t, "orders", `{"id":"2","customer":"Ann","total":1}`)
	w.publish(t, "customers", `{"name":"Ann","city":"Bern"}`)
	w.eventually(t, "SELECT city, orders FROM revenue", "Bern|1")

	writeDescriptor(t, orders, ordersYAML)
	w.eventually(t, "SELECT city, orders FROM revenue", "Bern|2")
}

// A product that was not granted a port cannot get at it under another's name either.
func TestPromise9NobodyAsksUnderAnotherName(t *testing.T) {
	w := startWorld(t, t.TempDir(), folder(t, granting(ordersYAML, "[accounts]")), folder(t, customersYAML), folder(t, revenueYAML))
	thief := &Client{nc: w.product(t, "revenue").leaf.Conn()}
	for _, subject := range []string{
		product.SubscribeSubject("orders", "accounts"), product.ServiceSubject("orders", "subscribe"),
		product.ServiceSubject("orders", "get"), product.ServiceSubject("orders", "tail"),
	} {
		if _, err := thief.nc.Request(subject, []byte(`{"port":"orders","major":1}`), 2*time.Second); err == nil {
			t.Errorf("somebody answers at %s", subject)
		}
	}
	_, err := call[struct{}](t.Context(), w.client, "orders", "subscribe.accounts", subscribeRequest{Port: "orders", Major: 1})
	if fault.KindOf(err) != fault.Denied {
		t.Errorf("an admin asks as a product: %v", err)
	}
}
