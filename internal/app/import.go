package app

import (
	"context"
	"fmt"
	"os"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/olap"
)

// ImportOptions say how a file is read and published.
type ImportOptions struct {
	PublishOptions
	// Total is told how many rows the file has, from a goroutine of its own, where that
	// is worth knowing.
	Total  func(rows int64)
	Format string // csv, json, ndjson, parquet; by the file's name when empty
}

// countFrom is the size of a file from which its rows are counted: a smaller one is
// imported before anybody has read how long it will take.
const countFrom = 4 << 20

// Import publishes the rows of a file to a port. The same content imported again, or
// taken up after an interruption on either side, publishes only the rows that are not
// there yet.
func (c *Client) Import(ctx context.Context, address, path string, o ImportOptions) (Sent, error) {
	to, err := c.inbox(ctx, address)
	if err != nil {
		return Sent{}, err
	}
	format, err := olap.FormatOf(path, o.Format)
	if err != nil {
		return Sent{}, fmt.Errorf("import %s: %w", path, err)
	}
	token, err := fileToken(path, o)
	if err != nil {
		return Sent{}, err
	}
	s := &session{nc: c.nc, id: to.id, token: token}
	if err := s.resume(ctx); err != nil {
		return Sent{}, err
	}
	skipped := s.rows
	types, err := typesInFile(&to.out)
	if err != nil {
		return Sent{}, err
	}
	rows, err := olap.ReadFile(ctx, path, olap.ReadOptions{
		Format: format, Columns: types, Skip: int64(skipped), Objects: true, TempDir: os.TempDir(),
	})
	if err != nil {
		return Sent{}, err
	}
	defer rows.Close()
	lines, err := newFileLines(ctx, rows, format, &to.out)
	if err != nil {
		return Sent{}, fmt.Errorf("import %s into %s: %w", path, to.id, err)
	}
	defer lines.close()
	defer countAside(ctx, path, format, o.Total)()
	sent, err := c.send(ctx, s, to.into, lines.next, skipped, o.PublishOptions)
	if err != nil {
		return sent, fmt.Errorf("import %s: %w", path, err)
	}
	return sent, nil
}

// countAside tells total, while the import goes on, how many rows the file has. That it
// could not be counted is no failure: the import itself will say what is wrong. The
// function it returns ends the counting.
func countAside(ctx context.Context, path, format string, total func(int64)) (stop func()) {
	if info, err := os.Stat(path); total == nil || err != nil || info.Size() < countFrom {
		return func() {}
	}
	g := newGroup(ctx)
	g.run(func(ctx context.Context) {
		if n, err := olap.CountRows(ctx, path, format); err == nil {
			total(n)
		}
	})
	return g.stop
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
