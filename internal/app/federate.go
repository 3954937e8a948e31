package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/sync/errgroup"

	"github.com/meshctl/meshctl/internal/contract"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/federate"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/serve"
)

// joinMemory is what the tables and joins of one query take in the asking process; beyond
// it they wait on disk.
const joinMemory = 2 << 30

// local is a database of this process, opened when something first needs it: most
// statements are their owner's alone, and opening it takes longer than answering them.
type local struct {
	db    *olap.DB
	spill string
}

func (l *local) open(ctx context.Context) (_ *olap.DB, err error) {
	if l.db != nil {
		return l.db, nil
	}
	if l.spill, err = os.MkdirTemp("", "meshctl-query-"); err != nil {
		return nil, fmt.Errorf("make a folder for what a query has no memory for: %w", err)
	}
	l.db, err = olap.OpenMemory(ctx, olap.Options{TempDir: l.spill, MemoryLimit: joinMemory})
	return l.db, err
}

func (l *local) close() error {
	var err error
	if l.db != nil {
		err = l.db.Close()
	}
	if l.spill != "" {
		err = errors.Join(err, os.RemoveAll(l.spill))
	}
	return err
}

// origin is a port that a statement reads, under whatever names, and what is needed of it.
type origin struct {
	id    product.PortID
	place olap.Place
	fetch *federate.Fetch
}

// origins are the ports that the tables of a statement mean, each once.
func origins(tables []routed) ([]origin, error) {
	var list []origin
	for _, t := range tables {
		i := slices.IndexFunc(list, func(s origin) bool { return s.id == t.id })
		if i < 0 {
			c, err := contract.New(&t.port.Output)
			if err != nil {
				return nil, fmt.Errorf("read the contract of %s: %w", t.id, err)
			}
			i = len(list)
			list = append(list, origin{id: t.id, place: olap.Place{Home: t.id.Product, Columns: c.Schema()}})
		}
		list[i].place.Names = append(list[i].place.Names, t.ref)
	}
	return list, nil
}

// join puts the answer to one statement over several products together in this process.
type join struct {
	c       *Client
	stage   *olap.Stage
	origins []origin

	mu    sync.Mutex
	marks map[string]record.Watermark
}

// queryHere fetches of the tables what the statement needs, and runs it over that in this process.
func (c *Client) queryHere(ctx context.Context, l *local, tables []routed, r serve.QueryRequest) (*Answer, error) {
	here, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	j, err := c.newJoin(ctx, here, tables, r)
	if err != nil {
		return nil, err
	}
	if err := j.fill(ctx); err != nil {
		return nil, err
	}
	return j.answer(ctx, here, r)
}

// newJoin sets the stage, and plans what to fetch.
func (c *Client) newJoin(ctx context.Context, here *olap.DB, tables []routed, r serve.QueryRequest) (*join, error) {
	list, err := origins(tables)
	if err != nil {
		return nil, err
	}
	places := make([]olap.Place, len(list))
	for i, o := range list {
		places[i] = o.place
	}
	j := &join{c: c, origins: list, marks: map[string]record.Watermark{}}
	if j.stage, err = here.NewStage(ctx, places, time.Now()); err != nil {
		return nil, err
	}
	return j, j.plan(ctx, r)
}

// plan decides what to fetch. A statement that cannot be planned has its tables fetched
// whole; if it is to blame itself, it is told so when it is run.
func (j *join) plan(ctx context.Context, r serve.QueryRequest) error {
	fetches, err := j.fetches(ctx, r)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for i := range j.origins {
		if err == nil {
			// No row of a table that the plan does not read matters, but as of when it is.
			j.origins[i].fetch = cmp.Or(fetches[i], &federate.Fetch{Where: "false"})
			continue
		}
		all := &federate.Fetch{}
		for _, f := range j.origins[i].place.Columns.Fields() {
			all.Columns = append(all.Columns, f.Name)
		}
		j.origins[i].fetch = all
	}
	return nil
}

func (j *join) fetches(ctx context.Context, r serve.QueryRequest) (list []*federate.Fetch, err error) {
	sql, err := federate.Bind(r.SQL, r.Args)
	if err != nil {
		return nil, err
	}
	err = j.stage.Plan(ctx, sql, func(text []byte) error {
		plan, err := federate.Read(text)
		if err != nil {
			return err
		}
		list = plan.Fetches(len(j.origins), func(s *federate.Scan) (int, bool) { return j.stage.TableOf(s.Schema, s.Table) })
		return nil
	})
	return list, err
}

// fill fetches what the plan wants, all of it at once.
func (j *join) fill(ctx context.Context) error {
	columns := make([][]string, len(j.origins))
	for i, s := range j.origins {
		columns[i] = s.fetch.Columns
	}
	if err := j.stage.Clear(ctx, columns); err != nil {
		return err
	}
	all, ctx := errgroup.WithContext(ctx)
	for i, s := range j.origins {
		all.Go(func() error {
			if err := j.fetch(ctx, i); err != nil {
				return fmt.Errorf("fetch %s: %w", s.id, err)
			}
			return nil
		})
	}
	return all.Wait()
}

// fetch puts a origin's rows on the stage. An owner that refuses a predicate, such as for
// a row that it fails on and that the statement itself never looks at, is asked for all rows.
func (j *join) fetch(ctx context.Context, i int) error {
	s := &j.origins[i]
	err := j.fetchRows(ctx, i, s.sql(s.fetch.Where))
	if s.fetch.Where != "" && fault.KindOf(err) == fault.Rejected {
		err = j.fetchRows(ctx, i, s.sql(""))
	}
	return err
}

// sql asks the origin's owner for the rows, the columns in the table's order.
func (s *origin) sql(where string) string {
	table := olap.TableRef{Schema: s.id.Product, Name: s.id.Tables(false)[0]}
	columns := ""
	for _, f := range s.place.Columns.Fields() {
		if slices.Contains(s.fetch.Columns, f.Name) {
			columns += ", " + olap.TableRef{Name: f.Name}.SQL()
		}
	}
	if columns == "" {
		columns = ", NULL::BOOLEAN"
	}
	sql := "SELECT " + columns[2:] + " FROM " + table.SQL()
	if where != "" {
		sql += " WHERE " + where
	}
	return sql
}

func (j *join) fetchRows(ctx context.Context, i int, sql string) error {
	stream, err := j.c.openQuery(ctx, j.origins[i].id.Product, serve.QueryRequest{SQL: sql})
	if err != nil {
		return err
	}
	defer stream.close()
	if err := j.stage.Fill(ctx, i, stream.next); err != nil {
		return err
	}
	a, err := stream.finish()
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	maps.Copy(j.marks, a.Watermarks)
	return nil
}

// answer runs the statement over what was fetched.
func (j *join) answer(ctx context.Context, here *olap.DB, r serve.QueryRequest) (*Answer, error) {
	rows, err := here.Query(ctx, olap.Query{SQL: r.SQL, Named: r.Args, MaxRows: r.Limit})
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
			f.More, f.Watermarks = rows.Truncated(), j.marks
			return f, nil
		},
		close: rows.Close,
	}, nil
}
