package kv

import (
	"bytes"
	"context"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/meshctl/meshctl/internal/record"
)

// Range says which records to scan, and how. The zero value is all of them.
//
// Order is that of the keys; among keys of 32,000 bytes and more that agree in their
// first 32,000, it is arbitrary but always the same.
type Range struct {
	From, To record.Key // [From, To); nil is open
	Prefix   record.Key // only keys that start with it
	Reverse  bool       // from the greatest key down
	Limit    int        // the most records; 0 is all
	After    record.Key // start behind this key, in the direction of the scan: the last one of the page before
}

// Scan calls fn with each record of a range in key order, as of one moment, until fn or
// ctx fails. The records are fn's to keep.
func (s *Store) Scan(ctx context.Context, r Range, fn func(record.Record) error) error {
	n := 0
	return s.walk(ctx, r, func(item *badger.Item) (bool, error) {
		rec, err := s.open(item, item.KeyCopy(nil))
		if err != nil {
			return false, err
		}
		if len(rec.Key) >= longKey && !r.holds(rec.Key) {
			return true, nil
		}
		if err := fn(rec); err != nil {
			return false, err
		}
		n++
		return r.Limit == 0 || n < r.Limit, nil
	})
}

// holds says whether a key lies between the bounds. Only long keys need to be asked:
// where they are stored says it of all others.
func (r Range) holds(key record.Key) bool {
	return (r.From == nil || bytes.Compare(key, r.From) >= 0) &&
		(r.To == nil || bytes.Compare(key, r.To) < 0) &&
		bytes.HasPrefix(key, r.Prefix)
}

// walk visits the items of a range in one snapshot until visit says no more. Around the
// bounds it may visit long keys that lie outside.
func (s *Store) walk(ctx context.Context, r Range, visit func(*badger.Item) (more bool, err error)) error {
	if err := s.db.enter(ctx); err != nil {
		return err
	}
	defer s.db.using.Done()

	w := s.window(r)
	if err := s.db.prove(ctx, w.low, w.high); err != nil {
		return fmt.Errorf("scan %s: %w", s.port, err)
	}
	txn := s.db.badger.NewTransaction(false)
	defer txn.Discard()
	// Values of records lie beside their keys, so reading ahead would only start goroutines.
	it := txn.NewIterator(badger.IteratorOptions{Prefix: s.prefix, Reverse: r.Reverse})
	defer it.Close()

	for it.Seek(w.start); it.Valid(); it.Next() {
		if err := s.db.interrupted(ctx); err != nil {
			return err
		}
		item := it.Item()
		switch key := item.Key(); {
		case w.before(key):
			continue
		case w.beyond(key):
			return nil
		}
		if more, err := visit(item); err != nil || !more {
			return err
		}
	}
	return nil
}

// interrupted is why a walk must end now, or nil.
func (db *DB) interrupted(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if db.closing.Err() != nil {
		return errClosed()
	}
	return nil
}

// window is a range in terms of stored keys: [low, high), entered at start.
type window struct {
	low, high []byte
	after     []byte // nil, or the stored key behind which the walk begins
	start     []byte
	reverse   bool
}

func (s *Store) window(r Range) window {
	w := window{reverse: r.Reverse, low: s.prefix}
	raise := func(k record.Key) {
		if k != nil {
			w.low = maxBytes(w.low, s.bound(k[:min(len(k), longKey)]))
		}
	}
	raise(r.From)
	raise(r.Prefix)

	// No key starts with 0xff: a part's tag is smaller.
	w.high = s.bound(record.Key{0xff})
	lower := func(k record.Key) {
		if k != nil {
			w.high = minBytes(w.high, s.bound(k))
		}
	}
	if len(r.To) > longKey {
		lower(r.To[:longKey].PrefixEnd())
	} else {
		lower(r.To)
	}
	if len(r.Prefix) > 0 {
		lower(r.Prefix[:min(len(r.Prefix), longKey)].PrefixEnd())
	}

	if r.After != nil {
		w.after = s.storedKey(r.After)
	}
	if w.start = w.low; w.reverse {
		w.start = w.high
	}
	if w.after != nil && w.reverse {
		w.start = minBytes(w.start, w.after)
	} else if w.after != nil {
		w.start = maxBytes(w.start, w.after)
	}
	return w
}

func (s *Store) bound(k record.Key) []byte {
	return append(s.prefix[:len(s.prefix):len(s.prefix)], k...)
}

// before says that a key is where a seek may land though the walk has yet to begin.
func (w window) before(key []byte) bool {
	if w.after != nil && bytes.Equal(key, w.after) {
		return true
	}
	return w.reverse && bytes.Compare(key, w.high) >= 0
}

func (w window) beyond(key []byte) bool {
	if w.reverse {
		return bytes.Compare(key, w.low) < 0
	}
	return bytes.Compare(key, w.high) >= 0
}

func maxBytes(a, b []byte) []byte {
	if bytes.Compare(a, b) >= 0 {
		return a
	}
	return b
}

func minBytes(a, b []byte) []byte {
	if bytes.Compare(a, b) <= 0 {
		return a
	}
	return b
}
