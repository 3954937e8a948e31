package web

import (
	"context"
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/cell"
	"github.com/meshctl/meshctl/internal/record"
)

// rows is an answer as the page shows it.
type rows struct {
	Columns    []column                    `json:"columns"`
	Rows       [][]*string                 `json:"rows"` // nil for NULL
	More       bool                        `json:"more"` // there are more rows than these
	Millis     float64                     `json:"millis"`
	Watermarks map[string]record.Watermark `json:"watermarks"`
}

type column struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Number bool   `json:"number"`
	Time   bool   `json:"time"` // with a day
}

// mostBytes is how much text an answer may have; one with very long values is cut.
const mostBytes = 16 << 20

// readRows reads an answer, which is cut where it is too long.
func readRows(ctx context.Context, a browse.Answer) (*rows, error) {
	r := &rows{Columns: columnsOf(a.Schema()), Rows: [][]*string{}, Watermarks: map[string]record.Watermark{}}
	size := 0
	for {
		b, err := a.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		for i := range int(b.NumRows()) {
			if size > mostBytes {
				b.Release()
				r.More = true
				return r, nil
			}
			row, n := rowOf(b, i)
			size += n
			r.Rows = append(r.Rows, row)
		}
		b.Release()
	}
	end, err := a.Finish()
	if err != nil {
		return nil, err
	}
	r.More, r.Millis = end.More, end.Millis
	if end.Watermarks != nil {
		r.Watermarks = end.Watermarks
	}
	return r, nil
}

func columnsOf(s *arrow.Schema) []column {
	all := []column{}
	for _, f := range s.Fields() {
		id := f.Type.ID()
		all = append(all, column{
			Name: f.Name, Type: f.Type.String(), Number: cell.IsNumber(f.Type),
			Time: id == arrow.TIMESTAMP || id == arrow.DATE32 || id == arrow.DATE64,
		})
	}
	return all
}

func rowOf(b arrow.RecordBatch, i int) (row []*string, size int) {
	row = make([]*string, b.NumCols())
	for c, col := range b.Columns() {
		if cell.IsNull(col, i) {
			continue
		}
		text := string(cell.AppendText(nil, col, i))
		row[c] = &text
		size += len(text)
	}
	return row, size
}
