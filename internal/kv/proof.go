package kv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
)

// Badger compares each block with its checksum, and of one that differs tells nobody: a
// scan ends there as if there were no more, a get finds nothing or what was before, and a
// merge makes new tables without the rest. So the tables that were there when the database
// was opened are read once: by whoever first asks for a key in their range, and all of them
// in the background, one after the other. What this process writes later it has not to read.

// suspect is a table that was there before this process.
type suspect struct {
	badger.TableInfo

	proven atomic.Bool
	mu     sync.Mutex // one reads it, the others wait
	damage error      // stays, though a merge removes the table: the records are lost
}

// proofs are the suspects of a database.
type proofs struct {
	all  []*suspect
	left atomic.Int64 // that nobody has proven
}

func (p *proofs) start(tables []badger.TableInfo) {
	for _, t := range tables {
		p.all = append(p.all, &suspect{TableInfo: t})
	}
	p.left.Store(int64(len(p.all)))
}

// prove is an error when a table that may have keys from low up to high, both included,
// has not what was written to it.
func (db *DB) prove(ctx context.Context, low, high []byte) error {
	if db.proofs.left.Load() == 0 {
		return nil
	}
	for _, t := range db.proofs.all {
		if t.proven.Load() || bytes.Compare(y.ParseKey(t.Right), low) < 0 || bytes.Compare(y.ParseKey(t.Left), high) > 0 {
			continue
		}
		if err := db.interrupted(ctx); err != nil {
			return err
		}
		if err := db.proveTable(t); err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) proveTable(t *suspect) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.proven.Load() || t.damage != nil {
		return t.damage
	}
	err := db.readTable(t.ID)
	if err == nil {
		t.proven.Store(true)
		db.proofs.left.Add(-1)
	} else if errors.Is(err, ErrDamaged) {
		t.damage = err
	}
	return err
}

// readTable is ErrDamaged when a table has not what was written to it.
func (db *DB) readTable(id uint64) error {
	path := table.NewFilename(id, db.dir)
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist): // a merge was quicker
		return nil
	case err != nil:
		return fmt.Errorf("read key-value table: %w", err)
	}
	if err := verify(b, id); err != nil {
		return damage(damaged{fmt.Errorf("key-value table %s has not what was written to it: %w", path, err)})
	}
	return nil
}

// verify compares all blocks of a table with their checksums.
func verify(b []byte, id uint64) (err error) {
	defer func() {
		if recover() != nil { // Badger's verification, when it finds something
			err = errors.New("a block of it differs from its checksum")
		}
	}()
	t, err := table.OpenInMemoryTable(b, id, &table.Options{
		Compression: options.Snappy, BlockSize: badger.DefaultOptions("").BlockSize, ChkMode: options.OnBlockRead,
	})
	if err != nil {
		return err
	}
	return t.VerifyChecksum()
}

// proveAll reads every suspect, until the database is closed.
func (db *DB) proveAll() {
	for _, t := range db.proofs.all {
		if db.closing.Err() != nil {
			return
		}
		if err := db.proveTable(t); err != nil {
			db.log.Warn("a table of the key-value store is damaged", "error", err, "hint", rebuildHint)
		}
	}
}

// Prove reads all tables anew, whoever has read them before, and is ErrDamaged when one has
// not what was written to it. Large values lie elsewhere and are checked by who reads them.
func (db *DB) Prove(ctx context.Context) error {
	if err := db.enter(ctx); err != nil {
		return err
	}
	defer db.using.Done()
	for _, t := range db.badger.Tables() {
		if err := db.interrupted(ctx); err != nil {
			return err
		}
		if err := db.readTable(t.ID); err != nil {
			return err
		}
	}
	return nil
}
