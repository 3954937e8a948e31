package record

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// Batch is consecutive records of one port, as rows and as columns: row i of Columns
// holds the contract's columns of Records[i]; of a delete, the key columns, all else null.
type Batch struct {
	Records []Record
	Columns arrow.RecordBatch
}

// Slice is the records from index i on. The result shares memory with b; its Columns
// must be released by the caller.
func (b Batch) Slice(i int) Batch {
	return Batch{
		Records: b.Records[i:],
		Columns: b.Columns.NewSlice(int64(i), b.Columns.NumRows()),
	}
}

// Watermark says as of when an answer holds.
type Watermark struct {
	Seq  Seq       `json:"seq"`           // the last record it has seen
	Time time.Time `json:"time"`          // when the log stored that record
	Lag  uint64    `json:"lag,omitempty"` // sequences that the log was ahead of that, as far as it was looked at
}
