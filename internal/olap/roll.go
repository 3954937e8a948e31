package olap

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/meshctl/meshctl/internal/record"
)

const (
	segmentExt = ".parquet"
	tmpExt     = ".tmp"
)

// Roll moves the tail into one Parquet segment, exactly once whatever happens. Commits
// and queries go on meanwhile. For a state port the segment is the whole table, without
// what newer records have replaced or deleted.
func (t *Table) Roll(ctx context.Context) error {
	t.upkeep.Lock()
	defer t.upkeep.Unlock()
	err := t.claim(ctx, false)
	if err == nil {
		err = t.roll(ctx)
	}
	if err != nil {
		return fmt.Errorf("roll %s: %w", t.spec.Name, err)
	}
	return nil
}

func (t *Table) roll(ctx context.Context) error {
	if t.snapshot().sealed != 0 { // a crash came between sealing and the segment
		if err := t.unseal(ctx); err != nil {
			return err
		}
	}
	sealed, err := t.seal(ctx)
	if err != nil || !sealed {
		return err
	}
	t.since = time.Time{}
	if err := t.unseal(ctx); err != nil {
		return err
	}
	return t.db.fold(ctx)
}

// seal makes the tail the sealed table and starts a fresh tail, if it has rows.
func (t *Table) seal(ctx context.Context) (bool, error) {
	t.db.mu.Lock()
	defer t.db.mu.Unlock()
	p := t.port().clone()
	rows, err := t.db.w.rowsOf(ctx, "SELECT count(*) FROM "+p.tailName(p.tail))
	if err != nil || rows[0][0].(int64) == 0 {
		return false, err
	}
	p.sealed, p.sealing = p.tail, p.mark.Seq
	p.tail++
	p.used = false
	err = t.db.write(ctx, func(w *conn) error {
		if err := w.exec(ctx, p.tailDDL()); err != nil {
			return err
		}
		return t.save(ctx, w, p)
	})
	if err != nil {
		return false, fmt.Errorf("seal the tail: %w", err)
	}
	t.db.put(p)
	return true, nil
}

// unseal writes the sealed table to a segment, and puts that in its place.
func (t *Table) unseal(ctx context.Context) error {
	p := t.snapshot()
	below := port{id: p.id, state: p.state, key: p.key, columns: p.columns, folder: p.folder, tail: p.sealed, used: true}
	s := segment{first: p.rolled + 1, last: p.sealing, columns: len(p.columns)}
	if p.state {
		below.segments, s.first = p.segments, 1
	}
	if err := t.writeSegment(ctx, &s, below.segments, below.union(below.fileParts(t.db.dir, below.segments, p.names(), true), p.names(), true)); err != nil {
		return err
	}
	if err := t.remember(ctx, p.tailName(p.sealed)); err != nil {
		return err
	}
	return t.install(ctx, s, func(q *port) []segment {
		old := q.segments
		if q.state {
			q.segments = nil
		} else {
			old = nil
		}
		if s.rows > 0 {
			q.segments = append(q.segments, s)
		}
		q.rolled, q.sealed = q.sealing, 0
		return old
	}, p.tailName(p.sealed))
}

// writeSegment writes the answer of sql, which reads those segments, to a new file, which
// is durable when this returns, in the bucket too, and completes s. When the answer is empty
// there is no file.
func (t *Table) writeSegment(ctx context.Context, s *segment, from []segment, sql string) error {
	release, err := t.db.hold(ctx, t.spec.Folder, from)
	if err != nil {
		return err
	}
	defer release()
	dir := filepath.Join(t.db.dir, t.spec.Folder)
	name, err := freeName(dir, s.first, s.last)
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, name+tmpExt)
	s.rows, err = t.copyTo(ctx, tmp, sql)
	if err == nil {
		gently(func() { s.checksum, err = checksumOf(ctx, tmp) })
	}
	if err == nil && s.rows > 0 && t.remote != nil {
		name, err = t.upload(ctx, s, tmp)
	}
	if err == nil {
		s.bytes, err = settleFile(tmp, filepath.Join(dir, name), s.rows > 0)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write segment %s: %w", name, err), removeIfThere(tmp))
	}
	s.file = name
	if s.rows > 0 {
		t.db.proofs.accept(filepath.Join(dir, name))
	}
	if t.remote != nil && s.rows > 0 {
		t.db.cache.add(t.spec.Folder+"/"+name, s.bytes, time.Now())
	}
	return nil
}

func (t *Table) copyTo(ctx context.Context, path, sql string) (int64, error) {
	r, err := t.db.pool.acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer t.db.pool.release(r)
	var rows [][]any
	gently(func() {
		rows, err = r.rowsOf(ctx, "COPY ("+sql+") TO "+literal(path)+" (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)")
	})
	if err != nil {
		return 0, err
	}
	return rows[0][0].(int64), nil
}

// settleFile makes tmp durable under its true name, or removes it when it is not to be kept.
func settleFile(tmp, path string, keep bool) (size int64, err error) {
	if !keep {
		return 0, os.Remove(tmp)
	}
	f, err := os.OpenFile(tmp, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return 0, err
	}
	if err := os.Rename(tmp, path); err != nil {
		return 0, err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return 0, err
	}
	return info.Size(), errors.Join(d.Sync(), d.Close())
}

// freeName is a file name for the range that no file has, not even one that waits to
// be deleted: a running query may still read that.
func freeName(dir string, first, last record.Seq) (string, error) {
	for n := 1; ; n++ {
		name := fmt.Sprintf("%d-%d%s", first, last, segmentExt)
		if n > 1 {
			name = fmt.Sprintf("%d-%d-%d%s", first, last, n, segmentExt)
		}
		_, err := os.Lstat(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
		if err != nil {
			return "", err
		}
	}
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// install commits a change of the port's segments by which s comes in, drops the tables
// named, and lets the files go that change returns.
func (t *Table) install(ctx context.Context, s segment, change func(*port) (old []segment), drop ...string) error {
	if err := t.publish(ctx, func(p *port) { change(p) }); err != nil {
		return fmt.Errorf("put the segment in place: %w", errors.Join(err, t.discard(s)))
	}
	t.db.mu.Lock()
	defer t.db.mu.Unlock()
	p := t.port().clone()
	old := change(p)
	err := t.db.write(ctx, func(w *conn) error { return t.replace(ctx, w, p, drop) })
	if err != nil {
		t.remote.doubt()
		return fmt.Errorf("put the segment in place: %w", err)
	}
	t.db.put(p)
	t.db.retire(p, old)
	return nil
}

// replace writes the port and its segments and drops the tables named, within the
// transaction of w.
func (t *Table) replace(ctx context.Context, w *conn, p *port, drop []string) error {
	if err := saveSegments(ctx, w, p); err != nil {
		return err
	}
	if err := t.save(ctx, w, p); err != nil {
		return err
	}
	for _, table := range drop {
		if err := w.exec(ctx, "DROP TABLE "+table); err != nil {
			return err
		}
	}
	return nil
}

// save writes the port, its position and its view, within the transaction of w.
func (t *Table) save(ctx context.Context, w *conn, p *port) error {
	if err := savePort(ctx, w, p); err != nil {
		return err
	}
	if err := savePosition(ctx, w, p); err != nil {
		return err
	}
	return t.db.replaceView(ctx, w, p, t.order)
}
