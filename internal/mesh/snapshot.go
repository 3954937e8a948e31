package mesh

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/jsm.go/api"

	"github.com/meshctl/meshctl/internal/fault"
)

// Backup is what is known of a stream's backup beside the archive of its messages. The
// two are as the nats command line keeps them too, which ignores Proof.
type Backup struct {
	Config StreamConfig    `json:"config"`
	State  api.StreamState `json:"state"`
	Proof  BackupProof     `json:"meshctl"`
}

// BackupProof is how to tell that an archive is whole.
type BackupProof struct {
	Domain string    `json:"domain"` // that it was taken of
	Taken  time.Time `json:"taken"`
	Size   int64     `json:"size"` // of the archive
	SHA256 string    `json:"sha256"`
}

// SnapshotQuery asks for the archive of a stream, from a byte on. ID is the asker's name
// for it: whoever was interrupted asks for the rest by the same one, and drops it at last.
type SnapshotQuery struct {
	Stream string `json:"stream"`
	ID     string `json:"id"`
	From   int64  `json:"from,omitempty"`
	Drop   bool   `json:"drop,omitempty"`
}

const (
	pieceBytes   = 256 << 10 // of an archive, in an answer
	snapshotKept = time.Hour // that an archive waits for its asker to come back
	restoreChunk = 512 << 10 // of an archive, to the server
	chunkLimit   = time.Hour // that the server may take to store what it was sent
)

// spools are archives on their way, as files: out of the leaf, or into it.
type spools struct {
	dir string
	mu  sync.Mutex
	out map[string]*spool
}

// spool is an archive that is being written.
type spool struct {
	path   string
	stream string
	used   time.Time // guarded by spools

	mu      sync.Mutex
	changed chan struct{} // closed at each change
	size    int64
	ended   bool
	err     error
	backup  Backup
}

var spoolName = regexp.MustCompile(`^[A-Za-z0-9_-]{8,80}$`)

// path is the file of an archive.
func (s *spools) path(id string) (string, error) {
	if s.dir == "" {
		return "", fault.New(fault.Unavailable, "ask the product that the stream belongs to", "there is no room for archives here")
	}
	if !spoolName.MatchString(id) {
		return "", fault.New(fault.Invalid, "", "%q cannot be the name of an archive", id)
	}
	return filepath.Join(s.dir, id), os.MkdirAll(s.dir, 0o700)
}

// open is the archive of that name; fresh when it did not exist. Those that nobody has
// asked for in a while are dropped.
func (s *spools) open(q SnapshotQuery) (_ *spool, fresh bool, err error) {
	path, err := s.path(q.ID)
	if err != nil {
		return nil, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out == nil {
		s.out = map[string]*spool{}
	}
	for id, old := range s.out {
		if time.Since(old.used) > snapshotKept && old.whole() {
			delete(s.out, id)
			_ = os.Remove(old.path) // what cannot be removed is overwritten at the next start
		}
	}
	if sp := s.out[q.ID]; sp != nil && sp.stream == q.Stream {
		sp.used = time.Now()
		return sp, false, nil
	}
	if q.From > 0 {
		return nil, false, fault.New(fault.NotFound, "begin the backup again", "the archive of stream %s is not there any more", q.Stream)
	}
	sp := &spool{path: path, stream: q.Stream, used: time.Now(), changed: make(chan struct{})}
	s.out[q.ID] = sp
	return sp, true, nil
}

func (s *spools) drop(id string) error {
	s.mu.Lock()
	sp := s.out[id]
	delete(s.out, id)
	s.mu.Unlock()
	if sp == nil {
		return nil
	}
	if err := os.Remove(sp.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("drop an archive: %w", err)
	}
	return nil
}

// grow says that so many more bytes may be read.
func (sp *spool) grow(n int) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.size += int64(n)
	close(sp.changed)
	sp.changed = make(chan struct{})
}

// end says that no more will come.
func (sp *spool) end(b Backup, err error) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.ended, sp.err, sp.backup = true, err, b
	close(sp.changed)
	sp.changed = make(chan struct{})
}

// whole says whether nothing is written to the archive any more.
func (sp *spool) whole() bool {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	return sp.ended
}

// more waits until the archive has more than at bytes, or has ended.
func (sp *spool) more(ctx context.Context, at int64) (size int64, ended bool, err error) {
	for {
		sp.mu.Lock()
		size, ended, err := sp.size, sp.ended, sp.err
		changed := sp.changed
		sp.mu.Unlock()
		if size > at || ended {
			return size, ended, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return size, ended, context.Cause(ctx)
		}
	}
}

// Snapshot sends the archive of a stream in pieces and returns what is known of it. The
// archive goes into a file first, which is read while it grows: the server waits for
// nobody, and whoever was interrupted goes on where it was.
func (a *Admin) Snapshot(ctx context.Context, q SnapshotQuery, send func([]byte) error) (b Backup, err error) {
	if err := a.content(q.Stream); err != nil {
		return b, err
	}
	if q.Drop {
		return b, a.spools.drop(q.ID)
	}
	sp, fresh, err := a.spools.open(q)
	if err != nil {
		return b, err
	}
	if fresh {
		var taking sync.WaitGroup
		defer taking.Wait() // what was begun is useful to who comes back
		taking.Go(func() { a.take(context.WithoutCancel(ctx), sp) })
		if _, _, err := sp.more(ctx, 0); err != nil {
			return b, err
		}
	}
	f, err := os.Open(sp.path)
	if err != nil {
		return b, fmt.Errorf("read the archive of stream %s: %w", q.Stream, err)
	}
	defer func() { _ = f.Close() }()
	buf := make([]byte, pieceBytes)
	for at := q.From; ; {
		size, ended, err := sp.more(ctx, at)
		if err != nil {
			return b, err
		}
		if size == at && ended {
			return sp.backup, nil
		}
		n, err := f.ReadAt(buf[:min(int64(len(buf)), size-at)], at)
		if err != nil {
			return b, fmt.Errorf("read the archive of stream %s: %w", q.Stream, err)
		}
		if err := send(buf[:n]); err != nil {
			return b, err
		}
		at += int64(n)
	}
}

// take writes the archive of a stream into its spool.
func (a *Admin) take(ctx context.Context, sp *spool) {
	b, err := a.archive(ctx, sp)
	if err != nil { // the next attempt begins anew
		err = errors.Join(fmt.Errorf("back up stream %s: %w", sp.stream, err), a.spools.drop(filepath.Base(sp.path)))
	}
	sp.end(b, err)
}

func (a *Admin) archive(ctx context.Context, sp *spool) (b Backup, err error) {
	info, err := a.info(ctx, sp.stream)
	if err != nil {
		return b, err
	}
	m, err := a.manager()
	if err != nil {
		return b, err
	}
	stream, err := m.LoadStream(sp.stream)
	if err != nil {
		return b, err
	}
	f, err := os.OpenFile(sp.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return b, err
	}
	w := &spoolWriter{File: f, sum: sha256.New(), sp: sp}
	meta := &metaBuffer{}
	sp.grow(0)
	if _, err := stream.SnapshotToBuffer(ctx, w, meta); err != nil { // closes both
		return b, err
	}
	if err := errors.Join(w.err, meta.decode(&b)); err != nil {
		return b, err
	}
	b.Proof = BackupProof{Domain: info.Domain, Taken: time.Now().UTC(), Size: w.size, SHA256: hex.EncodeToString(w.sum.Sum(nil))}
	return b, nil
}

func (a *Admin) manager() (*jsm.Manager, error) {
	opts := []jsm.Option{jsm.WithTimeout(chunkLimit)}
	if a.domain != "" {
		opts = append(opts, jsm.WithDomain(a.domain))
	}
	return jsm.New(a.nc.Conn, opts...)
}

// spoolWriter writes an archive, and what it was.
type spoolWriter struct {
	*os.File
	sum  hash.Hash
	sp   *spool
	size int64
	err  error // of closing
}

func (w *spoolWriter) Write(p []byte) (int, error) {
	n, err := w.File.Write(p)
	w.sum.Write(p[:n])
	w.size += int64(n)
	w.sp.grow(n)
	return n, err
}

func (w *spoolWriter) Close() error {
	w.err = w.File.Close()
	return w.err
}
