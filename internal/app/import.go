package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/meshctl/meshctl/internal/contract"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/olap"
)

// ImportOptions say how a file is read and published.
type ImportOptions struct {
	PublishOptions
	Total  func(rows int64) // is told how many rows the file has, where that is cheap to know
	Format string           // csv, json, ndjson, parquet; by the file's name when empty
}

// Import publishes the rows of a file to a port. The same content imported again, or
// taken up after an interruption on either side, publishes only the rows that are not
// there yet.
func (c *Client) Import(ctx context.Context, address, path string, o ImportOptions) (Sent, error) {
	id, into, err := c.inbox(ctx, address)
	if err != nil {
		return Sent{}, err
	}
	columns, err := c.importColumns(ctx, address)
	if err != nil {
		return Sent{}, err
	}
	token, err := fileToken(path, o)
	if err != nil {
		return Sent{}, err
	}
	s := &session{nc: c.nc, id: id, token: token}
	if err := s.resume(ctx); err != nil {
		return Sent{}, err
	}
	skipped := s.rows
	format, err := olap.FormatOf(path, o.Format)
	if err != nil {
		return Sent{}, err
	}
	rows, err := olap.ReadFile(ctx, path, olap.ReadOptions{
		Format: o.Format, Columns: columns, Skip: int64(skipped), Objects: true, TempDir: os.TempDir(),
	})
	if err != nil {
		return Sent{}, err
	}
	defer rows.Close()
	next := jsonLines(ctx, rows, format == olap.JSON)
	sent, err := c.send(ctx, s, into, next, skipped, o.PublishOptions)
	if err != nil {
		return sent, fmt.Errorf("import %s: %w", path, err)
	}
	return sent, nil
}

// importColumns are the columns that a file's are read as: those of the port's contract.
func (c *Client) importColumns(ctx context.Context, address string) (*arrow.Schema, error) {
	_, p, err := c.Port(ctx, address)
	if fault.KindOf(err) == fault.NotFound { // an input; what it takes is not typed
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	ct, err := contract.New(&p.Output)
	if err != nil {
		return nil, err
	}
	return ct.Schema(), nil
}

func fileToken(path string, o ImportOptions) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fault.New(fault.Invalid, "check the path", "import: %w", err)
	}
	defer f.Close()
	digest, err := digestOf(f, o.Format)
	if err != nil {
		return "", fmt.Errorf("import %s: %w", path, err)
	}
	return importToken(digest), nil
}

// jsonLines are the rows as JSON objects; original says that their only column is that already.
func jsonLines(ctx context.Context, rows *olap.Rows, original bool) Lines {
	var batch arrow.RecordBatch
	var buf []byte
	at := 0
	return func() ([]byte, error) {
		for batch == nil || at == int(batch.NumRows()) {
			if batch != nil {
				batch.Release()
				batch = nil
			}
			next, err := rows.Next(ctx)
			if errors.Is(err, io.EOF) {
				return nil, io.EOF
			}
			if err != nil {
				return nil, err
			}
			batch, at = next, 0
		}
		var err error
		if original {
			buf = append(buf[:0], batch.Column(0).(*array.String).Value(at)...)
		} else {
			buf, err = contract.AppendRow(buf[:0], batch, at)
		}
		at++
		return buf, err
	}
}
