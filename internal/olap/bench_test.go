package olap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
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

// flightQueries are what people ask of flights.
var flightQueries = []string{
	"SELECT count(*) FROM %s",
	"SELECT origin, count(*), avg(delay) FROM %s GROUP BY origin ORDER BY 2 DESC LIMIT 10",
	"SELECT origin, destination, sum(distance) FROM %s GROUP BY ALL ORDER BY 3 DESC LIMIT 10",
	"SELECT date_trunc('day', date) AS d, max(delay) FROM %s GROUP BY d ORDER BY d",
	"SELECT * FROM %s WHERE origin = 'ANC' AND delay > 120 ORDER BY delay DESC",
	"SELECT count(DISTINCT destination) FROM %s WHERE distance BETWEEN 500 AND 1500",
	"SELECT quantile_cont(delay, 0.95), stddev(delay) FROM %s",
	"SELECT origin, delay, row_number() OVER (PARTITION BY origin ORDER BY delay DESC) AS r FROM %s QUALIFY r <= 3",
}

// BenchmarkQuery is the time of queries on a product's table, as a ratio to DuckDB on
// the same Parquet files in the same process: each query's best of five, then their
// geometric mean. BENCH_FLIGHTS names a Parquet file of flights; without it they are made up.
func BenchmarkQuery(b *testing.B) {
	db := openDB(b, b.TempDir())
	table := openTable(b, db, TableSpec{Schema: "flights", Name: "flights", Folder: "flights-v1", Columns: flightSchema})
	fillFlights(b, table)
	raw := "read_parquet(" + literal(db.dir+"/flights-v1/*.parquet") + ")"
	for b.Loop() {
		logs, worst := 0.0, 0.0
		for _, q := range flightQueries {
			ours := bestOf(5, func() {
				rows, err := db.Query(b.Context(), Query{SQL: fmt.Sprintf(q, "flights.flights")})
				if err != nil {
					b.Fatal(err)
				}
				read(b, rows)
			})
			theirs := bestOf(5, func() { read(b, direct(b, db, fmt.Sprintf(q, raw))) })
			ratio := ours.Seconds() / theirs.Seconds()
			b.Logf("%.2f  %6.1f ms  %6.1f ms  %s", ratio, 1000*ours.Seconds(), 1000*theirs.Seconds(), fmt.Sprintf(q, "flights"))
			logs, worst = logs+math.Log(ratio), max(worst, ratio)
		}
		b.ReportMetric(math.Exp(logs/float64(len(flightQueries))), "geomean-ratio")
		b.ReportMetric(worst, "worst-ratio")
	}
}

func bestOf(n int, run func()) time.Duration {
	best := time.Duration(math.MaxInt64)
	for range n {
		began := time.Now()
		run()
		best = min(best, time.Since(began))
	}
	return best
}

var flightSchema = arrow.NewSchema([]arrow.Field{
	{Name: "date", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}},
	{Name: "delay", Type: arrow.PrimitiveTypes.Int64},
	{Name: "distance", Type: arrow.PrimitiveTypes.Int64},
	{Name: "origin", Type: arrow.BinaryTypes.String},
	{Name: "destination", Type: arrow.BinaryTypes.String},
}, nil)

// fillFlights commits three million flights and rolls them.
func fillFlights(b *testing.B, table *Table) {
	sql := "SELECT TIMESTAMPTZ '2001-01-01' + INTERVAL (i * 5) SECOND AS date, (hash(i) % 200)::BIGINT - 20 AS delay, (hash(i // 7) % 2500)::BIGINT AS distance, chr((65 + hash(i // 3) % 26)::INT) || 'NC' AS origin, chr((65 + hash(i // 5) % 26)::INT) || 'TL' AS destination FROM range(3000000) t(i)"
	if file := os.Getenv("BENCH_FLIGHTS"); file != "" {
		sql = "SELECT date::TIMESTAMPTZ AS date, delay::BIGINT AS delay, distance::BIGINT AS distance, origin, destination FROM read_parquet(" + literal(file) + ")"
	}
	e, c, err := openScratch(Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer e.close()
	defer c.close()
	res, err := c.query(b.Context(), sql)
	if err != nil {
		b.Fatal(err)
	}
	rows, err := newRows(c, res, "fill")
	if err != nil {
		b.Fatal(err)
	}
	seq := record.Seq(0)
	for {
		rec, err := rows.Next(b.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			b.Fatal(err)
		}
		batch := record.Batch{Columns: rec}
		for range rec.NumRows() {
			seq++
			batch.Records = append(batch.Records, record.Record{Seq: seq, Time: start})
		}
		if err := table.Commit(b.Context(), batch, seq); err != nil {
			b.Fatal(err)
		}
		rec.Release()
	}
	if err := errors.Join(rows.Close(), table.Roll(b.Context())); err != nil {
		b.Fatal(err)
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
