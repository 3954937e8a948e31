package render

import (
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// streamWriter writes an Arrow IPC stream.
type streamWriter struct{ w *ipc.Writer }

func newStream(w io.Writer, schema *arrow.Schema) streamWriter {
	return streamWriter{ipc.NewWriter(w, ipc.WithSchema(schema))}
}

func (s streamWriter) Write(batch arrow.RecordBatch) error {
	if err := s.w.Write(batch); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

func (s streamWriter) Close() error {
	if err := s.w.Close(); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

func (s streamWriter) Truncated() bool { return false }
