package contract

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// flush hands the values over as Arrow data and leaves the column empty, with room
// for as many values again.
func (c *column) flush() *array.Data {
	buffers := []*memory.Buffer{nil}
	if c.nulls > 0 {
		buffers[0] = memory.NewBufferBytes(c.valid)
	}
	var children []arrow.ArrayData
	switch c.kind {
	case kindString:
		buffers = append(buffers, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(c.offsets)), memory.NewBufferBytes(c.data))
		c.offsets, c.data = fresh(c.offsets, 1), fresh(c.data, 0)
	case kindInteger, kindTimestamp, kindTime:
		buffers = append(buffers, memory.NewBufferBytes(arrow.Int64Traits.CastToBytes(c.ints)))
		c.ints = fresh(c.ints, 0)
	case kindDate:
		buffers = append(buffers, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(c.days)))
		c.days = fresh(c.days, 0)
	case kindFloat:
		buffers = append(buffers, memory.NewBufferBytes(arrow.Float64Traits.CastToBytes(c.floats)))
		c.floats = fresh(c.floats, 0)
	case kindDecimal:
		buffers = append(buffers, memory.NewBufferBytes(arrow.Decimal128Traits.CastToBytes(c.decimals)))
		c.decimals = fresh(c.decimals, 0)
	case kindBoolean:
		buffers = append(buffers, memory.NewBufferBytes(c.bits))
		c.bits = fresh(c.bits, 0)
	case kindArray:
		buffers = append(buffers, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(c.offsets)))
		c.offsets = fresh(c.offsets, 1)
		children = append(children, c.item.flush())
	case kindObject:
		for _, f := range c.fields {
			children = append(children, f.flush())
		}
	}
	data := array.NewData(c.arrow, c.n, buffers, children, c.nulls, 0)
	for _, child := range children {
		child.Release()
	}
	c.n, c.nulls, c.valid = 0, 0, nil
	return data
}

// fresh is a slice of n zeros with room for as many values as old has.
func fresh[T any](old []T, n int) []T { return make([]T, n, max(n, len(old))) }
