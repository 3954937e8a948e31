package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/ducktest"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/serve"
	"github.com/meshctl/meshctl/internal/sqltest"
	"github.com/meshctl/meshctl/internal/tpch"
)

// BenchmarkTPCH asks the 22 queries of eight products in eight processes, and one DuckDB
// with all the tables in memory. BENCH_TPCH is the scale (1), BENCH_MESHCTL the
// binary of the processes.
func BenchmarkTPCH(b *testing.B) {
	scale := 1.0
	if s := os.Getenv("BENCH_TPCH"); s != "" {
		if _, err := fmt.Sscan(s, &scale); err != nil {
			b.Fatal(err)
		}
	}
	tables := tpch.Tables(scale)
	one := tpchDatabase(b, tables)
	p := startProcesses(b, tables)
	for i := range tables {
		p.bring(b, one, tables[i].Name)
	}
	for b.Loop() {
		p.benchQueries(b, one, tables, scale)
		p.benchJoin(b)
		p.benchParquet(b, scale)
		p.benchCSV(b)
		b.ReportMetric(ms(p.whole(b, "select 1", io.Discard)), "select-1-ms")
	}
}

// benchQueries asks each query once, and then again.
func (p *processes) benchQueries(b *testing.B, one *olap.Stage, tables []tpch.Table, scale float64) {
	sizes := arrowSizes(b, one, tables)
	d := &differ{world: &world{client: p.client}, one: one, kept: new(atomic.Int64)}
	var first, again, moved []float64
	equal := 0
	for n := range tpch.Queries {
		sql, err := tpch.Query(n+1, scale)
		if err != nil {
			b.Fatal(err)
		}
		before := p.client.nc.Stats()
		took := p.ask(b, sql)
		after := p.client.nc.Stats()
		repeated := bestOf(3, func() { p.ask(b, sql) })
		local := bestOf(3, func() { drainLocal(b, one, sql) })
		bytes := float64(after.InBytes + after.OutBytes - before.InBytes - before.OutBytes)
		first, again = append(first, took.Seconds()/local.Seconds()), append(again, repeated.Seconds()/local.Seconds())
		moved = append(moved, 100*bytes/p.named(b, sql, sizes))
		difference, err := d.compare(b.Context(), sqltest.Statement{SQL: sql, Ordered: true})
		if difference == "" && err == nil {
			equal++
		} else {
			b.Errorf("query %d: %s %v", n+1, difference, err)
		}
		b.Logf("q%02d  one %7.1f ms  first %7.1f ms %5.1fx  again %7.1f ms %5.1fx  moved %9.0f KiB %5.1f %%", n+1, ms(local), ms(took), first[n], ms(repeated), again[n], bytes/1024, moved[n])
	}
	b.ReportMetric(float64(equal), "equal-of-22")
	b.ReportMetric(geomean(first), "first-ratio")
	b.ReportMetric(geomean(again), "repeated-ratio")
	b.ReportMetric(mean(moved), "moved-%")
}

// arrowSizes are the bytes of each table as Arrow.
func arrowSizes(b *testing.B, one *olap.Stage, tables []tpch.Table) map[string]float64 {
	sizes := map[string]float64{}
	for _, t := range tables {
		rows, err := one.Query(b.Context(), olap.Query{SQL: "SELECT * FROM " + t.Name})
		if err != nil {
			b.Fatal(err)
		}
		for {
			rec, err := rows.Next(b.Context())
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			for _, col := range rec.Columns() {
				sizes[t.Name] += arrowSize(col.Data())
			}
			rec.Release()
		}
		if err := rows.Close(); err != nil {
			b.Fatal(err)
		}
	}
	return sizes
}

func arrowSize(data arrow.ArrayData) (sum float64) {
	for _, buffer := range data.Buffers() {
		if buffer != nil {
			sum += float64(buffer.Len())
		}
	}
	for _, child := range data.Children() {
		sum += arrowSize(child)
	}
	return sum
}

// named is the size of the tables that a statement names.
func (p *processes) named(b *testing.B, sql string, sizes map[string]float64) (sum float64) {
	here, err := p.client.here.open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	refs, err := here.TablesIn(b.Context(), sql)
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range refs {
		sum += sizes[r.Name]
	}
	return sum
}

// ask is how long the mesh takes for an answer.
func (p *processes) ask(b *testing.B, sql string) time.Duration {
	began := time.Now()
	a, err := p.client.Query(b.Context(), serve.QueryRequest{SQL: sql})
	if err != nil {
		b.Fatalf("%s: %v", sql, err)
	}
	drainBatches(b, a.Next)
	if err := a.Close(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

func drainLocal(b *testing.B, one *olap.Stage, sql string) {
	rows, err := one.Query(b.Context(), olap.Query{SQL: sql})
	if err != nil {
		b.Fatal(err)
	}
	drainBatches(b, rows.Next)
	if err := rows.Close(); err != nil {
		b.Fatal(err)
	}
}

// benchJoin joins a few rows of two owners, and one that the asking program itself does.
func (p *processes) benchJoin(b *testing.B) {
	const sql = "SELECT n_name, r_name FROM nation JOIN region ON n_regionkey = r_regionkey WHERE n_nationkey < 5"
	b.ReportMetric(ms(bestOf(20, func() { p.ask(b, sql) })), "join-ms")
	b.ReportMetric(ms(p.whole(b, sql, io.Discard)), "join-process-ms")
}

// whole is how long a process takes that asks, the median of eleven.
func (p *processes) whole(b *testing.B, sql string, out io.Writer) time.Duration {
	var took []time.Duration
	for range 11 {
		took = append(took, p.query(b, sql, out))
	}
	slices.Sort(took)
	return took[len(took)/2]
}

func (p *processes) query(b *testing.B, sql string, out io.Writer) time.Duration {
	cmd := exec.Command(p.binary, "query", sql, "-o", "csv", "-q")
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, out, os.Stderr
	began := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// benchParquet asks queries of one product, and DuckDB on that product's files.
func (p *processes) benchParquet(b *testing.B, scale float64) {
	duck := ducktest.Open(b)
	var ratios []float64
	for _, sql := range []string{
		"SELECT count(*), sum(l_quantity) FROM lineitem",
		"SELECT l_shipmode, count(*), avg(l_extendedprice) FROM lineitem GROUP BY ALL ORDER BY ALL",
		"SELECT o_orderpriority, count(*) FROM orders WHERE o_orderdate < DATE '1994-01-01' GROUP BY ALL ORDER BY ALL",
		"SELECT c_mktsegment, max(c_acctbal) FROM customer WHERE c_name LIKE '%7' GROUP BY ALL ORDER BY ALL",
		"SELECT ps_partkey, sum(ps_supplycost * ps_availqty) AS v FROM partsupp GROUP BY ALL ORDER BY v DESC LIMIT 10",
		tpchQuery(b, 1, scale), tpchQuery(b, 6, scale),
	} {
		table := sql[strings.Index(sql, "FROM ")+5:]
		table = strings.Fields(table)[0]
		direct := strings.Replace(sql, "FROM "+table, "FROM read_parquet(['"+strings.Join(p.segments(b, table), "', '")+"'])", 1)
		ours := bestOf(5, func() { p.ask(b, sql) })
		theirs := bestOf(5, func() { duck.Time(b, direct) })
		ratios = append(ratios, ours.Seconds()/theirs.Seconds())
		b.Logf("%5.2fx  %7.1f ms  %7.1f ms  %.60s", ratios[len(ratios)-1], ms(ours), ms(theirs), strings.ReplaceAll(sql, "\n", " "))
	}
	b.ReportMetric(geomean(ratios), "single-ratio")
}

func tpchQuery(b *testing.B, n int, scale float64) string {
	sql, err := tpch.Query(n, scale)
	if err != nil {
		b.Fatal(err)
	}
	return sql
}

// benchCSV writes a million rows, and has DuckDB write the same rows of the same files.
func (p *processes) benchCSV(b *testing.B) {
	duck := ducktest.Open(b)
	file, err := os.Create(filepath.Join(p.dir, "rows.csv"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	ours := bestOf(3, func() {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			b.Fatal(err)
		}
		p.query(b, "SELECT * FROM lineitem LIMIT 1000000", file)
	})
	theirs := bestOf(3, func() {
		duck.Time(b, fmt.Sprintf("COPY (SELECT * FROM read_parquet(['%s']) LIMIT 1000000) TO '%s' (FORMAT csv)",
			strings.Join(p.segments(b, "lineitem"), "', '"), filepath.Join(p.dir, "duck.csv")))
	})
	b.Logf("a million rows as CSV: %.0f ms, DuckDB %.0f ms", ms(ours), ms(theirs))
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "csv-ratio")
}

func drainBatches[T interface{ Release() }](b *testing.B, next func(context.Context) (T, error)) {
	for {
		rec, err := next(b.Context())
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			b.Fatal(err)
		}
		rec.Release()
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

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }

func mean(of []float64) (sum float64) {
	for _, v := range of {
		sum += v / float64(len(of))
	}
	return sum
}

func geomean(of []float64) float64 {
	logs := 0.0
	for _, v := range of {
		logs += math.Log(v)
	}
	return math.Exp(logs / float64(len(of)))
}
