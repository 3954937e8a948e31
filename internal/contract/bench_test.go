package contract_test

import (
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fastjson"

	"github.com/meshctl/meshctl/internal/contract"
	"github.com/meshctl/meshctl/internal/product"
)

const flight = `{"flight":"DL1047","carrier":"DL","origin":"ATL","destination":"MSP","departure":"2026-03-14T15:09:26Z",` +
	`"delay":-7,"distance":907.25,"cancelled":false,"tail":"N927DA","day":"2026-03-14","gate":null}`

const order = `{"id":"o-100244","at":"2026-03-14T15:09:26.535897Z","customer":{"id":4711,"name":"Zoë Müller","city":"Köln"},` +
	`"lines":[{"sku":"A-17","quantity":2,"price":"19.90"},{"sku":"B-02","quantity":1,"price":5.05}],"total":44.85}`

func flights() *product.Output {
	return &product.Output{Name: "flights", Type: product.Event, Key: []string{"flight", "departure"}, Schema: []product.Column{
		{Name: "flight", LogicalType: "string", Options: product.TypeOptions{MaxLength: new(8)}},
		{Name: "carrier", LogicalType: "string", Required: true},
		{Name: "origin", LogicalType: "string", Required: true},
		{Name: "destination", LogicalType: "string", Required: true},
		{Name: "departure", LogicalType: "timestamp"},
		{Name: "delay", LogicalType: "integer"},
		{Name: "distance", LogicalType: "number", Options: product.TypeOptions{Minimum: new(0.0)}},
		{Name: "cancelled", LogicalType: "boolean", Required: true},
		{Name: "tail", LogicalType: "string"},
		{Name: "day", LogicalType: "date"},
		{Name: "gate", LogicalType: "string"},
	}}
}

func orders() *product.Output {
	money := product.Column{LogicalType: "number", PhysicalType: "decimal(12,2)", Required: true}
	price, total := money, money
	price.Name, total.Name = "price", "total"
	return &product.Output{Name: "orders", Type: product.State, Key: []string{"id"}, Schema: []product.Column{
		{Name: "id", LogicalType: "string"},
		{Name: "at", LogicalType: "timestamp", Required: true},
		{Name: "customer", LogicalType: "object", Properties: []product.Column{
			{Name: "id", LogicalType: "integer", Required: true},
			{Name: "name", LogicalType: "string"},
			{Name: "city", LogicalType: "string"},
		}},
		{Name: "lines", LogicalType: "array", Items: &product.Column{LogicalType: "object", Properties: []product.Column{
			{Name: "sku", LogicalType: "string", Required: true},
			{Name: "quantity", LogicalType: "integer"},
			price,
		}}},
		total,
	}}
}

// BenchmarkAppend is the whole work of the contract: checks, columns, key and batch.
func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct {
		name, value string
		out         *product.Output
	}{{"flat", flight, flights()}, {"nested", order, orders()}} {
		b.Run(c.name, func(b *testing.B) {
			d := decoder(b, c.out)
			value := []byte(c.value)
			b.SetBytes(int64(len(value)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Append(value); err != nil {
					b.Fatal(err)
				}
				if d.Len() == 10_000 {
					d.Flush().Release()
				}
			}
		})
	}
}

// BenchmarkReadOnly is what the alternatives need for reading the same records as
// tokens or as a tree, before any check, conversion or column.
func BenchmarkReadOnly(b *testing.B) {
	for _, c := range []struct{ name, value string }{{"flat", flight}, {"nested", order}} {
		value := []byte(c.value)
		b.Run(c.name+"/jsontext", func(b *testing.B) {
			var buf reader
			d := jsontext.NewDecoder(&buf)
			for b.Loop() {
				buf = value
				d.Reset(&buf)
				for {
					if _, err := d.ReadToken(); errors.Is(err, io.EOF) {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
		b.Run(c.name+"/fastjson", func(b *testing.B) {
			var p fastjson.Parser
			for b.Loop() {
				if _, err := p.ParseBytes(value); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/valid", func(b *testing.B) {
			for b.Loop() {
				if !json.Valid(value) {
					b.Fatal("not valid")
				}
			}
		})
	}
}

// BenchmarkViolation is what a dead letter costs.
func BenchmarkViolation(b *testing.B) {
	d := decoder(b, flights())
	value := []byte(`{"flight":"DL1047","carrier":"DL","origin":"ATL","destination":"MSP","departure":"2026-03-14T15:09:26Z","delay":"late"}`)
	for b.Loop() {
		if _, err := d.Append(value); err == nil {
			b.Fatal("no violation")
		}
	}
}

func BenchmarkAppendRow(b *testing.B) {
	d := decoder(b, flights())
	if _, err := d.Append([]byte(flight)); err != nil {
		b.Fatal(err)
	}
	batch := d.Flush()
	defer batch.Release()
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, err = contract.AppendRow(dst[:0], batch, 0); err != nil {
			b.Fatal(err)
		}
	}
}

// reader reads its bytes once.
type reader []byte

func (r *reader) Read(p []byte) (int, error) {
	if len(*r) == 0 {
		return 0, io.EOF
	}
	n := copy(p, *r)
	*r = (*r)[n:]
	return n, nil
}
