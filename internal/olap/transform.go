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

// Transform is a SELECT of the product's own over one batch.
type Transform struct {
	SQL    string
	Schema string            // where lone table names are looked up, behind the batch
	Table  string            // the batch's name
	Batch  arrow.RecordBatch // may have no rows
}

// Transform runs the statement with the batch as a table. The rest of the tables are
// seen as of one moment. A statement or a value that is to blame is Rejected.
func (db *DB) Transform(ctx context.Context, t Transform) (*Rows, error) {
	s, err := db.logicSession(ctx, t.Schema)
	if err != nil {
		return nil, refused("transform", err)
	}
	rows, err := func() (*Rows, error) {
		columns := make([]string, t.Batch.NumCols())
		for i, f := range t.Batch.Schema().Fields() {
			typ, err := sqlType(f.Type)
			if err != nil {
				return nil, err
			}
			columns[i] = ident(f.Name) + " " + typ
		}
		if err := s.c.exec(ctx, "CREATE TEMP TABLE "+ident(t.Table)+" ("+strings.Join(columns, ", ")+")"); err != nil {
			return nil, err
		}
		if t.Batch.NumRows() > 0 {
			if err := s.c.appendTo(ctx, "temp", "main", t.Table, t.Batch); err != nil {
				return nil, err
			}
		}
		if err := s.bring(ctx, t.SQL); err != nil {
			return nil, err
		}
		return s.rows(ctx, t.SQL)
	}()
	if err != nil {
		return nil, errors.Join(refused("transform", err), s.end(ctx))
	}
	return rows, nil
}

// DiffSpec is a SELECT of the product's own over whole tables, and the state port
// that its rows make up.
type DiffSpec struct {
	SQL    string
	Schema string // where lone table names are looked up
	Output *Table
	Inputs map[string]*Table // by the name that Inputs of the answer has
}

// Diff is what a statement would change in its output.
type Diff struct {
	Changed *Rows                 // rows that are new or differ; must be closed
	Deleted [][]string            // key texts of the rows that vanished
	Inputs  map[string]record.Seq // positions of the inputs in the snapshot that was read
}

// resultTable holds the statement's rows while they are compared.
const resultTable = "meshctl_result"

// Diff runs the statement and compares its rows with the output's table, all in one
// snapshot. Columns are matched by name and cast to the output's types; one that the
// statement lacks is NULL. Rejected when the statement is to blame, such as for two rows of one key.
func (db *DB) Diff(ctx context.Context, d DiffSpec) (*Diff, error) {
	s, err := db.logicSession(ctx, d.Schema)
	if err != nil {
		return nil, refused("diff", err)
	}
	out, err := s.diff(ctx, d)
	if err != nil {
		return nil, errors.Join(refused("diff", err), s.end(ctx))
	}
	return out, nil
}

// logicSession is a connection in a transaction that will be rolled back.
type logicSession struct {
	db    *DB
	c     *reader
	shown *map[int64]*port // from before the transaction
}

func (db *DB) logicSession(ctx context.Context, schema string) (*logicSession, error) {
	r, err := db.pool.acquire(ctx)
	if err != nil {
		return nil, err
	}
	s := &logicSession{db, r, db.shown.Load()}
	path := slices.DeleteFunc(slices.Clone(r.path), func(p string) bool { return p == schema })
	if len(path) < len(r.path) {
		path = append([]string{schema}, path...)
	}
	set := searchPath(path)
	if err := r.exec(ctx, setPath(set)); err != nil {
		db.pool.release(r)
		return nil, err
	}
	r.path, r.set = path, set
	// Not to be cancelled: it might have begun all the same, for whoever reads next.
	if err := r.exec(context.WithoutCancel(ctx), "BEGIN TRANSACTION"); err != nil {
		db.pool.release(r)
		return nil, err
	}
	return s, nil
}

func (s *logicSession) end(ctx context.Context) error {
	defer s.db.pool.release(s.c)
	err := s.c.exec(context.WithoutCancel(ctx), "ROLLBACK")
	if noTransaction(err) {
		return nil
	}
	return err
}

// bring brings the segments of the tables that the statement names, and of others.
func (s *logicSession) bring(ctx context.Context, sql string, others ...int64) error {
	refs, ok := s.db.logic.get(sql)
	if !ok {
		tree, err := parse(ctx, s.c.conn, sql)
		if err != nil {
			return err
		}
		refs = walked(tree).tables() // none where it cannot be read: who prepares it says why
		s.db.logic.put(sql, refs)
	}
	_, read, err := s.db.watermarks(ctx, s.c, refs)
	if err != nil {
		return err
	}
	ports := slices.Collect(maps.Values(read))
	for _, id := range others {
		if !slices.Contains(ports, id) {
			ports = append(ports, id)
		}
	}
	return s.db.bring(ctx, s.c, ports, s.shown)
}

// rows runs a SELECT; closing the rows ends the session.
func (s *logicSession) rows(ctx context.Context, sql string) (*Rows, error) {
	st, err := s.c.prepare(sql)
	if err != nil {
		return nil, err
	}
	if st.kind() != duck.StatementTypeSelect {
		st.close()
		return nil, fault.New(fault.Rejected, "write the logic as one SELECT", "the logic is not a SELECT")
	}
	res, err := st.run(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := newRows(s.c.conn, res, "logic")
	if err != nil {
		return nil, err
	}
	answered := rows.done
	rows.done = func() error { return errors.Join(answered(), s.end(ctx)) }
	return rows, nil
}

func (s *logicSession) diff(ctx context.Context, d DiffSpec) (*Diff, error) {
	out := &Diff{Inputs: map[string]record.Seq{}}
	for name, t := range d.Inputs {
		rows, err := s.c.rowsOf(ctx, "SELECT seq FROM "+positionTable+" WHERE port = $1", t.id)
		if err != nil {
			return nil, err
		}
		out.Inputs[name] = newWatermark(rows[0][0], nil).Seq
	}
	output := d.Output.snapshot()
	if err := s.bring(ctx, d.SQL, output.id); err != nil {
		return nil, err
	}
	if err := s.compute(ctx, d.SQL, output, d.Output.order); err != nil {
		return nil, err
	}
	if err := s.refuseTwice(ctx, output.key); err != nil {
		return nil, err
	}
	view := output.view()
	var err error
	out.Deleted, err = s.vanished(ctx, view, output)
	if err != nil {
		return nil, err
	}
	columns := idents("", d.Output.order)
	out.Changed, err = s.rows(ctx, "SELECT "+columns+" FROM temp."+resultTable+" EXCEPT SELECT "+columns+" FROM "+view)
	return out, err
}

// compute fills the result table, in the output's columns and types.
func (s *logicSession) compute(ctx context.Context, sql string, output *port, order []string) error {
	st, err := s.c.prepare(sql)
	if err != nil {
		return err
	}
	kind, given := st.kind(), st.columns()
	st.close()
	if kind != duck.StatementTypeSelect {
		return fault.New(fault.Rejected, "write the logic as one SELECT", "the logic is not a SELECT")
	}
	for _, name := range given {
		if !slices.Contains(order, name) {
			return fault.New(fault.Rejected, "add it to the output's schema, or leave it out of the SELECT",
				"the logic's column %q is not in the output's schema", name)
		}
	}
	casts := make([]string, len(order))
	for i, name := range order {
		c := output.columns[slices.IndexFunc(output.columns, func(c column) bool { return c.Name == name })]
		value := "NULL"
		if slices.Contains(given, name) {
			value = ident(name)
		}
		casts[i] = "CAST(" + value + " AS " + c.Type + ") AS " + ident(name)
	}
	sql = strings.TrimRight(strings.TrimSpace(sql), "; \n\t")
	return s.c.exec(ctx, "CREATE TEMP TABLE "+resultTable+" AS SELECT "+strings.Join(casts, ", ")+" FROM (\n"+sql+"\n)")
}

func (s *logicSession) refuseTwice(ctx context.Context, key []string) error {
	rows, err := s.c.rowsOf(ctx, "SELECT "+keyTexts(nil, key)+", count(*) AS n FROM temp."+resultTable+" GROUP BY "+idents("", key)+" HAVING n > 1 LIMIT 1")
	if err != nil || len(rows) == 0 {
		return err
	}
	return fault.New(fault.Rejected, "group by the key, or add columns to it",
		"the logic makes %v rows of the key %s", rows[0][len(key)], record.JoinTexts(cellTexts(rows[0][:len(key)])))
}

// vanished are the keys that the output has and the result lacks. A key with a NULL
// is no row of the output.
func (s *logicSession) vanished(ctx context.Context, view string, output *port) ([][]string, error) {
	on := make([]string, len(output.key))
	for i, k := range output.key {
		on[i] = "old." + ident(k) + " = new." + ident(k)
	}
	res, err := s.c.query(ctx, "SELECT "+keyTexts(output, output.key)+" FROM "+view+" AS old ANTI JOIN temp."+resultTable+" AS new ON "+strings.Join(on, " AND "))
	if err != nil {
		return nil, err
	}
	rows, err := newRows(s.c.conn, res, "diff")
	if err != nil {
		return nil, err
	}
	var keys [][]string
	for {
		rec, err := rows.Next(ctx)
		if errors.Is(err, io.EOF) {
			return keys, rows.Close()
		}
		if err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		for i := range int(rec.NumRows()) {
			key := make([]string, rec.NumCols())
			for c, col := range rec.Columns() {
				key[c] = strings.Clone(col.ValueStr(i)) // its memory goes with rec
			}
			keys = append(keys, key)
		}
		rec.Release()
	}
}

// columns are the names of the statement's columns.
func (s *stmt) columns() []string {
	names := make([]string, duck.PreparedStatementColumnCount(s.p))
	for i := range names {
		names[i] = duck.PreparedStatementColumnName(s.p, duck.IdxT(i))
	}
	return names
}

// keyTexts selects the key columns as record.Key writes their texts.
func keyTexts(output *port, key []string) string {
	list := make([]string, len(key))
	for i, k := range key {
		list[i] = "CAST(" + ident(k) + " AS VARCHAR)"
		if output == nil {
			continue
		}
		c := output.columns[slices.IndexFunc(output.columns, func(c column) bool { return c.Name == k })]
		if strings.HasPrefix(c.Type, "TIMESTAMP") {
			list[i] = "strftime(" + ident(k) + ", '%Y-%m-%dT%H:%M:%S.%fZ')"
		}
	}
	return strings.Join(list, ", ")
}

func cellTexts(cells []any) []string {
	list := make([]string, len(cells))
	for i, c := range cells {
		list[i] = fmt.Sprint(c)
	}
	return list
}
