package product

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/meshctl/meshctl/internal/record"
)

var logicalTypes = []string{
	TypeString, TypeInteger, TypeNumber, TypeBoolean, TypeDate, TypeTimestamp, TypeTime, TypeObject, TypeArray,
}

// columns applies the rules to a schema, or to the properties of an object.
func (c *checker) columns(path string, columns []Column) {
	seen := map[string]string{}
	for i := range columns {
		col, at := &columns[i], fmt.Sprintf("%s[%d]", path, i)
		folded := strings.ToLower(col.Name)
		other, twice := seen[folded]
		switch {
		case strings.TrimSpace(col.Name) == "":
			c.add(at+".name", "", "name is missing")
		case strings.HasPrefix(col.Name, "_"):
			c.add(at+".name", "begin it with another character", "column names that begin with _ are reserved")
		case twice && other == col.Name:
			c.add(at+".name", "give each column a name of its own", "two columns are named %q", shorten(col.Name))
		case twice:
			c.add(at+".name", "let them differ in more than case", "columns %q and %q are one to SQL", shorten(other), shorten(col.Name))
		}
		seen[folded] = col.Name
		c.column(at, col)
	}
}

// column applies the rules that hold for a column and for an array's items.
func (c *checker) column(path string, col *Column) {
	if col.LogicalType == "" {
		c.add(path+".logicalType", "write "+orList(logicalTypes), "logicalType is missing")
		return
	}
	if !slices.Contains(logicalTypes, col.LogicalType) {
		hint := didYouMean(col.LogicalType, logicalTypes)
		if s := synonym(col.LogicalType); s != "" {
			hint = "write " + s
		}
		c.add(path+".logicalType", hint, "unknown logicalType %q", shorten(col.LogicalType))
		return
	}
	c.decimal(path+".physicalType", col)
	c.nested(path, col)
	c.options(path+".logicalTypeOptions", col)
	for i, example := range col.Examples {
		if reason := col.misfit(example); reason != "" {
			c.add(fmt.Sprintf("%s.examples[%d]", path, i), "", "the example %s", reason)
		}
	}
	for i := range col.Quality {
		c.quality(fmt.Sprintf("%s.quality[%d]", path, i), &col.Quality[i], col)
	}
}

func (c *checker) decimal(path string, col *Column) {
	text := strings.ToLower(strings.TrimSpace(col.PhysicalType))
	if col.LogicalType != TypeNumber || !strings.HasPrefix(text, "decimal") {
		return
	}
	precision, scale, ok := col.Decimal()
	switch {
	case !ok:
		c.add(path, "write decimal(precision,scale), such as decimal(18,2)", "physicalType %q cannot be read", shorten(col.PhysicalType))
	case precision < 1 || precision > 38:
		c.add(path, "use 1 to 38 digits", "a decimal cannot have %d digits", precision)
	case scale > precision:
		c.add(path, "", "a decimal of %d digits cannot have %d after the point", precision, scale)
	}
}

// nested requires what an array and an object are made of, and of nothing else.
func (c *checker) nested(path string, col *Column) {
	switch {
	case col.LogicalType == TypeArray && col.Items == nil:
		c.add(path+".items", "add items with a logicalType", "an array needs items")
	case col.LogicalType != TypeArray && col.Items != nil:
		c.add(path+".items", "make the column an array, or leave items out", "%s has no items", article(col.LogicalType))
	case col.Items != nil:
		if col.Items.Name != "" {
			c.add(path+".items.name", "leave it out", "items have no name")
		}
		c.column(path+".items", col.Items)
	}
	switch {
	case col.LogicalType == TypeObject && len(col.Properties) == 0:
		c.add(path+".properties", "add properties, each a column", "an object needs properties")
	case col.LogicalType != TypeObject && len(col.Properties) > 0:
		c.add(path+".properties", "make the column an object, or leave properties out", "%s has no properties", article(col.LogicalType))
	default:
		c.columns(path+".properties", col.Properties)
	}
}

// options requires each option to fit the type, and the lower bound the upper.
func (c *checker) options(path string, col *Column) {
	o := &col.Options
	for _, option := range []struct {
		name  string
		set   bool
		types []string
	}{
		{"minLength", o.MinLength != nil, []string{TypeString}},
		{"maxLength", o.MaxLength != nil, []string{TypeString}},
		{"pattern", o.Pattern != "", []string{TypeString}},
		{"minimum", o.Minimum != nil, []string{TypeInteger, TypeNumber}},
		{"maximum", o.Maximum != nil, []string{TypeInteger, TypeNumber}},
		{"minItems", o.MinItems != nil, []string{TypeArray}},
		{"maxItems", o.MaxItems != nil, []string{TypeArray}},
	} {
		if option.set && !slices.Contains(option.types, col.LogicalType) {
			c.add(path+"."+option.name, "leave it out", "%s is for %s, not for %s", option.name, orList(option.types), col.LogicalType)
		}
	}
	bounds(c, path, "minLength", o.MinLength, "maxLength", o.MaxLength)
	bounds(c, path, "minItems", o.MinItems, "maxItems", o.MaxItems)
	bounds(c, path, "minimum", o.Minimum, "maximum", o.Maximum)
	for name, n := range map[string]*int{"minLength": o.MinLength, "maxLength": o.MaxLength, "minItems": o.MinItems, "maxItems": o.MaxItems} {
		if n != nil && *n < 0 {
			c.add(path+"."+name, "", "%s cannot be negative", name)
		}
	}
	if _, err := regexp.Compile(o.Pattern); err != nil {
		c.add(path+".pattern", "write it in RE2 syntax, without lookaround and backreferences", "pattern: %v", err)
	}
}

func bounds[T int | float64](c *checker, path, low string, least *T, high string, most *T) {
	if least != nil && most != nil && *least > *most {
		c.add(path+"."+low, "", "%s %v is above %s %v", low, *least, high, *most)
	}
}

// misfit says why v cannot be a value of the column, or nothing if it can.
func (c *Column) misfit(v any) string {
	fits := true
	text, isText := v.(string)
	n, isNumber := asNumber(v)
	var err error
	switch c.LogicalType {
	case TypeString:
		fits = isText
	case TypeInteger:
		fits = isNumber && n == math.Trunc(n) && n >= -(1<<63) && n < 1<<63
		if _, whole := v.(int64); whole {
			fits = true
		}
	case TypeNumber:
		fits = isNumber
	case TypeBoolean:
		_, fits = v.(bool)
	case TypeDate:
		_, err = record.ParseDate(text)
	case TypeTimestamp:
		_, err = time.Parse(time.RFC3339Nano, text)
	case TypeTime:
		_, err = time.Parse("15:04:05.999999", text)
	case TypeObject:
		_, fits = v.(map[string]any)
	case TypeArray:
		_, fits = v.([]any)
	}
	if fits && err == nil {
		return ""
	}
	return fmt.Sprintf("%s is no %s", shorten(fmt.Sprint(v)), c.LogicalType)
}

// article is a logical type with a or an before it.
func article(logicalType string) string {
	if strings.ContainsRune("aio", rune(logicalType[0])) {
		return "an " + logicalType
	}
	return "a " + logicalType
}
