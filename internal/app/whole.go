package app

import (
	"context"
	"errors"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

// wholeSilence is how long a log that has more may give nothing before it counts as read.
const wholeSilence = 10 * time.Second

// whole reads the log of a port behind after once, and says what of it cannot be read: the
// server passes over a record whose checksum is wrong without a word. A compacted log has
// gaps that mean nothing, so its records are counted.
func (p *Product) whole(ctx context.Context, id product.PortID, out *product.Output, s mesh.StreamState, after record.Seq) error {
	from := max(after+1, s.First)
	if out.Retention.Compact && from > s.First || s.Msgs == 0 || from > s.Last {
		return nil
	}
	r, err := mesh.NewReader(ctx, p.leaf.Conn(), "", id.Stream(), from-1, "")
	if err != nil {
		return err
	}
	defer r.Close()
	next, lost, first, read := from, record.Seq(0), record.Seq(0), uint64(0)
	gap := func(to record.Seq) {
		if to > next && first == 0 {
			first = next
		}
		lost += to - next
	}
	for next <= s.Last {
		wait, cancel := context.WithTimeout(ctx, wholeSilence)
		msgs, err := r.Next(wait, 10_000, readBytes, 0, 0)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			gap(s.Last + 1)
			break
		}
		if err != nil {
			return err
		}
		for _, m := range msgs {
			if m.Seq <= s.Last {
				gap(m.Seq)
				read++
			}
			next = m.Seq + 1
		}
	}
	if out.Retention.Compact {
		return p.damagedCompacted(ctx, id, s, read)
	}
	return p.damagedLog(ctx, id, from, lost, first)
}

// damagedCompacted is the fault of records that a compacted log said it has and did not
// give, beyond those that may have been removed since.
func (p *Product) damagedCompacted(ctx context.Context, id product.PortID, s mesh.StreamState, read uint64) error {
	now, err := mesh.State(ctx, p.leaf.Conn(), "", id.Stream())
	if err != nil {
		return err
	}
	removed := s.Msgs + uint64(now.Last-s.Last) - now.Msgs
	if read+removed >= s.Msgs {
		return nil
	}
	return fault.New(fault.Conflict, "restore the log from a backup", "%d records of the compacted log of %s cannot be read: its files are damaged", s.Msgs-read-removed, id)
}

// damagedLog is the fault of records that the log says it has and does not give.
func (p *Product) damagedLog(ctx context.Context, id product.PortID, from, lost, first record.Seq) error {
	if lost == 0 {
		return nil
	}
	now, err := mesh.State(ctx, p.leaf.Conn(), "", id.Stream())
	if err != nil {
		return err
	}
	if now.First > from || uint64(now.Last-now.First)+1 > now.Msgs { // dropped, or removed by somebody, which is no damage
		return nil
	}
	return fault.New(fault.Conflict, "restore the log from a backup", "%d records of the log of %s cannot be read, the first of them %d: its files are damaged", lost, id, first)
}
