package olap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// Load makes schema.table anew, an ordinary table, and fills it with the batches that
// next gives until io.EOF. The table is there whole or, on an error, as it was before.
// Several loads run side by side.
func (db *DB) Load(ctx context.Context, schema, table string, columns *arrow.Schema, next func(context.Context) (arrow.RecordBatch, error)) error {
	what := func(err error) error { return fmt.Errorf("load %s.%s: %w", schema, table, err) }
	ddl, err := loadDDL(schema, table, columns)
	if err != nil {
		return what(err)
	}
	if err := db.makeSchema(ctx, schema); err != nil {
		return what(err)
	}
	r, err := db.pool.acquire(ctx)
	if err != nil {
		return what(err)
	}
	defer db.pool.release(r)
	err = r.tx(ctx, func() error {
		if err := r.exec(ctx, ddl); err != nil {
			return err
		}
		return r.fill(ctx, schema, table, next)
	})
	if err != nil {
		return what(err)
	}
	db.pool.addPath(schema)
	return nil
}

func loadDDL(schema, table string, columns *arrow.Schema) (string, error) {
	list := make([]string, columns.NumFields())
	for i, f := range columns.Fields() {
		t, err := sqlType(f.Type)
		if err != nil {
			return "", fmt.Errorf("column %q: %w", f.Name, err)
		}
		list[i] = ident(f.Name) + " " + t
	}
	return "CREATE OR REPLACE TABLE " + ident(schema) + "." + ident(table) + " (" + strings.Join(list, ", ") + ")", nil
}

// makeSchema makes the schema, under the writer's lock: two at once would conflict.
func (db *DB) makeSchema(ctx context.Context, schema string) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.write(ctx, func(w *conn) error {
		return w.exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+ident(schema))
	})
}

// fill appends all batches to a table.
func (c *conn) fill(ctx context.Context, schema, table string, next func(context.Context) (arrow.RecordBatch, error)) error {
	for {
		rec, err := next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = c.appendTo(ctx, "", schema, table, rec)
		rec.Release()
		if err != nil {
			return err
		}
	}
}
