package olap

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Where segments are in a bucket, a view does not name their files: which of them are in
// the volume differs from moment to moment, and DuckDB opens them when a view is made. It
// names a variable of the connection, which each reader sets to the files that it holds.

// variable is the one for a port's segments with so many columns.
func (p *port) variable(columns int) string { return fmt.Sprintf("segments_%d_%d", p.id, columns) }

// widths are the numbers of columns that the port's segments have, each once.
func (p *port) widths() []int {
	var list []int
	for _, s := range p.segments {
		if !slices.Contains(list, s.columns) {
			list = append(list, s.columns)
		}
	}
	slices.Sort(list)
	return list
}

// variableParts are SELECTs over the files that a connection's variables name.
func (p *port) variableParts(order []string) []string {
	var parts []string
	for _, n := range p.widths() {
		parts = append(parts, "SELECT "+p.list(order, n, false)+" FROM read_parquet(getvariable("+literal(p.variable(n))+")) AS s")
	}
	return parts
}

// emptyExt ends the names of files that have the columns of segments and no row.
const emptyExt = ".empty"

// bindEmpty sets the variables of the port for the connection that makes its view, to
// files without rows.
func (db *DB) bindEmpty(ctx context.Context, w *conn, p *port) error {
	for _, n := range p.widths() {
		var columns []string
		for _, c := range p.columns[:n] {
			columns = append(columns, "NULL::"+c.Type+" AS "+ident(c.Name))
		}
		sql := "SELECT " + strings.Join(columns, ", ") + " LIMIT 0"
		file := filepath.Join(db.dir, p.folder, fmt.Sprintf("%.8x%s", sha256.Sum256([]byte(sql)), emptyExt))
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				return err
			}
			if err := w.exec(ctx, "COPY ("+sql+") TO "+literal(file)+" (FORMAT parquet)"); err != nil {
				return err
			}
		}
		if err := w.exec(ctx, "SET VARIABLE "+p.variable(n)+" = "+literals([]string{file})); err != nil {
			return err
		}
	}
	return nil
}

// bring holds the segments that the reader's transaction sees of the ports, until the
// reader is released, each of which has what was written to it, and sets its variables to
// their files. shown is from before the transaction: what that lacks of it was written by
// this process since.
func (db *DB) bring(ctx context.Context, r *reader, ports []int64, shown *map[int64]*port) error {
	if db.cache == nil {
		for _, id := range ports {
			if p := (*shown)[id]; p != nil {
				if err := db.prove(ctx, p.folder, p.segments); err != nil {
					return err
				}
			}
		}
		return nil
	}
	var releases []func()
	r.held = func() {
		for _, release := range releases {
			release()
		}
	}
	for _, id := range ports {
		rows, err := r.keptRows(ctx, "SELECT folder FROM "+portTable+" WHERE id = $1", id)
		if err != nil || len(rows) == 0 {
			return err
		}
		p := &port{id: id, folder: rows[0][0].(string)}
		if p.segments, err = readSegments(ctx, r.conn, id); err != nil {
			return err
		}
		release, err := db.hold(ctx, p.folder, p.segments)
		if err != nil {
			return fmt.Errorf("fetch segments of %s: %w", p.folder, err)
		}
		releases = append(releases, release)
		for _, n := range p.widths() {
			var files []string
			for _, s := range p.segments {
				if s.columns == n {
					files = append(files, filepath.Join(db.dir, p.folder, s.file))
				}
			}
			if err := r.exec(ctx, "SET VARIABLE "+p.variable(n)+" = "+literals(files)); err != nil {
				return err
			}
		}
	}
	return nil
}

// hold brings segments into the volume and keeps them there until release is called. Each
// has what was written to it.
func (db *DB) hold(ctx context.Context, folder string, segments []segment) (release func(), err error) {
	if db.cache == nil {
		return func() {}, db.prove(ctx, folder, segments)
	}
	return db.cache.hold(ctx, folder, segments)
}

// gone is told of a segment's file that was let go: its object, if any, is garbage then.
func (db *DB) gone(path string) {
	db.proofs.forget(path)
	if db.cache == nil {
		return
	}
	rel, err := filepath.Rel(db.dir, path)
	if err != nil { // not a path of ours
		return
	}
	name := filepath.ToSlash(rel)
	db.cache.drop(name)
	db.remotesMu.Lock()
	defer db.remotesMu.Unlock()
	if r := db.remotes[filepath.ToSlash(filepath.Dir(rel))]; r != nil {
		r.forgetLater(name)
	}
}
