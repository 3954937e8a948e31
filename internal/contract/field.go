package contract

import (
	"fmt"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/product"
)

// kind is what a field's value is read as.
type kind uint8

const (
	kindString kind = iota
	kindInteger
	kindFloat
	kindDecimal
	kindBoolean
	kindDate
	kindTimestamp
	kindTime
	kindObject
	kindArray
)

var kindOf = map[string]kind{
	product.TypeString:    kindString,
	product.TypeInteger:   kindInteger,
	product.TypeNumber:    kindFloat,
	product.TypeBoolean:   kindBoolean,
	product.TypeDate:      kindDate,
	product.TypeTimestamp: kindTimestamp,
	product.TypeTime:      kindTime,
	product.TypeObject:    kindObject,
	product.TypeArray:     kindArray,
}

// keyable says whether a key can have a part of this kind.
func (k kind) keyable() bool {
	switch k {
	case kindString, kindInteger, kindBoolean, kindDate, kindTimestamp:
		return true
	}
	return false
}

// field is a column of the schema, or a field or an item inside one, ready to read.
type field struct {
	name      string
	token     string // the name as JSON, where no character of it needs an escape
	kind      kind
	required  bool
	arrow     arrow.DataType
	precision int // of a decimal
	scale     int
	limits    *limits // nil when any value of the type will do
	fields    []*field
	index     map[string]int // of fields, by name
	item      *field
}

// deepest nesting of a schema, so that no descriptor can exhaust the stack.
const maxDepth = 64

func newField(c *product.Column, depth int) (*field, error) {
	k, ok := kindOf[c.LogicalType]
	if !ok {
		return nil, at(c, fmt.Errorf("unknown logicalType %q", c.LogicalType))
	}
	if depth > maxDepth {
		return nil, at(c, fmt.Errorf("nested deeper than %d", maxDepth))
	}
	f := &field{name: c.Name, token: token(c.Name), kind: k, required: c.Required}
	var err error
	switch k {
	case kindObject:
		err = f.setFields(c.Properties, depth)
	case kindArray:
		err = f.setItem(c.Items, depth)
	case kindFloat:
		err = f.setNumber(c)
	default:
		f.arrow = scalarTypes[k]
	}
	if err == nil {
		f.limits, err = newLimits(f, c)
	}
	if err != nil {
		return nil, at(c, err)
	}
	return f, nil
}

var scalarTypes = map[kind]arrow.DataType{
	kindString:    arrow.BinaryTypes.String,
	kindInteger:   arrow.PrimitiveTypes.Int64,
	kindBoolean:   arrow.FixedWidthTypes.Boolean,
	kindDate:      arrow.FixedWidthTypes.Date32,
	kindTimestamp: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"},
	kindTime:      arrow.FixedWidthTypes.Time64us,
}

func (f *field) setFields(columns []product.Column, depth int) error {
	if len(columns) == 0 {
		return fmt.Errorf("it has no properties")
	}
	f.index = make(map[string]int, len(columns))
	types := make([]arrow.Field, len(columns))
	for i := range columns {
		child, err := newField(&columns[i], depth+1)
		if err != nil {
			return err
		}
		if _, twice := f.index[child.name]; twice || child.name == "" {
			return fmt.Errorf("a field needs a name of its own, %q is not", child.name)
		}
		f.fields = append(f.fields, child)
		f.index[child.name] = i
		types[i] = child.arrowField()
	}
	f.arrow = arrow.StructOf(types...)
	return nil
}

func (f *field) setItem(items *product.Column, depth int) (err error) {
	if items == nil {
		return fmt.Errorf("it has no items")
	}
	if f.item, err = newField(items, depth+1); err != nil {
		return err
	}
	item := f.item.arrowField()
	item.Name = "item"
	f.arrow = arrow.ListOfField(item)
	return nil
}

func (f *field) setNumber(c *product.Column) error {
	p, s, ok := c.Decimal()
	if !ok {
		f.arrow = arrow.PrimitiveTypes.Float64
		return nil
	}
	if p < 1 || p > maxDigits || s > p {
		return fmt.Errorf("physicalType %s: precision must be 1 to %d and scale 0 to precision", c.PhysicalType, maxDigits)
	}
	f.kind, f.precision, f.scale = kindDecimal, p, s
	f.arrow = &arrow.Decimal128Type{Precision: int32(p), Scale: int32(s)}
	return nil
}

func (f *field) arrowField() arrow.Field {
	return arrow.Field{Name: f.name, Type: f.arrow, Nullable: !f.required}
}

// token is name in quotes, or empty if JSON could not hold it so.
func token(name string) string {
	for i := range len(name) {
		if c := name[i]; c < ' ' || c == '"' || c == '\\' {
			return ""
		}
	}
	if !utf8.ValidString(name) {
		return ""
	}
	return `"` + name + `"`
}

func at(c *product.Column, err error) error {
	if c.Name == "" {
		return err
	}
	return fmt.Errorf("%s: %w", c.Name, err)
}
