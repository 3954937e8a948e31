package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
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

// hostile is text that would be markup, were it taken for some.
const hostile = `<img src=x onerror="document.title='taken'"></script><b>`

// fake is a mesh by hand: what it has heard is put in, also while somebody watches.
type fake struct {
	mu      sync.Mutex
	all     catalog.Catalog
	watches map[chan string]bool // are told the names that changed
	away    error
	deaf    string // a product that does not answer
	fails   error  // queries do
	rows    int    // of every answer
	slow    bool   // queries wait until who asked has gone
	queries []string
	gone    chan struct{} // is told that who asked has gone
}

func newFake(all ...catalog.Entry) *fake {
	f := &fake{all: all, watches: map[chan string]bool{}, rows: 3, gone: make(chan struct{}, 1)}
	f.all.Sort()
	return f
}

// set changes the mesh; the products of that name are told to who watches.
func (f *fake) set(do func(), changed ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
	for w := range f.watches {
		for _, name := range changed {
			w <- name
		}
	}
}

// copies are the products as they are now.
func (f *fake) copies() catalog.Catalog {
	all := slices.Clone(f.all)
	for i := range all {
		all[i].Ports = slices.Clone(all[i].Ports)
	}
	return all
}

func (f *fake) Where() string { return "nats://127.0.0.1:4222" }

func (f *fake) Reach(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.away
}

func (f *fake) Watch(ctx context.Context, all func(catalog.Catalog) error, each func(string, *catalog.Entry) error) error {
	changes := make(chan string, 100)
	f.mu.Lock()
	whole, away := f.copies(), f.away
	f.watches[changes] = true
	f.mu.Unlock()
	defer f.set(func() { delete(f.watches, changes) })
	if away != nil {
		return away
	}
	if err := all(whole); err != nil {
		return err
	}
	for {
		select {
		case name := <-changes:
			f.mu.Lock()
			e := f.copies().Product(name)
			f.mu.Unlock()
			if err := each(name, e); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *fake) Entries(_ context.Context, names []string) (answered []catalog.Entry, silent []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range names {
		if e := f.copies().Product(n); e != nil && n != f.deaf {
			e.Seen = time.Now()
			answered = append(answered, *e)
		} else {
			silent = append(silent, n)
		}
	}
	return answered, silent
}

func (f *fake) Query(ctx context.Context, r serve.QueryRequest) (browse.Answer, error) {
	f.mu.Lock()
	f.queries = append(f.queries, r.SQL)
	slow, fails, n := f.slow, f.fails, f.rows
	f.mu.Unlock()
	if slow {
		<-ctx.Done()
		f.gone <- struct{}{}
		return nil, ctx.Err()
	}
	if fails != nil {
		return nil, fails
	}
	return &fakeAnswer{rows: min(n, int(r.Limit)), more: n > int(r.Limit)}, nil
}

// fakeAnswer is rows of every kind that the page tells apart.
type fakeAnswer struct {
	rows, given int
	more        bool
}

var fakeSchema = arrow.NewSchema([]arrow.Field{
	{Name: "at", Type: arrow.FixedWidthTypes.Timestamp_us}, {Name: "place", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "n", Type: arrow.PrimitiveTypes.Int64},
}, nil)

func (a *fakeAnswer) Schema() *arrow.Schema { return fakeSchema }

func (a *fakeAnswer) Next(context.Context) (arrow.RecordBatch, error) {
	n := min(1000, a.rows-a.given)
	if n == 0 {
		return nil, io.EOF
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, fakeSchema)
	defer b.Release()
	for i := a.given; i < a.given+n; i++ {
		b.Field(0).(*array.TimestampBuilder).Append(arrow.Timestamp(noon.Add(time.Duration(i) * time.Hour).UnixMicro()))
		switch i % 3 {
		case 0:
			b.Field(1).(*array.StringBuilder).Append(hostile)
		case 1:
			b.Field(1).(*array.StringBuilder).Append("")
		default:
			b.Field(1).AppendNull()
		}
		b.Field(2).(*array.Int64Builder).Append(int64(i * i % 97))
	}
	a.given += n
	return b.NewRecordBatch(), nil
}

func (a *fakeAnswer) Finish() (serve.QueryAnswer, error) {
	return serve.QueryAnswer{Rows: int64(a.rows), More: a.more, Millis: 7, Watermarks: map[string]record.Watermark{"flights.flights": {Seq: 250_000, Time: noon}}}, nil
}

func (a *fakeAnswer) Close() error { return nil }

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

var errAway = fault.New(fault.Unavailable, "start a mesh with meshctl up", "connect to nats://127.0.0.1:4222: no servers available")

// entry is a product that has just been heard of, made of ports of others.
func entry(name, domain string, inputs ...string) catalog.Entry {
	out := product.Output{Name: name, Type: product.State, Description: "One of " + name, Key: []string{"id"}, Schema: []product.Column{
		{Name: "id", LogicalType: product.TypeString, Required: true},
		{Name: "guest", LogicalType: product.TypeString, Classification: "restricted", Description: hostile},
	}, SLA: []product.SLAProperty{{Property: "freshness", Value: int64(1), Unit: "d"}}}
	e := catalog.Entry{
		Product: product.Product{
			Metadata: product.Metadata{Name: name, Domain: domain, Owner: "team-" + domain, Description: "All " + name, Version: "1.2.0", Status: product.StatusActive},
			Spec:     product.Spec{Outputs: []product.Output{out}},
		},
		HTTP: "http://127.0.0.1:8080", Meshctl: "0.1.0", Started: time.Now().Add(-time.Hour), Seen: time.Now(),
		Ports: []catalog.Port{{Address: name + "." + name, Stream: name + "-v1", Table: name + "." + name, Output: out, Major: 1, Records: 42, Last: 42, Visible: 42, LastTime: time.Now()}},
	}
	for _, in := range inputs {
		e.Product.Spec.Inputs = append(e.Product.Spec.Inputs, product.Input{Name: in, Port: in + "." + in})
		e.Inputs = append(e.Inputs, catalog.Input{Name: in, Port: in + "." + in, Last: 42})
	}
	return e
}

// inn is a small mesh.
func inn() *fake {
	guests := entry("guests", "house")
	guests.Product.Metadata.Description = hostile
	guests.Ports[0].Dead = 2
	return newFake(guests, entry("rooms", "house"), entry("nights", "house", "guests", "rooms"), entry("bills", "money", "nights"))
}

// crowd is a mesh of n products.
func crowd(n int) *fake {
	var all []catalog.Entry
	for i := range n {
		all = append(all, entry(fmt.Sprintf("product-%04d", i), fmt.Sprintf("domain-%02d", i%40)))
	}
	return newFake(all...)
}

// start serves a mesh; the address has the token.
func start(t testing.TB, mesh browse.Mesh) (address string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	at, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- Run(ctx, mesh, Options{Now: time.Now, Started: func(url string) error { at <- url; return nil }})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("it ended with %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("it did not end within 10s")
		}
	})
	t.Cleanup(stop)
	select {
	case address = <-at:
	case err := <-ended:
		t.Fatal(err)
	}
	return address, stop
}
