package cell_test

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/cell"
)

func TestColumnWritesAsItsValues(t *testing.T) {
	for typ, values := range map[arrow.DataType]string{
		arrow.PrimitiveTypes.Int64:                     `[-9223372036854775808, null, 7]`,
		arrow.PrimitiveTypes.Int32:                     `[-2147483648, null, 7]`,
		arrow.PrimitiveTypes.Int8:                      `[-128, null, 7]`,
		arrow.PrimitiveTypes.Float64:                   `[-0.5, null, 1e300]`,
		arrow.FixedWidthTypes.Boolean:                  `[true, null, false]`,
		&arrow.Decimal128Type{Precision: 38, Scale: 2}: `["-0.05", null, "123456789012345678901234567890.12"]`,
		arrow.PrimitiveTypes.Date32:                    `["1969-12-31", null, "2026-02-28"]`,
		&arrow.TimestampType{Unit: arrow.Microsecond}:  `["1969-12-31 23:59:59.5", null, "2026-02-28 00:00:00"]`,
		arrow.FixedWidthTypes.Timestamp_s:              `["1969-12-31T23:59:59Z", null, "2026-02-28T00:00:00Z"]`,
		arrow.BinaryTypes.String:                       `["a,\"b\"", null, ""]`,
		arrow.BinaryTypes.Binary:                       `["AAEC", null, ""]`,
		arrow.ListOf(arrow.PrimitiveTypes.Int64):       `[[1, 2], null, []]`,
		arrow.Null:                                     `[null, null, null]`,
	} {
		arr := fromJSON(t, typ, values)
		c := cell.NewColumn(arr)
		for i := range arr.Len() {
			if got, want := c.IsNull(i), cell.IsNull(arr, i); got != want {
				t.Errorf("%v value %d: null %v, want %v", typ, i, got, want)
			} else if want {
				continue
			}
			got, want := string(c.AppendText([]byte("x"), i)), "x"+string(cell.AppendText(nil, arr, i))
			if got != want {
				t.Errorf("%v value %d: %q, want %q", typ, i, got, want)
			}
		}
	}
}
