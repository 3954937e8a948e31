package app

import (
	"strings"
	"sync"
	"testing"

	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/serve"
)

const bigYAML = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: big, domain: shop, owner: shop@example.org, version: 1.0.0}
spec:
  inputs:
  - {name: sold, port: orders.orders}
  logic:
    sql:
      query: SELECT id, customer::INTEGER AS customer, 'short' AS note FROM sold
  outputs:
  - name: big
    type: event
    schema:
    - {name: id, logicalType: string}
    - {name: customer, logicalType: integer, required: true}
    - {name: note, logicalType: string, logicalTypeOptions: {maxLength: 5}}
`

// letters waits until a port has that many dead letters.
func (w *world) letters(t *testing.T, address string, n int) []serve.Letter {
	t.Helper()
	for {
		letters, err := w.client.DeadLetters(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		if len(letters) == n {
			return letters
		}
	}
}

// replayTwice asks for all letters of a port from two sides at once.
func (w *world) replayTwice(t *testing.T, address string) {
	t.Helper()
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if _, err := w.client.ReplayDead(t.Context(), address, DeadRequest{All: true}); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
}

// Promise 6: a record of another product that the logic could not take goes in once the
// logic can, and once only; so does what the logic made and the contract refused.
func TestPromise6LettersOfLogicAreReplayed(t *testing.T) {
	dir := folder(t, bigYAML)
	w := startWorld(t, t.TempDir(), folder(t, ordersYAML), dir)
	w.publish(t, "orders", `{"id":"1","customer":"7"}`, `{"id":"2","customer":"nine"}`)
	letter := w.letters(t, "big", 1)[0]
	if letter.Value != `{"id":"2","customer":"nine"}` || letter.Origin != "from-orders_orders-v1:2:1" || !strings.Contains(letter.Reason, "nine") {
		t.Fatalf("letter = %+v", letter)
	}
	// As long as the logic is what it was, it refuses the record again.
	w.replayTwice(t, "big")
	again := w.letters(t, "big", 1)[0]
	for again.Seq == letter.Seq {
		again = w.letters(t, "big", 1)[0]
	}
	if again.Value != letter.Value || again.Origin != letter.Origin {
		t.Fatalf("letter = %+v, which was %+v", again, letter)
	}
	p := w.mesh.Products()[0]
	apply := func(change func(*product.Product)) {
		t.Helper()
		desc := loaded(t, dir)
		change(desc)
		if _, err := p.Apply(t.Context(), desc); err != nil {
			t.Fatal(err)
		}
	}
	apply(func(desc *product.Product) {
		desc.Spec.Logic.SQL.Query = "SELECT id, coalesce(TRY_CAST(customer AS INTEGER), 0) AS customer, if(customer = 'nine', 'too long', 'short') AS note FROM sold"
	})
	w.replayTwice(t, "big")
	made := w.letters(t, "big", 1)[0]
	for !strings.HasPrefix(made.Origin, "logic:") {
		made = w.letters(t, "big", 1)[0]
	}
	apply(func(desc *product.Product) { desc.Spec.Outputs[0].Schema[2].Options.MaxLength = new(10) })
	w.replayTwice(t, "big")
	w.eventually(t, "SELECT id, customer, note FROM big ORDER BY ALL", "1|7|short", "2|0|too long")
	w.publish(t, "orders", `{"id":"3","customer":"3"}`)
	w.eventually(t, "SELECT id, customer FROM big ORDER BY ALL", "1|7", "2|0", "3|3")
	w.letters(t, "big", 0)
}

// A letter that has nowhere to go back to waits on, and does not hold up the others.
func TestLetterWithoutAnInputIsKept(t *testing.T) {
	dir := folder(t, bigYAML)
	w := startWorld(t, t.TempDir(), folder(t, ordersYAML), dir)
	w.publish(t, "orders", `{"id":"1","customer":"one"}`)
	letter := w.letters(t, "big", 1)[0]
	desc := loaded(t, dir)
	desc.Spec.Inputs[0].Port = "elsewhere.orders"
	if _, err := w.mesh.Products()[0].Apply(t.Context(), desc); err != nil {
		t.Fatal(err)
	}
	a, err := w.client.ReplayDead(t.Context(), "big", DeadRequest{All: true})
	if err != nil || a.Count != 0 || len(a.Kept) != 1 || a.Kept[0].Seq != letter.Seq || !strings.Contains(a.Kept[0].Reason, "from-orders_orders-v1") {
		t.Fatalf("replay = %+v, %v", a, err)
	}
	if a, err = w.client.PurgeDead(t.Context(), "big", DeadRequest{All: true}); err != nil || a.Count != 1 {
		t.Fatalf("purge = %+v, %v", a, err)
	}
}
