// Package browse is what people who look around in a mesh need of it, whatever they look
// with: a small Source, how products fare, and what was seen of them over time.
package browse

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/serve"
)

// Mesh is a mesh that is looked at; nothing here changes it. Every call may take its
// time, and ends early when its context does; several may run at once.
type Mesh interface {
	// Where names the mesh, for people.
	Where() string
	// Reach says why the hub cannot be reached just now, nil when it can.
	Reach(ctx context.Context) error
	// Watch gives the whole catalog once, then each entry that changes, or nil for one
	// that is no more, until ctx ends or a call back fails.
	Watch(ctx context.Context, all func(catalog.Catalog) error, each func(name string, e *catalog.Entry) error) error
	// Entries are the products as they are now, from themselves, and the names of those
	// that do not answer.
	Entries(ctx context.Context, names []string) (answered []catalog.Entry, silent []string)
	// Query runs one SELECT over the mesh.
	Query(ctx context.Context, r serve.QueryRequest) (Answer, error)
}

// Source is a mesh with its records and dead letters as well.
type Source interface {
	Mesh
	// Follow gives the newest records of a port's log and then each as it comes.
	Follow(ctx context.Context, address string, last int, emit func(serve.Record) error) error
	// DeadLetters are the letters of a port that wait, oldest first.
	DeadLetters(ctx context.Context, address string) ([]serve.Letter, error)
	// Replay publishes a dead letter again.
	Replay(ctx context.Context, address string, letter record.Seq) error
	// WriteParquet writes rows to a Parquet file, which is there whole or not at all.
	WriteParquet(ctx context.Context, path string, rows Rows) error
}

// Rows come batch by batch.
type Rows interface {
	Schema() *arrow.Schema
	// Next is the next batch, which the caller releases; io.EOF at the end.
	Next(ctx context.Context) (arrow.RecordBatch, error)
}

// Answer is the rows of a query. It must be closed.
type Answer interface {
	Rows
	// Finish says, after io.EOF, as of when the answer holds.
	Finish() (serve.QueryAnswer, error)
	Close() error
}
