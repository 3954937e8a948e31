package olap

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/objectstest"
	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/storetest"
)

// lake is an S3 server behind a proxy that tests can make fail.
type lake struct {
	*objectstest.Server
	proxy *objectstest.Proxy
}

func newLake(t *testing.T) *lake {
	t.Helper()
	s := objectstest.New(t)
	return &lake{s, objectstest.NewProxy(t, s.URL)}
}

// options are those of a table in the bucket.
func (l *lake) options(t *testing.T, prefix string) Options {
	t.Helper()
	return Options{Threads: 2, Store: BucketOptions{Bucket: objectstest.Folder(t, l.proxy.URL, prefix), Volume: "volume"}}
}

// segments are the names of the segments in the bucket.
func (l *lake) segments() []string {
	return slices.DeleteFunc(l.Objects(), func(name string) bool { return !strings.HasSuffix(name, segmentExt) })
}

func openWith(t *testing.T, dir string, o Options) *DB {
	t.Helper()
	db, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func bucketStore(t *testing.T, state bool, run func(*testing.T, func(*testing.T, string) storetest.Store)) {
	l := newLake(t)
	run(t, func(t *testing.T, dir string) storetest.Store {
		o := l.options(t, filepath.Base(filepath.Dir(dir)))
		o.Store.Cache = 1 // nothing stays
		db, err := Open(t.Context(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		return &asStore{t: t, Table: openTable(t, db, TableSpec{
			Schema: "things", Name: "things", Folder: "things-v1", Columns: storetest.Schema(), Key: []string{"key"}, State: state,
		})}
	})
}

func TestStateStoreInABucket(t *testing.T) { bucketStore(t, true, storetest.Run) }

func TestEventStoreInABucket(t *testing.T) { bucketStore(t, false, storetest.RunEvents) }

// fill commits rows of those sequences and rolls.
func fill(t *testing.T, table *Table, from, to record.Seq) {
	t.Helper()
	for seq := from; seq <= to; seq++ {
		commit(t, table, seq, row{seq: seq, id: fmt.Sprint("id", seq%7), n: int64(seq)})
	}
	if err := table.Roll(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A volume without tables has them again from the bucket, up to what was rolled.
func TestEmptyVolumeStartsFromTheBucket(t *testing.T) {
	for name, spec := range map[string]TableSpec{"event": eventSpec(), "state": stateSpec()} {
		t.Run(name, func(t *testing.T) {
			l := newLake(t)
			db := openWith(t, t.TempDir(), l.options(t, "trips"))
			table := openTable(t, db, spec)
			fill(t, table, 1, 10)
			fill(t, table, 11, 20)
			sql := "SELECT id, n FROM trips." + spec.Name + " ORDER BY n"
			want := lines(t, db, sql)
			mark, err := table.Watermark(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			commit(t, table, 21, row{seq: 21, id: "id21", n: 21}) // in the tail only
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			db = openWith(t, t.TempDir(), l.options(t, "trips"))
			table = openTable(t, db, spec)
			if got, err := table.Watermark(t.Context()); err != nil || !got.Time.Equal(mark.Time) || got.Seq != 20 {
				t.Errorf("it is at %v, %v; want %v", got, err, mark)
			}
			equal(t, "from the bucket", lines(t, db, sql), want)
			commit(t, table, 21, row{seq: 21, id: "id21", n: 21})
			if err := table.Roll(t.Context()); err != nil {
				t.Fatal(err)
			}
			equal(t, "and on", lines(t, db, "SELECT max(n) FROM trips."+spec.Name), []string{"21"})
		})
	}
}

// Segments that nobody reads leave the volume when there are too many, and come back.
func TestCacheIsBounded(t *testing.T) {
	l := newLake(t)
	dir := t.TempDir()
	o := l.options(t, "trips")
	o.Store.Cache = 3000
	db := openWith(t, dir, o)
	table := openTable(t, db, eventSpec())
	for i := range record.Seq(10) {
		fill(t, table, 10*i+1, 10*i+10)
	}
	within := func(when string) {
		t.Helper()
		files, size := 0, int64(0)
		for _, name := range entries(t, filepath.Join(dir, "trips-v1")) {
			if info, err := os.Stat(filepath.Join(dir, "trips-v1", name)); err == nil && strings.HasSuffix(name, segmentExt) {
				files, size = files+1, size+info.Size()
			}
		}
		if size > o.Store.Cache || files == 0 || db.cache.used != size {
			t.Errorf("%s %d files with %d bytes are in the volume, %d counted", when, files, size, db.cache.used)
		}
	}
	within("after rolls")
	if n := len(l.segments()); n != 10 {
		t.Errorf("the bucket has %d segments", n)
	}
	equal(t, "all", lines(t, db, "SELECT count(*), sum(n)::BIGINT FROM trips.trips"), []string{"100|5050"})
	within("after a query over all")
	if err := os.RemoveAll(filepath.Join(dir, "trips-v1")); err != nil {
		t.Fatal(err)
	}
	equal(t, "without the cache's folder", lines(t, db, "SELECT count(*), sum(n)::BIGINT FROM trips.trips"), []string{"100|5050"})
	fill(t, table, 101, 110)
	if err := table.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, "merged", lines(t, db, "SELECT count(*), sum(n)::BIGINT FROM trips.trips"), []string{"110|6105"})
	if err := table.Maintain(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	if got := l.segments(); len(got) != 1 {
		t.Errorf("the bucket has %v", got)
	}
}

// Whatever is uploaded and not committed goes when the table is opened again.
func TestOrphansAreCollected(t *testing.T) {
	l := newLake(t)
	dir := t.TempDir()
	o := l.options(t, "trips")
	db := openWith(t, dir, o)
	table := openTable(t, db, eventSpec())
	fill(t, table, 1, 10)
	commit(t, table, 11, row{seq: 11, id: "x", n: 11})
	l.proxy.Set(func(r *http.Request) objectstest.Fault {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/manifest.json") {
			return objectstest.Fault{Status: http.StatusForbidden}
		}
		return objectstest.Fault{}
	})
	if err := table.Roll(t.Context()); fault.KindOf(err) != fault.Denied {
		t.Fatalf("roll: %v", err)
	}
	if n := len(l.segments()); n != 2 {
		t.Fatalf("there are %d segments", n)
	}
	equal(t, "meanwhile", lines(t, db, "SELECT count(*) FROM trips.trips"), []string{"11"})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	l.proxy.Set(nil)
	db = openWith(t, dir, o)
	table = openTable(t, db, eventSpec())
	if n := len(l.segments()); n != 1 {
		t.Errorf("there are %d segments", n)
	}
	if err := table.Roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, "after all", lines(t, db, "SELECT count(*), max(n) FROM trips.trips"), []string{"11|11"})
}

// The manifest was written, though no answer said so.
func TestLostAnswerIsNoSecondSegment(t *testing.T) {
	l := newLake(t)
	db := openWith(t, t.TempDir(), l.options(t, "trips"))
	table := openTable(t, db, eventSpec())
	commit(t, table, 1, row{seq: 1, id: "x", n: 1})
	l.proxy.Set(func(r *http.Request) objectstest.Fault {
		return objectstest.Fault{Drop: r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/manifest.json")}
	})
	if err := table.Roll(t.Context()); err == nil {
		t.Fatal("it rolled")
	}
	l.proxy.Set(nil)
	if err := table.Roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, "rows", lines(t, db, "SELECT n FROM trips.trips"), []string{"1"})
	if n := len(l.segments()); n != 1 {
		t.Errorf("there are %d segments", n)
	}
}

// Two that write one table would undo each other's work.
func TestOneWriterOfATable(t *testing.T) {
	l := newLake(t)
	first := openWith(t, t.TempDir(), l.options(t, "trips"))
	old := openTable(t, first, eventSpec())
	fill(t, old, 1, 10)

	o := l.options(t, "trips")
	o.Store.Volume = "another"
	other := openWith(t, t.TempDir(), o)
	_, err := other.Table(t.Context(), eventSpec())
	if fault.KindOf(err) != fault.Conflict || !strings.Contains(fault.HintOf(err), "attach the volume") {
		t.Errorf("from another volume: %v, hint %q", err, fault.HintOf(err))
	}
	o.Store.TakeOver = true
	other = openWith(t, t.TempDir(), o)
	table := openTable(t, other, eventSpec())
	equal(t, "taken over", lines(t, other, "SELECT count(*) FROM trips.trips"), []string{"10"})

	commit(t, old, 11, row{seq: 11, id: "x", n: 11})
	for range 2 {
		if err := old.Roll(t.Context()); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "taken over") {
			t.Errorf("the first goes on: %v", err)
		}
	}
	fill(t, table, 11, 20)
	equal(t, "the second", lines(t, other, "SELECT count(*), max(n) FROM trips.trips"), []string{"20|20"})
	equal(t, "the first", lines(t, first, "SELECT count(*), max(n) FROM trips.trips"), []string{"11|11"})
}

func TestDropInABucket(t *testing.T) {
	l := newLake(t)
	dir := t.TempDir()
	db := openWith(t, dir, l.options(t, "trips"))
	table := openTable(t, db, eventSpec())
	fill(t, table, 1, 10)
	if err := os.Remove(filepath.Join(l.Root, objectstest.Bucket, l.segments()[0])); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "trips-v1")); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Query(t.Context(), Query{SQL: "SELECT count(*) FROM trips.trips"}); !errors.Is(err, ErrDamaged) {
		t.Errorf("a segment that is gone: %v", err)
	}
	if err := table.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, "dropped", lines(t, db, "SELECT count(*) FROM trips.trips"), []string{"0"})
	fill(t, table, 1, 5)
	equal(t, "made again", lines(t, db, "SELECT count(*) FROM trips.trips"), []string{"5"})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openWith(t, t.TempDir(), l.options(t, "trips"))
	openTable(t, db, eventSpec())
	equal(t, "from the bucket", lines(t, db, "SELECT count(*) FROM trips.trips"), []string{"5"})
}

// Queries that need the same segment at once fetch it once.
func TestOneDownloadForAll(t *testing.T) {
	l := newLake(t)
	dir := t.TempDir()
	db := openWith(t, dir, l.options(t, "trips"))
	table := openTable(t, db, eventSpec())
	fill(t, table, 1, 10)
	if err := os.RemoveAll(filepath.Join(dir, "trips-v1")); err != nil {
		t.Fatal(err)
	}
	before := l.proxy.Seen(http.MethodGet)
	const readers = 6
	var waiting, done sync.WaitGroup
	waiting.Add(readers)
	l.proxy.Set(func(*http.Request) objectstest.Fault { // the answer waits for all who ask
		waiting.Wait()
		return objectstest.Fault{Slow: 100 * time.Millisecond}
	})
	for range readers {
		done.Go(func() {
			waiting.Done()
			rows, err := db.Query(t.Context(), Query{SQL: "SELECT count(*) FROM trips.trips"})
			if err != nil {
				t.Error(err)
				return
			}
			if got := drain(t, rows); len(got) != 1 || got[0] != "10" {
				t.Errorf("the answer is %v", got)
			}
		})
	}
	done.Wait()
	if n := l.proxy.Seen(http.MethodGet) - before; n != 1 {
		t.Errorf("%d downloads", n)
	}
	// Who has waited long enough goes; the others are not disturbed.
	if err := os.RemoveAll(filepath.Join(dir, "trips-v1")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := db.Query(ctx, Query{SQL: "SELECT count(*) FROM trips.trips"}); fault.KindOf(err) != fault.Timeout {
		t.Errorf("a query that gives up: %v", err)
	}
	equal(t, "the next", lines(t, db, "SELECT count(*) FROM trips.trips"), []string{"10"})
}

// What comes back from the bucket is what went in, or an error.
func TestChangedObjectIsRefused(t *testing.T) {
	l := newLake(t)
	dir := t.TempDir()
	db := openWith(t, dir, l.options(t, "trips"))
	table := openTable(t, db, eventSpec())
	fill(t, table, 1, 10)
	object := filepath.Join(l.Root, objectstest.Bucket, l.segments()[0])
	data, err := os.ReadFile(object)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/3] ^= 1
	if err := errors.Join(os.WriteFile(object, data, 0o600), os.RemoveAll(filepath.Join(dir, "trips-v1"))); err != nil {
		t.Fatal(err)
	}
	_, err = db.Query(t.Context(), Query{SQL: "SELECT sum(n) FROM trips.trips"})
	if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "something else") {
		t.Errorf("a changed object: %v", err)
	}
	if left := entries(t, filepath.Join(dir, "trips-v1")); len(left) != 0 {
		t.Errorf("in the volume are %v", left)
	}
}

// A table that got new columns has older segments without them, from the bucket too.
func TestNewColumnsInABucket(t *testing.T) {
	l := newLake(t)
	dir := t.TempDir()
	db := openWith(t, dir, l.options(t, "trips"))
	fill(t, openTable(t, db, eventSpec()), 1, 2)
	table := openTable(t, db, wider(eventSpec()))
	if err := table.Commit(t.Context(), widen(batch(row{3, "c", 3, false})), 3); err != nil {
		t.Fatal(err)
	}
	if err := table.Roll(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"id1|(null)|1", "id2|(null)|2", "c|new|3"}
	sql := "SELECT * FROM trips.trips ORDER BY n"
	equal(t, "rows", lines(t, db, sql), want)
	for _, dir := range []string{dir, t.TempDir()} {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		db = openWith(t, dir, l.options(t, "trips"))
		table = openTable(t, db, wider(eventSpec()))
		equal(t, "rows again", lines(t, db, sql), want)
		equal(t, "its columns", lines(t, db, "SELECT column_name FROM duckdb_columns() WHERE schema_name = 'trips' ORDER BY column_index"), []string{"id", "note", "n"})
	}
	if err := table.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, "merged", lines(t, db, sql), want)
	if _, err := db.Table(t.Context(), stateSpecOf(eventSpec())); fault.KindOf(err) != fault.Conflict {
		t.Errorf("another type: %v", err)
	}
}

func stateSpecOf(spec TableSpec) TableSpec {
	spec.State = true
	return spec
}

// A process is killed between the bucket's manifest and its own transaction, and starts
// again while the bucket is away: records come in meanwhile, and each is there once.
func TestBucketIsAwayAfterACrash(t *testing.T) {
	for name, spec := range map[string]TableSpec{"event": eventSpec(), "state": stateSpec()} {
		t.Run(name, func(t *testing.T) {
			l := newLake(t)
			dir := t.TempDir()
			o := l.options(t, "trips")
			db := openWith(t, dir, o)
			table := openTable(t, db, spec)
			fill(t, table, 1, 10)
			commit(t, table, 12, row{seq: 11, id: "x", n: 11}, row{seq: 12, id: "id1", n: 12})
			l.proxy.Set(func(r *http.Request) objectstest.Fault {
				return objectstest.Fault{Drop: r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/manifest.json")}
			})
			if err := table.Roll(t.Context()); err == nil {
				t.Fatal("it rolled")
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			l.Stop()
			l.proxy.Set(nil)
			db = openWith(t, dir, o)
			table = openTable(t, db, spec)
			if at, err := table.Position(t.Context()); at != 12 || err != nil {
				t.Fatalf("it is at %d, %v", at, err)
			}
			commit(t, table, 14, row{seq: 13, id: "x", n: 13}, row{seq: 14, id: "id2", n: 14, gone: spec.State})
			sql := "SELECT id, n FROM trips." + spec.Name + " ORDER BY n"
			want := lines(t, db, sql)
			if err := table.Roll(t.Context()); fault.KindOf(err) != fault.Unavailable {
				t.Errorf("roll while the bucket is away: %v", err)
			}
			equal(t, "while it is away", lines(t, db, sql), want)
			l.Start()
			for range 2 {
				if err := table.Roll(t.Context()); err != nil {
					t.Fatal(err)
				}
				equal(t, "when it is back", lines(t, db, sql), want)
			}
			if !spec.State && len(want) != 14 {
				t.Errorf("there are %d rows", len(want))
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			db = openWith(t, t.TempDir(), o)
			openTable(t, db, spec)
			equal(t, "on an empty volume", lines(t, db, sql), want)
		})
	}
}

// late is a bucket whose next Replace of a manifest is held up on its way.
type late struct {
	Bucket
	held func() error // does it at last; nil when none is held
	hold bool
}

func (b *late) Replace(ctx context.Context, name string, data []byte, version string) (string, error) {
	if !b.hold {
		return b.Bucket.Replace(ctx, name, data, version)
	}
	b.hold = false
	b.held = func() error {
		_, err := b.Bucket.Replace(ctx, name, data, version)
		return err
	}
	return "", fault.New(fault.Unavailable, "", "no answer")
}

// A request that arrives long after it was given up changes nothing any more.
func TestLateRequestChangesNothing(t *testing.T) {
	l := newLake(t)
	o := l.options(t, "trips")
	slow := &late{Bucket: o.Store.Bucket}
	o.Store.Bucket = slow
	db := openWith(t, t.TempDir(), o)
	table := openTable(t, db, eventSpec())
	fill(t, table, 1, 10)
	commit(t, table, 11, row{seq: 11, id: "x", n: 11})
	slow.hold = true
	if err := table.Roll(t.Context()); fault.KindOf(err) != fault.Unavailable {
		t.Fatalf("roll: %v", err)
	}
	fill(t, table, 12, 20) // after it looked at the bucket again
	if n := len(l.segments()); n != 3 {
		t.Errorf("the bucket has %d segments: that of the late request is not collected", n)
	}
	if err := slow.held(); fault.KindOf(err) != fault.Conflict {
		t.Errorf("the late request: %v", err)
	}
	if err := table.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, "rows", lines(t, db, "SELECT count(*), sum(n)::BIGINT FROM trips.trips"), []string{"20|210"})
}
