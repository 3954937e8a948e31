package olap

import (
	"context"
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/record"
)

// Rows is an answer, batch by batch. It must be closed. It is not safe for use by
// several goroutines at once.
type Rows struct {
	schema    *arrow.Schema
	marks     map[string]record.Watermark
	versions  map[string]string
	pull      func(ctx context.Context) (arrow.RecordBatch, error) // io.EOF at the end
	done      func() error
	limit     int64 // most rows; 0 is no limit
	given     int64
	truncated bool
	ended     error
}

// Schema is the answer's columns.
func (r *Rows) Schema() *arrow.Schema { return r.schema }

// Watermarks says as of when the answer holds, by "schema.table", for the tables that
// the statement reads.
func (r *Rows) Watermarks() map[string]record.Watermark { return r.marks }

// Versions are those of the tables, by the same names, if they can be told. A table that
// has the same version later on has the same rows.
func (r *Rows) Versions() map[string]string { return r.versions }

// Truncated says, after Next gave io.EOF, whether rows beyond Query.MaxRows were left out.
func (r *Rows) Truncated() bool { return r.truncated }

// Next is the next batch, which the caller releases; io.EOF at the end. Its memory is
// DuckDB's: a string taken from it must be copied to outlive it.
func (r *Rows) Next(ctx context.Context) (arrow.RecordBatch, error) {
	if r.ended != nil {
		return nil, r.ended
	}
	rec, err := r.pull(ctx)
	if err != nil {
		r.ended = err
		return nil, err
	}
	if r.limit == 0 || r.given+rec.NumRows() <= r.limit {
		r.given += rec.NumRows()
		return rec, nil
	}
	defer rec.Release()
	r.truncated, r.ended = true, io.EOF
	if r.given == r.limit {
		return nil, io.EOF
	}
	return rec.NewSlice(0, r.limit-r.given), nil
}

// Close ends the answer, finished or not.
func (r *Rows) Close() error {
	if r.done == nil {
		return nil
	}
	done := r.done
	r.done, r.ended = nil, errors.New("the rows are closed")
	return done()
}
