package olap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// Batches is an answer to write out; *Rows is one.
type Batches interface {
	Schema() *arrow.Schema
	Next(ctx context.Context) (arrow.RecordBatch, error) // io.EOF at the end; the caller releases
}

// writeMemory bounds what WriteParquet holds in memory; beyond it the answer waits on
// disk, beside the file.
const writeMemory = 512 << 20

// WriteParquet writes the rest of rows to a Parquet file, which is there whole or not
// at all. It does not close rows.
func WriteParquet(ctx context.Context, path string, rows Batches) error {
	if err := writeParquet(ctx, path, rows); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func writeParquet(ctx context.Context, path string, rows Batches) (err error) {
	ddl, err := answerDDL(rows.Schema())
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(filepath.Dir(path), ".parquet-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	e, c, err := openScratch(Options{TempDir: scratch, MemoryLimit: writeMemory})
	if err != nil {
		return err
	}
	defer e.close()
	defer c.close()
	if err := c.exec(ctx, ddl); err != nil {
		return err
	}
	if err := c.fill(ctx, "", "main", "answer", rows.Next); err != nil {
		return err
	}
	tmp := filepath.Join(scratch, "answer"+segmentExt)
	if err := c.exec(ctx, "COPY main.answer TO "+literal(tmp)+" (FORMAT parquet, COMPRESSION zstd)"); err != nil {
		return err
	}
	_, err = settleFile(tmp, path, true)
	return err
}

// answerDDL makes a table for an answer of those columns.
func answerDDL(columns *arrow.Schema) (string, error) {
	list := make([]string, columns.NumFields())
	for i, f := range columns.Fields() {
		t, err := sqlType(f.Type)
		if err != nil {
			return "", fmt.Errorf("column %q: %w", f.Name, err)
		}
		list[i] = ident(f.Name) + " " + t
	}
	return "CREATE TABLE main.answer (" + strings.Join(list, ", ") + ")", nil
}

// openScratch opens an engine in memory for statements of our own only, outside any sandbox.
func openScratch(o Options) (*engine, *conn, error) {
	e, err := openEngine("", settings(o))
	if err != nil {
		return nil, nil, err
	}
	c, err := e.connect()
	if err != nil {
		e.close()
		return nil, nil, err
	}
	return e, c, nil
}
