// Package spool keeps the rows of an answer that may be very long in a file, batch by
// batch, of which a few are in memory, so that any row can be shown at once, and all of
// them read again without asking the mesh again.
package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/serve"
)

// Spool is an answer's rows. One may add to it while others read.
type Spool struct {
	schema *arrow.Schema

	mu     sync.Mutex
	file   *os.File
	at     []int64 // where each batch begins in the file; one more for the end
	starts []int   // the first row of each batch
	rows   int
	recent []cached // the last used at the end
}

type cached struct {
	batch int
	rows  arrow.RecordBatch
}

const (
	inMemory = 6       // batches
	most     = 2 << 30 // bytes on disk; beyond it the answer is cut, which is told
)

// ErrFull says that an answer does not fit.
var ErrFull = errors.New("the answer is larger than 2 GiB")

// New is a spool without rows. It must be closed.
func New(schema *arrow.Schema) (*Spool, error) {
	f, err := os.CreateTemp("", "meshctl-*.arrow")
	if err != nil {
		return nil, fmt.Errorf("keep the answer: %w", err)
	}
	// Without a name it is gone with the process, however that ends.
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("keep the answer: %w", err), f.Close())
	}
	return &Spool{schema: schema, file: f, at: []int64{0}}, nil
}

// Close forgets what was kept.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.recent {
		c.rows.Release()
	}
	s.recent = nil
	return s.file.Close()
}

// Fill takes an answer's rows into a spool, to the end, and closes the answer. What does
// not fit is Invalid.
func Fill(ctx context.Context, a browse.Answer, to *Spool) (f serve.QueryAnswer, err error) {
	defer func() { err = errors.Join(err, a.Close()) }()
	for {
		b, err := a.Next(ctx)
		if errors.Is(err, io.EOF) {
			return a.Finish()
		}
		if err != nil {
			return f, err
		}
		err = to.add(b)
		b.Release()
		if errors.Is(err, ErrFull) {
			return f, fault.New(fault.Invalid, "add a LIMIT, or write it to a file with meshctl query --out", "the answer is cut here: %w", err)
		}
		if err != nil {
			return f, err
		}
	}
}

// add keeps a batch, which stays the caller's.
func (s *Spool) add(b arrow.RecordBatch) error {
	if b.NumRows() == 0 {
		return nil
	}
	var buf bytes.Buffer
	w := ipc.NewWriter(&buf, ipc.WithSchema(s.schema))
	if err := errors.Join(w.Write(b), w.Close()); err != nil {
		return fmt.Errorf("keep the answer: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	end := s.at[len(s.at)-1]
	if end+int64(buf.Len()) > most {
		return ErrFull
	}
	if _, err := s.file.WriteAt(buf.Bytes(), end); err != nil {
		return fmt.Errorf("keep the answer: %w", err)
	}
	s.at = append(s.at, end+int64(buf.Len()))
	s.starts = append(s.starts, s.rows)
	s.rows += int(b.NumRows())
	return nil
}

// Schema is the answer's columns.
func (s *Spool) Schema() *arrow.Schema { return s.schema }

// Len is how many rows are kept so far.
func (s *Spool) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rows
}

// Row shows row i, which is row at of a batch. The batch may be used until see returns.
// There is nothing to see of a row that is not there.
func (s *Spool) Row(i int, see func(b arrow.RecordBatch, at int)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := sort.SearchInts(s.starts, i+1) - 1
	if n < 0 || i >= s.rows {
		return nil
	}
	b, err := s.batch(n)
	if err != nil {
		return err
	}
	see(b, i-s.starts[n])
	return nil
}

// batch reads a batch; the caller holds the lock and does not release it.
func (s *Spool) batch(n int) (arrow.RecordBatch, error) {
	for i, c := range s.recent {
		if c.batch == n {
			s.recent = append(append(s.recent[:i:i], s.recent[i+1:]...), c)
			return c.rows, nil
		}
	}
	b, err := s.read(n)
	if err != nil {
		return nil, err
	}
	if len(s.recent) == inMemory {
		s.recent[0].rows.Release()
		s.recent = append([]cached{}, s.recent[1:]...)
	}
	s.recent = append(s.recent, cached{n, b})
	return b, nil
}

func (s *Spool) read(n int) (arrow.RecordBatch, error) {
	r, err := ipc.NewReader(io.NewSectionReader(s.file, s.at[n], s.at[n+1]-s.at[n]))
	if err != nil {
		return nil, fmt.Errorf("read the kept answer: %w", err)
	}
	defer r.Release()
	if !r.Next() {
		return nil, fmt.Errorf("read the kept answer: %w", errors.Join(r.Err(), io.ErrUnexpectedEOF))
	}
	b := r.RecordBatch()
	b.Retain()
	return b, nil
}

// Rows gives what is kept by the time that it is read, from the first row on.
func (s *Spool) Rows() browse.Rows { return &replay{s: s} }

type replay struct {
	s    *Spool
	next int
}

func (r *replay) Schema() *arrow.Schema { return r.s.schema }

func (r *replay) Next(ctx context.Context) (arrow.RecordBatch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.next == len(r.s.starts) {
		return nil, io.EOF
	}
	b, err := r.s.read(r.next)
	r.next++
	return b, err
}
