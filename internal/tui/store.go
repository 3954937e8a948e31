package tui

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

	"github.com/meshctl/meshctl/internal/cell"
)

// store is an answer that may have very many rows. They are kept in a file, batch by
// batch, of which a few are in memory, so that any row can be shown at once.
type store struct {
	schema *arrow.Schema
	header []string

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
	storeCache = 6       // batches in memory
	storeMost  = 2 << 30 // bytes on disk; beyond it the answer is cut, which is told
)

var errStoreFull = errors.New("the answer is larger than 2 GiB")

func newStore(schema *arrow.Schema) (*store, error) {
	f, err := os.CreateTemp("", "meshctl-ui-*.arrow")
	if err != nil {
		return nil, fmt.Errorf("keep the answer: %w", err)
	}
	// Without a name it is gone with the process, however that ends.
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("keep the answer: %w", err), f.Close())
	}
	header, _ := headOf(schema)
	return &store{schema: schema, header: header, file: f, at: []int64{0}}, nil
}

// close forgets what was kept.
func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.recent {
		c.rows.Release()
	}
	s.recent = nil
	return s.file.Close()
}

// add keeps a batch, which stays the caller's.
func (s *store) add(b arrow.RecordBatch) error {
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
	if end+int64(buf.Len()) > storeMost {
		return errStoreFull
	}
	if _, err := s.file.WriteAt(buf.Bytes(), end); err != nil {
		return fmt.Errorf("keep the answer: %w", err)
	}
	s.at = append(s.at, end+int64(buf.Len()))
	s.starts = append(s.starts, s.rows)
	s.rows += int(b.NumRows())
	return nil
}

// Header is the names of the columns.
func (s *store) Header() []string { return s.header }

// Len is how many rows are kept so far.
func (s *store) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rows
}

// Row is the cells of one row.
func (s *store) Row(i int) []span {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := sort.SearchInts(s.starts, i+1) - 1
	if n < 0 || i >= s.rows {
		return nil
	}
	b, err := s.batch(n)
	if err != nil {
		return []span{{"✖ " + err.Error(), bad}}
	}
	return cellsOf(b, i-s.starts[n])
}

// batch reads a batch; the caller holds the lock and does not release it.
func (s *store) batch(n int) (arrow.RecordBatch, error) {
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
	if len(s.recent) == storeCache {
		s.recent[0].rows.Release()
		s.recent = append([]cached{}, s.recent[1:]...)
	}
	s.recent = append(s.recent, cached{n, b})
	return b, nil
}

func (s *store) read(n int) (arrow.RecordBatch, error) {
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

// Each gives the texts of some columns of every row that is kept by now.
func (s *store) Each(ctx context.Context, columns []int, row func([]string) error) error {
	all := &replayed{s: s}
	texts := make([]string, len(columns))
	for {
		b, err := all.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range int(b.NumRows()) {
			for t, c := range columns {
				texts[t] = string(cell.AppendText(nil, b.Column(c), i))
			}
			if err := row(texts); err != nil {
				b.Release()
				return err
			}
		}
		b.Release()
	}
}

// replayed gives what is kept once more, batch by batch.
type replayed struct {
	s    *store
	next int
}

func (r *replayed) Schema() *arrow.Schema { return r.s.schema }

func (r *replayed) Next(ctx context.Context) (arrow.RecordBatch, error) {
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
