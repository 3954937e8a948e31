package olap

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

// bucketFormat is the version of bucketManifest. It grows when an older meshctl could not
// go on with what a newer one wrote.
const bucketFormat = 1

// bucketManifest is what the bucket says of a table: all that there is of it up to Rolled.
type bucketManifest struct {
	Format   int             `json:"format"`
	Volume   string          `json:"volume"`  // whose table it is
	Process  string          `json:"process"` // of that volume, which wrote this
	Write    uint64          `json:"write"`   // so that no two are equal
	State    bool            `json:"state"`
	Key      []string        `json:"key"`
	Columns  []column        `json:"columns"`
	Rolled   record.Seq      `json:"rolled"`
	Time     time.Time       `json:"time"` // of the record Rolled
	Segments []bucketSegment `json:"segments"`
}

type bucketSegment struct {
	File    string     `json:"file"`
	First   record.Seq `json:"first"`
	Last    record.Seq `json:"last"`
	Rows    int64      `json:"rows"`
	Bytes   int64      `json:"bytes"`
	Columns int        `json:"columns"`
	// Checksum is empty for a segment from before there were any.
	Checksum string `json:"crc32c,omitempty"`
}

func (m *bucketManifest) segments() []segment {
	var list []segment
	for _, s := range m.Segments {
		list = append(list, segment{file: s.File, first: s.First, last: s.Last, rows: s.Rows, bytes: s.Bytes, columns: s.Columns, checksum: s.Checksum})
	}
	return list
}

// put takes what is in p over into the manifest.
func (m *bucketManifest) put(p *port) {
	m.State, m.Key, m.Columns, m.Rolled = p.state, p.key, p.columns, p.rolled
	m.Segments = []bucketSegment{}
	for _, s := range p.segments {
		m.Segments = append(m.Segments, bucketSegment{s.file, s.first, s.last, s.rows, s.bytes, s.columns, s.checksum})
	}
}

// Rolled is the record up to which the table of that folder is in the bucket; 0 where it is
// not there, or there is no bucket.
func Rolled(ctx context.Context, o BucketOptions, folder string) (record.Seq, error) {
	if o.Bucket == nil {
		return 0, nil
	}
	db := DB{store: o}
	m, _, err := db.look(ctx, &remote{folder: folder})
	if err != nil || m == nil {
		return 0, err
	}
	return m.Rolled, nil
}

// look reads a table's manifest in the bucket; nil when there is none.
func (db *DB) look(ctx context.Context, r *remote) (*bucketManifest, string, error) {
	data, version, err := db.store.Bucket.Read(ctx, r.manifest())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	m := &bucketManifest{}
	if err := json.Unmarshal(data, m); err != nil {
		return nil, "", fmt.Errorf("read %s/%s: %w", db.store.Bucket, r.manifest(), err)
	}
	if m.Format > bucketFormat {
		return nil, "", fault.New(fault.Conflict, "use a newer meshctl", "the table in %s/%s has format %d, this meshctl knows up to %d",
			db.store.Bucket, r.folder, m.Format, bucketFormat)
	}
	if m.Volume != db.store.Volume && !db.store.TakeOver {
		return nil, "", fault.New(fault.Conflict,
			"attach the volume that wrote it, choose another prefix for the bucket, or start with --dangerous-lose-expired to go on without what only that volume's log held",
			"the table in %s/%s, up to record %d, was written from another volume", db.store.Bucket, r.folder, m.Rolled)
	}
	return m, version, nil
}

// restore makes the table with the columns that it has in the bucket, where the volume has
// none, and says whether the volume had.
func (db *DB) restore(ctx context.Context, spec TableSpec) (had bool, err error) {
	m, _, err := db.look(ctx, db.remoteOf(spec.Folder))
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.find(spec.Schema, spec.Name) != nil {
		return true, err
	}
	if err != nil || m == nil {
		return false, err
	}
	spec.State, spec.Key = m.State, m.Key
	_, err = db.makePort(ctx, spec, m.Columns)
	return false, err
}

// claim makes this process the one that writes the table in the bucket, and makes what the
// volume knows of segments follow the bucket. From then on no other process can, nor a
// request of an earlier one that is still under way. It does nothing where that is done.
// With opening, nobody has read the table's position yet, so it may go back.
func (t *Table) claim(ctx context.Context, opening bool) error {
	r := t.remote
	if r == nil || r.version != "" {
		return nil
	}
	if r.lost != nil {
		return r.lost
	}
	m, version, err := t.db.look(ctx, r)
	if err != nil {
		return err
	}
	p := t.snapshot()
	if m == nil {
		m = &bucketManifest{Time: p.mark.Time}
		if err := t.moveIn(ctx, m, p.clone()); err != nil {
			return err
		}
	}
	if r.claimed && m.Process != t.db.process {
		return t.lose()
	}
	if len(m.Columns) > len(p.columns) || !slices.Equal(m.Columns, p.columns[:len(m.Columns)]) {
		return fault.New(fault.Conflict, rebuildHint, "the table in %s/%s has other columns than that in the volume", t.db.store.Bucket, r.folder)
	}
	m.Columns = p.columns
	if version, err = t.write(ctx, m, version); err != nil {
		return err
	}
	if err := t.adopt(ctx, m, opening); err != nil {
		return err
	}
	r.claimed, r.last = true, *m
	if err := t.sweep(ctx, m); err != nil {
		return err
	}
	r.version = version
	return r.collect(ctx, t.db.store.Bucket)
}

// moveIn makes objects of the segments that a table has, which so far had none.
func (t *Table) moveIn(ctx context.Context, m *bucketManifest, p *port) error {
	for i := range p.segments {
		s := &p.segments[i]
		if named(s.file) {
			return damage(fmt.Errorf("%s/%s is gone, with the segments that it named", t.db.store.Bucket, t.remote.manifest()))
		}
		file := filepath.Join(t.db.dir, p.folder, s.file)
		name, err := t.upload(ctx, s, file)
		if err != nil {
			return fmt.Errorf("move segments into the bucket: %w", err)
		}
		// Where that does not work it is fetched when it is read.
		if os.Link(file, filepath.Join(t.db.dir, p.folder, name)) == nil {
			t.db.cache.add(p.folder+"/"+name, s.bytes, time.Now())
		}
		s.file = name
	}
	m.put(p)
	return nil
}

// lose says, for good, that another process writes the table.
func (t *Table) lose() error {
	t.remote.version = ""
	t.remote.lost = fault.New(fault.Conflict, "stop one of the two, or give it another prefix",
		"another process has taken over the table in %s/%s", t.db.store.Bucket, t.remote.folder)
	return t.remote.lost
}

// write replaces the manifest in the bucket.
func (t *Table) write(ctx context.Context, m *bucketManifest, version string) (string, error) {
	r := t.remote
	m.Format, m.Volume, m.Process = bucketFormat, t.db.store.Volume, t.db.process
	m.Write++
	data, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	next, err := t.db.store.Bucket.Replace(ctx, r.manifest(), data, version)
	if fault.KindOf(err) != fault.Conflict {
		return next, err
	}
	have, next, seen := t.db.store.Bucket.Read(ctx, r.manifest())
	if seen != nil {
		return "", errors.Join(err, seen)
	}
	if bytes.Equal(have, data) { // the answer to a first try was lost
		return next, nil
	}
	var other bucketManifest
	if json.Unmarshal(have, &other) == nil && other.Process != t.db.process {
		return "", t.lose()
	}
	return "", err
}

// publish writes to the bucket how the table is with change, before the volume says so:
// whatever happens then, the volume follows.
func (t *Table) publish(ctx context.Context, change func(*port)) error {
	r := t.remote
	if r == nil {
		return nil
	}
	p := t.snapshot().clone()
	change(p)
	m := r.last
	m.put(p)
	version, err := t.write(ctx, &m, r.version)
	r.version = version // "" after an error: it may have been written, so look again
	if err != nil {
		return err
	}
	r.last = m
	return nil
}

// adopt makes the volume follow the bucket. They differ where a crash came between the
// two, or where the volume has lost its tables.
func (t *Table) adopt(ctx context.Context, m *bucketManifest, opening bool) error {
	t.db.mu.Lock()
	defer t.db.mu.Unlock()
	p := t.port()
	q := p.clone()
	q.segments = m.segments()
	same := slices.Equal(p.segments, q.segments)
	var drop []string
	switch {
	case m.Rolled == p.rolled && same:
		return nil
	case m.Rolled == p.rolled: // segments were merged
	case p.sealed != 0 && m.Rolled == p.sealing: // the sealed table became a segment
		drop = []string{p.tailName(p.sealed)}
		q.rolled, q.sealed = p.sealing, 0
	case !opening:
		return fault.New(fault.Conflict, "start the product again", "the table in %s/%s is not what this volume's was made from", t.db.store.Bucket, t.remote.folder)
	default:
		drop = p.levels()
		q.rolled, q.sealed, q.sealing, q.used = m.Rolled, 0, 0, false
		q.tail = max(p.tail, p.sealed) + 1
		q.mark = record.Watermark{Seq: m.Rolled, Time: m.Time}
		t.db.log.Info("a table starts from the bucket", "table", p.name, "record", m.Rolled, "segments", len(q.segments), "before", p.mark.Seq)
	}
	err := t.db.write(ctx, func(w *conn) error {
		if q.tail != p.tail {
			if err := w.exec(ctx, q.tailDDL()); err != nil {
				return err
			}
		}
		return t.replace(ctx, w, q, drop)
	})
	if err != nil {
		return fmt.Errorf("follow the bucket: %w", err)
	}
	t.db.put(q)
	t.db.retire(p, without(p.segments, q.segments))
	return nil
}

// without are the segments of list that others lacks.
func without(list, others []segment) []segment {
	return slices.DeleteFunc(slices.Clone(list), func(s segment) bool { return slices.Contains(others, s) })
}

// sweep lets go whatever the table's folder in the bucket has and its manifest does not
// name: an upload that was not followed by a commit.
func (t *Table) sweep(ctx context.Context, m *bucketManifest) error {
	b, r := t.db.store.Bucket, t.remote
	names, err := b.List(ctx, r.folder+"/")
	if err != nil {
		return err
	}
	keep := map[string]bool{r.manifest(): true}
	for _, s := range m.Segments {
		keep[r.folder+"/"+s.File] = true
	}
	names = slices.DeleteFunc(names, func(name string) bool { return keep[name] })
	if len(names) > 0 {
		t.db.log.Info("removing objects that a crash left behind", "folder", r.folder, "objects", len(names))
	}
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = filepath.Join(t.db.dir, filepath.FromSlash(name))
	}
	t.db.pool.retire(paths)
	if err := b.Abandon(ctx, r.folder+"/"); err != nil { // not every endpoint knows how
		t.db.log.Warn("unfinished uploads could not be looked for", "folder", r.folder, "error", err)
	}
	return nil
}
