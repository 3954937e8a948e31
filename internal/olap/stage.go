package olap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// stageSchema is where a stage keeps what is put on it; no product can have the name.
const stageSchema = "~"

// Place is one table of a statement on a stage.
type Place struct {
	Names   []TableRef    // what the statement calls it
	Home    string        // the schema of its lone names, the product
	Columns *arrow.Schema // all that it has
}

// Stage is where a statement finds its tables under their names, for a coordinator: first
// empty ones to plan it on, then with the rows that it needs. It is a database in memory of
// its own, attached to the DB, whose memory and threads all its stages share.
type Stage struct {
	db     *DB
	name   string // of its database
	path   string // of those who query it
	places []Place
}

// NewStage makes the tables, empty. A lone name means the place that bears it, whatever
// tables the other places have. What the statement calls the present moment, with now()
// or otherwise, is now, however often and wherever it is asked. The stage must be closed.
func (db *DB) NewStage(ctx context.Context, places []Place, now time.Time) (*Stage, error) {
	s := &Stage{db: db, name: fmt.Sprint(stageSchema, db.stages.Add(1)), places: places}
	if err := s.attach(ctx); err != nil {
		return nil, fmt.Errorf("make room for tables: %w", err)
	}
	sql, err := s.setting(now)
	if err == nil {
		err = s.run(ctx, sql)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make empty tables: %w", err), s.Close())
	}
	return s, nil
}

// setting are the statements that make the stage's schemas and tables, and the path to them.
func (s *Stage) setting(now time.Time) (sql []string, err error) {
	sql = append(s.moments(now), "CREATE SCHEMA "+s.in(stageSchema))
	known := []string{"main", stageSchema}
	path := []string{s.in("main")}
	for i, p := range s.places {
		names := make([]string, p.Columns.NumFields())
		for j, f := range p.Columns.Fields() {
			names[j] = f.Name
		}
		made, err := s.define(i, names)
		if err != nil {
			return nil, err
		}
		for j := range p.Names {
			schema := s.home(i, j).Schema
			if !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, schema) }) {
				known, sql = append(known, schema), append(sql, "CREATE SCHEMA "+s.in(schema))
			}
			if in := s.in(schema); p.Names[j].Schema == "" && !slices.Contains(path, in) {
				path = append(path, in)
			}
		}
		sql = append(sql, made...)
	}
	s.path = strings.Join(path, ",")
	return sql, nil
}

// in is a schema of the stage's database as SQL.
func (s *Stage) in(schema string) string { return ident(s.name) + "." + ident(schema) }

func (s *Stage) attach(ctx context.Context) error {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	if s.db.closed {
		return errClosed
	}
	return s.db.w.exec(ctx, "ATTACH ':memory:' AS "+ident(s.name))
}

// Close lets go of the stage and what is on it. Nothing may run on it any more.
func (s *Stage) Close() error {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	if s.db.closed {
		return nil
	}
	if err := s.db.w.exec(context.Background(), "DETACH "+ident(s.name)); err != nil {
		return fmt.Errorf("let go of tables: %w", err)
	}
	return nil
}

// Query is that of the DB, over the stage's tables.
func (s *Stage) Query(ctx context.Context, q Query) (*Rows, error) {
	return s.db.queryIn(ctx, q, s.path)
}

// home is name j of place i with a schema. That of a lone name is the place's own, unless
// another place's table could be taken for it.
func (s *Stage) home(i, j int) TableRef {
	ref := s.places[i].Names[j]
	if ref.Schema != "" {
		return ref
	}
	ref.Schema = s.places[i].Home
	for k, p := range s.places {
		if k != i && slices.ContainsFunc(p.Names, func(other TableRef) bool { return strings.EqualFold(other.Name, ref.Name) }) {
			ref.Schema = "main"
		}
	}
	return ref
}

// moments are the functions that tell the time, made to tell that one.
func (s *Stage) moments(now time.Time) []string {
	at := now.UTC().Format("2006-01-02 15:04:05.000000")
	whole := "TIMESTAMPTZ " + literal(at+"+00")
	var sql []string
	for _, f := range []struct{ name, is string }{
		{"now", whole}, {"get_current_timestamp", whole}, {"transaction_timestamp", whole},
		{"today", "DATE " + literal(at[:10])}, {"current_date", "DATE " + literal(at[:10])},
		{"current_localtimestamp", "TIMESTAMP " + literal(at)}, {"current_localtime", "TIME " + literal(at[11:])},
		{"get_current_time", "TIMETZ " + literal(at[11:]+"+00")},
	} {
		sql = append(sql, "CREATE MACRO "+s.in("main")+"."+ident(f.name)+"() AS "+f.is)
	}
	return sql
}

func (s *Stage) run(ctx context.Context, sql []string) error {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	return s.db.write(ctx, func(w *conn) error {
		for _, q := range sql {
			if err := w.exec(ctx, q); err != nil {
				return err
			}
		}
		return nil
	})
}

// define are the statements that make place i anew with those columns; the others are NULL.
func (s *Stage) define(i int, columns []string) ([]string, error) {
	var have, shown []string
	for _, f := range s.places[i].Columns.Fields() {
		kind, err := sqlType(f.Type)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", f.Name, err)
		}
		if slices.Contains(columns, f.Name) {
			have, shown = append(have, ident(f.Name)+" "+kind), append(shown, ident(f.Name))
		} else {
			shown = append(shown, "NULL::"+kind+" AS "+ident(f.Name))
		}
	}
	if len(have) == 0 {
		have = []string{`"row" BOOLEAN`}
	}
	table := s.in(stageSchema) + "." + ident(strconv.Itoa(i))
	sql := []string{"CREATE OR REPLACE TABLE " + table + " (" + strings.Join(have, ", ") + ")"}
	for j := range s.places[i].Names {
		sql = append(sql, "CREATE OR REPLACE VIEW "+ident(s.name)+"."+s.home(i, j).SQL()+" AS SELECT "+strings.Join(shown, ", ")+" FROM "+table)
	}
	return sql, nil
}

// planners are the optimizers to do without, from the best plan to one that is made
// always. None of them may look at what the tables hold, for they are empty. Those
// that only choose how to run the statement are left out, and those with which its plan
// cannot be told.
var planners = func() []string {
	blind := "statistics_propagation,join_order,build_side_probe_side,compressed_materialization,late_materialization," +
		"row_group_pruner,join_filter_pushdown,common_subplan,common_subexpressions,top_n_window_elimination,window_self_join," +
		"join_elimination,sampling_pushdown,empty_result_pullup,in_clause"
	return []string{blind, blind + ",unused_columns", blind + ",unused_columns,filter_pushdown,filter_pullup,cte_filter_pusher"}
}()

// Plan is how the statement, which has no parameters, would be answered, as
// json_serialize_plan tells it. Read is asked for each plan that can be made, until it
// accepts one.
func (s *Stage) Plan(ctx context.Context, sql string, read func(plan []byte) error) (err error) {
	r, err := s.db.pool.acquireIn(ctx, s.path)
	if err != nil {
		return err
	}
	defer s.db.pool.release(r)
	defer func() {
		err = errors.Join(err, r.exec(context.WithoutCancel(ctx), "SET disabled_optimizers = "+literal(unsound)))
	}()
	for _, without := range planners {
		var rows [][]any
		if err = r.exec(ctx, "SET disabled_optimizers = "+literal(without)); err != nil {
			return err
		}
		if rows, err = r.rowsOf(ctx, "SELECT json_serialize_plan("+literal(sql)+", optimize := true)::VARCHAR"); err == nil {
			err = read([]byte(rows[0][0].(string)))
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// TableOf is the place whose rows a plan calls schema.table; ok is false where it is none.
func (s *Stage) TableOf(schema, table string) (i int, ok bool) {
	i, err := strconv.Atoi(table)
	return i, err == nil && schema == stageSchema && i >= 0 && i < len(s.places)
}

// Clear readies every place for the columns that it is to have, by their names; the rest
// are NULL. It comes before the first Fill.
func (s *Stage) Clear(ctx context.Context, columns [][]string) error {
	var sql []string
	for i := range s.places {
		made, err := s.define(i, columns[i])
		if err != nil {
			return err
		}
		sql = append(sql, made...)
	}
	if err := s.run(ctx, sql); err != nil {
		return fmt.Errorf("make tables: %w", err)
	}
	return nil
}

// Fill puts the batches that next gives until io.EOF into a place: the columns that it was
// cleared for, in the order of the table. All of them are there, or on an error none.
// Several places are filled side by side.
func (s *Stage) Fill(ctx context.Context, i int, next func(context.Context) (arrow.RecordBatch, error)) error {
	r, err := s.db.pool.acquireIn(ctx, s.path)
	if err != nil {
		return err
	}
	defer s.db.pool.release(r)
	return r.tx(ctx, func() error { return r.fill(ctx, s.name, stageSchema, strconv.Itoa(i), next) })
}

// Keys are the values of column k of a SELECT over the places, as a JSON list of strings
// or, for integers, of numbers, and how many there are; none when they are more than most.
func (s *Stage) Keys(ctx context.Context, sql string, text bool, most int) (list string, n int64, err error) {
	r, err := s.db.pool.acquireIn(ctx, s.path)
	if err != nil {
		return "", 0, err
	}
	defer s.db.pool.release(r)
	item := "k"
	if text {
		item = "k::VARCHAR"
	}
	rows, err := r.rowsOf(ctx, fmt.Sprintf("SELECT CASE WHEN count(*) <= %d THEN coalesce(to_json(list(%s))::VARCHAR, '[]') ELSE '' END, count(*) FROM (SELECT k FROM (%s) LIMIT %d)", most, item, sql, most+1))
	if err != nil {
		return "", 0, fmt.Errorf("find keys: %w", err)
	}
	return rows[0][0].(string), rows[0][1].(int64), nil
}

// Whole are the columns of a SELECT over the places alone, if a place can hold its answer:
// each has a name of its own, and a type that goes over the mesh as what it is.
func (s *Stage) Whole(ctx context.Context, sql string) (columns *arrow.Schema, ok bool, err error) {
	described, err := s.Describe(ctx, sql)
	if err != nil {
		return nil, false, ctx.Err() // it needs what is around it, or cannot be answered at all
	}
	names := map[string]bool{}
	nulls := ""
	for _, c := range described {
		name := strings.ToLower(c.Name)
		if names[name] {
			return nil, false, nil
		}
		names[name] = true
		nulls += ", NULL::" + c.Type + " AS " + ident(c.Name)
	}
	rows, err := s.Query(ctx, Query{SQL: "SELECT " + nulls[2:]})
	if err != nil {
		return nil, false, ctx.Err() // a type that has no name
	}
	columns = rows.Schema()
	if err := rows.Close(); err != nil {
		return nil, false, err
	}
	for i, f := range columns.Fields() {
		kind, err := sqlType(f.Type)
		if kind == "TIMESTAMPTZ" {
			kind = "TIMESTAMP WITH TIME ZONE"
		}
		if err != nil || kind != described[i].Type {
			return nil, false, nil
		}
	}
	return columns, true, nil
}

// Described is a column of an answer.
type Described struct{ Name, Type string }

// Describe are the columns of a SELECT without parameters, which does not run.
func (s *Stage) Describe(ctx context.Context, sql string) ([]Described, error) {
	r, err := s.db.pool.acquireIn(ctx, s.path)
	if err != nil {
		return nil, err
	}
	defer s.db.pool.release(r)
	rows, err := r.rowsOf(ctx, "DESCRIBE "+sql)
	if err != nil {
		return nil, refused("describe", err)
	}
	list := make([]Described, len(rows))
	for i, row := range rows {
		list[i] = Described{row[0].(string), row[1].(string)}
	}
	return list, nil
}

// Piece is the name of a place that stands for a SELECT.
func Piece(i int) TableRef { return TableRef{Schema: stageSchema, Name: fmt.Sprint("piece", i)} }
