package kv

import (
	"context"
	"fmt"
	"strings"

	"github.com/dgraph-io/badger/v4"
)

// Drop removes the port's data and position, and nothing of other ports. From its first
// moment on the position is 0; a crash in the middle is finished by the next Open. Scans
// that run during it may see part of the data.
func (s *Store) Drop(ctx context.Context) error {
	if err := s.db.enter(ctx); err != nil {
		return err
	}
	defer s.db.using.Done()
	s.commit.Lock()
	defer s.commit.Unlock()
	s.db.writing.Lock()
	defer s.db.writing.Unlock()

	// It would take the rest of a damaged table for all there is, other ports' records too.
	all := s.window(Range{})
	if err := s.db.prove(ctx, all.low, all.high); err != nil {
		return fmt.Errorf("drop %s: %w", s.port, err)
	}
	if err := s.beginDrop(); err != nil {
		return err
	}
	return s.finishDrop()
}

// beginDrop writes the intent down: Badger's DropPrefix is many steps.
func (s *Store) beginDrop() error {
	s.at.Store(1)
	err := s.db.badger.Update(func(txn *badger.Txn) error {
		return txn.Set(s.position, encodePosition(dropping, 0))
	})
	if err != nil {
		s.at.Store(0)
		return writeFault(fmt.Errorf("drop %s: %w", s.port, err))
	}
	return nil
}

func (s *Store) finishDrop() error {
	defer s.db.pace.hurry()() // Badger ends compactions first
	if err := s.db.badger.DropPrefix(s.prefix); err != nil {
		return writeFault(fmt.Errorf("drop %s: %w", s.port, err))
	}
	err := s.db.badger.Update(func(txn *badger.Txn) error { return txn.Delete(s.position) })
	if err != nil {
		return writeFault(fmt.Errorf("drop %s: %w", s.port, err))
	}
	return nil
}

// finishDrops completes what a crash left half dropped.
func (db *DB) finishDrops() error {
	var ports []string
	err := db.badger.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{positionPrefix}})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			port := strings.TrimPrefix(string(it.Item().Key()), string(rune(positionPrefix)))
			err := it.Item().Value(func(b []byte) error {
				state, _, err := decodePosition(b)
				if state == dropping {
					ports = append(ports, port)
				}
				return err
			})
			if err != nil {
				return fmt.Errorf("read position of %s: %w", port, err)
			}
		}
		return nil
	})
	if err != nil {
		return damage(damaged{err})
	}
	for _, port := range ports {
		if err := db.Store(port).finishDrop(); err != nil {
			return err
		}
	}
	return nil
}
