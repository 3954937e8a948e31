package olap

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/meshctl/meshctl/internal/record"
)

// TestSeamIsExact queries while commits, rolls and compactions go on. At every moment
// the rows must be those of the watermark that comes with the answer.
func TestSeamIsExact(t *testing.T) { testSeam(t, Options{Threads: 2}) }

// The same while segments come from a bucket and leave the volume all the time.
func TestSeamIsExactInABucket(t *testing.T) {
	l := newLake(t)
	o := l.options(t, "trips")
	o.Store.Cache = 1 // nothing stays
	testSeam(t, o)
	if n := l.proxy.Seen(http.MethodGet); n < 30 {
		t.Errorf("only %d requests to read: hardly a segment left the volume", n)
	}
}

func testSeam(t *testing.T, o Options) {
	for name, spec := range map[string]TableSpec{"event": eventSpec(), "state": stateSpec()} {
		t.Run(name, func(t *testing.T) {
			db := openWith(t, t.TempDir(), o)
			table := openTable(t, db, spec)
			ctx, stop := context.WithCancel(context.Background())
			var all sync.WaitGroup
			keep := func(step func() error) {
				all.Go(func() {
					for ctx.Err() == nil {
						if err := step(); err != nil {
							t.Error(err)
							stop()
						}
					}
				})
			}
			keep(func() error { return table.Roll(context.Background()) })
			keep(func() error { return table.Compact(context.Background()) })
			for range 2 {
				keep(func() error { return checkSeam(db, spec) })
			}
			const batches, size = 150, 20
			for i := range record.Seq(batches) {
				var rows []row
				for j := range record.Seq(size) {
					seq := i*size + j + 1
					rows = append(rows, row{seq, fmt.Sprint("key", seq%seamKeys), int64(seq), false})
				}
				if ctx.Err() == nil {
					commit(t, table, rows[size-1].seq, rows...)
				}
			}
			stop()
			all.Wait()
			equal(t, "rows in the end", lines(t, db, "SELECT count(*), max(n) FROM "+spec.Name), []string{seamRows(spec, batches*size)})
		})
	}
}

const seamKeys = 137

func seamRows(spec TableSpec, seq record.Seq) string {
	if spec.State {
		return fmt.Sprintf("%d|%d", min(seq, seamKeys), seq)
	}
	return fmt.Sprintf("%d|%d", seq, seq)
}

// checkSeam compares one answer with the watermark that it came with. Its sum tells a
// row that is there twice from one that is missing.
func checkSeam(db *DB, spec TableSpec) error {
	rows, err := db.Query(context.Background(), Query{SQL: "SELECT count(*), coalesce(max(n), 0), coalesce(sum(n), 0)::BIGINT FROM trips." + spec.Name})
	if err != nil {
		return err
	}
	rec, err := rows.Next(context.Background())
	if err != nil {
		return errors.Join(err, rows.Close())
	}
	defer rec.Release()
	seq := rows.Watermarks()["trips."+spec.Name].Seq
	marks, versions := db.Versions([]string{"trips." + spec.Name})
	if v := rows.Versions()["trips."+spec.Name]; v == "" || v == versions["trips."+spec.Name] && marks["trips."+spec.Name].Seq != seq {
		return errors.Join(fmt.Errorf("at %d the version is %q, and is so still at %d", seq, v, marks["trips."+spec.Name].Seq), rows.Close())
	}
	got := rec.Column(0).ValueStr(0) + "|" + rec.Column(1).ValueStr(0)
	sum, err := strconv.ParseUint(rec.Column(2).ValueStr(0), 10, 64)
	if err != nil {
		return errors.Join(err, rows.Close())
	}
	n := uint64(seq)
	want := n * (n + 1) / 2
	if spec.State && n > seamKeys {
		low := n - seamKeys
		want -= low * (low + 1) / 2
	}
	if got != seamRows(spec, seq) || sum != want {
		return errors.Join(fmt.Errorf("at %d the rows are %s with sum %d; want %s and %d", seq, got, sum, seamRows(spec, seq), want), rows.Close())
	}
	return rows.Close()
}
