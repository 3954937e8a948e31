package kv

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

// transactionBytes bounds the values of one transaction. Badger does not count those that
// go to the value log, and copies all of them at once.
const transactionBytes = 16 * mib

// Commit applies the records of b, the latest of each key winning, and moves the position
// to upTo, in one transaction. A batch that is too big for one is split, and after each
// part data and position agree. What lies at or before the position is skipped, so a
// commit repeated changes nothing; records without a key are skipped too. Only
// b.Records is read.
func (s *Store) Commit(ctx context.Context, b record.Batch, upTo record.Seq) error {
	if err := s.db.enter(ctx); err != nil {
		return err
	}
	defer s.db.using.Done()
	s.commit.Lock()
	defer s.commit.Unlock()
	s.db.writing.RLock()
	defer s.db.writing.RUnlock()

	at, err := s.reached()
	if err != nil || upTo <= at {
		return err
	}
	if n := len(b.Records); n > 0 && b.Records[n-1].Seq > upTo {
		return fault.New(fault.Invalid, "", "commit %s up to %d: the batch goes on to %d", s.port, upTo, b.Records[n-1].Seq)
	}
	if err := s.db.roomFor(reserve); err != nil {
		return fmt.Errorf("commit %s up to %d: %w", s.port, upTo, err)
	}
	p := s.newPart()
	defer func() { p.txn.Discard() }()
	for _, r := range b.Records {
		if r.Seq <= at || r.Key == nil {
			continue
		}
		err := p.add(r)
		if errors.Is(err, badger.ErrTxnTooBig) && p.last > 0 {
			if err := p.commit(ctx, p.last); err != nil {
				return s.commitFault(p.last, err)
			}
			p = s.newPart()
			err = p.add(r)
		}
		if err != nil {
			return s.commitFault(r.Seq, err)
		}
	}
	if err := p.commit(ctx, upTo); err != nil {
		return s.commitFault(upTo, err)
	}
	return nil
}

func (s *Store) commitFault(seq record.Seq, err error) error {
	return writeFault(fmt.Errorf("commit %s up to %d: %w", s.port, seq, err))
}

// part is one transaction of a commit. Its position is the first entry, so that there is
// always room for it; the sequence is filled in last.
type part struct {
	store    *Store
	txn      *badger.Txn
	position []byte // the entry's value, which the transaction keeps by reference
	last     record.Seq
	bytes    int
	err      error
}

func (s *Store) newPart() *part {
	p := &part{store: s, txn: s.db.badger.NewTransaction(true), position: encodePosition(atPosition, 0)}
	p.err = p.txn.Set(s.position, p.position)
	return p
}

func (p *part) add(r record.Record) error {
	if p.err != nil {
		return p.err
	}
	if p.bytes > 0 && p.bytes+len(r.Value) > transactionBytes {
		return badger.ErrTxnTooBig
	}
	var err error
	if key := p.store.storedKey(r.Key); r.Deleted {
		err = p.txn.Delete(key)
	} else {
		err = p.txn.Set(key, encodeValue(r))
	}
	if err == nil {
		p.last = r.Seq
		p.bytes += len(r.Value)
	}
	return err
}

func (p *part) commit(ctx context.Context, seq record.Seq) error {
	if p.err != nil {
		return p.err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	binary.BigEndian.PutUint64(p.position[1:], uint64(seq))
	p.store.db.work.note()
	if err := p.txn.Commit(); err != nil {
		p.store.at.Store(0) // it may have happened all the same
		return err
	}
	p.store.at.Store(uint64(seq) + 1)
	return nil
}
