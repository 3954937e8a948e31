package kv

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/meshctl/meshctl/internal/fault"
)

const (
	reclaimEvery  = time.Minute
	reclaimLatest = 15  // rounds that a busy store may put it off
	reclaimShare  = 0.5 // of a value log file must be garbage
)

// activity counts commits, so that the collector can tell whether the store is idle.
type activity struct{ commits atomic.Int64 }

func (a *activity) note() { a.commits.Add(1) }

// reclaimLoop collects the garbage of the value log when nothing was committed for a
// while, and now and then in spite of that.
func (db *DB) reclaimLoop() {
	tick := time.NewTicker(reclaimEvery)
	defer tick.Stop()
	var seen, collected int64
	for busy := 0; ; {
		select {
		case <-db.closing.Done():
			return
		case <-tick.C:
		}
		commits := db.work.commits.Load()
		idle := commits == seen
		seen = commits
		if busy++; commits == collected || !idle && busy < reclaimLatest {
			continue
		}
		busy, collected = 0, commits
		if err := db.collect(); err != nil {
			db.badger.Opts().Logger.Warningf("%v", err)
		}
	}
}

// collect rewrites value log files that are mostly garbage until none is left.
func (db *DB) collect() error {
	db.writing.RLock() // a drop would refuse the rewrite
	defer db.writing.RUnlock()
	for db.closing.Err() == nil {
		switch err := db.badger.RunValueLogGC(reclaimShare); {
		case err == nil:
		case errors.Is(err, badger.ErrNoRewrite), errors.Is(err, badger.ErrRejected):
			return nil
		default:
			return &fault.Error{Kind: fault.Internal, Err: fmt.Errorf("collect value log: %w", err)}
		}
	}
	return nil
}
