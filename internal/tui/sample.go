package tui

import (
	"context"
	"errors"
	"fmt"
	"io"

	tea "charm.land/bubbletea/v2"
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/cell"
	"github.com/meshctl/meshctl/internal/serve"
)

// sampleRows is how many rows a sample has.
const sampleRows = 200

// loadSample asks for some rows of the port.
func (m *Model) loadSample() tea.Cmd {
	e, p := m.target()
	gen := m.pane.gen
	request := serve.QueryRequest{SQL: "SELECT * FROM " + browse.SQLName(e, p), Limit: sampleRows}
	return m.ask(m.paneContext(), func(ctx context.Context) tea.Msg {
		header, rows, numbers, err := m.rowsOf(ctx, request)
		if err != nil {
			return paneMsg{gen: gen, err: fmt.Errorf("sample: %w", err)}
		}
		return paneMsg{gen: gen, body: func() body {
			return &sheet{grid: listGrid(header, rows, numbers...), empty: "The port has no rows yet."}
		}}
	})
}

// rowsOf is the whole answer of a query that has few rows.
func (m *Model) rowsOf(ctx context.Context, r serve.QueryRequest) (header []string, rows [][]span, numbers []int, err error) {
	a, err := m.src.Query(ctx, r)
	if err != nil {
		return nil, nil, nil, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	header, numbers = headOf(a.Schema())
	for {
		b, err := a.Next(ctx)
		if errors.Is(err, io.EOF) {
			return header, rows, numbers, nil
		}
		if err != nil {
			return nil, nil, nil, err
		}
		for i := range int(b.NumRows()) {
			rows = append(rows, cellsOf(b, i))
		}
		b.Release()
	}
}

func headOf(s *arrow.Schema) (header []string, numbers []int) {
	for i, f := range s.Fields() {
		header = append(header, f.Name)
		if cell.IsNumber(f.Type) {
			numbers = append(numbers, i)
		}
	}
	return header, numbers
}

// cellsOf is one row of a batch.
func cellsOf(b arrow.RecordBatch, i int) []span {
	row := make([]span, b.NumCols())
	for c, col := range b.Columns() {
		if cell.IsNull(col, i) {
			row[c] = span{"NULL", dim}
		} else {
			row[c] = span{string(cell.AppendText(nil, col, i)), plain}
		}
	}
	return row
}
