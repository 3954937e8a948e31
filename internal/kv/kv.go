// Package kv is the key-value materialisation: the latest record of every key, in Badger.
//
// One database serves a product; each of its ports is a Store in it. What was chosen:
//
//   - A transaction, not a WriteBatch: a WriteBatch splits where it likes and commits behind
//     the caller's back, so data and position could disagree after a crash.
//   - No sync of each commit. The promise is kill -9: what the operating system has, stays.
//     After a power cut the store wakes up at an earlier position, in which data and position
//     still agree, and reads the difference from the log again.
//   - Conflict detection off: each store has one writer, and Commit serialises.
//   - Keys of 32,000 bytes and more are cut and completed by a digest, because Badger refuses
//     keys above 65,000 bytes and no record may block its port.
package kv

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/dgraph-io/badger/v4"

	"github.com/meshctl/meshctl/internal/fault"
)

// Options tune a database. The zero value is the default.
type Options struct {
	MemoryLimit int64        // bytes for memtables and caches together; 128 MiB by default, at least 80
	Logger      *slog.Logger // where Badger's own messages go; nowhere by default
}

// DB is one product's database.
type DB struct {
	dir    string
	badger *badger.DB

	// Badger refuses every write while it drops a prefix; a commit waits instead.
	writing sync.RWMutex

	mu     sync.Mutex
	stores map[string]*Store
	closed bool

	using   sync.WaitGroup // calls in flight: Close may not unmap what they read
	closing context.Context
	cancel  context.CancelFunc
	reclaim sync.WaitGroup
	work    activity
	pace    *pacer
	proofs  proofs
	log     *slog.Logger
}

// Open opens the database in dir, and makes it when there is none. A drop that a crash
// interrupted is finished first. A database that another process has open is a
// fault.Conflict; one that is damaged is ErrDamaged, with the hint to rebuild it.
func Open(dir string, o Options) (*DB, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make key-value folder: %w", err)
	}
	return openWith(dir, settings(dir, o))
}

// openWith opens with settings, or what a test made of them.
func openWith(dir string, set badger.Options) (*DB, error) {
	if err := inspect(dir, set); err != nil {
		return nil, openFault(dir, err)
	}
	b, err := badger.Open(set)
	if err != nil {
		return nil, openFault(dir, err)
	}
	l := set.Logger.(logger)
	db := &DB{dir: dir, badger: b, stores: map[string]*Store{}, pace: l.pace, log: l.to}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	db.proofs.start(b.Tables())
	db.pace.start(func() int { return b.Levels()[0].NumTables })
	db.closing, db.cancel = context.WithCancel(context.Background())
	if err := db.finishDrops(); err != nil {
		db.cancel()
		db.pace.hurry()
		b.Close()
		return nil, err
	}
	db.reclaim.Go(db.reclaimLoop)
	db.reclaim.Go(db.proveAll)
	return db, nil
}

// Store is the store of one port, by its folder name such as "flights-v1". The same
// name gives the same Store.
func (db *DB) Store(port string) *Store {
	db.mu.Lock()
	defer db.mu.Unlock()
	s := db.stores[port]
	if s == nil {
		s = newStore(db, port)
		db.stores[port] = s
	}
	return s
}

// Close ends scans that run, waits for every call in flight, and closes the database.
// Calls after it fail. Closing twice is closing once.
func (db *DB) Close() error {
	db.mu.Lock()
	if db.closed {
		db.mu.Unlock()
		return nil
	}
	db.closed = true
	db.mu.Unlock()

	db.cancel()
	db.pace.hurry()
	db.using.Wait()
	db.reclaim.Wait()
	if err := db.roomFor(closing); err != nil { // the log of the memtable has it all
		return fmt.Errorf("close key-value store without tidying up: %w", err)
	}
	if err := db.badger.Close(); err != nil {
		return fmt.Errorf("close key-value store: %w", err)
	}
	return nil
}

// enter counts a call in; each success is answered by one db.using.Done.
func (db *DB) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return errClosed()
	}
	db.using.Add(1)
	return nil
}

func errClosed() error {
	return fault.New(fault.Unavailable, "start the product again", "key-value store is closed")
}

// Size is how many bytes the database takes on disk. Badger's logs are sparse files, so
// blocks are counted, not lengths.
func (db *DB) Size() int64 {
	var sum int64
	// A file that vanishes during the walk was compacted away; it counts nothing.
	_ = filepath.WalkDir(db.dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return nil
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			sum += st.Blocks * 512
		} else {
			sum += info.Size()
		}
		return nil
	})
	return sum
}
