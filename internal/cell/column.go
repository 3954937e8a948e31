package cell

import (
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Column writes the values of one array as text. It looks at the array's type once,
// which takes half of the time where there are many values.
type Column struct {
	// Bare says that no text of the column has any character but letters, digits and
	// the signs of numbers and times.
	Bare bool

	arr    arrow.Array
	nulls  bool // there may be some
	append func(dst []byte, i int) []byte
}

// NewColumn is arr as a Column.
func NewColumn(arr arrow.Array) Column {
	c := Column{arr: arr, nulls: arr.NullN() > 0, Bare: true}
	switch a := arr.(type) {
	case *array.Int64:
		c.append = func(dst []byte, i int) []byte { return strconv.AppendInt(dst, a.Value(i), 10) }
	case *array.Int32:
		c.append = func(dst []byte, i int) []byte { return strconv.AppendInt(dst, int64(a.Value(i)), 10) }
	case *array.Float64:
		c.append = func(dst []byte, i int) []byte { return appendFloatText(dst, a, i) }
	case *array.Boolean:
		c.append = func(dst []byte, i int) []byte { return strconv.AppendBool(dst, a.Value(i)) }
	case *array.Decimal128:
		scale := a.DataType().(*arrow.Decimal128Type).Scale
		c.append = func(dst []byte, i int) []byte { return appendDecimal128(dst, a.Value(i), scale) }
	case *array.Date32:
		c.append = func(dst []byte, i int) []byte { return appendDate(dst, int64(a.Value(i))) }
	case *array.Timestamp:
		t := a.DataType().(*arrow.TimestampType)
		perSecond, zoned := int64(time.Second/t.Unit.Multiplier()), t.TimeZone != ""
		c.append = func(dst []byte, i int) []byte { return appendTimestamp(dst, int64(a.Value(i)), perSecond, zoned) }
	case *array.String:
		c.Bare = false
		c.append = func(dst []byte, i int) []byte { return append(dst, a.Value(i)...) }
	default:
		c.nulls, c.Bare = true, false
		c.append = func(dst []byte, i int) []byte { return AppendText(dst, arr, i) }
	}
	return c
}

// IsNull is the package's of the column's array.
func (c *Column) IsNull(i int) bool { return c.nulls && IsNull(c.arr, i) }

// AppendText is the package's of the column's array, for a value that is not null.
func (c *Column) AppendText(dst []byte, i int) []byte { return c.append(dst, i) }
