package olap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	duck "github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

// Query is a statement that somebody wants answered.
type Query struct {
	SQL     string
	Args    []any          // by position, or
	Named   map[string]any // by name, without the $
	MaxRows int64          // 0 is no limit
}

// Query answers one SELECT (or EXPLAIN). It sees every table as of one moment, and
// can read nothing but tables and change nothing. A statement that is to blame is
// Rejected, a deadline is Timeout. Tables are named schema.table; a lone table name is
// looked up in every schema, in the order in which they were made.
func (db *DB) Query(ctx context.Context, q Query) (*Rows, error) { return db.queryIn(ctx, q, "") }

// queryIn is Query with a search path, "" for the usual one.
func (db *DB) queryIn(ctx context.Context, q Query, path string) (*Rows, error) {
	r, err := db.pool.acquireIn(ctx, path)
	if err != nil {
		return nil, refused("query", err)
	}
	shown := db.shown.Load()
	// Not to be cancelled: it might have begun all the same, for whoever reads next.
	if err := r.exec(context.WithoutCancel(ctx), "BEGIN TRANSACTION READ ONLY"); err != nil {
		db.pool.release(r)
		return nil, refused("query", err)
	}
	done := func() error {
		err := r.exec(context.WithoutCancel(ctx), "ROLLBACK")
		if noTransaction(err) {
			err = nil
		}
		db.pool.release(r)
		return err
	}
	rows, err := db.answer(ctx, r, q, shown)
	if err != nil {
		return nil, errors.Join(refused("query", err), done())
	}
	answered := rows.done
	rows.done = func() error { return errors.Join(answered(), done()) }
	return rows, nil
}

// answer runs q in the reader's transaction.
func (db *DB) answer(ctx context.Context, r *reader, q Query, shown *map[int64]*port) (*Rows, error) {
	refs, err := db.examined(ctx, r.conn, q.SQL)
	if err != nil {
		return nil, err
	}
	marks, read, err := db.watermarks(ctx, r, refs)
	if err != nil {
		return nil, err
	}
	if err := db.bring(ctx, r, slices.Collect(maps.Values(read)), shown); err != nil {
		return nil, err
	}
	st, err := r.prepare(q.SQL)
	if err != nil {
		return nil, err
	}
	if kind := st.kind(); kind != duck.StatementTypeSelect && kind != duck.StatementTypeExplain {
		st.close()
		return nil, fault.New(fault.Rejected, "send a SELECT", "only SELECT and EXPLAIN of a SELECT can be queried")
	}
	if q.Named != nil {
		err = st.bindNamed(q.Named)
	} else {
		err = st.bind(q.Args)
	}
	if err != nil {
		st.close()
		return nil, fault.New(fault.Rejected, "give one argument for each parameter of the statement", "%w", err)
	}
	res, err := st.run(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := newRows(r.conn, res, "query")
	if err != nil {
		return nil, err
	}
	rows.marks, rows.versions, rows.limit = marks, db.versions(read, *shown), q.MaxRows
	return rows, nil
}

// newRows is res as Rows; what names the act in errors.
func newRows(c *conn, res *result, what string) (*Rows, error) {
	schema, err := res.schema()
	if err != nil {
		res.close()
		return nil, err
	}
	return &Rows{
		schema: schema,
		pull: func(ctx context.Context) (arrow.RecordBatch, error) {
			chunk, ok, err := res.next(ctx)
			if err != nil {
				return nil, refused(what, err)
			}
			if !ok {
				return nil, io.EOF
			}
			rec, err := c.toArrow(schema, chunk)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", what, err)
			}
			return rec, nil
		},
		done: func() error { res.close(); return nil },
	}, nil
}

// watermarks are those of the tables that refs name, as of the reader's transaction,
// which this call's first read starts, and the ports that they are, by the same names.
func (db *DB) watermarks(ctx context.Context, r *reader, refs []TableRef) (map[string]record.Watermark, map[string]int64, error) {
	marks, read := map[string]record.Watermark{}, map[string]int64{}
	if db.dir == "" {
		return marks, read, nil
	}
	rows, err := r.keptRows(ctx, "SELECT p.schema, p.name, w.seq, w.time, p.id FROM "+portTable+" p JOIN "+positionTable+" w ON w.port = p.id")
	if err != nil {
		return nil, nil, err
	}
	var tables []TableRef
	var ports []int // whose name it is
	for i, row := range rows {
		names := r.views[row[4].(int64)]
		if names == nil {
			names = []string{row[1].(string)}
		}
		for _, name := range names {
			tables, ports = append(tables, TableRef{Schema: row[0].(string), Name: name}), append(ports, i)
		}
	}
	for i, port := range ports {
		if reads(refs, tables, i, r.path) {
			first := slices.Index(ports, port)
			name := tables[first].String()
			marks[name], read[name] = newWatermark(rows[port][2], rows[port][3]), rows[port][4].(int64)
		}
	}
	return marks, read, nil
}

// reads says whether one of refs means ports[i], given the search path.
func reads(refs, ports []TableRef, i int, path []string) bool {
	rank := func(schema string) int { return slices.Index(path, schema) }
	return slices.ContainsFunc(refs, func(ref TableRef) bool {
		if !strings.EqualFold(ref.Name, ports[i].Name) {
			return false
		}
		if ref.Schema != "" {
			return strings.EqualFold(ref.Schema, ports[i].Schema)
		}
		return !slices.ContainsFunc(ports, func(other TableRef) bool {
			return strings.EqualFold(other.Name, ref.Name) && rank(other.Schema) < rank(ports[i].Schema)
		})
	})
}
