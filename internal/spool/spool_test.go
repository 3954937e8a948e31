package spool

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/meshctl/meshctl/internal/serve"
)

var numbers = arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil)

// counted is an answer with the numbers from 1.
type counted struct {
	rows, given int
	closed      bool
}

func (a *counted) Schema() *arrow.Schema { return numbers }

func (a *counted) Next(ctx context.Context) (arrow.RecordBatch, error) {
	n := min(2048, a.rows-a.given)
	if n == 0 {
		return nil, io.EOF
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, numbers)
	defer b.Release()
	for range n {
		a.given++
		b.Field(0).(*array.Int64Builder).Append(int64(a.given))
	}
	return b.NewRecordBatch(), nil
}

func (a *counted) Finish() (serve.QueryAnswer, error) {
	return serve.QueryAnswer{Rows: int64(a.given)}, nil
}

func (a *counted) Close() error { a.closed = true; return nil }

// filled is a spool with an answer of that many rows.
func filled(t *testing.T, rows int) *Spool {
	t.Helper()
	a := &counted{rows: rows}
	s, err := New(a.Schema())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if f, err := Fill(t.Context(), a, s); err != nil || f.Rows != int64(rows) || !a.closed {
		t.Fatalf("Fill = %+v, %v, closed %v", f, err, a.closed)
	}
	return s
}

// number is row i, 0 where there is none.
func number(t *testing.T, s *Spool, i int) (n int64) {
	t.Helper()
	if err := s.Row(i, func(b arrow.RecordBatch, at int) { n = b.Column(0).(*array.Int64).Value(at) }); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAnyRow(t *testing.T) {
	s := filled(t, 50_000)
	for _, i := range []int{0, 49_999, 2047, 2048, 25_000, 2047, 12} {
		if n := number(t, s, i); n != int64(i+1) {
			t.Errorf("row %d = %d", i, n)
		}
	}
	for i := 0; i < s.Len(); i += 1000 { // through every batch
		if n := number(t, s, i); n != int64(i+1) {
			t.Errorf("row %d = %d", i, n)
		}
	}
	if s.Len() != 50_000 || len(s.recent) > inMemory || number(t, s, 50_000) != 0 || number(t, s, -1) != 0 {
		t.Errorf("%d rows, %d batches in memory", s.Len(), len(s.recent))
	}
	if _, err := os.Stat(s.file.Name()); !errors.Is(err, os.ErrNotExist) { // a process that is killed leaves nothing behind
		t.Errorf("the file has a name: %v", err)
	}
}

func TestRowsAgain(t *testing.T) {
	s := filled(t, 5000)
	for range 2 {
		all, sum := s.Rows(), int64(0)
		for {
			b, err := all.Next(t.Context())
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range b.Column(0).(*array.Int64).Int64Values() {
				sum += n
			}
			b.Release()
		}
		if sum != 5000*5001/2 {
			t.Errorf("the sum is %d", sum)
		}
	}
	ended, stop := context.WithCancel(t.Context())
	stop()
	if _, err := s.Rows().Next(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is over: %v", err)
	}
}

func TestFillEndsWithItsContext(t *testing.T) {
	a := &counted{rows: 10_000}
	s, err := New(a.Schema())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Fill(ctx, canceled{a}, s); !errors.Is(err, context.Canceled) || !a.closed {
		t.Errorf("Fill: %v, closed %v", err, a.closed)
	}
	if _, err := s.Rows().Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("an empty spool: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// canceled is an answer that tells its context's error alone.
type canceled struct{ *counted }

func (c canceled) Next(ctx context.Context) (arrow.RecordBatch, error) { return nil, ctx.Err() }
