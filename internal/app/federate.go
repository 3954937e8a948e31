package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/contract"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/federate"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/serve"
)

// origin is a port that a statement reads, under whatever names, and what is needed of it.
type origin struct {
	id      product.PortID
	place   olap.Place
	rows    float64  // about so many, as the catalog has it
	columns []string // that matter
	none    bool     // no row of it matters
	scans   []int    // of the plan, that read it
	tables  []routed // that mean it
	piece   string   // or the SELECT that it stands for, which reads the tables
	few     bool     // of the piece's rows matter
}

// origins are the ports that the tables of a statement mean, each once.
func origins(tables []routed) ([]origin, error) {
	var list []origin
	for _, t := range tables {
		i := slices.IndexFunc(list, func(o origin) bool { return o.id == t.id })
		if i < 0 {
			c, err := contract.New(&t.port.Output)
			if err != nil {
				return nil, fmt.Errorf("read the contract of %s: %w", t.id, err)
			}
			i = len(list)
			list = append(list, origin{id: t.id, rows: float64(t.port.Records), place: olap.Place{Home: t.id.Product, Columns: c.Schema()}})
		}
		list[i].place.Names = append(list[i].place.Names, t.ref)
		list[i].tables = append(list[i].tables, t)
	}
	return list, nil
}

// sql asks the origin's owner for rows, the columns in the table's order.
func (o *origin) sql(where string) string {
	columns := ""
	for _, f := range o.place.Columns.Fields() {
		if slices.Contains(o.columns, f.Name) {
			columns += ", " + olap.TableRef{Name: f.Name}.SQL()
		}
	}
	if columns == "" {
		columns = ", NULL::BOOLEAN"
	}
	sql := "SELECT " + columns[2:] + " FROM " + o.table()
	if where != "" {
		sql += " WHERE " + where
	}
	return sql
}

func (o *origin) table() string {
	if o.piece != "" {
		return "(" + o.piece + ")"
	}
	return olap.TableRef{Schema: o.id.Product, Name: o.id.Tables(false)[0]}.SQL()
}

// join puts the answer to one statement over several products together in this process.
type join struct {
	c       *Client
	here    *desk
	key     string // to keep it under; "" for what is not kept
	stage   *olap.Stage
	origins []origin
	scans   *federate.Plan // without any for a statement that could not be planned
	sql     string         // the statement, or what is left of it
	moment  time.Time      // that it calls now
	torn    bool           // a table was read as of two moments
	partial bool           // who cannot be reached is left out
	asOf    map[string]string

	began   time.Time // when the statement was given
	mu      sync.Mutex
	marks   map[string]record.Watermark
	held    map[string]*held // by product
	moved   bool             // a table was read in two versions
	missing []serve.Missing
	steps   []Step
}

// did takes in a step that began then.
func (j *join) did(step Step, began time.Time) {
	step.Start, step.Millis = float64(began.Sub(j.began).Microseconds())/1000, since(began)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.steps = append(j.steps, step)
}

// queryHere fetches of the tables what the statement needs, unless it still has that, and
// runs it over that in this process.
func (c *Client) queryHere(ctx context.Context, tables []routed, r serve.QueryRequest, began time.Time) (*Answer, error) {
	key, err := keyOf(tables, r)
	if err != nil {
		return nil, err
	}
	j, err := c.keptJoin(ctx, key, r, began)
	if j == nil && err == nil {
		j, err = c.filledJoin(ctx, tables, r, began)
	}
	if err != nil {
		return nil, err
	}
	if j.whole() {
		j.key = key
	}
	r.SQL = j.sql
	a, err := j.answer(ctx, r)
	if err != nil {
		return nil, errors.Join(err, j.end())
	}
	answered := a.close
	a.close = func() error { return errors.Join(answered(), j.leave()) }
	return a, nil
}

// filledJoin is a join of all that the statement needs.
func (c *Client) filledJoin(ctx context.Context, tables []routed, r serve.QueryRequest, began time.Time) (*join, error) {
	j, err := c.newJoin(ctx, tables, r, !r.AllowPartial)
	if err != nil {
		return nil, err
	}
	j.began = began
	if len(tables) > 0 {
		j.did(Step{What: "plan"}, began)
		err = j.fill(ctx)
	}
	if j.sql != r.SQL && (j.torn || fault.KindOf(err) == fault.Rejected) {
		// A table moved between two requests, or an owner refuses what the statement as a whole may never come to.
		if err := j.end(); err != nil {
			return nil, err
		}
		if j, err = c.newJoin(ctx, tables, r, false); err != nil {
			return nil, err
		}
		j.began = began
		err = j.fill(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, j.end())
	}
	return j, nil
}

// newJoin sets the stage, and plans what to fetch; with pieces, owners may answer parts of the
// statement by themselves.
func (c *Client) newJoin(ctx context.Context, tables []routed, r serve.QueryRequest, pieces bool) (*join, error) {
	list, err := origins(tables)
	if err != nil {
		return nil, err
	}
	here, err := c.here.open(ctx)
	if err != nil {
		return nil, err
	}
	j := &join{c: c, here: here, sql: r.SQL, moment: time.Now(), origins: list, partial: r.AllowPartial, asOf: r.AsOf,
		marks: map[string]record.Watermark{}, held: map[string]*held{}}
	if j.stage, err = here.NewStage(ctx, places(list), j.moment); err != nil {
		c.here.give(here)
		return nil, err
	}
	if len(list) == 0 {
		return j, nil
	}
	err = j.plan(ctx, r)
	if err == nil && pieces && len(j.scans.Scans) > 0 {
		err = j.takePieces(ctx, here.DB, tables, r)
	}
	if err != nil {
		return nil, errors.Join(err, j.end())
	}
	return j, nil
}

// end lets go of what the join has put together.
func (j *join) end() error {
	if j.here == nil {
		return nil
	}
	err := j.stage.Close()
	j.c.here.give(j.here)
	j.here = nil
	return err
}

// leave lets go of the join, or keeps what was fetched for the next time.
func (j *join) leave() error {
	if j.here == nil || j.key == "" {
		return j.end()
	}
	here := j.here
	j.here = nil
	return j.c.here.keep(context.Background(), here, j.key, j)
}

// places are the origins as tables of a stage.
func places(list []origin) []olap.Place {
	all := make([]olap.Place, len(list))
	for i, o := range list {
		all[i] = o.place
	}
	return all
}

// plan decides what to fetch. A statement that cannot be planned has its tables fetched
// whole; if it is to blame itself, it is told so when it is run.
func (j *join) plan(ctx context.Context, r serve.QueryRequest) error {
	sql, err := federate.Bind(r.SQL, r.Args)
	if err == nil {
		err = j.stage.Plan(ctx, sql, func(text []byte) error {
			j.scans, err = federate.Read(text)
			return err
		})
	}
	if err == nil {
		j.need()
		return nil
	}
	j.scans = &federate.Plan{}
	for i := range j.origins {
		o := &j.origins[i]
		for _, f := range o.place.Columns.Fields() {
			o.columns = append(o.columns, f.Name)
		}
	}
	return ctx.Err()
}

// need takes over from the plan which columns and scans there are of each origin.
func (j *join) need() {
	columns, read := j.scans.Columns(len(j.origins), j.tables())
	for i := range j.origins {
		j.origins[i].columns, j.origins[i].none = columns[i], !read[i]
	}
	for scan, i := range j.tables() {
		if i >= 0 {
			j.origins[i].scans = append(j.origins[i].scans, scan)
		}
	}
}

// tables are the origins that each scan of the plan reads, -1 for none.
func (j *join) tables() []int {
	list := make([]int, len(j.scans.Scans))
	for i, s := range j.scans.Scans {
		table, ok := j.stage.TableOf(s.Schema, s.Table)
		if list[i] = table; !ok {
			list[i] = -1
		}
	}
	return list
}

// answer runs the statement over what was fetched.
func (j *join) answer(ctx context.Context, r serve.QueryRequest) (*Answer, error) {
	began := time.Now()
	rows, err := j.stage.Query(ctx, olap.Query{SQL: r.SQL, Named: r.Args, MaxRows: r.Limit})
	if err != nil {
		return nil, err
	}
	var f serve.QueryAnswer
	return &Answer{
		schema: rows.Schema(),
		next: func(ctx context.Context) (arrow.RecordBatch, error) {
			b, err := rows.Next(ctx)
			if err == nil {
				f.Rows += b.NumRows()
			}
			return b, err
		},
		finish: func() (serve.QueryAnswer, error) {
			f.More, f.Watermarks, f.Missing = rows.Truncated(), j.marks, j.missing
			j.did(Step{What: "answer", SQL: r.SQL, Rows: f.Rows}, began)
			return f, nil
		},
		close: rows.Close,
		steps: func() []Step { return j.steps },
		plan: func(ctx context.Context) (string, error) {
			a, err := j.answer(ctx, serve.QueryRequest{SQL: "EXPLAIN " + r.SQL, Args: r.Args})
			if err != nil {
				return "", err
			}
			return planned(ctx, a)
		},
	}, nil
}
