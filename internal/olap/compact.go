package olap

import (
	"context"
	"fmt"
	"time"
)

// enough is how many small segments side by side make Maintain merge them.
const enough = 8

// Compact merges small segments that lie side by side into ones of about
// SegmentRows. A state port has one segment, which it writes anew with what the tail
// has. The old files go once no running query may read them.
func (t *Table) Compact(ctx context.Context) error {
	t.upkeep.Lock()
	defer t.upkeep.Unlock()
	err := t.claim(ctx, false)
	if err == nil {
		err = t.compact(ctx, 2)
	}
	if err != nil {
		return fmt.Errorf("compact %s: %w", t.spec.Name, err)
	}
	return nil
}

// compact merges groups of at least so many segments.
func (t *Table) compact(ctx context.Context, least int) error {
	if t.spec.State {
		return t.roll(ctx)
	}
	for _, group := range t.groups(t.snapshot().segments, least) {
		if err := t.merge(ctx, group); err != nil {
			return err
		}
	}
	return nil
}

// groups are runs of at least least segments whose rows together are at most SegmentRows.
func (t *Table) groups(segments []segment, least int) [][]segment {
	var groups [][]segment
	for i := 0; i < len(segments); {
		n, rows := 0, int64(0)
		for i+n < len(segments) && (n == 0 || rows+segments[i+n].rows <= int64(t.spec.SegmentRows)) {
			rows += segments[i+n].rows
			n++
		}
		if n >= least {
			groups = append(groups, segments[i:i+n])
		}
		i += n
	}
	return groups
}

// merge puts one segment in the place of group.
func (t *Table) merge(ctx context.Context, group []segment) error {
	p := t.snapshot()
	s := segment{first: group[0].first, last: group[len(group)-1].last, columns: len(p.columns)}
	parts := p.fileParts(t.db.dir, group, p.names(), true)
	sql := parts[0]
	for _, part := range parts[1:] {
		sql += " UNION ALL " + part
	}
	if err := t.writeSegment(ctx, &s, group, sql); err != nil {
		return err
	}
	return t.install(ctx, s, func(q *port) []segment {
		var kept []segment
		for _, old := range q.segments {
			switch {
			case old.file == group[0].file:
				kept = append(kept, s)
			case old.first < s.first || old.first > s.last:
				kept = append(kept, old)
			}
		}
		q.segments = kept
		return group
	})
}

// Maintain rolls the tail and merges segments when that is due; call it now and then.
// A tail is due by SegmentRows or SegmentAge. That of a state port must also be a
// quarter of what its segment holds, since that is written anew: so a row is
// written about five times in its life, however large the table.
func (t *Table) Maintain(ctx context.Context, now time.Time) error {
	t.upkeep.Lock()
	defer t.upkeep.Unlock()
	due := false
	err := t.claim(ctx, false)
	if err == nil {
		due, err = t.due(ctx, now)
	}
	if err == nil && due {
		err = t.roll(ctx)
	}
	if err == nil && !t.spec.State {
		err = t.compact(ctx, enough)
	}
	if err == nil && t.remote != nil {
		err = t.remote.collect(ctx, t.db.store.Bucket)
	}
	if err != nil {
		return fmt.Errorf("maintain %s: %w", t.spec.Name, err)
	}
	return nil
}

func (t *Table) due(ctx context.Context, now time.Time) (bool, error) {
	t.db.mu.Lock()
	defer t.db.mu.Unlock()
	if t.db.closed {
		return false, errClosed
	}
	p := t.port()
	if p.sealed != 0 {
		return true, nil
	}
	counted, err := t.db.w.rowsOf(ctx, "SELECT count(*) FROM "+p.tailName(p.tail))
	if err != nil {
		return false, err
	}
	rows := counted[0][0].(int64)
	if rows == 0 {
		t.since = time.Time{}
		return false, nil
	}
	if t.since.IsZero() {
		t.since = now
	}
	if rows < int64(t.spec.SegmentRows) && now.Sub(t.since) < t.spec.SegmentAge {
		return false, nil
	}
	if p.state && len(p.segments) > 0 && rows < p.segments[0].rows/4 {
		return false, nil
	}
	return true, nil
}
