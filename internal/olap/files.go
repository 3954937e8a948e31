package olap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/fault"
)

// The formats of files.
const (
	CSV     = "csv"
	JSON    = "json" // an array of objects, objects one after the other, or one a line
	Parquet = "parquet"
)

// ReadOptions say how to read a file.
type ReadOptions struct {
	Format  string        // CSV, JSON or Parquet; by the file's name when empty
	Skip    int64         // rows to leave out at the start
	Columns *arrow.Schema // of CSV: the types to read the columns of these names as
	// Objects gives the rows of JSON as one string column "json", each object in its
	// original text, instead of as columns of the types found in the whole file.
	Objects bool
	TempDir string // where reading may spill; nowhere when empty
}

// ReadFile reads a file in its order, a batch at a time. Columns of CSV are strings as
// they stand in the file, but those in o.Columns have the type given there. A cell
// that does not fit the type without loss comes as its original text: the row is then
// a batch of its own whose schema has a string column there. So use each batch's own
// schema; that of Rows says how it is when all is well.
func ReadFile(ctx context.Context, path string, o ReadOptions) (*Rows, error) {
	rows, err := readFile(ctx, path, o)
	if err != nil {
		return nil, fileFault("read", path, err)
	}
	return rows, nil
}

func readFile(ctx context.Context, path string, o ReadOptions) (*Rows, error) {
	format, err := FormatOf(path, o.Format)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	e, c, err := openScratch(Options{TempDir: o.TempDir})
	if err != nil {
		return nil, err
	}
	rows, err := scan(ctx, c, path, format, o)
	if err != nil {
		c.close()
		e.close()
		return nil, err
	}
	pull, done := rows.pull, rows.done
	rows.pull = func(ctx context.Context) (arrow.RecordBatch, error) {
		rec, err := pull(ctx)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fileFault("read", path, err)
		}
		return rec, err
	}
	rows.done = func() error {
		err := done()
		c.close()
		e.close()
		return err
	}
	return rows, nil
}

// scan starts reading; the rows it returns do not close c.
func scan(ctx context.Context, c *conn, path, format string, o ReadOptions) (*Rows, error) {
	var typed []castColumn
	sql := "SELECT * FROM " + source(path, format, "")
	switch {
	case format == JSON && o.Objects:
		sql = "SELECT json::VARCHAR AS json FROM read_json_objects(" + fileLiteral(path) + ", format = 'auto')"
	case format == CSV:
		var err error
		if sql, typed, err = csvSelect(ctx, c, path, o.Columns); err != nil {
			return nil, err
		}
	}
	res, err := c.query(ctx, sql)
	if err != nil {
		return nil, err
	}
	rows, err := newRows(c, res, "read the file")
	if err != nil {
		return nil, err
	}
	skip(rows, o.Skip)
	if len(typed) > 0 {
		splitMisfits(rows, typed)
	}
	return rows, nil
}

// skip leaves out the first n rows. DuckDB's OFFSET would collect the whole file first.
func skip(rows *Rows, n int64) {
	if n <= 0 {
		return
	}
	pull := rows.pull
	rows.pull = func(ctx context.Context) (arrow.RecordBatch, error) {
		for {
			rec, err := pull(ctx)
			if err != nil || n == 0 {
				return rec, err
			}
			if rec.NumRows() > n {
				rest := rec.NewSlice(n, rec.NumRows())
				rec.Release()
				n = 0
				return rest, nil
			}
			n -= rec.NumRows()
			rec.Release()
		}
	}
}

// source is the table function that reads the file, with its types found over the whole of it.
func source(path, format, more string) string {
	switch format {
	case CSV:
		return "read_csv(" + fileLiteral(path) + ", sample_size = -1, allow_quoted_nulls = false" + more + ")"
	case JSON:
		return "read_json(" + fileLiteral(path) + ", sample_size = -1, maximum_object_size = 67108864)"
	}
	return "read_parquet(" + fileLiteral(path) + ")"
}

var globbing = strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]")

// fileLiteral is one file's path in SQL, whatever characters it has.
func fileLiteral(path string) string { return literal(globbing.Replace(path)) }

func FormatOf(path, format string) (string, error) {
	switch format {
	case CSV, JSON, Parquet:
		return format, nil
	case "":
	case "ndjson", "jsonl":
		return JSON, nil
	case "tsv":
		return CSV, nil
	default:
		return "", fault.New(fault.Invalid, "use csv, json or parquet", "unknown format %q", format)
	}
	name := strings.ToLower(path)
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
	switch filepath.Ext(name) {
	case ".csv", ".tsv":
		return CSV, nil
	case ".json", ".ndjson", ".jsonl":
		return JSON, nil
	case ".parquet":
		return Parquet, nil
	}
	return "", fault.New(fault.Invalid, "say csv, json or parquet", "the file's name does not tell its format")
}

// fileFault says what is wrong with a file.
func fileFault(act, path string, err error) error {
	var d *duckError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fault.New(fault.NotFound, "check the path", "%s %s: there is no such file", act, path)
	case errors.As(err, &d):
		return fault.New(fault.Invalid, "check that the file is what its name or the format says", "%s %s: %w", act, path, d)
	}
	return fmt.Errorf("%s %s: %w", act, path, err)
}
