// Package serve is the read path of one product: what it can be asked, what it
// answers, and its HTTP face. The same requests travel over NATS.
package serve

import (
	"context"
	"encoding/json"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/record"
)

// Product answers for one product. Errors are faults: NotFound for an unknown port,
// Invalid for a malformed key, Rejected for refused SQL, Timeout.
type Product interface {
	Get(ctx context.Context, r GetRequest) (GetAnswer, error)
	// Scan gives each record to emit, in key order, and then says how it ended.
	Scan(ctx context.Context, r ScanRequest, emit func(Record) error) (ScanAnswer, error)
	// Query gives the schema, then each batch, which it releases when emit returns.
	Query(ctx context.Context, r QueryRequest, schema func(*arrow.Schema) error, emit func(arrow.RecordBatch) error) (QueryAnswer, error)
	// Entry is the product as the catalog shows it, with its present state.
	Entry(ctx context.Context) (catalog.Entry, error)
}

// Record is a record as it is answered.
type Record struct {
	Key     string          `json:"key"` // as a person writes it
	Seq     record.Seq      `json:"seq"`
	Time    time.Time       `json:"time"`
	Value   json.RawMessage `json:"value"` // null for a delete
	Deleted bool            `json:"deleted,omitempty"`
}

// GetRequest asks for the latest record of each key.
type GetRequest struct {
	Port  string   `json:"port"` // name, with @major for another than the present one
	Keys  []string `json:"keys"` // as a person writes them
	Await Await    `json:"await,omitzero"`
}

// GetAnswer holds the records found, in the order of the keys asked for.
type GetAnswer struct {
	Records   []Record         `json:"records"`
	Missing   []string         `json:"missing"` // keys that have no record
	Watermark record.Watermark `json:"watermark"`
}

// ScanRequest asks for the latest records of a range of keys, in key order.
type ScanRequest struct {
	Port    string `json:"port"`
	From    string `json:"from,omitempty"`   // first key, inclusive
	To      string `json:"to,omitempty"`     // end, exclusive
	Prefix  string `json:"prefix,omitempty"` // leading parts of a key; the last may be the start of a string
	Reverse bool   `json:"reverse,omitempty"`
	Limit   int    `json:"limit,omitempty"` // 0 is all
}

// ScanAnswer says how a scan ended.
type ScanAnswer struct {
	Count     int              `json:"count"`
	More      bool             `json:"more"` // the limit cut the answer
	Watermark record.Watermark `json:"watermark"`
}

// QueryRequest asks for the rows of one SELECT over the product's own tables.
type QueryRequest struct {
	SQL   string         `json:"sql"`
	Args  map[string]any `json:"args,omitempty"`  // bound to $name
	Limit int64          `json:"limit,omitempty"` // most rows; 0 is all
	// AsOf says as of when: a sequence or a time, by product, product.port, or "" for all.
	AsOf map[string]string `json:"asOf,omitempty"`
	// TimeoutMillis is how long the caller waits; 0 is as long as the product allows.
	TimeoutMillis int64 `json:"timeoutMillis,omitempty"`
	// Held are versions of tables whose rows the caller has had by the statement. Instead of
	// rows it is told which versions there are now.
	Held   map[string]string `json:"held,omitempty"`
	Caller string            `json:"-"` // who asks, as far as that is known
	// AllowPartial takes a product that cannot be reached for one without rows. It is for
	// what asks several products.
	AllowPartial bool `json:"-"`
}

// QueryAnswer says how a query ended and as of when it holds.
type QueryAnswer struct {
	Rows       int64                       `json:"rows"`
	More       bool                        `json:"more"` // the limit cut the answer
	Watermarks map[string]record.Watermark `json:"watermarks"`
	Millis     float64                     `json:"millis"`
	// Waited is how many of these it waited until other queries had ended.
	Waited float64 `json:"waited,omitempty"`
	Bytes  int64   `json:"bytes"` // of the rows, as Arrow
	// Versions are those of the tables in Watermarks, as far as they can be told: until one has
	// another version, it has no other rows.
	Versions map[string]string `json:"versions,omitempty"`
	// Missing are the tables that the answer has no rows of: where there are any it is partial.
	Missing []Missing `json:"missing,omitempty"`
}

// Missing is a table that an answer has no rows of, because its product could not be reached.
type Missing struct {
	Table string    `json:"table"`
	Since time.Time `json:"since,omitzero"` // when the product was last heard of
	Error string    `json:"error"`
}

// Await makes a request wait until the port has seen something.
type Await struct {
	Input string     `json:"input,omitempty"` // input or port whose inbox was published to
	Seq   record.Seq `json:"seq,omitempty"`   // sequence in that inbox
}
