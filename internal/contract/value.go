package contract

import "fmt"

// value reads any value and adds it to c, or says why it does not fit.
func (d *Decoder) value(c *column) *Violation {
	first := d.peek()
	if first == 'n' && d.word("null") {
		if c.required {
			return violate("is required, got null")
		}
		c.addNull()
		return nil
	}
	switch c.kind {
	case kindString:
		return d.string(c, first)
	case kindInteger:
		return d.integral(c)
	case kindFloat:
		return d.double(c)
	case kindDecimal:
		return d.decimal(c, first)
	case kindBoolean:
		return d.boolean(c)
	case kindDate, kindTimestamp, kindTime:
		return d.moment(c, first)
	case kindObject:
		if first != '{' {
			return d.wanted("an object", d.p)
		}
		return d.object(c)
	default:
		if first != '[' {
			return d.wanted("an array", d.p)
		}
		return d.list(c)
	}
}

func (d *Decoder) string(c *column, first byte) *Violation {
	if first != '"' {
		return d.wanted("a string", d.p)
	}
	s, v := d.text()
	if v != nil {
		return v
	}
	if c.limits != nil {
		if reason := c.limits.checkText(s); reason != "" {
			return violate(reason)
		}
	}
	c.addText(s)
	return nil
}

func (d *Decoder) integral(c *column) *Violation {
	start := d.p
	n, ok := d.integer()
	if !ok {
		if d.literal() != nil {
			return d.wanted("an integer of 64 bits", start)
		}
		return d.wanted("an integer", start)
	}
	if c.limits != nil {
		if reason := c.limits.checkInt(n, d.b[start:]); reason != "" {
			return violate(reason)
		}
	}
	c.addInt(n)
	return nil
}

func (d *Decoder) double(c *column) *Violation {
	start := d.p
	f, ok := d.float()
	if !ok {
		if d.literal() != nil {
			return d.wanted("a number that a double can hold", start)
		}
		return d.wanted("a number", start)
	}
	if c.limits != nil {
		if reason := c.limits.checkFloat(f, d.b[start:]); reason != "" {
			return violate(reason)
		}
	}
	c.floats = append(c.floats, f)
	c.added()
	return nil
}

// decimal reads a number, or the same in a string, which keeps its digits through
// programs that know only doubles.
func (d *Decoder) decimal(c *column, first byte) *Violation {
	start := d.p
	var digits []byte
	if first == '"' {
		s, v := d.text()
		if v != nil {
			return v
		}
		inner := scanner{b: s}
		if digits = inner.literal(); inner.p != len(s) {
			digits = nil
		}
	} else {
		digits = d.literal()
	}
	if digits == nil {
		return d.wanted("a number", start)
	}
	n, ok := exact(digits, c.precision, c.scale)
	if !ok {
		return d.wanted(fmt.Sprintf("a decimal(%d,%d)", c.precision, c.scale), start)
	}
	if c.limits != nil {
		if reason := c.limits.checkDecimal(n, d.b[start:]); reason != "" {
			return violate(reason)
		}
	}
	c.decimals = append(c.decimals, n)
	c.added()
	return nil
}

func (d *Decoder) boolean(c *column) *Violation {
	start := d.p
	v := d.word("true")
	if !v && !d.word("false") {
		return d.wanted("true or false", start)
	}
	if c.limits != nil {
		bit := int64(0)
		if v {
			bit = 1
		}
		if reason := c.limits.checkInt(bit, d.b[start:]); reason != "" {
			return violate(reason)
		}
	}
	c.addBool(v)
	return nil
}

// What a reason shows as the right way to write it.
var momentForm = map[kind]string{
	kindDate:      "a date such as 2006-01-31",
	kindTimestamp: "a timestamp such as 2006-01-31T15:04:05.123456Z",
	kindTime:      "a time such as 15:04:05.123456",
}

func (d *Decoder) moment(c *column, first byte) *Violation {
	start := d.p
	if first != '"' {
		return d.wanted(momentForm[c.kind], start)
	}
	s, v := d.text()
	if v != nil {
		return v
	}
	var n int64
	var ok bool
	switch c.kind {
	case kindDate:
		var days int32
		days, ok = parseDate(s)
		n = int64(days)
	case kindTimestamp:
		n, ok = parseTimestamp(s)
	default:
		n, ok = parseTime(s)
	}
	if !ok {
		return d.wanted(momentForm[c.kind], start)
	}
	if c.limits != nil {
		if reason := c.limits.checkInt(n, d.b[start:]); reason != "" {
			return violate(reason)
		}
	}
	if c.kind == kindDate {
		c.addDay(int32(n))
	} else {
		c.addInt(n)
	}
	return nil
}
