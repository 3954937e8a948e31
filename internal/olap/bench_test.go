package olap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"golang.org/x/sys/unix"

	"github.com/meshctl/meshctl/internal/record"
)

// orderSchema is like an ordinary contract: a key, a time, numbers and texts.
var orderSchema = arrow.NewSchema([]arrow.Field{
	{Name: "order_id", Type: arrow.BinaryTypes.String},
	{Name: "placed_at", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}},
	{Name: "customer", Type: arrow.BinaryTypes.String},
	{Name: "country", Type: arrow.BinaryTypes.String},
	{Name: "quantity", Type: arrow.PrimitiveTypes.Int64},
	{Name: "price", Type: arrow.PrimitiveTypes.Float64},
	{Name: "note", Type: arrow.BinaryTypes.String, Nullable: true},
}, nil)

const benchBatch = 10_000

// orders is one batch from that sequence on; keys bounds how many keys there are.
func orders(from record.Seq, n, keys int) record.Batch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, orderSchema)
	defer b.Release()
	var out record.Batch
	for i := range n {
		seq := from + record.Seq(i)
		id := fmt.Sprintf("order-%08d", (uint64(seq)*2654435761)%uint64(keys))
		at := start.Add(time.Duration(seq) * time.Second)
		out.Records = append(out.Records, record.Record{Seq: seq, Time: at, Key: record.NewKey(id)})
		b.Field(0).(*array.StringBuilder).Append(id)
		b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(at.UnixMicro()))
		b.Field(2).(*array.StringBuilder).Append(fmt.Sprintf("customer-%d", seq%5000))
		b.Field(3).(*array.StringBuilder).Append([]string{"CH", "DE", "FR", "US", "JP"}[seq%5])
		b.Field(4).(*array.Int64Builder).Append(int64(seq % 17))
		b.Field(5).(*array.Float64Builder).Append(float64(seq%10007) / 7)
		if seq%3 == 0 {
			b.Field(6).AppendNull()
		} else {
			b.Field(6).(*array.StringBuilder).Append("leave it at the door, the dog is friendly")
		}
	}
	out.Columns = b.NewRecordBatch()
	return out
}

func cpu(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchmarkCommit(b *testing.B, spec TableSpec, keys int) {
	spec.Columns, spec.Key = orderSchema, []string{"order_id"}
	table := openTable(b, openDB(b, b.TempDir()), spec)
	seq := record.Seq(1)
	var spent time.Duration
	for b.Loop() {
		batch := orders(seq, benchBatch, keys)
		seq += benchBatch
		before := cpu(b)
		if err := table.Commit(context.Background(), batch, seq-1); err != nil {
			b.Fatal(err)
		}
		spent += cpu(b) - before
		batch.Columns.Release()
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(uint64(seq-1)), "cpu-ns/record")
	if err := table.Roll(context.Background()); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkCommitEvent(b *testing.B) { benchmarkCommit(b, eventSpec(), 1_000_000) }

func BenchmarkCommitState(b *testing.B) { benchmarkCommit(b, stateSpec(), 1_000_000) }

// BenchmarkQuery compares a table with DuckDB on the same Parquet file.
func BenchmarkQuery(b *testing.B) {
	for name, spec := range map[string]TableSpec{"event": eventSpec(), "state": stateSpec()} {
		spec.Columns, spec.Key = orderSchema, []string{"order_id"}
		db := openDB(b, b.TempDir())
		table := openTable(b, db, spec)
		for seq := record.Seq(1); seq < 1_000_000; seq += 50_000 {
			if err := table.Commit(b.Context(), orders(seq, 50_000, 1_000_000), seq+49_999); err != nil {
				b.Fatal(err)
			}
		}
		if err := table.Roll(b.Context()); err != nil {
			b.Fatal(err)
		}
		raw := "read_parquet(" + literal(db.dir+"/"+spec.Folder+"/*.parquet") + ")"
		for _, q := range []struct{ name, sql string }{
			{"count", "SELECT count(*) FROM %s"},
			{"group", "SELECT country, sum(quantity), avg(price) FROM %s GROUP BY country"},
			{"top", "SELECT customer, sum(price) AS s FROM %s GROUP BY customer ORDER BY s DESC LIMIT 10"},
			{"point", "SELECT * FROM %s WHERE order_id = 'order-00012345'"},
			{"all", "SELECT * FROM %s"},
		} {
			b.Run(name+"/"+q.name+"/view", func(b *testing.B) {
				for b.Loop() {
					rows, err := db.Query(b.Context(), Query{SQL: fmt.Sprintf(q.sql, "trips."+spec.Name)})
					if err != nil {
						b.Fatal(err)
					}
					read(b, rows)
				}
			})
			b.Run(name+"/"+q.name+"/file", func(b *testing.B) {
				for b.Loop() {
					read(b, direct(b, db, fmt.Sprintf(q.sql, raw)))
				}
			})
		}
	}
}

func read(b *testing.B, rows *Rows) {
	defer func() {
		if err := rows.Close(); err != nil {
			b.Error(err)
		}
	}()
	for {
		rec, err := rows.Next(b.Context())
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			b.Fatal(err)
		}
		rec.Release()
	}
}

// BenchmarkQueryFixed is what a query costs beside its own work.
func BenchmarkQueryFixed(b *testing.B) {
	spec := eventSpec()
	spec.Columns, spec.Key = orderSchema, []string{"order_id"}
	db := openDB(b, b.TempDir())
	openTable(b, db, spec)
	for b.Loop() {
		rows, err := db.Query(b.Context(), Query{SQL: "SELECT count(*) FROM trips." + spec.Name})
		if err != nil {
			b.Fatal(err)
		}
		read(b, rows)
	}
}
