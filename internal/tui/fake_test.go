package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/serve"
)

// noon is what the clock says in every test.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// fake is a mesh by hand.
type fake struct {
	mu       sync.Mutex
	all      catalog.Catalog
	changes  chan change // more that a watch tells
	records  chan serve.Record
	letters  []serve.Letter
	replayed []record.Seq
	queries  []string
	asked    chan string   // is told each query, if there is one
	rows     int           // of every answer
	slow     chan struct{} // every call waits for it, or its context
	away     error         // the hub cannot be reached
	fails    error         // queries do
	deaf     string        // a product that does not answer
	parquet  map[string]int
}

func newFake(all catalog.Catalog) *fake {
	return &fake{all: all, changes: make(chan change), records: make(chan serve.Record, 100), rows: 3, parquet: map[string]int{}}
}

// wait is what every call does first.
func (f *fake) wait(ctx context.Context) error {
	f.mu.Lock()
	slow, away := f.slow, f.away
	f.mu.Unlock()
	if slow != nil {
		select {
		case <-slow:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if away != nil {
		return away
	}
	return ctx.Err()
}

func (f *fake) set(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

func (f *fake) Where() string                   { return "nats://127.0.0.1:4222" }
func (f *fake) Reach(ctx context.Context) error { return f.wait(ctx) }

func (f *fake) Watch(ctx context.Context, all func(catalog.Catalog) error, each func(string, *catalog.Entry) error) error {
	if err := f.wait(ctx); err != nil {
		return err
	}
	if err := all(f.all); err != nil {
		return err
	}
	for {
		select {
		case c := <-f.changes:
			if err := each(c.name, c.entry); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *fake) Entries(ctx context.Context, names []string) (answered []catalog.Entry, silent []string) {
	if f.wait(ctx) != nil {
		return nil, names
	}
	for _, n := range names {
		if e := f.all.Product(n); e != nil && n != f.deaf {
			answered = append(answered, *e)
		} else if n == f.deaf {
			silent = append(silent, n)
		}
	}
	return answered, silent
}

func (f *fake) Follow(ctx context.Context, address string, last int, emit func(serve.Record) error) error {
	if err := f.wait(ctx); err != nil {
		return err
	}
	for {
		select {
		case r := <-f.records:
			if err := emit(r); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *fake) DeadLetters(ctx context.Context, address string) ([]serve.Letter, error) {
	return f.letters, f.wait(ctx)
}

func (f *fake) Replay(ctx context.Context, address string, letter record.Seq) error {
	f.set(func() { f.replayed = append(f.replayed, letter) })
	return f.wait(ctx)
}

func (f *fake) Query(ctx context.Context, r serve.QueryRequest) (browse.Answer, error) {
	if err := f.wait(ctx); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queries = append(f.queries, r.SQL)
	if f.asked != nil {
		f.asked <- r.SQL
	}
	if f.fails != nil {
		return nil, f.fails
	}
	rows := f.rows
	if r.Limit > 0 {
		rows = min(rows, int(r.Limit))
	}
	return &fakeAnswer{f: f, rows: rows}, nil
}

func (f *fake) WriteParquet(ctx context.Context, path string, rows browse.Rows) error {
	n := 0
	for {
		b, err := rows.Next(ctx)
		if errors.Is(err, io.EOF) {
			f.set(func() { f.parquet[path] = n })
			return nil
		}
		if err != nil {
			return err
		}
		n += int(b.NumRows())
		b.Release()
	}
}

// fakeAnswer is flights, row by row made up: f.rows of them.
type fakeAnswer struct {
	f      *fake
	rows   int
	given  int
	closed bool
}

var flightSchema = arrow.NewSchema([]arrow.Field{
	{Name: "flight", Type: arrow.PrimitiveTypes.Int64}, {Name: "origin", Type: arrow.BinaryTypes.String},
	{Name: "at", Type: arrow.FixedWidthTypes.Timestamp_us}, {Name: "delay", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
}, nil)

func (a *fakeAnswer) Schema() *arrow.Schema { return flightSchema }

func (a *fakeAnswer) Next(ctx context.Context) (arrow.RecordBatch, error) {
	if err := a.f.wait(ctx); err != nil {
		return nil, err
	}
	n := min(2048, a.rows-a.given)
	if n <= 0 {
		return nil, io.EOF
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, flightSchema)
	defer b.Release()
	for i := range n {
		k := a.given + i
		b.Field(0).(*array.Int64Builder).Append(int64(k + 1))
		b.Field(1).(*array.StringBuilder).Append([]string{"SFO", "LAX", "ATL", "SFO"}[k%4])
		b.Field(2).(*array.TimestampBuilder).Append(arrow.Timestamp(noon.Add(time.Duration(k) * time.Minute).UnixMicro()))
		if k%10 == 9 {
			b.Field(3).AppendNull()
		} else {
			b.Field(3).(*array.Float64Builder).Append(float64(k*k%97) - 10)
		}
	}
	a.given += n
	return b.NewRecordBatch(), nil
}

func (a *fakeAnswer) Finish() (serve.QueryAnswer, error) {
	return serve.QueryAnswer{Rows: int64(a.given), Millis: 12, Watermarks: map[string]record.Watermark{"flights.flights": {Seq: 250_000, Time: noon}}}, nil
}

func (a *fakeAnswer) Close() error { a.closed = true; return nil }

// airline is a mesh of four products: flights and airports, delays over both, and one
// that is gone.
func airline() catalog.Catalog {
	entry := func(domain, name, typ, description string, columns ...product.Column) catalog.Entry {
		out := product.Output{Name: name, Type: typ, Description: "One of " + name, Schema: columns}
		if typ == product.State {
			out.Key = []string{columns[0].Name}
		}
		return catalog.Entry{
			Product: product.Product{
				Metadata: product.Metadata{Name: name, Domain: domain, Owner: "team-" + domain, Description: description, Version: "1.2.0", Status: product.StatusActive, Tags: []string{"demo"}},
				Spec:     product.Spec{Outputs: []product.Output{out}},
			},
			HTTP: "http://127.0.0.1:8080", Meshctl: "0.1.0", Started: noon.Add(-time.Hour), Seen: noon.Add(-time.Second),
			Ports: []catalog.Port{{Address: name + "." + name, Stream: name + "-v1", Table: name + "." + name, Output: out, Major: 1, LastTime: noon.Add(-3 * time.Second)}},
		}
	}
	least, most := 0.0, 100.0
	iata := product.Column{Name: "iata", LogicalType: product.TypeString, Required: true, Description: "IATA code of the airport"}
	airports := entry("aviation", "airports", product.State, "Every airport of the country", iata,
		product.Column{Name: "city", LogicalType: product.TypeString, Classification: "public"})
	airports.Ports[0].Records, airports.Ports[0].Last, airports.Ports[0].Visible = 3376, 3376, 3376
	flights := entry("aviation", "flights", product.Event, "Every flight as it lands, with its delay",
		product.Column{Name: "flight", LogicalType: product.TypeInteger}, product.Column{Name: "origin", LogicalType: product.TypeString},
		product.Column{Name: "pilot", LogicalType: product.TypeString, Classification: "restricted", Description: "who flew it"})
	flights.Ports[0].Records, flights.Ports[0].Last, flights.Ports[0].Visible, flights.Ports[0].Dead = 250_000, 250_000, 249_500, 2
	flights.Ports[0].Output.SLA = []product.SLAProperty{{Property: "freshness", Value: int64(1), Unit: "m"}}
	delays := entry("aviation", "delays", product.State, "How punctual the departures of each airport are", iata,
		product.Column{Name: "late_share", LogicalType: product.TypeNumber, Options: product.TypeOptions{Minimum: &least, Maximum: &most}, Description: "late, as percent of flights"})
	delays.Product.Spec.Inputs = []product.Input{{Name: "flights", Port: "flights.flights"}, {Name: "airports", Port: "airports.airports"}}
	delays.Inputs = []catalog.Input{{Name: "flights", Port: "flights.flights", Last: 249_000, Lag: 1000}, {Name: "airports", Port: "airports.airports", Last: 3376}}
	delays.Ports[0].Records, delays.Ports[0].Last, delays.Ports[0].Visible = 320, 9000, 9000
	meals := entry("catering", "meals", product.Event, "What was eaten", product.Column{Name: "meal", LogicalType: product.TypeString})
	meals.Seen = noon.Add(-7 * time.Minute)
	meals.Ports[0].Records, meals.Ports[0].Last, meals.Ports[0].Visible = 42, 42, 42
	return catalog.Catalog{airports, delays, flights, meals}
}

// crowd is a mesh of n products.
func crowd(n int) catalog.Catalog {
	var all catalog.Catalog
	for i := range n {
		one := airline()[1]
		name := fmt.Sprintf("product-%04d", i)
		one.Product.Metadata.Name, one.Product.Metadata.Domain = name, fmt.Sprintf("domain-%02d", i%40)
		one.Ports = []catalog.Port{one.Ports[0]}
		one.Ports[0].Address = name + ".rows"
		one.Ports[0].Records = uint64(i)
		all = append(all, one)
	}
	return all
}

var errAway = fault.New(fault.Unavailable, "start a mesh with meshctl up", "connect to nats://127.0.0.1:4222: %s", strings.Repeat("no servers available ", 1))
