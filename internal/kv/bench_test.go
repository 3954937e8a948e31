package kv_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/kv"
	"github.com/meshctl/meshctl/internal/record"
)

const benchBatch = 10_000

// benchRecords are n records of about 200 bytes; keys repeat after a million, out of order.
func benchRecords(from, n int) record.Batch {
	b := record.Batch{Records: make([]record.Record, n)}
	for i := range b.Records {
		seq := from + i
		id := uint64(seq) * 0x9e3779b97f4a7c15 % 1_000_000
		b.Records[i] = record.Record{
			Seq: record.Seq(seq), Time: time.Unix(int64(seq), 0), Key: benchKey(id),
			Value: fmt.Appendf(nil, `{"id":"order-%08d","customer":"customer-%d","status":"shipped","amount":%d.%02d,`+
				`"currency":"EUR","placed":"2026-01-01T00:00:00Z","items":%d,"note":"leave it at the door, please, nr %d"}`,
				id, seq%977, seq%500, seq%100, seq%9, seq*7919),
		}
	}
	return b
}

func benchKey(id uint64) record.Key { return record.NewKey(fmt.Sprintf("order-%08d", id)) }

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCommit measures one record, in batches of 10,000, compactions included. It
// reports CPU time, which other work on the machine does not distort.
func BenchmarkCommit(b *testing.B) {
	db := open(b, b.TempDir())
	s := db.Store("orders-v1")
	var cpu time.Duration
	seq := 1
	for n := 0; n < b.N; n += benchBatch {
		b.StopTimer()
		batch := benchRecords(seq, benchBatch)
		seq += benchBatch
		b.StartTimer()
		before := cpuTime()
		if err := s.Commit(b.Context(), batch, record.Seq(seq-1)); err != nil {
			b.Fatal(err)
		}
		cpu += cpuTime() - before
	}
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(seq-1), "cpu-ns/record")
}

// filled is a store of n records, reopened so that all of them are on disk.
func filled(b *testing.B, n int) *kv.Store {
	dir := b.TempDir()
	db := open(b, dir)
	for seq := 1; seq <= n; seq += benchBatch {
		if err := db.Store("orders-v1").Commit(b.Context(), benchRecords(seq, benchBatch), record.Seq(seq+benchBatch-1)); err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	return open(b, dir).Store("orders-v1")
}

func BenchmarkGet(b *testing.B) {
	const n = 300_000
	s := filled(b, n)
	var keys []record.Key
	for _, r := range benchRecords(1, n).Records {
		keys = append(keys, r.Key)
	}
	b.ResetTimer()
	for i := range b.N {
		if _, ok, err := s.Get(b.Context(), keys[uint64(i)*0x9e3779b97f4a7c15%n]); err != nil || !ok {
			b.Fatal(ok, err)
		}
	}
}

// BenchmarkScan measures one record of a scan.
func BenchmarkScan(b *testing.B) {
	s := filled(b, 300_000)
	b.ResetTimer()
	for left := b.N; left > 0; {
		err := s.Scan(b.Context(), kv.Range{Limit: left}, func(record.Record) error {
			left--
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
