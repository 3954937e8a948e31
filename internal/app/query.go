package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/serve"
)

// Answer is a query's rows, batch by batch. It must be closed.
type Answer struct {
	schema *arrow.Schema
	next   func(ctx context.Context) (arrow.RecordBatch, error) // io.EOF at the end
	finish func() (serve.QueryAnswer, error)                    // after the end
	close  func() error
	began  time.Time
	steps  func() []Step                             // after the end
	plan   func(ctx context.Context) (string, error) // of the last step
}

// Schema is the answer's columns.
func (a *Answer) Schema() *arrow.Schema { return a.schema }

// Next is the next batch, which the caller releases; io.EOF at the end.
func (a *Answer) Next(ctx context.Context) (arrow.RecordBatch, error) { return a.next(ctx) }

// Finish says, after Next gave io.EOF, as of when the answer holds.
func (a *Answer) Finish() (serve.QueryAnswer, error) {
	f, err := a.finish()
	f.Millis = float64(time.Since(a.began).Microseconds()) / 1000
	return f, err
}

// Close ends the answer, finished or not; the owners stop working on it.
func (a *Answer) Close() error { return a.close() }

// Query runs one SELECT over the mesh. One that reads a single product is answered by
// that product; for several, what it needs of their tables is fetched and joined here.
func (c *Client) Query(ctx context.Context, r serve.QueryRequest) (*Answer, error) {
	began := time.Now()
	all, err := c.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	refs, err := c.tablesOf(ctx, all, r.SQL)
	if err != nil {
		return nil, hintQuotes(r.SQL, err)
	}
	tables, err := route(all, refs)
	if err != nil {
		return nil, err
	}
	var a *Answer
	if err := checkAsOf(r.AsOf, tables); err != nil {
		return nil, err
	}
	owner := soleOwner(tables)
	if owner != "" {
		a, err = c.queryProduct(ctx, owner, r)
		err = sinceWhen(err, tables)
	}
	if owner == "" || r.AllowPartial && len(tables) > 0 && fault.KindOf(err) == fault.Unavailable {
		a, err = c.queryHere(ctx, tables, r, began)
	}
	if err != nil {
		return nil, err
	}
	a.began = began
	return a, nil
}

// tablesOf are the tables that a statement names. A product that seems to be named in it
// reads it, for it has a database open; where none can, this process does.
func (c *Client) tablesOf(ctx context.Context, all catalog.Catalog, sql string) ([]olap.TableRef, error) {
	text := strings.ToLower(sql)
	for i := range all {
		name := all[i].Product.Metadata.Name
		if !strings.Contains(text, name) || all[i].Gone(time.Now()) {
			continue
		}
		refs, err := call[[]olap.TableRef](ctx, c, name, "tables", tablesRequest{sql})
		if err == nil || fault.KindOf(err) == fault.Rejected {
			return refs, err
		}
		break
	}
	here, err := c.here.open(ctx)
	if err != nil {
		return nil, err
	}
	defer c.here.give(here)
	return here.TablesIn(ctx, sql)
}

type tablesRequest struct {
	SQL string `json:"sql"`
}

// tablesIn are the tables that a statement names, whether or not they are this product's.
func (p *Product) tablesIn(ctx context.Context, r tablesRequest) ([]olap.TableRef, error) {
	return p.tables.TablesIn(ctx, r.SQL)
}

// QueryToParquet writes a query's answer to a Parquet file, which is there whole or not at all.
func (c *Client) QueryToParquet(ctx context.Context, r serve.QueryRequest, path string) (f serve.QueryAnswer, err error) {
	a, err := c.Query(ctx, r)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	if err := olap.WriteParquet(ctx, path, a); err != nil {
		return f, err
	}
	return a.Finish()
}

// dashed is a name with a dash that is not quoted.
var dashed = regexp.MustCompile(`(?i)\b(?:FROM|JOIN)\s+([a-z0-9]+(?:-[a-z0-9]+)+)`)

// hintQuotes tells of the quotes that SQL wants around a name with a dash.
func hintQuotes(sql string, err error) error {
	if m := dashed.FindStringSubmatch(sql); m != nil && fault.HintOf(err) == "" {
		return fault.New(fault.KindOf(err), fmt.Sprintf("put the name in double quotes: %q", m[1]), "%w", err)
	}
	return err
}

// routed is a table of a statement and the port that it means.
type routed struct {
	ref  olap.TableRef
	id   product.PortID
	port *catalog.Port
	seen time.Time // when its product was last heard of
}

// sinceWhen adds to the error of a product that cannot be reached when it was last heard of.
func sinceWhen(err error, tables []routed) error {
	if fault.KindOf(err) != fault.Unavailable || len(tables) == 0 || tables[0].seen.IsZero() {
		return err
	}
	return fault.New(fault.Unavailable, fault.HintOf(err), "%w; product %s was last heard of at %s",
		err, tables[0].id.Product, tables[0].seen.UTC().Format(time.RFC3339))
}

// route finds the port that each table of a statement means. A lone name is the port
// that a product of that name has.
func route(all catalog.Catalog, refs []olap.TableRef) ([]routed, error) {
	var tables []routed
	var missing []error
	for _, ref := range refs {
		e, p, err := findTable(all, ref)
		if err != nil {
			missing = append(missing, err)
			continue
		}
		tables = append(tables, routed{ref, e.ID(p), p, e.Seen})
	}
	return tables, errors.Join(missing...)
}

// soleOwner is the product that has all the tables under the names that the statement
// uses, "" when there is none.
func soleOwner(tables []routed) string {
	owner := ""
	for i, t := range tables {
		if i > 0 && t.id.Product != owner || t.ref.Name != t.id.Port && t.ref.Name != t.id.Tables(false)[0] {
			return ""
		}
		owner = t.id.Product
	}
	return owner
}

// findTable looks a table up by its SQL name: schema.table, or a lone name, which is a
// product's. With _v and a number at its end it is that major version, else the newest.
func findTable(all catalog.Catalog, ref olap.TableRef) (*catalog.Entry, *catalog.Port, error) {
	address := ref.Name
	if at := strings.LastIndex(address, "_v"); at > 0 {
		if major, err := strconv.Atoi(address[at+2:]); err == nil && major > 0 {
			address = fmt.Sprintf("%s@%d", address[:at], major)
		}
	}
	if ref.Schema != "" {
		address = ref.Schema + "." + address
	}
	return all.Port(address)
}

// queryProduct has one product answer.
func (c *Client) queryProduct(ctx context.Context, name string, r serve.QueryRequest) (*Answer, error) {
	began := time.Now()
	stream, err := c.openQuery(ctx, name, r)
	if err != nil {
		return nil, err
	}
	step := Step{What: "answer", Product: name, SQL: r.SQL}
	return &Answer{
		schema: stream.reader.Schema(), next: stream.next,
		finish: func() (serve.QueryAnswer, error) {
			a, err := stream.finish()
			step.Rows, step.Bytes, step.Millis = a.Rows, stream.bytes, since(began)
			return a, err
		},
		close: func() error { stream.close(); return nil },
		steps: func() []Step { return []Step{step} },
		plan: func(ctx context.Context) (string, error) {
			a, err := c.queryProduct(ctx, name, serve.QueryRequest{SQL: "EXPLAIN " + r.SQL, Args: r.Args})
			if err != nil {
				return "", err
			}
			return planned(ctx, a)
		},
	}, nil
}

// productStream is an answer on its way from a product.
type productStream struct {
	reader *ipc.Reader
	pipe   *io.PipeReader
	cancel context.CancelFunc
	done   chan struct{}
	final  []byte
	err    error
	bytes  int64 // that went over the mesh, once it is done
}

func (c *Client) openQuery(ctx context.Context, name string, r serve.QueryRequest) (*productStream, error) {
	req, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	pr, pw := io.Pipe()
	s := &productStream{pipe: pr, cancel: cancel, done: make(chan struct{}), bytes: int64(len(req))}
	go func() {
		defer close(s.done)
		s.final, s.err = mesh.CallStream(ctx, c.nc, product.ServiceSubject(name, "query"), req, func(chunk []byte) error {
			s.bytes += int64(len(chunk))
			_, err := pw.Write(chunk)
			return err
		})
		s.bytes += int64(len(s.final))
		pw.CloseWithError(s.err) // nil is io.EOF
	}()
	s.reader, err = ipc.NewReader(pr, ipc.WithAllocator(memory.DefaultAllocator), ipc.WithDelayReadSchema(false))
	if err != nil {
		s.close()
		if s.err != nil {
			err = s.err
		}
		return nil, fmt.Errorf("query product %s: %w", name, err)
	}
	return s, nil
}

func (s *productStream) next(context.Context) (arrow.RecordBatch, error) {
	if s.reader.Next() {
		b := s.reader.RecordBatch()
		b.Retain()
		return b, nil
	}
	err := s.reader.Err()
	<-s.done
	if s.err != nil {
		err = s.err
	}
	if err == nil {
		err = io.EOF
	}
	return nil, err
}

func (s *productStream) finish() (serve.QueryAnswer, error) {
	var a serve.QueryAnswer
	<-s.done
	if s.err != nil {
		return a, s.err
	}
	return a, json.Unmarshal(s.final, &a)
}

// close ends the stream wherever it is and waits for it.
func (s *productStream) close() {
	s.cancel()
	s.pipe.CloseWithError(context.Canceled)
	<-s.done
	if s.reader != nil {
		s.reader.Release()
		s.reader = nil
	}
}
