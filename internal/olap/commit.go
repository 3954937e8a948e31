package olap

import (
	"context"
	"fmt"
	"slices"
	"sort"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/meshctl/meshctl/internal/record"
)

// lastColumn marks, in a staged batch of a state port, the last record of each key.
const lastColumn = "_last"

// Commit adds the records and moves the position to upTo, both or neither. upTo may be
// beyond the last record, and b empty, since a record may concern no table. What is at
// or before the position is left out, so a batch may be committed again. Of a state
// port, the last record of a key wins.
func (t *Table) Commit(ctx context.Context, b record.Batch, upTo record.Seq) error {
	t.db.mu.Lock()
	defer t.db.mu.Unlock()
	p := t.port()
	if upTo <= p.mark.Seq {
		return nil
	}
	done := sort.Search(len(b.Records), func(i int) bool { return b.Records[i].Seq > p.mark.Seq })
	b.Records = b.Records[done:]
	next := p.clone()
	next.mark.Seq = upTo
	if n := len(b.Records); n > 0 {
		next.mark.Time, next.used = b.Records[n-1].Time, true
	}
	err := t.db.write(ctx, func(w *conn) error {
		if len(b.Records) > 0 {
			rec, err := p.stored(b, done)
			if err != nil {
				return err
			}
			defer rec.Release()
			if err := p.add(ctx, w, rec); err != nil {
				return err
			}
		}
		if next.used != p.used {
			return t.save(ctx, w, next)
		}
		return savePosition(ctx, w, next)
	})
	if err != nil {
		return fmt.Errorf("commit %s up to %d: %w", t.spec.Name, upTo, err)
	}
	t.db.put(next)
	return nil
}

// stored is b as the tail stores it: our own columns, then the port's. from is the
// first row of b.Columns that b.Records still has.
func (p *port) stored(b record.Batch, from int) (arrow.RecordBatch, error) {
	n := len(b.Records)
	if b.Columns == nil || b.Columns.NumRows() != int64(from+n) {
		return nil, fmt.Errorf("a batch of %d records must have as many rows", from+n)
	}
	fields, columns := p.hidden(b.Records)
	defer func() {
		for _, c := range columns {
			c.Release()
		}
	}()
	for _, c := range p.columns {
		i := slices.IndexFunc(b.Columns.Schema().Fields(), func(f arrow.Field) bool { return f.Name == c.Name })
		if i < 0 {
			return nil, fmt.Errorf("the batch lacks the column %q", c.Name)
		}
		fields = append(fields, arrow.Field{Name: c.Name, Type: b.Columns.Column(i).DataType(), Nullable: true})
		columns = append(columns, array.NewSlice(b.Columns.Column(i), int64(from), int64(from+n)))
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, int64(n)), nil
}

// hidden are our own columns of records. Of a state port they include goneColumn and lastColumn.
func (p *port) hidden(records []record.Record) ([]arrow.Field, []arrow.Array) {
	micros := &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	seqs := array.NewUint64Builder(memory.DefaultAllocator)
	times := array.NewTimestampBuilder(memory.DefaultAllocator, micros)
	seqs.Reserve(len(records))
	times.Reserve(len(records))
	for i := range records {
		seqs.UnsafeAppend(uint64(records[i].Seq))
		times.UnsafeAppend(arrow.Timestamp(records[i].Time.UnixMicro()))
	}
	fields := []arrow.Field{{Name: seqColumn, Type: arrow.PrimitiveTypes.Uint64}, {Name: timeColumn, Type: micros}}
	columns := []arrow.Array{seqs.NewArray(), times.NewArray()}
	if !p.state {
		return fields, columns
	}
	gone, last := array.NewBooleanBuilder(memory.DefaultAllocator), array.NewBooleanBuilder(memory.DefaultAllocator)
	gone.Reserve(len(records))
	last.Reserve(len(records))
	winner := make(map[string]int, len(records))
	for i := range records {
		winner[string(records[i].Key)] = i
	}
	for i := range records {
		gone.UnsafeAppend(records[i].Deleted)
		last.UnsafeAppend(winner[string(records[i].Key)] == i)
	}
	fields = append(fields, arrow.Field{Name: lastColumn, Type: arrow.FixedWidthTypes.Boolean}, arrow.Field{Name: goneColumn, Type: arrow.FixedWidthTypes.Boolean})
	return fields, append(columns, last.NewArray(), gone.NewArray())
}

// add adds stored rows to the tail, within the transaction of w.
func (p *port) add(ctx context.Context, w *conn, rec arrow.RecordBatch) error {
	if !p.state {
		return w.appendTo(ctx, "", ownSchema, p.tailTable(p.tail), rec)
	}
	stage := fmt.Sprintf("stage%d", p.id)
	ddl := "CREATE OR REPLACE TEMP TABLE " + stage + " AS SELECT " + seqColumn + ", " + timeColumn + ", true AS " + lastColumn + ", * EXCLUDE (" + seqColumn + ", " + timeColumn + ") FROM " + p.tailName(p.tail) + " LIMIT 0"
	if err := w.exec(ctx, ddl); err != nil {
		return err
	}
	if err := w.appendTo(ctx, "temp", "main", stage, rec); err != nil {
		return err
	}
	match := ""
	for _, k := range p.key {
		match += " AND t." + ident(k) + " = s." + ident(k)
	}
	if err := w.exec(ctx, "DELETE FROM "+p.tailName(p.tail)+" AS t USING "+stage+" AS s WHERE s."+lastColumn+match); err != nil {
		return err
	}
	insert := "INSERT INTO " + p.tailName(p.tail) + " SELECT * EXCLUDE (" + lastColumn + ") FROM " + stage + " WHERE " + lastColumn
	if p.sealed == 0 && len(p.segments) == 0 {
		insert += " AND NOT " + goneColumn // nothing below that the deleted key could hide
	}
	return w.exec(ctx, insert)
}
