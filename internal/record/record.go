// Package record is the record: one message of a port, its key and its stream sequence.
package record

import "time"

// Seq is a stream sequence. The first record of a stream is 1; 0 is before it.
type Seq uint64

// Record is one record of a port.
type Record struct {
	Seq     Seq       // sequence in the stream it was read from
	Time    time.Time // when that stream stored it, UTC
	Key     Key       // nil when the port has no key
	Value   []byte    // the JSON object as it was published; nil for a delete
	Deleted bool      // the key was deleted (a tombstone)
}
