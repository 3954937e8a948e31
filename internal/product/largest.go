package product

// MaxPayload is the largest message of a mesh, in bytes: hub and leaves agree on it.
const MaxPayload = 8 << 20

// LargestRecord is how many bytes the JSON of a record of the port may have, as far as
// the contract bounds it; ok is false where it does not.
func (o *Output) LargestRecord() (bytes int64, ok bool) { return largestObject(o.Schema) }

// The most bytes that a value of a type has as JSON, quotes included.
const (
	largestNumber    = 25
	largestTimestamp = 37
	largestCharacter = 4 // in UTF-8
)

func largestObject(columns []Column) (bytes int64, ok bool) {
	bytes = 2
	for i := range columns {
		value, ok := largestValue(&columns[i])
		if !ok {
			return 0, false
		}
		bytes += int64(len(columns[i].Name)) + 4 + value // quotes, colon, comma
	}
	return bytes, true
}

func largestValue(c *Column) (bytes int64, ok bool) {
	switch c.LogicalType {
	case TypeString:
		if c.Options.MaxLength == nil {
			return 0, false
		}
		return int64(*c.Options.MaxLength)*largestCharacter + 2, true
	case TypeInteger, TypeBoolean:
		return largestNumber, true
	case TypeNumber:
		precision, _, _ := c.Decimal()
		return largestNumber + int64(precision), true
	case TypeDate, TypeTimestamp, TypeTime:
		return largestTimestamp, true
	case TypeObject:
		return largestObject(c.Properties)
	case TypeArray:
		if c.Items == nil || c.Options.MaxItems == nil {
			return 0, false
		}
		item, ok := largestValue(c.Items)
		return 2 + int64(*c.Options.MaxItems)*(item+1), ok
	}
	return 0, false
}
