package olap

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
)

// readers hands out read connections, and deletes files once no reader that started
// before they were replaced is left.
type readers struct {
	e   *engine
	log *slog.Logger

	mu      sync.Mutex
	idle    []*reader
	running map[*reader]uint64 // the epoch that each started in
	epoch   uint64
	trash   []retired
	path    []string           // schemas in which a lone table name is looked up
	views   map[int64][]string // the SQL names of each port
	closed  bool
	gone    func(path string) // told of each file that was deleted
}

// maxIdle is how many read connections are kept for the next query.
const maxIdle = 8

type reader struct {
	*conn
	path  []string // the schemas in which it looks a lone table name up
	set   string   // the search path that it was given
	views map[int64][]string
	held  func() // lets go the segments that were brought for it; may be nil
}

type retired struct {
	path  string
	epoch uint64 // readers that started in an earlier epoch may read it
}

func newReaders(e *engine, log *slog.Logger) *readers {
	return &readers{e: e, log: log, running: map[*reader]uint64{}}
}

// acquire is a connection for one query. Files that are retired after this call stay
// until it is released.
func (p *readers) acquire(ctx context.Context) (*reader, error) { return p.acquireIn(ctx, "") }

// acquireIn is acquire with a search path, "" for the usual one.
func (p *readers) acquireIn(ctx context.Context, set string) (*reader, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errClosed
	}
	path := p.path
	var r *reader
	if n := len(p.idle); n > 0 {
		r, p.idle = p.idle[n-1], p.idle[:n-1]
	} else {
		c, err := p.e.connect()
		if err != nil {
			p.mu.Unlock()
			return nil, err
		}
		r = &reader{conn: c}
	}
	r.views, r.path = p.views, path
	p.running[r] = p.epoch
	p.mu.Unlock()
	if set == "" {
		set = searchPath(path)
	}
	if r.set != set {
		if err := r.exec(ctx, setPath(set)); err != nil {
			p.release(r)
			return nil, err
		}
		r.set = set
	}
	return r, nil
}

// release takes the connection back.
func (p *readers) release(r *reader) {
	if r.held != nil {
		r.held()
		r.held = nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.running, r)
	if p.closed || len(p.idle) >= maxIdle {
		r.close()
	} else {
		p.idle = append(p.idle, r)
	}
	p.sweep()
}

// addPath makes the tables of schema known by their lone names.
func (p *readers) addPath(schema string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.path, schema) {
		p.path = append(slices.Clone(p.path), schema)
	}
}

// name makes a port known by those SQL names.
func (p *readers) name(id int64, views []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.views = maps.Clone(p.views)
	if p.views == nil {
		p.views = map[int64][]string{}
	}
	p.views[id] = views
}

// retire deletes files that no new query can see, as soon as no old one can read them.
func (p *readers) retire(paths []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.epoch++
	for _, path := range paths {
		p.trash = append(p.trash, retired{path, p.epoch})
	}
	p.sweep()
}

func (p *readers) sweep() {
	oldest := p.epoch
	for _, e := range p.running {
		oldest = min(oldest, e)
	}
	p.trash = slices.DeleteFunc(p.trash, func(t retired) bool {
		if t.epoch > oldest {
			return false
		}
		if err := os.Remove(t.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			p.log.Warn("a replaced segment could not be deleted; the next start tries again", "file", t.path, "error", err)
		}
		p.gone(t.path)
		return true
	})
}

func (p *readers) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, r := range p.idle {
		r.close()
	}
	p.idle = nil
}

// setPath is the statement that makes lone table names be looked up along a search path.
func setPath(path string) string { return "SET search_path = " + literal(path) }

// searchPath are schemas as a search path.
func searchPath(schemas []string) string {
	quoted := make([]string, len(schemas))
	for i, s := range schemas {
		quoted[i] = ident(s)
	}
	return strings.Join(quoted, ",") // no spaces: DuckDB takes them for part of a name
}
