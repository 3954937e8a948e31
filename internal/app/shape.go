package app

import (
	"bytes"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/meshctl/meshctl/internal/product"
)

// shape is how a file's JSON differs from a port's: by the names of its fields, and by
// having several types where the port has text. A nil shape changes nothing.
type shape struct {
	text   bool               // what is no string becomes one that holds its JSON
	fields map[string]renamed // of an object, by the name in the file
	item   *shape             // of an array's elements
}

// renamed is a field of an object as the port has it.
type renamed struct {
	name  string // in the port
	shape *shape
}

// newShape is the shape of objects with these columns. inFileNames says that the names at
// the top are those of the file; below it they always are.
func newShape(columns []product.Column, inFileNames bool) *shape {
	s := &shape{fields: map[string]renamed{}}
	differs := false
	for i := range columns {
		c := &columns[i]
		m := renamed{name: c.Name, shape: columnShape(c)}
		inFile := c.Name
		if inFileNames && c.PhysicalName != "" {
			inFile = c.PhysicalName
		}
		differs = differs || m.shape != nil || inFile != c.Name
		s.fields[inFile] = m
	}
	if !differs {
		return nil
	}
	for i := range columns { // a file may call a column by the port's name all the same
		c := &columns[i]
		if _, ok := s.fields[c.Name]; !ok {
			s.fields[c.Name] = renamed{name: c.Name, shape: columnShape(c)}
		}
	}
	return s
}

func columnShape(c *product.Column) *shape {
	switch {
	case c.LogicalType == product.TypeString:
		return &shape{text: true}
	case c.LogicalType == product.TypeObject:
		return newShape(c.Properties, true)
	case c.LogicalType == product.TypeArray && c.Items != nil:
		if item := columnShape(c.Items); item != nil {
			return &shape{item: item}
		}
	}
	return nil
}

// reshapes says whether values of type t may not be as column c has them.
func reshapes(c *product.Column, t arrow.DataType) bool {
	switch c.LogicalType {
	case product.TypeString:
		return t.ID() != arrow.STRING && t.ID() != arrow.LARGE_STRING && t.ID() != arrow.STRING_VIEW
	case product.TypeObject:
		s, ok := t.(*arrow.StructType)
		if !ok {
			return false
		}
		for i := range c.Properties {
			p := &c.Properties[i]
			if f, ok := s.FieldByName(p.Name); p.PhysicalName != "" || ok && reshapes(p, f.Type) {
				return true
			}
		}
	case product.TypeArray:
		if l, ok := t.(arrow.ListLikeType); ok && c.Items != nil {
			return reshapes(c.Items, l.Elem())
		}
	}
	return false
}

// apply is the line in the port's shape. A line that is no JSON stays as it is.
func (s *shape) apply(line []byte) []byte {
	dec := jsontext.NewDecoder(bytes.NewReader(line), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	out, err := s.append(make([]byte, 0, len(line)+16), dec)
	if err != nil {
		return line
	}
	return out
}

// append appends the decoder's next value.
func (s *shape) append(dst []byte, dec *jsontext.Decoder) ([]byte, error) {
	kind := dec.PeekKind()
	switch {
	case s != nil && s.fields != nil && kind == '{':
		return s.appendObject(dst, dec)
	case s != nil && s.item != nil && kind == '[':
		return s.appendArray(dst, dec)
	}
	v, err := dec.ReadValue()
	if err != nil {
		return dst, err
	}
	if s != nil && s.text && kind != '"' && kind != 'n' {
		return jsontext.AppendQuote(dst, v)
	}
	return append(dst, v...), nil
}

func (s *shape) appendObject(dst []byte, dec *jsontext.Decoder) ([]byte, error) {
	if _, err := dec.ReadToken(); err != nil {
		return dst, err
	}
	dst = append(dst, '{')
	for first := true; dec.PeekKind() != '}'; first = false {
		if !first {
			dst = append(dst, ',')
		}
		name, err := dec.ReadToken()
		if err != nil {
			return dst, err
		}
		m, ok := s.fields[name.String()]
		if !ok {
			m.name = name.String()
		}
		if dst, err = jsontext.AppendQuote(dst, m.name); err != nil {
			return dst, err
		}
		if dst, err = m.shape.append(append(dst, ':'), dec); err != nil {
			return dst, err
		}
	}
	_, err := dec.ReadToken()
	return append(dst, '}'), err
}

func (s *shape) appendArray(dst []byte, dec *jsontext.Decoder) ([]byte, error) {
	if _, err := dec.ReadToken(); err != nil {
		return dst, err
	}
	dst = append(dst, '[')
	for first := true; dec.PeekKind() != ']'; first = false {
		if !first {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = s.item.append(dst, dec); err != nil {
			return dst, err
		}
	}
	_, err := dec.ReadToken()
	return append(dst, ']'), err
}
