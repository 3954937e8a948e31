package cell

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// appendNested appends a value that holds others; ok is false for any other type.
func appendNested(dst []byte, arr arrow.Array, i int) (out []byte, exact, ok bool) {
	switch a := arr.(type) {
	case *array.Struct:
		out, exact = appendStruct(dst, a, i)
	case *array.Map:
		out, exact = appendMap(dst, a, i)
	case array.ListLike:
		out, exact = appendList(dst, a, i)
	case *array.Dictionary:
		out, exact = AppendJSON(dst, a.Dictionary(), a.GetValueIndex(i))
	case *array.SparseUnion, *array.DenseUnion:
		child, at := unionValue(arr, i)
		out, exact = AppendJSON(dst, child, at)
	case array.ExtensionArray:
		storage, id, ok := extensionValue(a, i)
		if ok {
			return append(appendUUID(append(dst, '"'), id), '"'), true, true
		}
		out, exact = AppendJSON(dst, storage, i)
	case *array.Null:
		out, exact = append(dst, "null"...), true
	default:
		return dst, false, false
	}
	return out, exact, true
}

func appendStruct(dst []byte, a *array.Struct, i int) (out []byte, exact bool) {
	exact = true
	dst = append(dst, '{')
	for f, field := range a.DataType().(*arrow.StructType).Fields() {
		var name, value bool
		if f > 0 {
			dst = append(dst, ',')
		}
		dst, name = AppendString(dst, field.Name)
		dst, value = AppendJSON(append(dst, ':'), a.Field(f), i)
		exact = exact && name && value
	}
	return append(dst, '}'), exact
}

// A map's keys are written as their texts, for JSON has no others.
func appendMap(dst []byte, a *array.Map, i int) (out []byte, exact bool) {
	exact = true
	dst = append(dst, '{')
	start, end := a.ValueOffsets(i)
	var text []byte
	for j := int(start); j < int(end); j++ {
		var name, value bool
		if j > int(start) {
			dst = append(dst, ',')
		}
		text = AppendText(text[:0], a.Keys(), j)
		dst, name = AppendString(dst, string(text))
		dst, value = AppendJSON(append(dst, ':'), a.Items(), j)
		exact = exact && name && value
	}
	return append(dst, '}'), exact
}

func appendList(dst []byte, a array.ListLike, i int) (out []byte, exact bool) {
	exact = true
	dst = append(dst, '[')
	start, end := a.ValueOffsets(i)
	values := a.ListValues()
	for j := int(start); j < int(end); j++ {
		var value bool
		if j > int(start) {
			dst = append(dst, ',')
		}
		dst, value = AppendJSON(dst, values, j)
		exact = exact && value
	}
	return append(dst, ']'), exact
}

// extensionValue is the array that holds the values of an extension type. Of the
// extension only a UUID is known by its own form, for which ok is true.
func extensionValue(a array.ExtensionArray, i int) (storage arrow.Array, uuid []byte, ok bool) {
	storage = a.Storage()
	if b, binary := storage.(*array.FixedSizeBinary); binary && a.ExtensionType().ExtensionName() == "arrow.uuid" {
		if id := b.Value(i); len(id) == 16 {
			return storage, id, true
		}
	}
	return storage, nil, false
}

// appendUUID appends 16 bytes in groups of hex digits.
func appendUUID(dst, id []byte) []byte {
	for i, b := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, hex[b>>4], hex[b&15])
	}
	return dst
}

// unionValue is the array and index at which the value of a union is.
func unionValue(arr arrow.Array, i int) (child arrow.Array, at int) {
	switch a := arr.(type) {
	case *array.DenseUnion:
		return a.Field(a.ChildID(i)), int(a.ValueOffset(i))
	case *array.SparseUnion:
		return a.Field(a.ChildID(i)), i
	}
	return arr, i
}

// AppendRow appends row of batch as one compact JSON object, its columns in schema
// order. Exact is as in AppendJSON; where it is false, column names the first column
// that it is false for.
func AppendRow(dst []byte, batch arrow.RecordBatch, row int) (out []byte, column string, exact bool) {
	exact = true
	dst = append(dst, '{')
	for c, arr := range batch.Columns() {
		var name, value bool
		if c > 0 {
			dst = append(dst, ',')
		}
		dst, name = AppendString(dst, batch.ColumnName(c))
		dst, value = AppendJSON(append(dst, ':'), arr, row)
		if exact && (!name || !value) {
			column, exact = batch.ColumnName(c), false
		}
	}
	return append(dst, '}'), column, exact
}
