package olap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/meshctl/meshctl/internal/durable"
)

// proofs remembers of segments' files whether they have what was written to them. DuckDB
// does not look: of a flipped bit it makes another number. A file is read once before
// anybody reads it, not when the process starts, and once more when the system says that
// it is not the same file any more.
type proofs struct {
	mu    sync.Mutex
	files map[string]*proof // by path
}

type proof struct {
	mu   sync.Mutex  // one reads the file, the others wait
	file os.FileInfo // that err is of; nil when nobody has looked
	err  error
}

func (p *proofs) of(path string) *proof {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.files[path]
	if f == nil {
		if p.files == nil {
			p.files = map[string]*proof{}
		}
		f = &proof{}
		p.files[path] = f
	}
	return f
}

// accept takes a file that this process has just written, and read, for proven.
func (p *proofs) accept(path string) {
	info, err := os.Stat(path)
	if err != nil { // check will look
		return
	}
	f := p.of(path)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.file, f.err = info, nil
}

func (p *proofs) forget(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.files, path)
}

// check is ErrDamaged when the segment's file has not what was written to it, and in the
// chain of the error is fs.ErrNotExist when it is not there.
func (p *proofs) check(ctx context.Context, path string, s segment) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return damage(fmt.Errorf("segment %s is missing: %w", path, fs.ErrNotExist))
	}
	if err != nil {
		return fmt.Errorf("read segment: %w", err)
	}
	f := p.of(path)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != nil && unchanged(f.file, info) {
		return f.err
	}
	err = s.intact(ctx, path)
	if err == nil || errors.Is(err, ErrDamaged) {
		f.file, f.err = info, err
	}
	return err
}

// found is the damage that was found in a file so far.
func (p *proofs) found(path string) error {
	p.mu.Lock()
	f := p.files[path]
	p.mu.Unlock()
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func unchanged(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// intact reads the segment's file and compares it with what was written to it.
func (s *segment) intact(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := inspectSegment(f, s.bytes); err != nil {
		return err
	}
	switch {
	case s.checksum != "":
		sum, err := durable.Checksum(stoppable{ctx, f})
		if err != nil {
			return fmt.Errorf("read segment: %w", err)
		}
		if sum != s.checksum {
			return damage(fmt.Errorf("segment %s has not what was written to it: its checksum is %s, not %s", path, sum, s.checksum))
		}
	case named(s.file): // of an earlier meshctl
		return checkSum(s.file, path)
	}
	return nil
}

func checksumOf(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return durable.Checksum(stoppable{ctx, f})
}

// stoppable is a reader that ends with its context.
type stoppable struct {
	ctx context.Context
	r   io.Reader
}

func (s stoppable) Read(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(b)
}

// prove is an error unless the segments' files on the volume have what was written to them.
func (db *DB) prove(ctx context.Context, folder string, segments []segment) error {
	if len(segments) == 0 {
		return nil
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, s := range segments {
		g.Go(func() error { return db.proofs.check(gctx, filepath.Join(db.dir, folder, s.file), s) })
	}
	return g.Wait()
}

// Damage is what was found wrong with the table's files on the volume so far, nil when
// nothing was.
func (t *Table) Damage() error {
	p := t.snapshot()
	var found []error
	for _, s := range p.segments {
		found = append(found, t.db.proofs.found(filepath.Join(t.db.dir, p.folder, s.file)))
	}
	return errors.Join(found...)
}

// Prove reads all of the table's files on the volume anew, whoever has read them before,
// and is ErrDamaged when one has not what was written to it.
func (t *Table) Prove(ctx context.Context) error {
	p := t.snapshot()
	for _, s := range p.segments {
		path := filepath.Join(t.db.dir, p.folder, s.file)
		if _, err := os.Stat(path); t.remote != nil && errors.Is(err, fs.ErrNotExist) {
			continue // it is in the bucket
		}
		t.db.proofs.forget(path)
		err := t.db.proofs.check(ctx, path, s)
		if err != nil && !errors.Is(err, ErrDamaged) {
			return err
		}
	}
	return t.Damage()
}
