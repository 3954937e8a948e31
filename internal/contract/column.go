package contract

import (
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// column collects the values of one field, in the memory layout of Arrow, so that a
// batch is made without a copy. Unlike an Arrow builder it can drop its last values,
// which is how a record that breaks the contract is taken back.
type column struct {
	*field
	n     int    // values
	nulls int    // of them null
	valid []byte // a bit for each value; nil while none is null

	ints     []int64 // integer, timestamp, time
	days     []int32 // date
	floats   []float64
	decimals []decimal128.Num
	bits     []byte  // boolean
	offsets  []int32 // string, array: where each value ends, after a leading 0
	data     []byte  // string
	fields   []*column
	item     *column
}

func newColumn(f *field) *column {
	c := &column{field: f}
	for _, child := range f.fields {
		c.fields = append(c.fields, newColumn(child))
	}
	if f.item != nil {
		c.item = newColumn(f.item)
	}
	if f.kind == kindString || f.kind == kindArray {
		c.offsets = []int32{0}
	}
	return c
}

// added counts the value that was just added as one that is not null.
func (c *column) added() {
	if c.valid != nil {
		c.valid = appendBit(c.valid, c.n, true)
	}
	c.n++
}

func (c *column) addInt(v int64) {
	c.ints = append(c.ints, v)
	c.added()
}

func (c *column) addDay(v int32) {
	c.days = append(c.days, v)
	c.added()
}

func (c *column) addText(s []byte) {
	c.data = append(c.data, s...)
	c.offsets = append(c.offsets, int32(len(c.data)))
	c.added()
}

func (c *column) addBool(v bool) {
	c.bits = appendBit(c.bits, c.n, v)
	c.added()
}

// addNull adds a null, and one to each field of an object.
func (c *column) addNull() {
	switch c.kind {
	case kindString:
		c.offsets = append(c.offsets, int32(len(c.data)))
	case kindInteger, kindTimestamp, kindTime:
		c.ints = append(c.ints, 0)
	case kindDate:
		c.days = append(c.days, 0)
	case kindFloat:
		c.floats = append(c.floats, 0)
	case kindDecimal:
		c.decimals = append(c.decimals, decimal128.Num{})
	case kindBoolean:
		c.bits = appendBit(c.bits, c.n, false)
	case kindArray:
		c.offsets = append(c.offsets, int32(c.item.n))
	case kindObject:
		for _, f := range c.fields {
			f.addNull()
		}
	}
	if c.valid == nil {
		c.valid = make([]byte, c.n/8, max(c.n/8+1, cap(c.bits), 64))
		for i := range c.valid {
			c.valid[i] = 0xff
		}
		if c.n%8 != 0 {
			c.valid = append(c.valid, 0xff)
		}
	}
	c.valid = appendBit(c.valid, c.n, false)
	c.nulls++
	c.n++
}

// truncate drops the values from n on.
func (c *column) truncate(n int) {
	if c.n > n {
		c.dropNulls(n)
		c.n = n
	}
	switch c.kind {
	case kindString:
		c.offsets = c.offsets[:n+1]
		c.data = c.data[:c.offsets[n]]
	case kindInteger, kindTimestamp, kindTime:
		c.ints = c.ints[:n]
	case kindDate:
		c.days = c.days[:n]
	case kindFloat:
		c.floats = c.floats[:n]
	case kindDecimal:
		c.decimals = c.decimals[:n]
	case kindBoolean:
		c.bits = c.bits[:(n+7)/8]
	case kindArray:
		c.offsets = c.offsets[:n+1]
		c.item.truncate(int(c.offsets[n]))
	case kindObject:
		for _, f := range c.fields {
			f.truncate(n)
		}
	}
}

func (c *column) dropNulls(n int) {
	if c.valid == nil {
		return
	}
	for i := n; i < c.n; i++ {
		if c.valid[i/8]&(1<<(i%8)) == 0 {
			c.nulls--
		}
	}
	c.valid = c.valid[:(n+7)/8]
}

// appendBit sets bit n of bits, which holds n bits.
func appendBit(bits []byte, n int, v bool) []byte {
	mask := byte(1) << (n % 8)
	if n%8 == 0 {
		bits = append(bits, 0)
	}
	if v {
		bits[n/8] |= mask
	} else {
		bits[n/8] &^= mask
	}
	return bits
}
