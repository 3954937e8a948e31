package app

import (
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/cell"
	"github.com/meshctl/meshctl/internal/olap"
)

// The small batches of a selective scan become few, with the same rows in the same order,
// whatever types they have.
func TestSmallBatchesBecomeOne(t *testing.T) {
	db, err := olap.OpenMemory(t.Context(), olap.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var want, got []string
	var sizes []int64
	read := func(b arrow.RecordBatch) (rows []string) {
		for i := range int(b.NumRows()) {
			var text []byte
			for _, c := range b.Columns() {
				text, _ = cell.AppendJSON(text, c, i)
				text = append(text, '|')
			}
			rows = append(rows, string(text))
		}
		return rows
	}
	g := gathered{emit: func(b arrow.RecordBatch) error {
		sizes, got = append(sizes, b.NumRows()), append(got, read(b)...)
		return nil
	}}
	rows, err := db.Query(t.Context(), olap.Query{SQL: `SELECT r, r::VARCHAR, CASE WHEN r % 3 > 0 THEN [r, NULL] END, {'a': r, 'b': [r::VARCHAR]}, MAP {r: 'x'}, r::DECIMAL(20,3), [r, r]::BIGINT[2],
		(CASE WHEN r % 2 = 0 THEN 'yes' ELSE 'no' END)::ENUM ('yes', 'no'), NULL, '2020-01-01'::TIMESTAMPTZ + to_days((r % 1000)::INT)
		FROM range(10000) t(r)`})
	if err != nil {
		t.Fatal(err)
	}
	for first := true; ; first = false {
		b, err := rows.Next(t.Context())
		if err != nil {
			break
		}
		want = append(want, read(b)...)
		step := b.NumRows()
		if !first {
			step = 90
		}
		for from := int64(0); from < b.NumRows(); from += step {
			part := b.NewSlice(from, min(from+step, b.NumRows()))
			if err := g.add(part); err != nil {
				t.Fatal(err)
			}
			part.Release()
		}
		b.Release()
	}
	if err := g.flush(); err != nil {
		t.Fatal(err)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) || len(want) != 10000 {
		t.Errorf("%d rows became %d others", len(want), len(got))
	}
	if len(sizes) > 6 || slices.Max(sizes) > gatheredRows {
		t.Errorf("they came in batches of %d", sizes)
	}
}
