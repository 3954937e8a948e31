package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kv"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

// The stores that are kept from the logs, by their folder in the product's data.
const (
	kvFolder    = "kv"
	tableFolder = "table"
)

// asideMark stands in the name of a damaged store's folder, before the time.
const asideMark = ".damaged-"

const loseExpiredHint = "start it with --dangerous-lose-expired to make the store again without them"

func (p *Product) openKV(ctx context.Context) error {
	return p.mending(ctx, kvFolder, func() (err error) {
		p.kv, err = kv.Open(p.data.sub(kvFolder), kv.Options{Logger: p.log})
		return err
	})
}

func (p *Product) openTables(ctx context.Context) error {
	return p.mending(ctx, tableFolder, func() (err error) {
		p.tables, err = olap.Open(ctx, p.data.sub(tableFolder), olap.Options{MemoryLimit: p.memory / 2, Logger: p.log, Store: p.store})
		return err
	})
}

// mending opens a store. One that is damaged is set aside first, and the logs fill a new
// one, where they still hold all that it held.
func (p *Product) mending(ctx context.Context, folder string, open func() error) error {
	err := open()
	if !damaged(err) {
		return err
	}
	if whole := p.logsWhole(ctx, folder); whole != nil && !p.o.LoseExpired {
		return fault.New(fault.Conflict, loseExpiredHint, "%w; %w", err, whole)
	}
	if err := p.setAside(folder, err); err != nil {
		return err
	}
	return open()
}

func damaged(err error) bool {
	return errors.Is(err, kv.ErrDamaged) || errors.Is(err, olap.ErrDamaged)
}

// applyMending applies the first descriptor. Damage of tables may show only now.
func (p *Product) applyMending(ctx context.Context, desc *product.Product) error {
	_, err := p.Apply(ctx, desc)
	if !damaged(err) {
		return err
	}
	found := err
	err = p.mending(ctx, tableFolder, func() error {
		if found != nil {
			err := errors.Join(found, p.tables.Close())
			found = nil
			return err
		}
		return p.openTables(ctx)
	})
	if err == nil {
		_, err = p.Apply(ctx, desc)
	}
	return err
}

// setAside renames a store's folder, so that the next open makes a new store. The damaged
// one is kept.
func (p *Product) setAside(folder string, why error) error {
	kept := p.data.sub(folder + asideMark + time.Now().UTC().Format("20060102T150405.000Z"))
	if err := os.Rename(p.data.sub(folder), kept); err != nil {
		return fmt.Errorf("set a damaged store aside: %w", err)
	}
	p.log.Warn("a store was damaged; it was set aside and is made again from the log", "store", folder, "kept", kept, "error", why)
	return nil
}

// asides are the folders of damaged stores that are still kept.
func (p *Product) asides() []string {
	kept, err := filepath.Glob(p.data.sub("*" + asideMark + "*"))
	if err != nil { // only for a bad pattern
		return nil
	}
	slices.Sort(kept)
	return kept
}

// logsWhole says which port's log no longer holds all records that the stores in folder
// were made of, a bucket's aside; nil when every log does. Tables of inputs come from
// mirrors, which drop nothing.
func (p *Product) logsWhole(ctx context.Context, folder string) error {
	contracts, err := p.savedContracts()
	if err != nil {
		return err
	}
	for _, c := range contracts {
		state, err := mesh.State(ctx, p.leaf.Conn(), "", c.ID.Stream())
		if err != nil {
			return err
		}
		after := record.Seq(0)
		if folder == tableFolder {
			if after, err = olap.Rolled(ctx, p.store, c.ID.Folder()); err != nil {
				return err
			}
		}
		if err := errors.Join(expired(c.ID, &c.Output, state, after), p.whole(ctx, c.ID, &c.Output, state, after)); err != nil {
			return err
		}
	}
	return nil
}

// expired says what a log no longer has of the records behind after that stores were made
// of. Of a compacted log every key's latest record is enough, as long as nothing else drops it.
func expired(id product.PortID, out *product.Output, s mesh.StreamState, after record.Seq) error {
	limited := out.Drops()
	switch {
	case s.Last <= after, out.Retention.Compact && !limited:
		return nil
	case out.Retention.Compact:
		return fmt.Errorf("the log of %s is compacted and its retention drops records, so older ones that the stores hold may be lost", id)
	case s.First > after+1:
		return fmt.Errorf("the log of %s begins at record %d, so the older records that the stores hold would be lost", id, s.First)
	case after == 0 && s.Msgs < uint64(s.Last):
		return fmt.Errorf("the log of %s lacks %d of %d records, which the stores may hold", id, uint64(s.Last)-s.Msgs, s.Last)
	}
	return nil
}
