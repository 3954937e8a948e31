package kv

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"

	"github.com/meshctl/meshctl/internal/record"
)

// Store is one port's part of the database: the latest record of each key, and the
// position in the port's log that this state corresponds to. Its methods may be called
// concurrently.
type Store struct {
	db       *DB
	port     string
	prefix   []byte // of the data
	position []byte // the key of the position

	commit sync.Mutex    // one writer at a time
	at     atomic.Uint64 // one more than the position; 0 while it must be read
}

func newStore(db *DB, port string) *Store {
	return &Store{db: db, port: port, prefix: storePrefix(port), position: positionKey(port)}
}

// Position is the sequence of the log that the store has reached; 0 when it is new.
func (s *Store) Position(ctx context.Context) (record.Seq, error) {
	if err := s.db.enter(ctx); err != nil {
		return 0, err
	}
	defer s.db.using.Done()
	return s.reached()
}

// reached is the position. Every get asks for it, so it is kept once it was read.
func (s *Store) reached() (record.Seq, error) {
	if at := s.at.Load(); at > 0 {
		return record.Seq(at - 1), nil
	}
	seq, err := s.readPosition()
	if err == nil {
		s.at.CompareAndSwap(0, uint64(seq)+1) // a commit meanwhile knows better
	}
	return seq, err
}

func (s *Store) readPosition() (record.Seq, error) {
	var seq record.Seq
	err := s.db.badger.View(func(txn *badger.Txn) error {
		item, err := txn.Get(s.position)
		if errors.Is(err, badger.ErrKeyNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return item.Value(func(b []byte) error {
			state, at, err := decodePosition(b)
			if state == atPosition {
				seq = at
			}
			return err
		})
	})
	if err != nil {
		return 0, damage(fmt.Errorf("read position of %s: %w", s.port, err))
	}
	return seq, nil
}

// Get is the latest record of key, and whether there is one. The record is the caller's.
func (s *Store) Get(ctx context.Context, key record.Key) (record.Record, bool, error) {
	if err := s.db.enter(ctx); err != nil {
		return record.Record{}, false, err
	}
	defer s.db.using.Done()

	stored := s.storedKey(key)
	if err := s.db.prove(ctx, stored, stored); err != nil {
		return record.Record{}, false, fmt.Errorf("get from %s: %w", s.port, err)
	}
	txn := s.db.badger.NewTransaction(false)
	defer txn.Discard()
	item, err := txn.Get(stored)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return record.Record{}, false, nil
	}
	if err != nil {
		return record.Record{}, false, damage(fmt.Errorf("get from %s: %w", s.port, err))
	}
	r, err := s.open(item, stored)
	if err != nil {
		return record.Record{}, false, err
	}
	return r, true, nil
}

// open makes an item into a record that outlives it. It keeps stored.
func (s *Store) open(item *badger.Item, stored []byte) (record.Record, error) {
	b, err := item.ValueCopy(nil)
	if err == nil {
		// A value that the value log has lost comes back empty, without an error.
		var r record.Record
		if r, err = decodeValue(stored[len(s.prefix):], b); err == nil {
			return r, nil
		}
	}
	return record.Record{}, damage(fmt.Errorf("read record of %s: %w", s.port, err))
}

// Count is how many keys there are. It reads all of them, about a microsecond each.
func (s *Store) Count(ctx context.Context) (int64, error) {
	var n int64
	err := s.walk(ctx, Range{}, func(*badger.Item) (bool, error) {
		n++
		return true, nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
