package olap

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/meshctl/meshctl/internal/durable"
	"github.com/meshctl/meshctl/internal/record"
)

// Bucket is where segments live beside the volume: a folder of an object store. Names have
// slashes. Errors are faults, Unavailable ones pass; fs.ErrNotExist is
// in the chain when there is no such object.
type Bucket interface {
	Upload(ctx context.Context, name, file string) error
	Download(ctx context.Context, name, file string) error
	List(ctx context.Context, prefix string) ([]string, error)
	Delete(ctx context.Context, names ...string) error
	// Abandon removes what unfinished uploads of names that begin so left behind.
	Abandon(ctx context.Context, prefix string) error
	// Read is a small object and its version.
	Read(ctx context.Context, name string) (data []byte, version string, err error)
	// Replace writes a small object if it still has that version, "" if there is none, and
	// is a Conflict when it has another. After any other error it may happen later, but
	// not once somebody else has replaced the object.
	Replace(ctx context.Context, name string, data []byte, version string) (string, error)
	String() string
}

// BucketOptions say where the segments live when not in the volume alone.
type BucketOptions struct {
	Bucket Bucket // nil: in the volume alone
	Cache  int64  // bytes of segments to keep in the volume; 0 does not bound
	Volume string // names the volume; only that which wrote a table may go on with it
	// TakeOver lets this volume go on with tables that another one wrote.
	TakeOver bool
}

// remote is a table's part of the bucket. Its fields are the upkeep's, but for garbage.
type remote struct {
	folder  string
	version string // of the manifest object as this process wrote it last; "" when it must be claimed
	claimed bool   // this process has claimed it once
	last    bucketManifest
	lost    error // why this process may not write any more

	mu      sync.Mutex
	garbage []string // objects that nobody needs any more
}

// remoteOf is the table's part of the bucket.
func (db *DB) remoteOf(folder string) *remote {
	db.remotesMu.Lock()
	defer db.remotesMu.Unlock()
	r := db.remotes[folder]
	if r == nil {
		r = &remote{folder: folder}
		db.remotes[folder] = r
	}
	return r
}

func (r *remote) manifest() string { return r.folder + "/manifest.json" }

// forgetLater says that an object is garbage.
func (r *remote) forgetLater(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.garbage = append(r.garbage, name)
}

// collect deletes the garbage there is.
func (r *remote) collect(ctx context.Context, b Bucket) error {
	r.mu.Lock()
	names := r.garbage
	r.garbage = nil
	r.mu.Unlock()
	if len(names) == 0 {
		return nil
	}
	if err := b.Delete(ctx, names...); err != nil {
		r.mu.Lock()
		r.garbage = append(names, r.garbage...)
		r.mu.Unlock()
		return fmt.Errorf("delete what nobody needs any more: %w", err)
	}
	return nil
}

// objectName is a segment's name in the bucket, and in the volume then: what it holds and
// a part that no other has, so that an object is never written twice.
func objectName(first, last record.Seq, file string) (string, error) {
	sum, err := sumOf(file)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d-%d-%s-%s%s", first, last, sum, strings.ToLower(rand.Text()[:8]), segmentExt), nil
}

// checkSum says whether a file holds what its object's name says.
func checkSum(name, file string) error {
	sum, err := sumOf(file)
	if err != nil {
		return err
	}
	if !named(name) || strings.Split(path.Base(name), "-")[2] != sum {
		return damage(fmt.Errorf("object %s holds something else than its name says", name))
	}
	return nil
}

// named says whether a segment's name is that of an object.
func named(file string) bool { return strings.Count(path.Base(file), "-") == 3 }

func sumOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum, _, err := durable.Digest(f)
	return sum, err
}

// upload makes an object of a segment's file and returns its name.
func (t *Table) upload(ctx context.Context, s *segment, file string) (string, error) {
	name, err := objectName(s.first, s.last, file)
	if err != nil {
		return "", err
	}
	if err := t.db.store.Bucket.Upload(ctx, t.spec.Folder+"/"+name, file); err != nil {
		t.remote.doubt()
		return name, err
	}
	return name, nil
}

// doubt makes the next step look at the bucket before it does anything else: what is
// there may not be what was written, or it cannot be reached.
func (r *remote) doubt() {
	if r != nil {
		r.version = ""
	}
}

// remember notes the time of the last record that goes into the next segment.
func (t *Table) remember(ctx context.Context, sealed string) error {
	if t.remote == nil {
		return nil
	}
	t.db.mu.Lock()
	defer t.db.mu.Unlock()
	rows, err := t.db.w.rowsOf(ctx, "SELECT max("+timeColumn+") FROM "+sealed)
	if err == nil {
		t.remote.last.Time = newWatermark(uint64(0), rows[0][0]).Time
	}
	return err
}

// discard deletes the file of a segment that did not come in. Its object may yet: that
// goes, or is fetched again, once the bucket was looked at.
func (t *Table) discard(s segment) error {
	if s.file == "" {
		return nil
	}
	t.db.cache.drop(t.spec.Folder + "/" + s.file)
	t.db.proofs.forget(filepath.Join(t.db.dir, t.spec.Folder, s.file))
	return removeIfThere(filepath.Join(t.db.dir, t.spec.Folder, s.file))
}
