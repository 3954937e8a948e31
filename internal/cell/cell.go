// Package cell writes one value of an Arrow array as text: as JSON, or as the bare
// text that a table or a CSV file holds. The log and every answer are written by it,
// so that a value looks the same wherever a person or a program meets it.
//
//   - integers and decimals are plain numbers with every digit;
//   - an instant is RFC 3339 in UTC, a timestamp without a zone the same without the Z;
//   - a date is 2006-01-02, a time 15:04:05 with a fraction where it has one;
//   - an interval is an ISO 8601 duration, such as P1Y2M3DT4H5M6.5S;
//   - bytes are base64, a UUID is written in its groups of hex digits;
//   - a struct or a map is an object, a list an array.
package cell

import (
	"encoding/base64"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// AppendJSON appends value i of arr as compact JSON. Exact is false when the value
// has no JSON form and something near it was written: null for NaN and the
// infinities, U+FFFD for bytes that are not UTF-8.
func AppendJSON(dst []byte, arr arrow.Array, i int) (out []byte, exact bool) {
	if arr.IsNull(i) {
		return append(dst, "null"...), true
	}
	switch a := arr.(type) {
	case *array.String:
		return AppendString(dst, a.Value(i))
	case *array.LargeString:
		return AppendString(dst, a.Value(i))
	case *array.StringView:
		return AppendString(dst, a.Value(i))
	case *array.Float64:
		return appendFloat(dst, a.Value(i), 64)
	case *array.Float32:
		return appendFloat(dst, float64(a.Value(i)), 32)
	case *array.Float16:
		return appendFloat(dst, float64(a.Value(i).Float32()), 32)
	}
	if isNumber(arr) {
		return appendScalar(dst, arr, i), true
	}
	if out, exact, ok := appendNested(dst, arr, i); ok {
		return out, exact
	}
	if a, ok := arr.(*array.Boolean); ok {
		return strconv.AppendBool(dst, a.Value(i)), true
	}
	if quotable(arr) {
		return append(appendScalar(append(dst, '"'), arr, i), '"'), true
	}
	return AppendString(dst, arr.ValueStr(i))
}

// AppendText appends value i of arr as bare text: a string as it is, NaN and the
// infinities by name, a nested value as JSON. Of a null it appends nothing.
func AppendText(dst []byte, arr arrow.Array, i int) []byte {
	if arr.IsNull(i) {
		return dst
	}
	switch a := arr.(type) {
	case *array.String:
		return append(dst, a.Value(i)...)
	case *array.LargeString:
		return append(dst, a.Value(i)...)
	case *array.StringView:
		return append(dst, a.Value(i)...)
	case *array.Boolean:
		return strconv.AppendBool(dst, a.Value(i))
	case *array.Float64, *array.Float32, *array.Float16:
		return appendFloatText(dst, arr, i)
	case *array.Null:
		return dst
	case *array.Dictionary:
		return AppendText(dst, a.Dictionary(), a.GetValueIndex(i))
	case *array.SparseUnion, *array.DenseUnion:
		child, at := unionValue(arr, i)
		return AppendText(dst, child, at)
	case array.ExtensionArray:
		storage, id, ok := extensionValue(a, i)
		if ok {
			return appendUUID(dst, id)
		}
		return AppendText(dst, storage, i)
	}
	if isNumber(arr) || quotable(arr) {
		return appendScalar(dst, arr, i)
	}
	if out, _, ok := appendNested(dst, arr, i); ok {
		return out
	}
	return append(dst, arr.ValueStr(i)...)
}

// IsNumber says whether values of the type are numbers, which a table aligns right.
func IsNumber(t arrow.DataType) bool {
	if d, ok := t.(*arrow.DictionaryType); ok {
		return IsNumber(d.ValueType)
	}
	return arrow.IsInteger(t.ID()) || arrow.IsFloating(t.ID()) || arrow.IsDecimal(t.ID())
}

// IsNull says whether value i is null, also where only the array's inner value knows it.
func IsNull(arr arrow.Array, i int) bool {
	if arr.IsNull(i) {
		return true
	}
	switch a := arr.(type) {
	case *array.Null:
		return true
	case *array.Dictionary:
		return IsNull(a.Dictionary(), a.GetValueIndex(i))
	case *array.SparseUnion, *array.DenseUnion:
		child, at := unionValue(arr, i)
		return IsNull(child, at)
	}
	return false
}

func isNumber(arr arrow.Array) bool {
	id := arr.DataType().ID()
	return arrow.IsInteger(id) || arrow.IsDecimal(id)
}

// quotable says whether appendScalar writes the array's values, and as text that
// needs no escape between quotes.
func quotable(arr arrow.Array) bool {
	switch arr.(type) {
	case *array.Date32, *array.Date64, *array.Time32, *array.Time64, *array.Timestamp, *array.Duration,
		*array.MonthInterval, *array.DayTimeInterval, *array.MonthDayNanoInterval,
		*array.Binary, *array.LargeBinary, *array.BinaryView, *array.FixedSizeBinary:
		return true
	}
	return false
}

func appendScalar(dst []byte, arr arrow.Array, i int) []byte {
	switch a := arr.(type) {
	case *array.Int64:
		return strconv.AppendInt(dst, a.Value(i), 10)
	case *array.Int32:
		return strconv.AppendInt(dst, int64(a.Value(i)), 10)
	case *array.Int16:
		return strconv.AppendInt(dst, int64(a.Value(i)), 10)
	case *array.Int8:
		return strconv.AppendInt(dst, int64(a.Value(i)), 10)
	case *array.Uint64:
		return strconv.AppendUint(dst, a.Value(i), 10)
	case *array.Uint32:
		return strconv.AppendUint(dst, uint64(a.Value(i)), 10)
	case *array.Uint16:
		return strconv.AppendUint(dst, uint64(a.Value(i)), 10)
	case *array.Uint8:
		return strconv.AppendUint(dst, uint64(a.Value(i)), 10)
	case *array.Decimal128:
		return appendDecimal128(dst, a.Value(i), a.DataType().(*arrow.Decimal128Type).Scale)
	case *array.Binary:
		return base64.StdEncoding.AppendEncode(dst, a.Value(i))
	case *array.LargeBinary:
		return base64.StdEncoding.AppendEncode(dst, a.Value(i))
	case *array.BinaryView:
		return base64.StdEncoding.AppendEncode(dst, a.Value(i))
	case *array.FixedSizeBinary:
		return base64.StdEncoding.AppendEncode(dst, a.Value(i))
	}
	if out, ok := appendTemporal(dst, arr, i); ok {
		return out
	}
	return append(dst, arr.ValueStr(i)...) // decimals of other widths
}
