package contract

import (
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

// Decoder collects records as rows. It is not for use by more than one goroutine.
type Decoder struct {
	scanner
	contract *Contract
	root     *column
	bytes    int    // of the records since the last Flush or Reset; bounds every offset
	arena    []byte // what keys are cut from
}

// ErrFull says that the rows reached the two gigabytes that one batch can hold. It is
// no fault of the record: Flush, then append it again.
var ErrFull = fault.New(fault.Internal, "", "the batch is full")

// NewDecoder makes a decoder without rows.
func (c *Contract) NewDecoder() *Decoder {
	return &Decoder{contract: c, root: newColumn(c.root)}
}

// Append adds value, a JSON object, as a row and returns its key, nil when the port
// has none. On error nothing was added; a *Violation is then the reason why value is
// a dead letter, and ErrFull is the only other error.
func (d *Decoder) Append(value []byte) (record.Key, error) {
	if d.bytes+len(value) > math.MaxInt32 {
		return nil, ErrFull
	}
	rows := d.root.n
	d.b, d.p = value, 0
	if v := d.record(); v != nil {
		d.root.truncate(rows)
		d.b = nil
		return nil, v
	}
	d.b = nil
	d.bytes += len(value)
	return d.key(rows), nil
}

// record reads the whole value.
func (d *Decoder) record() *Violation {
	if d.peek() != '{' {
		return violate("wanted a JSON object, got ", excerpt(d.b[d.p:]))
	}
	if v := d.object(d.root); v != nil {
		return v
	}
	if d.peek(); d.p < len(d.b) {
		return d.broken("the end")
	}
	return nil
}

// AppendDelete adds a row with the parts of key in the key columns and null in all
// others. On error nothing was added.
func (d *Decoder) AppendDelete(key record.Key) error {
	if d.bytes+len(key) > math.MaxInt32 {
		return ErrFull
	}
	parts, err := key.Parts()
	if err != nil {
		return err
	}
	if err := d.contract.fits(parts); err != nil {
		return err
	}
	for i, c := range d.root.fields {
		if part := d.contract.partOf(i); part >= 0 {
			c.addPart(parts[part])
		} else {
			c.addNull()
		}
	}
	d.root.added()
	d.bytes += len(key)
	return nil
}

// Len is the number of rows.
func (d *Decoder) Len() int { return d.root.n }

// Reset drops the rows.
func (d *Decoder) Reset() {
	d.root.truncate(0)
	d.bytes = 0
}

// Flush takes the rows out. The caller releases them.
func (d *Decoder) Flush() arrow.RecordBatch {
	rows := d.root.n
	columns := make([]arrow.Array, len(d.root.fields))
	for i, c := range d.root.fields {
		data := c.flush()
		columns[i] = array.MakeFromData(data)
		data.Release()
	}
	d.root.n, d.bytes = 0, 0
	batch := array.NewRecordBatch(d.contract.schema, columns, int64(rows))
	for _, column := range columns {
		column.Release()
	}
	return batch
}

// object reads an object, of which the brace comes next, and adds it to c.
func (d *Decoder) object(c *column) *Violation {
	d.p++
	next, filled := 0, 0
	closed := d.peek() == '}'
	for !closed {
		i, v := d.fieldName(c, next)
		if v != nil {
			return v
		}
		f := c.fields[i]
		if f.n != c.n {
			return violate("the field comes twice").in(f.name)
		}
		if d.peek() != ':' {
			return d.broken("a colon").in(f.name)
		}
		d.p++
		if v := d.value(f); v != nil {
			return v.in(f.name)
		}
		next = i + 1
		filled++
		switch d.peek() {
		case ',':
			d.p++
			d.peek()
		case '}':
			closed = true
		default:
			return d.broken("a comma or }")
		}
	}
	d.p++
	if filled < len(c.fields) {
		if v := c.fill(); v != nil {
			return v
		}
	}
	c.added()
	return nil
}

// fieldName reads a field's name and finds its index; next is the likely one.
func (d *Decoder) fieldName(c *column, next int) (int, *Violation) {
	if next < len(c.fields) {
		t := c.fields[next].token
		end := d.p + len(t)
		if t != "" && end <= len(d.b) && string(d.b[d.p:end]) == t {
			d.p = end
			return next, nil
		}
	}
	if d.p >= len(d.b) || d.b[d.p] != '"' {
		return 0, d.broken("a field's name in quotes")
	}
	name, v := d.text()
	if v != nil {
		return 0, v
	}
	i, ok := c.index[string(name)]
	if !ok {
		return 0, unknownField(string(name), c.field)
	}
	return i, nil
}

// fill adds null to the fields that the object did not have.
func (c *column) fill() *Violation {
	for _, f := range c.fields {
		if f.n != c.n {
			continue
		}
		if f.required {
			return violate("is required but missing").in(f.name)
		}
		f.addNull()
	}
	return nil
}

// list reads an array, of which the bracket comes next, and adds it to c.
func (d *Decoder) list(c *column) *Violation {
	d.p++
	first := c.item.n
	closed := d.peek() == ']'
	for !closed {
		if v := d.value(c.item); v != nil {
			return v.inItem(c.item.n - first)
		}
		switch d.peek() {
		case ',':
			d.p++
		case ']':
			closed = true
		default:
			return d.broken("a comma or ]")
		}
	}
	d.p++
	if c.limits != nil {
		if reason := c.limits.checkItems(c.item.n - first); reason != "" {
			return violate(reason)
		}
	}
	c.offsets = append(c.offsets, int32(c.item.n))
	c.added()
	return nil
}

// wanted is the violation of a value of the wrong type, which began at start.
func (d *Decoder) wanted(what string, start int) *Violation {
	return violate(fmt.Sprintf("wanted %s, got %s", what, excerpt(d.b[start:])))
}
