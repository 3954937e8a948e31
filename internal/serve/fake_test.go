package serve

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

var moment = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fake is a product in memory. Its statements are words: "rows N" answers N rows,
// "break after N" fails after N, "wait" waits for the end of the request.
type fake struct {
	mu      sync.Mutex
	ports   []catalog.Port
	records map[string][]Record // by port, in key order
	err     error               // of every call, when set
	boom    bool                // panic in every call
	gets    []GetRequest
	scans   []ScanRequest
	queries []QueryRequest
	waiting chan struct{} // closed when "wait" waits
	ended   chan error    // how "wait" ended
}

func newFake() *fake {
	length := 3
	flights := product.Output{
		Name: "flights", Type: product.State, Key: []string{"flight"}, Description: "One flight.",
		Schema: []product.Column{
			{Name: "flight", LogicalType: product.TypeString, Required: true, Description: "its call sign"},
			{Name: "origin", LogicalType: product.TypeString, Options: product.TypeOptions{MinLength: &length, MaxLength: &length, Pattern: "^[A-Z]+$"}},
			{Name: "status", LogicalType: product.TypeString, Quality: []product.Quality{{
				Metric: product.MetricInvalidValues, Arguments: map[string]any{product.ArgumentValidValues: []any{"up", "down"}},
			}}},
			{Name: "seats", LogicalType: product.TypeInteger},
			{Name: "fare", LogicalType: product.TypeNumber, PhysicalType: "decimal(10,2)"},
			{Name: "departs", LogicalType: product.TypeTimestamp},
			{Name: "stops", LogicalType: product.TypeArray, Items: &product.Column{
				LogicalType: product.TypeObject, Required: true, Properties: []product.Column{{Name: "at", LogicalType: product.TypeDate, Required: true}},
			}},
		},
	}
	legs := product.Output{
		Name: "legs", Type: product.State, Key: []string{"flight", "day"},
		Schema: []product.Column{
			{Name: "flight", LogicalType: product.TypeString, Required: true},
			{Name: "day", LogicalType: product.TypeDate, Required: true},
		},
	}
	return &fake{
		ports: []catalog.Port{
			{Address: "flights.flights", Stream: "flights-v1", Table: "flights.flights", Output: flights, Major: 1, Records: 12, Last: 42, LastTime: moment, Visible: 40, Dead: 3},
			{Address: "flights.flights@2", Stream: "flights-v2", Table: "flights.flights_v2", Output: flights, Major: 2, Records: 1, Last: 1, Visible: 1},
			{Address: "flights.legs", Stream: "legs-v1", Table: "flights.legs", Output: legs, Major: 1},
		},
		records: map[string][]Record{}, waiting: make(chan struct{}), ended: make(chan error, 1),
	}
}

// add stores a record under the key as a person writes it.
func (f *fake) add(port, key, value string) {
	f.records[port] = append(f.records[port], Record{Key: key, Seq: record.Seq(len(f.records[port]) + 1), Time: moment, Value: json.RawMessage(value)})
}

func (f *fake) fails() error {
	if f.boom {
		panic("boom")
	}
	return f.err
}

func (f *fake) Entry(context.Context) (catalog.Entry, error) {
	p := product.Product{APIVersion: product.APIVersion, Kind: product.Kind}
	p.Metadata = product.Metadata{Name: "flights", Domain: "aviation", Owner: "ops", Version: "2.1.0", Description: "Who flies <where>."}
	return catalog.Entry{Product: p, Meshctl: "v9", Started: moment, Seen: moment, Ports: f.ports}, f.fails()
}

func (f *fake) Get(_ context.Context, r GetRequest) (GetAnswer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gets = append(f.gets, r)
	a := GetAnswer{Watermark: record.Watermark{Seq: 42, Time: moment}}
	for _, k := range r.Keys {
		i := slices.IndexFunc(f.records[r.Port], func(rec Record) bool { return rec.Key == k })
		if i < 0 {
			a.Missing = append(a.Missing, k)
			continue
		}
		a.Records = append(a.Records, f.records[r.Port][i])
	}
	return a, f.fails()
}

var errBroken = errors.New("the disk is gone")

func (f *fake) Scan(_ context.Context, r ScanRequest, emit func(Record) error) (ScanAnswer, error) {
	f.mu.Lock()
	f.scans = append(f.scans, r)
	f.mu.Unlock()
	a := ScanAnswer{Watermark: record.Watermark{Seq: 42, Time: moment}}
	for _, rec := range f.records[r.Port] {
		if r.Limit > 0 && a.Count == r.Limit {
			a.More = true
			break
		}
		if rec.Key == "BROKEN" {
			return a, errBroken
		}
		if err := emit(rec); err != nil {
			return a, err
		}
		a.Count++
	}
	return a, f.fails()
}

func (f *fake) Query(ctx context.Context, r QueryRequest, schema func(*arrow.Schema) error, emit func(arrow.RecordBatch) error) (QueryAnswer, error) {
	f.mu.Lock()
	f.queries = append(f.queries, r)
	f.mu.Unlock()
	if err := f.fails(); err != nil {
		return QueryAnswer{}, err
	}
	words := strings.Fields(r.SQL)
	if words[0] == "wait" {
		close(f.waiting)
		<-ctx.Done()
		f.ended <- ctx.Err()
		return QueryAnswer{}, ctx.Err()
	}
	s := arrow.NewSchema([]arrow.Field{
		{Name: "n", Type: arrow.PrimitiveTypes.Int64}, {Name: "text", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil)
	if err := schema(s); err != nil {
		return QueryAnswer{}, err
	}
	var rows int64
	if err := json.Unmarshal([]byte(words[len(words)-1]), &rows); err != nil {
		return QueryAnswer{}, fault.New(fault.Rejected, "say rows N", "parser error at %q", r.SQL)
	}
	a := QueryAnswer{Millis: 1.5, Watermarks: map[string]record.Watermark{"flights.flights": {Seq: 42, Time: moment}}}
	for ; a.Rows < rows; a.Rows++ {
		if r.Limit > 0 && a.Rows == r.Limit {
			a.More = true
			break
		}
		if err := emitRow(s, a.Rows, emit); err != nil {
			return a, err
		}
	}
	if words[0] == "break" {
		return QueryAnswer{}, errBroken
	}
	return a, nil
}

func emitRow(s *arrow.Schema, n int64, emit func(arrow.RecordBatch) error) error {
	b := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer b.Release()
	b.Field(0).(*array.Int64Builder).Append(n)
	if n == 1 {
		b.Field(1).(*array.StringBuilder).AppendNull()
	} else {
		b.Field(1).(*array.StringBuilder).Append(`a, "b" <c> | ` + strings.Repeat("x", 40))
	}
	batch := b.NewRecordBatch()
	defer batch.Release()
	return emit(batch)
}

// serve starts the face of f, and gives its URL.
func serveFake(t *testing.T, f *fake, o Options) string {
	t.Helper()
	s := httptest.NewServer(NewHandler(f, o))
	t.Cleanup(s.Close)
	return s.URL
}

// reply is an answer as a client has it.
type reply struct {
	*http.Response
	body string
	err  error // of reading the body
}

// do sends one request; headers are names and values in turn.
func do(t *testing.T, method, url, text string, headers ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	return reply{Response: res, body: string(got), err: err}
}

func get(t *testing.T, url string, headers ...string) reply {
	t.Helper()
	return do(t, http.MethodGet, url, "", headers...)
}

// parse reads a JSON answer.
func parse[T any](t *testing.T, r reply) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(r.body), &v); err != nil || r.err != nil {
		t.Fatalf("%s answered %d %q: %v, %v", r.Request.URL, r.StatusCode, r.body, err, r.err)
	}
	return v
}

// wantProblem checks a failure's every field.
func wantProblem(t *testing.T, r reply, status int, kind fault.Kind, detail string) {
	t.Helper()
	p := parse[Problem](t, r)
	if r.StatusCode != status || p.Status != status || p.Kind != kind.String() || !strings.Contains(p.Detail, detail) ||
		p.Title != http.StatusText(status) || p.Type != "about:blank" || r.Header.Get("Content-Type") != mediaProblem {
		t.Errorf("%s %s = %d %s %q; want %d, kind %s, detail with %q", r.Request.Method, r.Request.URL, r.StatusCode,
			r.Header.Get("Content-Type"), r.body, status, kind, detail)
	}
}
