package olap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// cache is the segments of a bucket that are in the volume too. A query holds those that
// it reads; what nobody holds goes, the least recently used first, once all together have
// more than bound bytes. So the volume holds more than that only while queries need it.
type cache struct {
	dir    string
	bucket Bucket
	bound  int64
	proofs *proofs
	log    *slog.Logger
	ctx    context.Context // of downloads, which several queries may wait for
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	files   map[string]*cached // by object name
	used    int64
	flights map[string]*flight
}

type cached struct {
	size int64
	here bool // it counts in used
	held int
	last time.Time
}

// flight is a download under way.
type flight struct {
	done chan struct{}
	err  error // once done
}

// parallel is how many segments one query fetches at a time.
const parallel = 4

func newCache(dir string, o BucketOptions, p *proofs, log *slog.Logger) *cache {
	c := &cache{dir: dir, bucket: o.Bucket, bound: o.Cache, proofs: p, log: log, files: map[string]*cached{}, flights: map[string]*flight{}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

func (c *cache) close() {
	c.cancel()
	c.wg.Wait()
}

func (c *cache) path(name string) string { return filepath.Join(c.dir, filepath.FromSlash(name)) }

// add counts a file that is there.
func (c *cache) add(name string, size int64, used time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count(name, size, used)
	c.evict()
}

func (c *cache) count(name string, size int64, used time.Time) *cached {
	f := c.files[name]
	if f == nil {
		f = &cached{}
		c.files[name] = f
	}
	if !f.here {
		f.here, f.size = true, size
		c.used += size
	}
	f.last = used
	return f
}

// drop forgets a file that was deleted.
func (c *cache) drop(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.files[name]; f != nil {
		c.gone(f)
		delete(c.files, name)
	}
}

func (c *cache) gone(f *cached) {
	if f.here {
		f.here = false
		c.used -= f.size
	}
}

// evict deletes files that nobody holds while there are too many bytes; c.mu is held.
func (c *cache) evict() {
	if c.bound == 0 || c.used <= c.bound {
		return
	}
	var free []string
	for name, f := range c.files {
		if f.here && f.held == 0 {
			free = append(free, name)
		}
	}
	slices.SortFunc(free, func(a, b string) int {
		return cmp.Or(c.files[a].last.Compare(c.files[b].last), cmp.Compare(a, b))
	})
	for _, name := range free {
		if c.used <= c.bound {
			return
		}
		if err := removeIfThere(c.path(name)); err != nil {
			c.log.Warn("a cached segment could not be deleted", "file", c.path(name), "error", err)
		}
		c.gone(c.files[name])
		delete(c.files, name)
	}
}

// hold brings the segments into the volume and keeps them there until release is called.
// What others fetch already is fetched once.
func (c *cache) hold(ctx context.Context, folder string, segments []segment) (release func(), err error) {
	names := make([]string, len(segments))
	c.mu.Lock()
	for i, s := range segments {
		names[i] = folder + "/" + s.file
		f := c.files[names[i]]
		if f == nil {
			f = &cached{size: s.bytes}
			c.files[names[i]] = f
		}
		f.held++
		f.last = time.Now()
	}
	c.mu.Unlock()
	release = sync.OnceFunc(func() { c.release(names) })
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, s := range segments {
		g.Go(func() error {
			if there, err := c.has(gctx, names[i], s); there || err != nil {
				return err
			}
			return c.await(gctx, names[i], s)
		})
	}
	if err := g.Wait(); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

func (c *cache) release(names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range names {
		if f := c.files[name]; f != nil { // else it was retired
			f.held--
			if f.held == 0 && !f.here {
				delete(c.files, name)
			}
		}
	}
	c.evict()
}

// has says whether the file is there and has what was written to it. Somebody may have
// deleted it; one that is damaged is deleted here, for the bucket has another.
func (c *cache) has(ctx context.Context, name string, s segment) (bool, error) {
	err := c.proofs.check(ctx, c.path(name), s)
	there := err == nil
	switch {
	case there, errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, ErrDamaged):
		c.log.Warn("a segment on the volume was damaged; it is fetched again from the bucket", "error", err)
		c.proofs.forget(c.path(name))
		if err := removeIfThere(c.path(name)); err != nil {
			return false, err
		}
	default:
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch f := c.files[name]; {
	case f == nil:
	case there:
		c.count(name, s.bytes, time.Now())
	default:
		c.gone(f)
	}
	return there, nil
}

// await waits for the download of a segment, which it starts unless somebody has.
func (c *cache) await(ctx context.Context, name string, s segment) error {
	c.mu.Lock()
	f := c.flights[name]
	if f == nil {
		f = &flight{done: make(chan struct{})}
		c.flights[name] = f
		c.wg.Go(func() {
			f.err = c.fetch(name, s)
			c.mu.Lock()
			defer c.mu.Unlock()
			delete(c.flights, name)
			close(f.done)
		})
	}
	c.mu.Unlock()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fetch downloads a segment, checks it, and makes it durable under its name.
func (c *cache) fetch(name string, s segment) error {
	if there, err := c.has(c.ctx, name, s); there || err != nil { // another download has just ended
		return err
	}
	file := c.path(name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	err := c.bucket.Download(c.ctx, name, file+tmpExt)
	if err == nil {
		err = checkSum(name, file+tmpExt)
	}
	if err == nil {
		_, err = settleFile(file+tmpExt, file, true)
	}
	if err != nil {
		err = errors.Join(err, removeIfThere(file+tmpExt))
		if errors.Is(err, fs.ErrNotExist) {
			err = damage(fmt.Errorf("a segment that the table needs is gone: %w", err))
		}
		return err
	}
	c.proofs.accept(file)
	c.add(name, s.bytes, time.Now())
	return nil
}

// keep counts a segment that an earlier process left in the volume, if it is whole.
func (c *cache) keep(name string, size int64) error {
	info, err := os.Stat(c.path(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Size() != size:
		return os.Remove(c.path(name))
	}
	c.add(name, size, info.ModTime())
	return nil
}
