package sqltest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Table is a port and its rows.
type Table struct {
	Product, Port string
	Descriptor    string   // of the product; the same for each of its ports
	Lines         [][]byte // what to publish: old versions and deletes too
	Schema        *arrow.Schema
	Rows          arrow.RecordBatch // what must be there in the end

	columns []column
	key     []string
}

// SQL is the table's name in a statement.
func (t *Table) SQL() string { return quote(t.Product) + "." + quote(t.Port) }

func quote(name string) string {
	if strings.Contains(name, "-") {
		return `"` + name + `"`
	}
	return name
}

// spec is a port before it has rows.
type spec struct {
	product, port, kind string
	rows                int
	columns             []column // the first is the key
}

// The columns of one name hold values of one domain, so joins find partners.
var specs = []spec{
	{"shop", "orders", "event", 150, []column{
		{name: "id", typ: whole}, {name: "customer", typ: whole}, {name: "item", typ: text}, {name: "qty", typ: whole},
		{name: "price", typ: dec}, {name: "placed", typ: moment}, {name: "day", typ: day}, {name: "note", typ: text},
		{name: "rush", typ: truth}, {name: "weight", typ: float}, {name: "tags", typ: words}, {name: "ship", typ: place},
	}},
	{"shop", "returns", "state", 40, []column{
		{name: "id", typ: whole}, {name: "customer", typ: whole}, {name: "item", typ: text}, {name: "reason", typ: text},
		{name: "day", typ: day}, {name: "refund", typ: dec},
	}},
	{"customers", "customers", "state", 35, []column{
		{name: "id", typ: whole}, {name: "name", typ: text}, {name: "city", typ: text}, {name: "level", typ: whole},
		{name: "since", typ: day}, {name: "parent", typ: whole}, {name: "balance", typ: dec}, {name: "active", typ: truth},
	}},
	{"stock-list", "items", "state", 14, []column{
		{name: "item", typ: text}, {name: "price", typ: dec}, {name: "added", typ: moment}, {name: "opens", typ: clock},
		{name: "parts", typ: parts}, {name: "weight", typ: float}, {name: "qty", typ: whole},
	}},
	{"geo", "cities", "event", 12, []column{
		{name: "city", typ: text}, {name: "country", typ: text}, {name: "area", typ: float}, {name: "tags", typ: words},
		{name: "founded", typ: day}, {name: "capital", typ: truth},
	}},
	{"visits", "visits", "event", 2600, []column{
		{name: "id", typ: whole}, {name: "customer", typ: whole}, {name: "at", typ: moment}, {name: "page", typ: text},
		{name: "ms", typ: whole}, {name: "score", typ: float}, {name: "city", typ: text},
	}},
	{"nothing", "nothing", "event", 0, []column{
		{name: "id", typ: whole}, {name: "city", typ: text}, {name: "price", typ: dec}, {name: "day", typ: day}, {name: "tags", typ: words},
	}},
}

// Tables are the tables that statements are about, spread over several products.
func Tables(seed uint64) ([]*Table, error) {
	rng := rand.New(rand.NewPCG(seed, 1))
	var tables []*Table
	for _, s := range specs {
		t := &Table{Product: s.product, Port: s.port, Descriptor: descriptor(s.product), columns: s.columns, key: []string{s.columns[0].name}}
		fields := make([]arrow.Field, len(s.columns))
		for i, c := range s.columns {
			fields[i] = arrow.Field{Name: c.name, Type: c.typ.arrow(), Nullable: i > 0}
		}
		t.Schema = arrow.NewSchema(fields, nil)
		if err := t.fill(rng, s); err != nil {
			return nil, fmt.Errorf("make rows of %s: %w", t.SQL(), err)
		}
		tables = append(tables, t)
	}
	return tables, nil
}

// fill makes the rows. Of a state port each row has had an older version, and some rows are deleted.
func (t *Table) fill(rng *rand.Rand, s spec) error {
	var live [][]byte
	for i := range s.rows {
		if s.kind == "state" {
			t.Lines = append(t.Lines, row(rng, s, i))
		}
		line := row(rng, s, i)
		t.Lines = append(t.Lines, line)
		if s.kind == "state" && rng.IntN(10) == 0 {
			t.Lines = append(t.Lines, deletion(s, i))
			continue
		}
		live = append(live, line)
	}
	rows, _, err := array.RecordFromJSON(memory.DefaultAllocator, t.Schema,
		bytes.NewReader(append(append([]byte("["), bytes.Join(live, []byte(","))...), ']')))
	t.Rows = rows
	return err
}

func row(rng *rand.Rand, s spec, i int) []byte {
	var b bytes.Buffer
	for n, c := range s.columns {
		var v any
		switch {
		case n == 0:
			v = keyOf(c, i)
		case rng.IntN(8) > 0:
			v = c.value(rng, i)
		}
		text, err := json.Marshal(v)
		if err != nil { // a tree of plain values always marshals
			panic(err)
		}
		fmt.Fprintf(&b, ",%q:%s", c.name, text)
	}
	return []byte("{" + b.String()[1:] + "}")
}

func keyOf(c column, i int) any {
	if c.typ == whole {
		return i
	}
	return c.domain()[i]
}

func deletion(s spec, i int) []byte {
	return fmt.Appendf(nil, `{"$delete":%q}`, fmt.Sprint(keyOf(s.columns[0], i)))
}

// descriptor is a product's, with all of its ports.
func descriptor(product string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: %s, domain: lab, owner: lab@example.org, version: 1.0.0}
spec:
  storage: {segmentRows: 600}
  outputs:
`, product)
	for _, s := range specs {
		if s.product != product {
			continue
		}
		fmt.Fprintf(&b, "  - name: %s\n    type: %s\n    key: [%s]\n    schema:\n", s.port, s.kind, s.columns[0].name)
		for _, c := range s.columns {
			fmt.Fprintf(&b, "    - {name: %s, %s}\n", c.name, c.typ.logical())
		}
	}
	return b.String()
}
