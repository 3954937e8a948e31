package app

import (
	"context"
	"fmt"
	"maps"
	"os"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/serve"
)

// local is a database of this process, opened when something first needs it: most
// statements are their owner's alone, and opening it takes longer than answering them.
type local struct{ db *olap.DB }

func (l *local) open(ctx context.Context) (_ *olap.DB, err error) {
	if l.db == nil {
		l.db, err = olap.OpenMemory(ctx, olap.Options{TempDir: os.TempDir()})
	}
	return l.db, err
}

func (l *local) close() error {
	if l.db == nil {
		return nil
	}
	return l.db.Close()
}

// queryHere fetches the tables and runs the statement over them in this process.
func (c *Client) queryHere(ctx context.Context, l *local, tables []routed, r serve.QueryRequest) (*Answer, error) {
	here, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	marks := map[string]record.Watermark{}
	for _, t := range tables {
		if err := c.fetch(ctx, here, t, marks); err != nil {
			return nil, fmt.Errorf("fetch %s: %w", t.id, err)
		}
	}
	rows, err := here.Query(ctx, olap.Query{SQL: r.SQL, Named: r.Args, MaxRows: r.Limit})
	if err != nil {
		return nil, err
	}
	var f serve.QueryAnswer
	return &Answer{
		schema: rows.Schema(),
		next: func(ctx context.Context) (arrow.RecordBatch, error) {
			b, err := rows.Next(ctx)
			if err == nil {
				f.Rows += b.NumRows()
			}
			return b, err
		},
		finish: func() (serve.QueryAnswer, error) {
			f.More, f.Watermarks = rows.Truncated(), marks
			return f, nil
		},
		close: rows.Close,
	}, nil
}

// fetch loads a port's rows into a table of the same name here.
func (c *Client) fetch(ctx context.Context, here *olap.DB, t routed, marks map[string]record.Watermark) error {
	sql := "SELECT * FROM " + olap.TableRef{Schema: t.id.Product, Name: t.id.Tables(false)[0]}.SQL()
	stream, err := c.openQuery(ctx, t.id.Product, serve.QueryRequest{SQL: sql})
	if err != nil {
		return err
	}
	defer stream.close()
	schema := t.ref.Schema
	if schema == "" {
		schema = t.id.Product
	}
	if err := here.Load(ctx, schema, t.ref.Name, stream.reader.Schema(), stream.next); err != nil {
		return err
	}
	a, err := stream.finish()
	if err != nil {
		return err
	}
	maps.Copy(marks, a.Watermarks)
	return nil
}
