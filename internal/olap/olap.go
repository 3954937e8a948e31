// Package olap is DuckDB and Parquet: tables kept from a port's log, segments, SQL
// over both, and reading files. It is meshctl's only cgo.
//
// A table is a SQL view over immutable Parquet segments and a fresh tail, which is an
// ordinary DuckDB table. The view is replaced in the transaction that changes what it
// stands on, so a query, which is one transaction, sees files, tail and position of one
// moment: no row twice, none missing. A view rather than a table function, because
// DuckDB pushes filters and columns through a view into Parquet.
//
// The tail is swapped, never emptied: a roll seals it and starts a fresh one in one short
// transaction, writes the file while commits go on, and drops the sealed table in the
// transaction that adds the file. Deleting the rows instead would leave holes in the
// database file, and hold up commits for as long as the file takes to write.
//
// Segments may live in a bucket, and the volume then is a cache of them. The bucket's
// manifest of a table is the authority: a segment is uploaded under a name that none ever
// had, the manifest that names it takes the place of the one before if nobody else replaced
// that (If-Match), and then the DuckDB transaction follows. A volume that is behind, for a
// crash or because it is empty, follows when it opens, and the log gives it the rest: what
// the manifest holds up to is the table's position. Nothing is deleted from the bucket but
// right after a manifest of our own got there, which ends every earlier request still on
// its way, and only what that does not name. The manifest bears the volume's name, for a
// position means something only beside the log it counts: another volume is refused, not
// waited out, since no lease can tell a lost volume from a slow one. Who is replaced all
// the same, by a copy of its volume say, cannot write any more and says so. Keeping a
// manifest for each product instead was refused: ports roll apart.
//
// The tail of a state port has no primary key. A batch deletes its keys by a hash join
// and inserts them again: an index costs memory for every key, slows the replay of the
// write-ahead log, and was slower to maintain.
package olap

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Options bound what a database takes. Zero fields do not bound.
type Options struct {
	Threads     int
	MemoryLimit int64  // bytes
	TempLimit   int64  // bytes that queries may spill to disk
	TempDir     string // where they spill: for Open its own folder by default, for OpenMemory nowhere
	Logger      *slog.Logger
	Store       BucketOptions
}

// fileName is the database file within a product's folder.
const fileName = "tables.duckdb"

// walLimit is how far the write-ahead log grows before it is folded into the database
// file, which holds up commits for as long as it takes to write every tail. A roll folds
// it before, when there is hardly a tail; this bounds how long a start may replay it.
const walLimit = 512 << 20

// DB is one product's tables, or in memory a place to join several products' answers.
type DB struct {
	dir   string // absolute; empty in memory
	e     *engine
	log   *slog.Logger
	pool  *readers
	texts texts  // of somebody's statements
	logic texts  // of the product's own
	life  string // tells what was open before from what is

	stages atomic.Int64 // that were made

	store   BucketOptions
	cache   *cache // nil where segments are in the volume alone
	process string // tells this DB from others of the same volume

	mu     sync.Mutex // one writer at a time; guards all below
	w      *conn
	ports  map[int64]*port // as of the last commit, by id; put changes it
	puts   int64
	closed bool

	shown  atomic.Pointer[map[int64]*port] // a copy of ports, for those who do not wait for the writer
	proofs proofs

	remotesMu sync.Mutex
	remotes   map[string]*remote // by folder
}

// Open opens the tables in dir and makes them if there are none. It is a Conflict
// when another process has them open, ErrDamaged when its files are.
func Open(ctx context.Context, dir string, o Options) (*DB, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open tables: %w", err)
	}
	if o.TempDir == "" {
		o.TempDir = filepath.Join(dir, "tmp")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open tables: %w", err)
	}
	path := filepath.Join(dir, fileName)
	if err := inspect(path); err != nil {
		return nil, err
	}
	db, err := open(ctx, dir, path, o)
	if err != nil {
		return nil, openFault(path, err)
	}
	if o.Store.Bucket != nil {
		db.store, db.cache, db.process, db.remotes = o.Store, newCache(dir, o.Store, &db.proofs, db.log), rand.Text(), map[string]*remote{}
	}
	if err := db.loadPorts(ctx); err != nil {
		return nil, errors.Join(openFault(path, err), db.Close())
	}
	return db, nil
}

// OpenMemory opens an empty database in memory, for a coordinator: a Stage fills it.
func OpenMemory(ctx context.Context, o Options) (*DB, error) {
	db, err := open(ctx, "", "", o)
	if err != nil {
		return nil, fmt.Errorf("open a database in memory: %w", err)
	}
	return db, nil
}

func open(ctx context.Context, dir, path string, o Options) (*DB, error) {
	var e *engine
	var err error
	start := func() { e, err = openEngine(path, settings(o)) }
	if dir == "" {
		start()
	} else {
		// What runs in parallel gives way to commits and gets; who asks for an answer
		// works on it too, at the priority of the rest.
		gently(start)
	}
	if err != nil {
		return nil, err
	}
	w, err := e.connect()
	if err != nil {
		e.close()
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	db := &DB{dir: dir, e: e, log: o.Logger, w: w, pool: newReaders(e, o.Logger), ports: map[int64]*port{}, life: rand.Text()}
	db.pool.gone = db.gone
	db.show()
	if err := sandbox(ctx, w, dir); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// unsound are the optimizers of this DuckDB that change answers: of the first rows in an
// order by several columns, it may leave out those that a join above has no partner for,
// and take others instead. TestTheFirstRowsAreChosenBeforeTheyAreJoined shows it.
const unsound = "join_filter_pushdown"

// settings are the engine's settings; a statement cannot change them later.
func settings(o Options) map[string]string {
	s := map[string]string{
		"autoinstall_known_extensions": "false",
		"autoload_known_extensions":    "false",
		"temp_directory":               o.TempDir,
		"wal_autocheckpoint":           strconv.Itoa(walLimit) + "B",
		"disabled_optimizers":          unsound,
	}
	if o.Threads > 0 {
		s["threads"] = strconv.Itoa(o.Threads)
	}
	if o.MemoryLimit > 0 {
		s["memory_limit"] = strconv.FormatInt(o.MemoryLimit, 10) + "B"
	}
	if o.TempLimit > 0 && o.TempDir != "" {
		s["max_temp_directory_size"] = strconv.FormatInt(o.TempLimit, 10) + "B"
	}
	return s
}

// sandbox shuts out files other than those in dir, the network and extensions, for every
// connection of the database and for good, and settings too but in memory, where a Stage
// sets how it plans; no statement that may be queried is a SET.
func sandbox(ctx context.Context, c *conn, dir string) error {
	var statements []string
	if dir != "" {
		statements = append(statements, "SET allowed_directories = ["+literal(dir+string(filepath.Separator))+"]")
	}
	statements = append(statements, "SET enable_external_access = false")
	if dir != "" {
		statements = append(statements, "SET lock_configuration = true")
	}
	for _, sql := range statements {
		if err := c.exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", strings.ToLower(sql[:strings.Index(sql, "=")]), err)
		}
	}
	return nil
}

// Close closes the database. A query that still runs keeps the file open until its
// Rows are closed.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return nil
	}
	db.closed = true
	if db.cache != nil {
		db.cache.close()
	}
	db.pool.close()
	db.w.close()
	db.e.close()
	return nil
}

// write runs body as the one writer, in one transaction.
func (db *DB) write(ctx context.Context, body func(w *conn) error) error {
	if db.closed {
		return errClosed
	}
	return db.w.tx(ctx, func() error { return body(db.w) })
}

// fold takes the write-ahead log into the database file, unless a query still reads what
// that would replace: then it is for the next fold.
func (db *DB) fold(ctx context.Context) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return errClosed
	}
	err := db.w.exec(ctx, "CHECKPOINT")
	if err != nil && strings.Contains(err.Error(), "Cannot CHECKPOINT") {
		return nil
	}
	return err
}

// put makes p the port as of the last commit; db.mu is held.
func (db *DB) put(p *port) {
	db.puts++
	p.version = db.puts
	db.ports[p.id] = p
	db.show()
}

func (db *DB) show() {
	ports := maps.Clone(db.ports)
	db.shown.Store(&ports)
}

var errClosed = errors.New("the database is closed")

// ident is name as a quoted SQL identifier.
func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// idents are names, quoted and joined by commas; prefix, if any, goes before each.
func idents(prefix string, names []string) string {
	var b strings.Builder
	for i, n := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(prefix)
		b.WriteString(ident(n))
	}
	return b.String()
}

// literal is s as a SQL string.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// literals is a SQL list of strings.
func literals(list []string) string {
	quoted := slices.Clone(list)
	for i, s := range quoted {
		quoted[i] = literal(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
