package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/serve"
)

// QueryLimits are how much a product does for those who query it. Zero fields are the
// defaults.
type QueryLimits struct {
	Time    time.Duration // the longest that it works on one query; 5 minutes
	Running int           // queries at one time; 16
	Waiting int           // queries that wait for that, further ones are refused; 128
}

// Query runs one SELECT over the product's tables. It waits while as many run as may.
func (p *Product) Query(ctx context.Context, r serve.QueryRequest, schema func(*arrow.Schema) error, emit func(arrow.RecordBatch) error) (serve.QueryAnswer, error) {
	began := time.Now()
	ctx, cancel := p.queryDeadline(ctx, r)
	defer cancel()
	var a serve.QueryAnswer
	err := p.queries.enter(ctx)
	if err == nil {
		defer p.queries.leave()
		a.Waited = millis(time.Since(began))
		a, err = p.answer(ctx, a, r, schema, emit)
	}
	if errors.Is(err, context.DeadlineExceeded) && errors.As(context.Cause(ctx), new(*fault.Error)) {
		err = context.Cause(ctx)
	}
	took := time.Since(began)
	a.Millis = millis(took)
	end := outcome(ctx, err)
	p.audit(r, a, end, err)
	p.queries.stats.Observe(end, took, a.Rows, a.Bytes)
	return a, err
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// queryDeadline ends a query when its caller has given up waiting, or at the product's own limit.
func (p *Product) queryDeadline(ctx context.Context, r serve.QueryRequest) (context.Context, context.CancelFunc) {
	most := p.queries.time
	if asked := time.Duration(r.TimeoutMillis) * time.Millisecond; asked > 0 && asked < most {
		return context.WithTimeoutCause(ctx, asked, fault.New(fault.Timeout, "narrow the statement or allow it more time",
			"query: product %s had no answer within the %s that were asked for", p.Name(), asked))
	}
	return context.WithTimeoutCause(ctx, most, fault.New(fault.Timeout, "narrow the statement",
		"query: product %s gave up after %s, the longest that it works on one", p.Name(), most))
}

// answer is Query once it is its turn.
func (p *Product) answer(ctx context.Context, a serve.QueryAnswer, r serve.QueryRequest, schema func(*arrow.Schema) error, emit func(arrow.RecordBatch) error) (_ serve.QueryAnswer, err error) {
	if r.Limit < 0 {
		return a, fault.New(fault.Invalid, "give 0 for all rows", "the limit %d is below 0", r.Limit)
	}
	db := p.sql()
	if len(r.AsOf) > 0 {
		then, opening := p.openPast(ctx, r)
		if opening != nil {
			return a, opening
		}
		defer func() { err = errors.Join(err, then.close()) }()
		db = then.db
	}
	rows, err := db.Query(ctx, olap.Query{SQL: r.SQL, Named: r.Args, MaxRows: r.Limit})
	if err != nil {
		return a, err
	}
	err = func() error {
		if err := schema(rows.Schema()); err != nil {
			return err
		}
		for {
			batch, err := rows.Next(ctx)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			a.Rows += batch.NumRows()
			a.Bytes += bytesOf(batch)
			err = emit(batch)
			batch.Release()
			if err != nil {
				return err
			}
		}
	}()
	a.More, a.Watermarks, a.Versions = rows.Truncated(), rows.Watermarks(), rows.Versions()
	if err = errors.Join(err, rows.Close()); err == nil && len(r.AsOf) == 0 {
		err = p.addLag(ctx, a.Watermarks)
	}
	return a, err
}

// addLag says of each table how far the log is ahead of it.
func (p *Product) addLag(ctx context.Context, marks map[string]record.Watermark) error {
	for _, pt := range p.sortedPorts() {
		name := pt.tableName()
		m, ok := marks[name]
		if !ok {
			continue
		}
		state, err := mesh.State(ctx, p.leaf.Conn(), "", pt.id.Stream())
		if err != nil {
			return fmt.Errorf("read how far the log of %s is: %w", pt.id, err)
		}
		if state.Last > m.Seq {
			m.Lag = uint64(state.Last - m.Seq)
			marks[name] = m
		}
	}
	return nil
}

// bytesOf is how many bytes a batch has in memory.
func bytesOf(batch arrow.RecordBatch) (n int64) {
	for _, column := range batch.Columns() {
		n += sizeOf(column.Data())
	}
	return n
}

func sizeOf(data arrow.ArrayData) (n int64) {
	for _, buffer := range data.Buffers() {
		if buffer != nil {
			n += int64(buffer.Len())
		}
	}
	for _, child := range data.Children() {
		n += sizeOf(child)
	}
	if data.DataType().ID() == arrow.DICTIONARY {
		n += sizeOf(data.Dictionary())
	}
	return n
}

// audit writes the one line that tells of a query, whatever became of it.
func (p *Product) audit(r serve.QueryRequest, a serve.QueryAnswer, end string, err error) {
	attrs := []any{"who", cmp.Or(r.Caller, "unknown"), "sql", shortened(r.SQL), "rows", a.Rows, "bytes", a.Bytes, "ms", a.Millis, "outcome", end}
	if a.Waited >= 1 {
		attrs = append(attrs, "waited", a.Waited)
	}
	if err != nil {
		attrs = append(attrs, "error", err)
	}
	p.log.Info("query", attrs...)
}

// longestAudited is how much of a statement its line in the log has.
const longestAudited = 4 << 10

func shortened(sql string) string {
	if len(sql) <= longestAudited {
		return sql
	}
	return fmt.Sprintf("%s… (%d bytes)", sql[:longestAudited], len(sql))
}

// outcome is what became of a query: ok, cancelled, or its fault's kind.
func outcome(ctx context.Context, err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(ctx.Err(), context.Canceled): // whatever it was told as
		return "cancelled"
	}
	return fault.KindOf(err).String()
}

// queries lets as many queries run as may, and a few more wait.
type queries struct {
	product string
	time    time.Duration
	running chan struct{} // holds a token for each that runs
	places  chan struct{} // holds a token for each that runs or waits
	stats   *serve.QueryStats
}

func newQueries(product string, o QueryLimits) *queries {
	running, waiting := cmp.Or(o.Running, 16), cmp.Or(o.Waiting, 128)
	q := &queries{
		product: product, time: cmp.Or(o.Time, 5*time.Minute),
		running: make(chan struct{}, running), places: make(chan struct{}, running+waiting),
	}
	q.stats = serve.NewQueryStats(func() (int, int) { n := len(q.running); return n, max(len(q.places)-n, 0) })
	return q
}

// enter waits for a query's turn; leave must follow when there is no error.
func (q *queries) enter(ctx context.Context) error {
	select {
	case q.places <- struct{}{}:
	default:
		return fault.New(fault.Unavailable, "try again in a moment", "query: product %s has %d queries running and %d waiting, and takes no more",
			q.product, cap(q.running), cap(q.places)-cap(q.running))
	}
	select {
	case q.running <- struct{}{}:
		return nil
	case <-ctx.Done():
		<-q.places
		return fmt.Errorf("query: wait for others of product %s to end: %w", q.product, ctx.Err())
	}
}

func (q *queries) leave() {
	<-q.running
	<-q.places
}
