package app

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// gatheredRows are as many as DuckDB gives at once. Of a scan that few rows of each such
// lot pass it gives as many small batches, each of which costs as much on its way as a full one.
const gatheredRows = 2048

// gathered makes one batch of several small ones.
type gathered struct {
	emit func(arrow.RecordBatch) error
	held []arrow.RecordBatch
	rows int64
}

// add takes a batch in, and emits those before it that it has no room with.
func (g *gathered) add(b arrow.RecordBatch) error {
	if g.rows+b.NumRows() > gatheredRows {
		if err := g.flush(); err != nil {
			return err
		}
	}
	if b.NumRows() >= gatheredRows {
		return g.emit(b)
	}
	b.Retain()
	g.held, g.rows = append(g.held, b), g.rows+b.NumRows()
	return nil
}

// flush emits what is held.
func (g *gathered) flush() error {
	if len(g.held) == 0 {
		return nil
	}
	defer g.release()
	if len(g.held) == 1 {
		return g.emit(g.held[0])
	}
	b, err := concatenate(g.held)
	if err != nil {
		return err
	}
	defer b.Release()
	return g.emit(b)
}

func (g *gathered) release() {
	for _, b := range g.held {
		b.Release()
	}
	g.held, g.rows = g.held[:0], 0
}

// concatenate is one batch with the rows of all.
func concatenate(list []arrow.RecordBatch) (arrow.RecordBatch, error) {
	columns := make([]arrow.Array, 0, list[0].NumCols())
	defer func() {
		for _, c := range columns {
			c.Release()
		}
	}()
	rows := int64(0)
	for _, b := range list {
		rows += b.NumRows()
	}
	for i := range int(list[0].NumCols()) {
		parts := make([]arrow.Array, len(list))
		for k, b := range list {
			parts[k] = b.Column(i)
		}
		c, err := array.Concatenate(parts, memory.DefaultAllocator)
		if err != nil {
			return nil, fmt.Errorf("gather rows of column %q: %w", list[0].ColumnName(i), err)
		}
		columns = append(columns, c)
	}
	return array.NewRecordBatch(list[0].Schema(), columns, rows), nil
}
