package olap

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

// TableSpec describes a table.
type TableSpec struct {
	Schema      string        // SQL schema, the product's name
	Name        string        // the table's own name, for ever
	Views       []string      // its SQL names, the first in watermarks; only Name when empty
	Folder      string        // where its segments are, within the database's folder
	Columns     *arrow.Schema // the contract's columns
	Key         []string      // key columns; empty for an event port without a key
	State       bool          // rows are the latest of each key and deletes vanish; else every record is a row
	SegmentRows int           // a tail of so many rows is due to roll; 1,000,000 by default
	SegmentAge  time.Duration // a tail of that age is due to roll; 10 minutes by default
}

// Table is one port's table. Its methods are safe for use by several goroutines.
type Table struct {
	db    *DB
	spec  TableSpec
	id    int64
	order []string // the contract's columns in its order

	remote *remote // its part of the bucket, guarded by upkeep; nil where segments are in the volume alone

	upkeep sync.Mutex // one roll, compaction or drop at a time
	since  time.Time  // when Maintain first saw the present tail with rows in it; guarded by upkeep
}

// TableStats is what a table holds.
type TableStats struct {
	Rows     int64 // that a query sees
	Segments int
	Bytes    int64 // of the segments
	TailRows int64 // not yet in a segment
}

// Table is the table of that spec. It makes the table when there is none. It adds
// columns that are new, if they are nullable; older rows have NULL there. Any
// other difference from what the table was made with is a Conflict.
func (db *DB) Table(ctx context.Context, spec TableSpec) (*Table, error) {
	if spec.SegmentRows <= 0 {
		spec.SegmentRows = 1_000_000
	}
	if spec.SegmentAge <= 0 {
		spec.SegmentAge = 10 * time.Minute
	}
	columns, err := columnsOf(spec)
	if err != nil {
		return nil, fault.New(fault.Invalid, "change the port's schema", "table %s.%s: %w", spec.Schema, spec.Name, err)
	}
	if db.cache == nil {
		return db.table(ctx, spec, columns)
	}
	return db.remoteTable(ctx, spec, columns)
}

// remoteTable is a table with segments in the bucket. One that the volume has works also
// while the bucket is away; maintenance follows it then when it is back.
func (db *DB) remoteTable(ctx context.Context, spec TableSpec, columns []column) (*Table, error) {
	had, err := db.restore(ctx, spec)
	away := had && fault.KindOf(err) == fault.Unavailable
	var t *Table
	if err == nil || away {
		t, err = db.table(ctx, spec, columns)
	}
	if err == nil && !away {
		err = t.claim(ctx, true)
		away = had && fault.KindOf(err) == fault.Unavailable
	}
	if away {
		db.log.Warn("the bucket cannot be reached; the table goes on with what the volume has", "folder", spec.Folder, "error", err)
	} else if err != nil {
		return nil, fmt.Errorf("table %s.%s: %w", spec.Schema, spec.Name, err)
	}
	return t, nil
}

// table is Table as far as the volume knows it.
func (db *DB) table(ctx context.Context, spec TableSpec, columns []column) (*Table, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	p, err := db.settle(ctx, spec, columns)
	if err != nil {
		return nil, blamed(fmt.Errorf("table %s.%s: %w", spec.Schema, spec.Name, err))
	}
	p = p.clone()
	if p.views = spec.Views; len(p.views) == 0 {
		p.views = []string{spec.Name}
	}
	t := &Table{db: db, spec: spec, id: p.id}
	if db.cache != nil {
		t.remote = db.remoteOf(spec.Folder)
	}
	for _, f := range spec.Columns.Fields() {
		t.order = append(t.order, f.Name)
	}
	if err := os.MkdirAll(filepath.Join(db.dir, spec.Folder), 0o755); err != nil {
		return nil, fmt.Errorf("table %s.%s: %w", spec.Schema, spec.Name, err)
	}
	err = db.write(ctx, func(w *conn) error {
		return db.replaceView(ctx, w, p, t.order) // the folder may have moved, and the order changed
	})
	if err != nil {
		return nil, blamed(fmt.Errorf("table %s.%s: make the view: %w", spec.Schema, spec.Name, err))
	}
	db.put(p)
	db.pool.name(p.id, p.views)
	db.pool.addPath(spec.Schema)
	return t, nil
}

// columnsOf are the spec's columns as the manifest keeps them.
func columnsOf(spec TableSpec) ([]column, error) {
	var list []column
	seen := map[string]bool{seqColumn: true, timeColumn: true, goneColumn: true, lastColumn: true}
	for _, f := range spec.Columns.Fields() {
		if lower := strings.ToLower(f.Name); seen[lower] {
			return nil, fmt.Errorf("the column %q has the name of another one; SQL does not tell upper from lower case", f.Name)
		} else {
			seen[lower] = true
		}
		t, err := sqlType(f.Type)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", f.Name, err)
		}
		list = append(list, column{f.Name, t, f.Nullable})
	}
	for _, k := range spec.Key {
		if !slices.ContainsFunc(list, func(c column) bool { return c.Name == k }) {
			return nil, fmt.Errorf("the key column %q is not in the schema", k)
		}
	}
	if spec.State && len(spec.Key) == 0 {
		return nil, fmt.Errorf("a state port needs a key")
	}
	return list, nil
}

// settle finds, makes or evolves the port of that spec.
func (db *DB) settle(ctx context.Context, spec TableSpec, columns []column) (*port, error) {
	p := db.find(spec.Schema, spec.Name)
	if p == nil {
		return db.makePort(ctx, spec, columns)
	}
	p = p.clone()
	const hint = "run meshctl rebuild, or raise the product's major version"
	switch {
	case p.state != spec.State:
		return nil, fault.New(fault.Conflict, hint, "its type has changed between event and state")
	case p.state && !slices.Equal(p.key, spec.Key):
		return nil, fault.New(fault.Conflict, hint, "its key has changed from %v to %v", p.key, spec.Key)
	case p.folder != spec.Folder:
		return nil, fault.New(fault.Conflict, hint, "its folder has changed from %s to %s", p.folder, spec.Folder)
	}
	fresh, err := added(p.columns, columns)
	if err != nil {
		return nil, fault.New(fault.Conflict, hint, "%w", err)
	}
	if len(fresh) == 0 {
		return p, nil
	}
	p.columns = append(p.columns, fresh...)
	err = db.write(ctx, func(w *conn) error {
		for _, table := range p.levels() {
			for _, c := range fresh {
				if err := w.exec(ctx, "ALTER TABLE "+table+" ADD COLUMN "+ident(c.Name)+" "+c.Type); err != nil {
					return err
				}
			}
		}
		return savePort(ctx, w, p)
	})
	if err != nil {
		return nil, fmt.Errorf("add columns: %w", err)
	}
	db.put(p)
	return p, nil
}

// added are the columns of want that have lacks; it is an error when that is not the
// only difference.
func added(have, want []column) ([]column, error) {
	for _, h := range have {
		i := slices.IndexFunc(want, func(c column) bool { return c.Name == h.Name })
		if i < 0 {
			return nil, fmt.Errorf("the column %q is gone", h.Name)
		}
		if want[i].Type != h.Type {
			return nil, fmt.Errorf("the column %q has changed from %s to %s", h.Name, h.Type, want[i].Type)
		}
	}
	var fresh []column
	for _, w := range want {
		if slices.ContainsFunc(have, func(c column) bool { return c.Name == w.Name }) {
			continue
		}
		if !w.Nullable {
			return nil, fmt.Errorf("the new column %q is required, and older rows have no value for it", w.Name)
		}
		fresh = append(fresh, w)
	}
	return fresh, nil
}

// find is the port of that name, or nil; db.mu is held.
func (db *DB) find(schema, name string) *port {
	for _, p := range db.ports {
		if p.schema == schema && p.name == name {
			return p
		}
	}
	return nil
}

func (db *DB) makePort(ctx context.Context, spec TableSpec, columns []column) (*port, error) {
	p := &port{
		id: 1, schema: spec.Schema, name: spec.Name, folder: spec.Folder,
		state: spec.State, key: spec.Key, columns: columns, tail: 1,
	}
	for id := range db.ports {
		p.id = max(p.id, id+1)
	}
	err := db.write(ctx, func(w *conn) error {
		if err := w.exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+ident(p.schema)); err != nil {
			return err
		}
		if err := w.exec(ctx, p.tailDDL()); err != nil {
			return err
		}
		if err := w.exec(ctx, "INSERT INTO "+positionTable+" VALUES ($1, 0, NULL, 0, 0)", p.id); err != nil {
			return err
		}
		return savePort(ctx, w, p)
	})
	if err != nil {
		return nil, err
	}
	db.put(p)
	return p, nil
}

// tailDDL makes the port's present tail. Our own columns come first, because a column
// that is added later comes last.
func (p *port) tailDDL() string {
	return "CREATE TABLE " + p.tailName(p.tail) + " (" + p.columnDDL() + ")"
}

func (p *port) columnDDL() string {
	list := []string{seqColumn + " UBIGINT", timeColumn + " TIMESTAMPTZ"}
	if p.state {
		list = append(list, goneColumn+" BOOLEAN")
	}
	for _, c := range p.columns {
		list = append(list, ident(c.Name)+" "+c.Type)
	}
	return strings.Join(list, ", ")
}

// port is the table's port as of the last commit; db.mu is held.
func (t *Table) port() *port { return t.db.ports[t.id] }

func (t *Table) snapshot() *port {
	t.db.mu.Lock()
	defer t.db.mu.Unlock()
	return t.port()
}

// Position is the last record that the table has seen.
func (t *Table) Position(context.Context) (record.Seq, error) { return t.snapshot().mark.Seq, nil }

// Watermark says as of when the table holds.
func (t *Table) Watermark(context.Context) (record.Watermark, error) { return t.snapshot().mark, nil }

// Stats is what the table holds.
func (t *Table) Stats(ctx context.Context) (TableStats, error) {
	r, err := t.db.pool.acquire(ctx)
	if err != nil {
		return TableStats{}, err
	}
	defer t.db.pool.release(r)
	var s TableStats
	shown := t.db.shown.Load()
	err = r.tx(ctx, func() error {
		rows, err := r.rowsOf(ctx, "SELECT count(*), coalesce(sum(bytes), 0)::BIGINT FROM "+segmentTable+" WHERE port = $1", t.id)
		if err != nil {
			return err
		}
		s.Segments, s.Bytes = int(rows[0][0].(int64)), rows[0][1].(int64)
		if err := t.db.bring(ctx, r, []int64{t.id}, shown); err != nil {
			return err
		}
		if rows, err = r.rowsOf(ctx, "SELECT count(*) FROM "+t.snapshot().view()); err != nil {
			return err
		}
		s.Rows = rows[0][0].(int64)
		if rows, err = r.rowsOf(ctx, "SELECT tail, sealed FROM "+portTable+" WHERE id = $1", t.id); err != nil {
			return err
		}
		p := port{id: t.id, tail: rows[0][0].(int64), sealed: rows[0][1].(int64)}
		for _, level := range p.levels() {
			if rows, err = r.rowsOf(ctx, "SELECT count(*) FROM "+level); err != nil {
				return err
			}
			s.TailRows += rows[0][0].(int64)
		}
		return nil
	})
	if err != nil {
		return s, fmt.Errorf("measure table %s: %w", t.spec.Name, err)
	}
	return s, nil
}
