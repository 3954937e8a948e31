package olap

import (
	"context"
	"os"
	"strings"
)

// Distinct counts how many different combinations of values the columns of a file
// have, a missing value being one; as many as its rows means that they are a key.
func Distinct(ctx context.Context, path string, columns []string) (int64, error) {
	n, err := distinct(ctx, path, columns)
	if err != nil {
		return 0, fileFault("read", path, err)
	}
	return n, nil
}

func distinct(ctx context.Context, path string, columns []string) (int64, error) {
	format, err := FormatOf(path, "")
	if err != nil {
		return 0, err
	}
	if _, err := os.Stat(path); err != nil {
		return 0, err
	}
	e, c, err := openScratch(Options{TempDir: os.TempDir()})
	if err != nil {
		return 0, err
	}
	defer e.close()
	defer c.close()
	more := ""
	if format == CSV {
		more = ", all_varchar = true" // codes differ as text: 01 is not 1
	}
	names := make([]string, len(columns))
	for i, name := range columns {
		names[i] = ident(name)
	}
	rows, err := c.rowsOf(ctx, "SELECT count(*) FROM (SELECT DISTINCT "+strings.Join(names, ", ")+" FROM "+source(path, format, more)+")")
	if err != nil {
		return 0, err
	}
	return rows[0][0].(int64), nil
}
