package tui

import (
	"context"
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/cell"
	"github.com/meshctl/meshctl/internal/spool"
)

// store is an answer that may have very many rows, as a table.
type store struct {
	*spool.Spool
	header []string
}

func newStore(schema *arrow.Schema) (*store, error) {
	kept, err := spool.New(schema)
	if err != nil {
		return nil, err
	}
	header, _ := headOf(schema)
	return &store{Spool: kept, header: header}, nil
}

// Header is the names of the columns.
func (s *store) Header() []string { return s.header }

// Row is the cells of one row.
func (s *store) Row(i int) (row []span) {
	err := s.Spool.Row(i, func(b arrow.RecordBatch, at int) { row = cellsOf(b, at) })
	if err != nil {
		return []span{{"✖ " + err.Error(), bad}}
	}
	return row
}

// Each gives the texts of some columns of every row that is kept by now.
func (s *store) Each(ctx context.Context, columns []int, row func([]string) error) error {
	all := s.Rows()
	texts := make([]string, len(columns))
	for {
		b, err := all.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range int(b.NumRows()) {
			for t, c := range columns {
				texts[t] = string(cell.AppendText(nil, b.Column(c), i))
			}
			if err := row(texts); err != nil {
				b.Release()
				return err
			}
		}
		b.Release()
	}
}
