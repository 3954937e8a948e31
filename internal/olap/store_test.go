package olap

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/storetest"
)

// asStore is a table as storetest sees it. After every third commit it rolls, so
// that the contract holds across segments.
type asStore struct {
	*Table
	t       *testing.T
	commits int
}

func (s *asStore) Commit(ctx context.Context, b record.Batch, upTo record.Seq) error {
	if err := s.Table.Commit(ctx, b, upTo); err != nil {
		return err
	}
	if s.commits++; s.commits%3 == 0 {
		return s.Roll(ctx)
	}
	return nil
}

func (s *asStore) Rows(ctx context.Context) ([]record.Record, error) {
	p := s.snapshot()
	release, err := s.db.hold(ctx, p.folder, p.segments)
	if err != nil {
		return nil, err
	}
	defer release()
	rows := direct(s.t, s.db, p.union(p.fileParts(s.db.dir, p.segments, s.order, true), s.order, true))
	defer rows.Close()
	var out []record.Record
	for {
		rec, err := rows.Next(ctx)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		for i := range int(rec.NumRows()) {
			row := storetest.Row{
				Key:  string([]byte(rec.Column(2).(*array.String).Value(i))),
				N:    rec.Column(3).(*array.Int64).Value(i),
				Text: string([]byte(rec.Column(4).(*array.String).Value(i))),
			}
			value, err := json.Marshal(row)
			if err != nil {
				return nil, err
			}
			out = append(out, record.Record{Seq: record.Seq(rec.Column(0).(*array.Uint64).Value(i)), Key: record.NewKey(row.Key), Value: value})
		}
		rec.Release()
	}
}

func (s *asStore) Close() error { return s.db.Close() }

func opener(state bool) func(t *testing.T, dir string) storetest.Store {
	return func(t *testing.T, dir string) storetest.Store {
		db, err := Open(t.Context(), dir, Options{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		return &asStore{t: t, Table: openTable(t, db, TableSpec{
			Schema: "things", Name: "things", Folder: "things-v1", Columns: storetest.Schema(), Key: []string{"key"}, State: state,
		})}
	}
}

func TestStateStore(t *testing.T) { storetest.Run(t, opener(true)) }

func TestEventStore(t *testing.T) { storetest.RunEvents(t, opener(false)) }
