package serve

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/meshctl/meshctl/internal/product"
)

// schema is a JSON Schema (draft 2020-12).
type schema map[string]any

func ref(name string) schema { return schema{"$ref": "#/components/schemas/" + name} }

// columnSchema is what a value of the column looks like as JSON.
func columnSchema(c *product.Column) schema {
	s := valueSchema(c)
	o := &c.Options
	put(s, "minLength", o.MinLength)
	put(s, "maxLength", o.MaxLength)
	put(s, "minimum", o.Minimum)
	put(s, "maximum", o.Maximum)
	put(s, "minItems", o.MinItems)
	put(s, "maxItems", o.MaxItems)
	if o.Pattern != "" {
		s["pattern"] = o.Pattern
	}
	values := c.Enum()
	if !c.Required {
		s["type"] = []any{s["type"], "null"}
		if values != nil {
			values = append(append([]any{}, values...), nil)
		}
	}
	if values != nil {
		s["enum"] = values
	}
	for name, text := range map[string]string{"description": c.Description, "title": c.BusinessName, "x-classification": c.Classification} {
		if text != "" {
			s[name] = text
		}
	}
	if len(c.Examples) > 0 {
		s["examples"] = c.Examples
	}
	return s
}

func put[T any](s schema, name string, v *T) {
	if v != nil {
		s[name] = *v
	}
}

// valueSchema is the column's type alone.
func valueSchema(c *product.Column) schema {
	switch c.LogicalType {
	case product.TypeInteger:
		return schema{"type": "integer", "format": "int64"}
	case product.TypeNumber:
		if _, _, ok := c.Decimal(); ok {
			return schema{"type": "number", "x-physicalType": c.PhysicalType}
		}
		return schema{"type": "number", "format": "double"}
	case product.TypeBoolean:
		return schema{"type": "boolean"}
	case product.TypeDate:
		return schema{"type": "string", "format": "date"}
	case product.TypeTimestamp:
		return schema{"type": "string", "format": "date-time"}
	case product.TypeObject:
		return objectSchema(c.Properties)
	case product.TypeArray:
		s := schema{"type": "array"}
		if c.Items != nil {
			s["items"] = columnSchema(c.Items)
		}
		return s
	}
	return schema{"type": "string"} // a time of day too, whose format "time" would want an offset
}

func objectSchema(columns []product.Column) schema {
	properties, required := schema{}, []string{}
	for i := range columns {
		properties[columns[i].Name] = columnSchema(&columns[i])
		if columns[i].Required {
			required = append(required, columns[i].Name)
		}
	}
	s := schema{"type": "object", "properties": properties}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// typeSchema is what encoding/json makes of a t; structs become components.
func typeSchema(t reflect.Type, components schema) schema {
	switch t {
	case reflect.TypeFor[time.Time]():
		return schema{"type": "string", "format": "date-time"}
	case reflect.TypeFor[json.RawMessage]():
		return schema{}
	}
	if t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return schema{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeSchema(t.Elem(), components)
	case reflect.String:
		return schema{"type": "string"}
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return schema{"type": "number"}
	case reflect.Slice:
		return schema{"type": []any{"array", "null"}, "items": typeSchema(t.Elem(), components)}
	case reflect.Map:
		return schema{"type": []any{"object", "null"}, "additionalProperties": typeSchema(t.Elem(), components)}
	case reflect.Struct:
		if _, ok := components[t.Name()]; !ok {
			s := schema{"type": "object", "properties": schema{}}
			components[t.Name()] = s // before its fields, for a column has columns
			structSchema(t, s, components)
		}
		return ref(t.Name())
	case reflect.Interface:
		return schema{}
	}
	return schema{"type": "integer"}
}

// structSchema adds t's fields to s. A field is required when it is never left out.
func structSchema(t reflect.Type, s, components schema) {
	required, _ := s["required"].([]string)
	for f := range t.Fields() {
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case !f.IsExported() || tag == "-":
			continue
		case f.Anonymous && name == "":
			structSchema(f.Type, s, components)
			required, _ = s["required"].([]string)
			continue
		case name == "":
			name = f.Name
		}
		p := typeSchema(f.Type, components)
		if doc := f.Tag.Get("doc"); doc != "" {
			p["description"] = doc
		}
		s["properties"].(schema)[name] = p
		if !strings.Contains(options, "omit") {
			required = append(required, name)
			s["required"] = required
		}
	}
}
