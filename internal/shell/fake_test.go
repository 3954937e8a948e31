package shell

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/serve"
)

// noon is what the clock says in every test.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// fake is a mesh by hand. Its queries are answered with rows made up.
type fake struct {
	mu      sync.Mutex
	away    error
	hold    chan struct{} // queries wait for it, or their context
	fails   map[string]error
	rows    int
	asked   []serve.QueryRequest
	stopped int // queries that were canceled
	open    int // answers that are not closed
	parquet map[string]int
}

func newFake() *fake {
	return &fake{rows: 3, fails: map[string]error{}, parquet: map[string]int{}}
}

func (f *fake) set(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

func (f *fake) wait(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.away, ctx.Err())
}

func (f *fake) requests() []serve.QueryRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

func (f *fake) Where() string                   { return "nats://127.0.0.1:4222" }
func (f *fake) Reach(ctx context.Context) error { return f.wait(ctx) }
func (f *fake) Close() error                    { return nil }
func (f *fake) Entries(context.Context, []string) ([]catalog.Entry, []string) {
	return airline(), nil
}

func (f *fake) Watch(ctx context.Context, all func(catalog.Catalog) error, _ func(string, *catalog.Entry) error) error {
	if err := errors.Join(f.wait(ctx), all(airline())); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (f *fake) Query(ctx context.Context, r serve.QueryRequest) (browse.Answer, error) {
	f.mu.Lock()
	f.asked = append(f.asked, r)
	hold, fails, rows := f.hold, f.fails[r.SQL], f.rows
	f.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			f.set(func() { f.stopped++ })
			return nil, ctx.Err()
		}
	}
	if fails != nil {
		return nil, fails
	}
	if r.Limit > 0 {
		rows = min(rows, int(r.Limit))
	}
	f.set(func() { f.open++ })
	return &answer{f: f, rows: rows, more: rows < f.rows}, nil
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

type answer struct {
	f           *fake
	rows, given int
	more        bool
}

var flights = arrow.NewSchema([]arrow.Field{
	{Name: "flight", Type: arrow.PrimitiveTypes.Int64}, {Name: "city", Type: arrow.BinaryTypes.String, Nullable: true}, {Name: "note", Type: arrow.BinaryTypes.String},
}, nil)

func (a *answer) Schema() *arrow.Schema { return flights }

func (a *answer) Next(context.Context) (arrow.RecordBatch, error) {
	n := min(2048, a.rows-a.given)
	if n == 0 {
		return nil, io.EOF
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, flights)
	defer b.Release()
	for range n {
		a.given++
		b.Field(0).(*array.Int64Builder).Append(int64(a.given))
		if cities := b.Field(1).(*array.StringBuilder); a.given%3 == 0 {
			cities.AppendNull()
		} else {
			cities.Append([]string{"", "Zürich", "東京"}[a.given%3])
		}
		b.Field(2).(*array.StringBuilder).Append(map[bool]string{true: "\x1b[31mred"}[a.given == 2])
	}
	return b.NewRecordBatch(), nil
}

func (a *answer) Finish() (serve.QueryAnswer, error) {
	return serve.QueryAnswer{Rows: int64(a.given), More: a.more, Millis: 12, Watermarks: map[string]record.Watermark{"flights.flights": {Seq: 250_000, Time: noon}}}, nil
}

func (a *answer) Close() error { a.f.set(func() { a.f.open-- }); return nil }

// airline is a mesh of three products.
func airline() catalog.Catalog {
	entry := func(name, port, description string, columns ...product.Column) catalog.Entry {
		out := product.Output{Name: port, Type: product.State, Key: []string{columns[0].Name}, Schema: columns}
		return catalog.Entry{
			Product: product.Product{Metadata: product.Metadata{Name: name, Domain: "aviation", Owner: "team-aviation", Description: description, Version: "1.2.0", Status: product.StatusActive}},
			Seen:    noon, Ports: []catalog.Port{{Address: name + "." + port, Table: name + "." + port, Output: out, Major: 1, Records: 3376}},
		}
	}
	column := func(name, kind, description string) product.Column {
		return product.Column{Name: name, LogicalType: kind, Description: description}
	}
	return catalog.Catalog{
		entry("airports", "airports", "Every airport of the country", column("iata", product.TypeString, "IATA code of the airport"), column("city", product.TypeString, "")),
		entry("flights", "flights", "Every flight as it lands", column("flight", product.TypeInteger, ""), column("origin", product.TypeString, "from where"), column("order", product.TypeInteger, "")),
		entry("my-shop", "visits", "Who came", column("who", product.TypeString, "")),
	}
}
