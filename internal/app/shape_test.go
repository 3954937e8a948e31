package app

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/product"
)

func TestShape(t *testing.T) {
	text := product.Column{Name: "t", LogicalType: product.TypeString}
	number := product.Column{Name: "n", LogicalType: product.TypeNumber}
	called := product.Column{Name: "n", LogicalType: product.TypeNumber, PhysicalName: "_n"}
	object := product.Column{Name: "o", LogicalType: product.TypeObject, Properties: []product.Column{text, called}}
	array := product.Column{Name: "a", LogicalType: product.TypeArray, Items: &product.Column{LogicalType: product.TypeString}}
	for _, c := range []struct {
		columns  []product.Column
		in, want string
	}{
		{[]product.Column{text}, `{"t":"x","other":1}`, `{"t":"x","other":1}`},
		{[]product.Column{text}, `{"t":12.50}`, `{"t":"12.50"}`},
		{[]product.Column{text}, `{"t":12345678901234567890123}`, `{"t":"12345678901234567890123"}`},
		{[]product.Column{text}, `{"t":true}`, `{"t":"true"}`},
		{[]product.Column{text}, `{"t":null}`, `{"t":null}`},
		{[]product.Column{text}, `{"t":{"a":["b",1]}}`, `{"t":"{\"a\":[\"b\",1]}"}`},
		{[]product.Column{called}, `{"_n":1.0}`, `{"n":1.0}`},
		{[]product.Column{called}, `{"n":1.0}`, `{"n":1.0}`},
		{[]product.Column{object}, `{"o":{"t":1,"_n":2,"x":[]}}`, `{"o":{"t":"1","n":2,"x":[]}}`},
		{[]product.Column{object}, `{"o":7}`, `{"o":7}`},
		{[]product.Column{array}, `{"a":["x",1,null]}`, `{"a":["x","1",null]}`},
		{[]product.Column{array}, `{"a":[]}`, `{"a":[]}`},
		{[]product.Column{text}, `{"t":1,"t":2}`, `{"t":"1","t":"2"}`},
		{[]product.Column{text}, `{"t":1`, `{"t":1`},
	} {
		if got := string(newShape(c.columns, true).apply([]byte(c.in))); got != c.want {
			t.Errorf("%s became %s, want %s", c.in, got, c.want)
		}
	}
	if s := newShape([]product.Column{number}, true); s != nil {
		t.Errorf("numbers under their own names have the shape %v", s)
	}
}

func TestColumnsOfAFileFindTheirs(t *testing.T) {
	columns := []product.Column{
		{Name: "id"}, {Name: "Total", PhysicalName: "Amount $"}, {Name: "x", PhysicalName: "y"}, {Name: "y", PhysicalName: "x"}, {Name: "name"},
	}
	var fields []arrow.Field
	for _, name := range []string{"ID", "Amount $", "x", "y", "NAME", "name", "more"} {
		fields = append(fields, arrow.Field{Name: name, Type: arrow.BinaryTypes.String})
	}
	file := arrow.NewSchema(fields, nil)
	want := []string{"id", "Total", "y", "x", "NAME", "name", "more"}
	for i, got := range portNames(file, columns) {
		if got != want[i] {
			t.Errorf("column %q is %q, want %q", file.Field(i).Name, got, want[i])
		}
	}
}
