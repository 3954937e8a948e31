package scaffold

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/product"
)

// Column is what a file tells about one of its columns.
type Column struct {
	Name     string
	Type     arrow.DataType
	Nullable bool  // a value is missing somewhere
	Distinct int64 // how many values differ
}

// Field is a column of a schema, and what its writer should tell the reader of it.
type Field struct {
	product.Column
	Note string
}

// Describe makes a schema of a file's columns, named as Names says; where that is not
// the file's own name, physicalName is. A column that no
// value is missing from is required.
func Describe(columns []Column) []Field {
	inFile := make([]string, len(columns))
	for i, c := range columns {
		inFile[i] = c.Name
	}
	names := Names(inFile)
	fields := make([]Field, len(columns))
	for i, c := range columns {
		fields[i] = Field{Column: describe(names[i], c.Type), Note: typeNote(c.Type)}
		fields[i].Required = !c.Nullable
		if names[i] != c.Name {
			fields[i].PhysicalName = c.Name
		}
	}
	return fields
}

// Names is what a file's columns are called in a schema, in the same order: as in the
// file, but where a schema cannot have that name (empty, or it begins with "_", which
// is reserved) or another column has it but for case. It depends on inFile alone, so
// that whoever reads the file again finds the same names.
func Names(inFile []string) []string {
	taken := map[string]bool{}
	for _, name := range inFile {
		taken[strings.ToLower(name)] = true
	}
	given := map[string]bool{}
	names := make([]string, len(inFile))
	for i, name := range inFile {
		base := strings.TrimLeft(name, "_")
		if strings.TrimSpace(base) == "" {
			base = fmt.Sprintf("column%d", i+1)
		}
		try, n := base, 1
		for given[strings.ToLower(try)] || try != name && taken[strings.ToLower(try)] {
			n++
			try = fmt.Sprintf("%s_%d", base, n)
		}
		given[strings.ToLower(try)] = true
		names[i] = try
	}
	return names
}

// describe maps an Arrow type to the logical type that holds all its values.
func describe(name string, t arrow.DataType) product.Column {
	c := product.Column{Name: name, LogicalType: product.TypeString}
	switch t := t.(type) {
	case *arrow.BooleanType:
		c.LogicalType = product.TypeBoolean
	case *arrow.Int8Type, *arrow.Int16Type, *arrow.Int32Type, *arrow.Int64Type,
		*arrow.Uint8Type, *arrow.Uint16Type, *arrow.Uint32Type:
		c.LogicalType = product.TypeInteger
	case *arrow.Uint64Type:
		c.LogicalType, c.PhysicalType = product.TypeNumber, "decimal(20,0)"
	case *arrow.Float16Type, *arrow.Float32Type, *arrow.Float64Type:
		c.LogicalType = product.TypeNumber
	case arrow.DecimalType:
		c.LogicalType = product.TypeNumber
		if p, s := t.GetPrecision(), t.GetScale(); p <= 38 && s >= 0 { // a wider one has only a double to go to
			c.PhysicalType = fmt.Sprintf("decimal(%d,%d)", p, s)
		}
	case *arrow.Date32Type, *arrow.Date64Type:
		c.LogicalType = product.TypeDate
	case *arrow.TimestampType:
		c.LogicalType = product.TypeTimestamp
	case *arrow.Time32Type, *arrow.Time64Type:
		c.LogicalType = product.TypeTime
	case *arrow.DictionaryType:
		return describe(name, t.ValueType)
	case *arrow.StructType:
		c.LogicalType = product.TypeObject
		var inFile []string
		for _, f := range t.Fields() {
			inFile = append(inFile, f.Name)
		}
		for i, name := range Names(inFile) {
			p := describe(name, t.Field(i).Type)
			if name != inFile[i] {
				p.PhysicalName = inFile[i]
			}
			c.Properties = append(c.Properties, p)
		}
	case *arrow.MapType: // a map's keys differ from row to row, which no object can name
	case arrow.ListLikeType:
		items := describe("", t.Elem())
		c.LogicalType, c.Items = product.TypeArray, &items
	}
	return c
}

// typeNote says what becomes of a type that has no logical type of its own.
func typeNote(t arrow.DataType) string {
	switch t.ID() {
	case arrow.NULL:
		return "no row has a value, so the type is a guess"
	case arrow.BINARY, arrow.LARGE_BINARY, arrow.FIXED_SIZE_BINARY, arrow.BINARY_VIEW:
		return "bytes in the file"
	case arrow.MAP:
		return "a map in the file, as JSON text"
	}
	return ""
}
