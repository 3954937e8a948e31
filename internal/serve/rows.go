package serve

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/render"
)

// Rows is the answer to a query in one piece.
type Rows struct {
	Schema []Field          `json:"schema" doc:"The columns, in order."`
	Rows   []map[string]any `json:"rows" doc:"One object a row; a column whose name comes again is numbered from 2, such as a_2."`
	rowsEnd
}

// rowsEnd is what is known once the last row was sent.
type rowsEnd struct {
	More       bool                        `json:"more" doc:"The limit cut the answer."`
	Watermarks map[string]record.Watermark `json:"watermarks" doc:"As of when the answer holds, for each port it was read from."`
	Millis     float64                     `json:"millis" doc:"How long it took."`
}

// Field is a column of a query's answer.
type Field struct {
	Name     string `json:"name"`
	Type     string `json:"type" doc:"The Arrow type."`
	Nullable bool   `json:"nullable"`
}

// formatOf is what render calls the media type.
func formatOf(media string) render.Format {
	switch media {
	case mediaNDJSON:
		return render.JSONL
	case mediaCSV:
		return render.CSV
	case mediaArrow:
		return render.Arrow
	case mediaMarkdown:
		return render.Markdown
	}
	return render.JSON
}

// queryRows answers rows in a form that can hold nothing else; how it ended is in the
// trailers.
func (h *handler) queryRows(c *call, r QueryRequest, media string) error {
	b := newBody(c, media, headerWatermark, headerCount, headerMore)
	a, err := h.rows(c, r, b, media, nil)
	if err != nil {
		return err
	}
	return b.close(marksOf(a), a.Rows, a.More)
}

// queryWhole answers Rows, row by row as they come.
func (h *handler) queryWhole(c *call, r QueryRequest) error {
	b := newBody(c, mediaJSON)
	a, err := h.rows(c, r, b, mediaJSON, func(s *arrow.Schema) error {
		fields := []Field{}
		for _, f := range s.Fields() {
			fields = append(fields, Field{Name: f.Name, Type: f.Type.String(), Nullable: f.Nullable})
		}
		text, err := json.Marshal(fields)
		if err != nil {
			return fmt.Errorf("write schema: %w", err)
		}
		_, err = fmt.Fprintf(b, `{"schema":%s,"rows":`, text)
		return err
	})
	if err != nil {
		return err
	}
	end, err := json.Marshal(rowsEnd{More: a.More, Watermarks: marksOf(a), Millis: a.Millis})
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	end[0] = ','                      // in place of its opening brace
	_, _ = b.Write(append(end, '\n')) // an error stays until close
	return b.close()
}

// rows writes the query's rows to b; before, if there is one, comes first.
func (h *handler) rows(c *call, r QueryRequest, b *body, media string, before func(*arrow.Schema) error) (QueryAnswer, error) {
	var w render.Writer
	schema := func(s *arrow.Schema) error {
		w = render.NewWriter(b, s, render.Options{Format: formatOf(media)})
		if before == nil {
			return nil
		}
		return before(s)
	}
	a, err := h.product.Query(c.context(), r, schema, func(batch arrow.RecordBatch) error { return w.Write(batch) })
	if err != nil {
		return QueryAnswer{}, err
	}
	if w == nil {
		return QueryAnswer{}, errors.New("the query gave no schema")
	}
	return a, w.Close()
}

// marksOf are the watermarks, an empty object when nothing was read.
func marksOf(a QueryAnswer) map[string]record.Watermark {
	if a.Watermarks == nil {
		return map[string]record.Watermark{}
	}
	return a.Watermarks
}
