package contract

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/cell"
)

// AppendRow appends row of batch as one compact JSON object, the columns in the
// schema's order and nulls written out. It is an error when a value has no JSON form,
// such as NaN; what it returns is then dst as it was.
func AppendRow(dst []byte, batch arrow.RecordBatch, row int) ([]byte, error) {
	if row < 0 || int64(row) >= batch.NumRows() {
		return dst, fmt.Errorf("row %d of a batch of %d rows", row, batch.NumRows())
	}
	out, column, exact := cell.AppendRow(dst, batch, row)
	if !exact {
		return dst, &Violation{Field: column, Reason: "the value is NaN, infinite or not UTF-8, which JSON cannot hold"}
	}
	return out, nil
}
