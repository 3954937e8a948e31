package olap

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// Drop empties the table for a rebuild: its rows, its segments and its position are gone.
func (t *Table) Drop(ctx context.Context) error {
	t.upkeep.Lock()
	defer t.upkeep.Unlock()
	if err := t.dropRemote(ctx); err != nil {
		return fmt.Errorf("drop %s: %w", t.spec.Name, err)
	}
	t.db.mu.Lock()
	defer t.db.mu.Unlock()
	old := t.port()
	p := &port{
		id: old.id, schema: old.schema, name: old.name, folder: old.folder,
		state: old.state, key: old.key, columns: old.columns, tail: max(old.tail, old.sealed) + 1, views: old.views,
	}
	err := t.db.write(ctx, func(w *conn) error {
		if err := w.exec(ctx, p.tailDDL()); err != nil {
			return err
		}
		return t.replace(ctx, w, p, old.levels())
	})
	if err != nil {
		t.remote.doubt()
		return fmt.Errorf("drop %s: %w", t.spec.Name, err)
	}
	t.db.put(p)
	t.db.retire(old, old.segments)
	t.since = time.Time{}
	return nil
}

// dropRemote empties the table in the bucket.
func (t *Table) dropRemote(ctx context.Context) error {
	r := t.remote
	if r == nil {
		return nil
	}
	if err := t.claim(ctx, false); err != nil { // perhaps of what is to be dropped
		if r.lost != nil {
			return r.lost
		}
		if _, r.version, err = t.db.look(ctx, r); err != nil {
			return err
		}
	}
	return t.publish(ctx, func(p *port) { p.segments, p.rolled = nil, 0 })
}

// Forget drops a table and what it was made with, so that Table can make it anew with
// another contract. No Table of it may be in use. It is no error when there is none.
func (db *DB) Forget(ctx context.Context, schema, name string) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	p := db.find(schema, name)
	if p == nil {
		return nil
	}
	if db.cache != nil {
		r := db.remoteOf(p.folder)
		if err := db.store.Bucket.Delete(ctx, r.manifest()); err != nil {
			return fmt.Errorf("forget %s.%s: %w", schema, name, err)
		}
		r.doubt()
	}
	err := db.write(ctx, func(w *conn) error {
		for _, view := range p.views {
			if err := w.exec(ctx, "DROP VIEW IF EXISTS "+ident(schema)+"."+ident(view)); err != nil {
				return err
			}
		}
		for _, table := range []string{portTable + " WHERE id", positionTable + " WHERE port", segmentTable + " WHERE port"} {
			if err := w.exec(ctx, "DELETE FROM "+table+" = $1", p.id); err != nil {
				return err
			}
		}
		for _, level := range p.levels() {
			if err := w.exec(ctx, "DROP TABLE "+level); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("forget %s.%s: %w", schema, name, err)
	}
	delete(db.ports, p.id)
	db.show()
	db.retire(p, p.segments)
	return nil
}

// retire lets p's old segments go, once no query reads them.
func (db *DB) retire(p *port, old []segment) {
	paths := make([]string, len(old))
	for i, s := range old {
		paths[i] = filepath.Join(db.dir, p.folder, s.file)
	}
	db.pool.retire(paths)
}
