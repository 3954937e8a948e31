package olap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/meshctl/meshctl/internal/record"
)

// The manifest: which tables there are, which tail each has, which segments, and how
// far each has come. A product's name has no underscore, so the schema is ours alone.
const (
	ownSchema     = "_meshctl"
	portTable     = ownSchema + ".port"
	segmentTable  = ownSchema + ".segment"
	positionTable = ownSchema + ".position"
)

var manifestDDL = []string{
	"CREATE SCHEMA IF NOT EXISTS " + ownSchema,
	"CREATE TABLE IF NOT EXISTS " + portTable +
		" (id INTEGER, schema VARCHAR, name VARCHAR, folder VARCHAR, state BOOLEAN, key VARCHAR, columns VARCHAR, tail INTEGER, used BOOLEAN, sealed INTEGER)",
	"CREATE TABLE IF NOT EXISTS " + segmentTable +
		" (port INTEGER, file VARCHAR, first UBIGINT, last UBIGINT, rows BIGINT, bytes BIGINT, columns INTEGER)",
	"ALTER TABLE " + segmentTable + " ADD COLUMN IF NOT EXISTS checksum VARCHAR",
	"CREATE TABLE IF NOT EXISTS " + positionTable +
		" (port INTEGER, seq UBIGINT, time TIMESTAMPTZ, rolled UBIGINT, sealing UBIGINT)",
}

// port is one table's row of the manifest and its segments. It is never changed, only
// replaced by a changed copy once a transaction has committed.
type port struct {
	id                   int64
	schema, name, folder string
	state                bool
	key                  []string
	columns              []column // in the order in which they came to be
	tail                 int64    // number of the tail's table
	used                 bool     // the tail has had rows; until then the view leaves it out
	sealed               int64    // number of the sealed table, 0 for none
	mark                 record.Watermark
	rolled               record.Seq // the segments hold what is up to here
	sealing              record.Seq // the sealed table goes up to here
	segments             []segment  // by first
	views                []string   // its names in SQL, not kept: Table gives them
	version              int64      // of what can be read of it, not kept: put gives it
}

// view is the port's first SQL name.
func (p *port) view() string { return ident(p.schema) + "." + ident(p.views[0]) }

type column struct {
	Name     string `json:"name"`
	Type     string `json:"type"` // DuckDB's
	Nullable bool   `json:"nullable"`
}

// segment is one Parquet file.
type segment struct {
	file        string // within the port's folder
	first, last record.Seq
	rows, bytes int64
	columns     int    // it has the port's first so many columns
	checksum    string // of the file's bytes; empty for one from before there were any
}

func (p *port) tailTable(n int64) string { return fmt.Sprintf("t%d_%d", p.id, n) }

func (p *port) tailName(n int64) string { return ownSchema + "." + p.tailTable(n) }

func (p *port) clone() *port {
	q := *p
	q.columns, q.segments = slices.Clone(p.columns), slices.Clone(p.segments)
	return &q
}

// loadPorts reads the manifest and removes files that a crash left behind.
func (db *DB) loadPorts(ctx context.Context) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	err := db.write(ctx, func(w *conn) error {
		for _, ddl := range manifestDDL {
			if err := w.exec(ctx, ddl); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("make the manifest: %w", err)
	}
	ports, err := readPorts(ctx, db.w)
	if err != nil {
		return fmt.Errorf("read the manifest: %w", err)
	}
	for _, p := range ports {
		db.put(p)
		db.pool.addPath(p.schema)
		if err := db.inspectSegments(p); err != nil {
			return err
		}
		if err := db.removeLeftovers(p); err != nil {
			return fmt.Errorf("remove leftovers of a crash: %w", err)
		}
	}
	return nil
}

func readPorts(ctx context.Context, c *conn) ([]*port, error) {
	rows, err := c.rowsOf(ctx, "SELECT p.id, p.schema, p.name, p.folder, p.state, p.key, p.columns, p.tail, p.used, p.sealed, w.seq, w.time, w.rolled, w.sealing FROM "+
		portTable+" p JOIN "+positionTable+" w ON w.port = p.id ORDER BY p.id")
	if err != nil {
		return nil, err
	}
	var ports []*port
	for _, r := range rows {
		p := &port{
			id: r[0].(int64), schema: r[1].(string), name: r[2].(string), folder: r[3].(string), state: r[4].(bool),
			tail: r[7].(int64), used: r[8].(bool), sealed: r[9].(int64), mark: newWatermark(r[10], r[11]),
			rolled: record.Seq(r[12].(uint64)), sealing: record.Seq(r[13].(uint64)), views: []string{r[2].(string)},
		}
		if err := errors.Join(json.Unmarshal([]byte(r[5].(string)), &p.key), json.Unmarshal([]byte(r[6].(string)), &p.columns)); err != nil {
			return nil, damage(err)
		}
		if p.segments, err = readSegments(ctx, c, p.id); err != nil {
			return nil, err
		}
		ports = append(ports, p)
	}
	return ports, nil
}

func readSegments(ctx context.Context, c *conn, id int64) ([]segment, error) {
	rows, err := c.rowsOf(ctx, "SELECT file, first, last, rows, bytes, columns, coalesce(checksum, '') FROM "+segmentTable+" WHERE port = $1 ORDER BY first", id)
	if err != nil {
		return nil, err
	}
	list := make([]segment, len(rows))
	for i, r := range rows {
		list[i] = segment{
			file: r[0].(string), first: record.Seq(r[1].(uint64)), last: record.Seq(r[2].(uint64)),
			rows: r[3].(int64), bytes: r[4].(int64), columns: int(r[5].(int64)), checksum: r[6].(string),
		}
	}
	return list, nil
}

func newWatermark(seq, at any) record.Watermark {
	w := record.Watermark{Seq: record.Seq(seq.(uint64))}
	if t, ok := at.(time.Time); ok {
		w.Time = t.UTC()
	}
	return w
}

// removeLeftovers deletes files in the port's folder that the manifest does not name.
func (db *DB) removeLeftovers(p *port) error {
	dir := filepath.Join(db.dir, p.folder)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		ours := strings.HasSuffix(e.Name(), segmentExt) || strings.HasSuffix(e.Name(), tmpExt)
		known := slices.ContainsFunc(p.segments, func(s segment) bool { return s.file == e.Name() })
		if ours && !known {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
			db.log.Info("removed a file that a crash left behind", "file", e.Name(), "folder", p.folder)
		}
	}
	return nil
}

// savePort writes p's row of the manifest anew, within the transaction of w.
func savePort(ctx context.Context, w *conn, p *port) error {
	key, err := json.Marshal(p.key)
	if err != nil {
		return err
	}
	columns, err := json.Marshal(p.columns)
	if err != nil {
		return err
	}
	if err := w.exec(ctx, "DELETE FROM "+portTable+" WHERE id = $1", p.id); err != nil {
		return err
	}
	return w.exec(ctx, "INSERT INTO "+portTable+" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
		p.id, p.schema, p.name, p.folder, p.state, string(key), string(columns), p.tail, p.used, p.sealed)
}

// savePosition writes how far p has come, within the transaction of w.
func savePosition(ctx context.Context, w *conn, p *port) error {
	var at any
	if !p.mark.Time.IsZero() {
		at = p.mark.Time
	}
	return w.exec(ctx, "UPDATE "+positionTable+" SET seq = $2, time = $3, rolled = $4, sealing = $5 WHERE port = $1",
		p.id, p.mark.Seq, at, p.rolled, p.sealing)
}

// saveSegments replaces p's segments in the manifest, within the transaction of w.
func saveSegments(ctx context.Context, w *conn, p *port) error {
	if err := w.exec(ctx, "DELETE FROM "+segmentTable+" WHERE port = $1", p.id); err != nil {
		return err
	}
	for _, s := range p.segments {
		if err := w.exec(ctx, "INSERT INTO "+segmentTable+" VALUES ($1, $2, $3, $4, $5, $6, $7, nullif($8, ''))",
			p.id, s.file, s.first, s.last, s.rows, s.bytes, s.columns, s.checksum); err != nil {
			return err
		}
	}
	return nil
}
