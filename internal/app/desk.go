package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/meshctl/meshctl/internal/olap"
)

const (
	// joinMemory is what the tables and joins of one query take in the asking process; beyond
	// it they wait on disk.
	joinMemory = 2 << 30
	// keptMemory and mostKept bound what is kept of earlier statements, of all together.
	keptMemory = 1 << 30
	mostKept   = 64
)

// desk is a database in which a client puts together answers over several products, and
// where it keeps what it fetched for earlier statements.
type desk struct {
	*olap.DB
	kept []*kept
}

// kept is a statement that may be asked again, with all that was fetched for it.
type kept struct {
	key   string
	join  *join
	bytes int64
	used  int64 // the higher, the later
}

// local are a client's desks. One has one statement at a time: DuckDB 1.5 may crash where
// databases are attached and detached while other connections bind. They are opened when
// something first needs them: most statements are their owner's alone.
type local struct {
	mu    sync.Mutex
	all   []*desk
	idle  []*desk
	uses  int64
	most  int64 // bytes to keep; 0 for keptMemory
	spill string
}

// open is a desk that nobody else uses until it is given back.
func (l *local) open(ctx context.Context) (d *desk, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.idle); n > 0 {
		d, l.idle = l.idle[n-1], l.idle[:n-1]
		return d, nil
	}
	if l.spill == "" {
		if l.spill, err = os.MkdirTemp("", "meshctl-query-"); err != nil {
			return nil, fmt.Errorf("make a folder for what a query has no memory for: %w", err)
		}
	}
	db, err := olap.OpenMemory(ctx, olap.Options{TempDir: l.spill, MemoryLimit: joinMemory})
	if err != nil {
		return nil, err
	}
	d = &desk{DB: db}
	l.all = append(l.all, d)
	return d, nil
}

func (l *local) give(d *desk) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.idle = append(l.idle, d)
}

// find opens the desk that keeps something for the statement of that key, and takes it from
// there; nil where no idle one does.
func (l *local) find(key string) (*desk, *join) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n, d := range l.idle {
		if i := slices.IndexFunc(d.kept, func(k *kept) bool { return k.key == key }); i >= 0 {
			j := d.kept[i].join
			d.kept = slices.Delete(d.kept, i, i+1)
			l.idle = slices.Delete(l.idle, n, n+1)
			return d, j
		}
	}
	return nil, nil
}

// keep gives a desk back, and keeps on it what was fetched for a statement, instead of what
// was not used for longest.
func (l *local) keep(ctx context.Context, d *desk, key string, j *join) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.idle = append(l.idle, d)
	bytes, err := d.Memory(ctx)
	if err != nil {
		return errors.Join(err, j.stage.Close())
	}
	for _, k := range d.kept {
		bytes -= k.bytes
	}
	l.uses++
	d.kept = append(d.kept, &kept{key: key, join: j, bytes: max(bytes, 0), used: l.uses})
	for err == nil {
		from, i := l.surplus()
		if from == nil {
			break
		}
		err = from.kept[i].join.stage.Close()
		from.kept = slices.Delete(from.kept, i, i+1)
	}
	return err
}

// surplus is what to keep no longer, of what idle desks keep; nil where nothing is too much.
func (l *local) surplus() (from *desk, i int) {
	n, bytes := 0, int64(0)
	for _, d := range l.all {
		for k := range d.kept {
			n, bytes = n+1, bytes+d.kept[k].bytes
			if slices.Contains(l.idle, d) && (from == nil || d.kept[k].used < from.kept[i].used) {
				from, i = d, k
			}
		}
	}
	if n <= mostKept && bytes <= cmp.Or(l.most, keptMemory) {
		return nil, 0
	}
	return from, i
}

func (l *local) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	for _, d := range l.all {
		err = errors.Join(err, d.Close())
	}
	if l.spill != "" {
		err = errors.Join(err, os.RemoveAll(l.spill))
	}
	return err
}
