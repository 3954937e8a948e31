package olap

import "context"

// CountRows is how many rows ReadFile gives of a file.
func CountRows(ctx context.Context, path, format string) (int64, error) {
	n, err := countRows(ctx, path, format)
	if err != nil {
		return 0, fileFault("count", path, err)
	}
	return n, nil
}

func countRows(ctx context.Context, path, format string) (int64, error) {
	format, err := FormatOf(path, format)
	if err != nil {
		return 0, err
	}
	e, c, err := openScratch(Options{})
	if err != nil {
		return 0, err
	}
	defer e.close()
	defer c.close()
	from := source(path, format, ", all_varchar = true")
	if format == JSON {
		from = "read_json_objects(" + fileLiteral(path) + ", format = 'auto')"
	}
	rows, err := c.rowsOf(ctx, "SELECT count(*) FROM "+from)
	if err != nil {
		return 0, err
	}
	return rows[0][0].(int64), nil
}
