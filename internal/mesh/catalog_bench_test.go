package mesh

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/product"
)

// crowd is the entry of one of many products, as large as one that describes itself well.
func crowd(i int) (name string, value []byte) {
	name = fmt.Sprintf("product-%04d", i)
	out := product.Output{Name: name, Type: product.State, Key: []string{"id"}, Description: "One thing that the shop knows of, as of its last change"}
	for c := range 12 {
		out.Schema = append(out.Schema, product.Column{
			Name: fmt.Sprintf("column_%d_%d", i%50, c), LogicalType: product.TypeString, Classification: "internal",
			Description: "What the column says, in the words of those who answer for it",
		})
	}
	e := catalog.Entry{
		Product: product.Product{
			APIVersion: product.APIVersion, Kind: product.Kind,
			Metadata: product.Metadata{
				Name: name, Domain: fmt.Sprintf("domain-%02d", i%40), Owner: fmt.Sprintf("team-%02d@example.org", i%70),
				Description: "What the shop knows of its things, kept up to date as they change", Version: "1.0.0", Status: "active", Tags: []string{"shop"},
			},
			Spec: product.Spec{Outputs: []product.Output{out}},
		},
		HTTP: "http://127.0.0.1:8080", Meshctl: "1.0.0", Started: time.Now(), Seen: time.Now(),
		Ports: []catalog.Port{{Address: name + "." + name, Output: out, Major: 1, Records: 1000, Last: 1000, Visible: 1000, LastTime: time.Now()}},
	}
	value, err := json.Marshal(e)
	if err != nil {
		panic(err) // plain values
	}
	return name, value
}

// BenchmarkCatalogSearch is a search over 1,000 products as a command does it that has
// just connected: list the hub's bucket, read the entries, look in all their texts.
func BenchmarkCatalogSearch(b *testing.B) {
	hub, err := StartHub(b.Context(), hubOptions(b))
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := hub.Close(b.Context()); err != nil {
			b.Error(err)
		}
	}()
	bucket := Catalog(hub.Conn())
	const products = 1000
	for i := range products {
		name, value := crowd(i)
		if err := bucket.Put(b.Context(), name, value); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		kept, err := bucket.List(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		values := map[string][]byte{}
		for name, e := range kept {
			values[name] = e.Value
		}
		all, err := catalog.Decode(values)
		if err != nil {
			b.Fatal(err)
		}
		if hits := all.Search("team-07 column_7_3"); len(hits) == 0 || len(all) != products {
			b.Fatalf("%d hits in %d products", len(hits), len(all))
		}
	}
}
