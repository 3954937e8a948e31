package product

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// scalar decodes a single value.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	text := n.Tag == "!!str" || n.Tag == "!!timestamp" || n.Tag == "!!merge"
	if reflect.PointerTo(v.Type()).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		if n.Tag != "!!str" {
			d.wrong(n, v, path)
		} else if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Value)); err != nil {
			d.problem(n, path, "", "%s: %v", last(path), err)
		}
		return
	}
	ok := false
	switch v.Kind() {
	case reflect.String:
		quantity := v.Type() == reflect.TypeFor[Quantity]()
		ok = text || quantity && (n.Tag == "!!int" || n.Tag == "!!float")
		v.SetString(n.Value)
	case reflect.Int:
		ok = n.Tag == "!!int" && n.Decode(v.Addr().Interface()) == nil
	case reflect.Bool:
		ok = n.Tag == "!!bool" && n.Decode(v.Addr().Interface()) == nil
	case reflect.Float64:
		f, err := number(n)
		ok = err == nil
		v.SetFloat(f)
	case reflect.Interface:
		value, err := anyScalar(n)
		if ok = err == nil; ok {
			v.Set(reflect.ValueOf(value))
		}
	}
	if !ok {
		d.wrong(n, v, path)
	}
}

var errNotNumber = errors.New("not a number")

// number is a scalar as a double; not-a-number and the infinities are no numbers here.
func number(n *yaml.Node) (float64, error) {
	var f float64
	if n.Tag != "!!int" && n.Tag != "!!float" {
		return 0, errNotNumber
	}
	if err := n.Decode(&f); err != nil {
		return 0, err
	}
	if f-f != 0 {
		return 0, errNotNumber
	}
	if f == 0 {
		return 0, nil // not the negative zero, which JSON and YAML write differently
	}
	return f, nil
}

// anyScalar is a scalar where any type may stand: string, bool, int64 or float64.
func anyScalar(n *yaml.Node) (any, error) {
	switch n.Tag {
	case "!!str", "!!timestamp", "!!merge":
		return n.Value, nil
	case "!!bool":
		var b bool
		err := n.Decode(&b)
		return b, err
	case "!!int":
		var i int64
		if n.Decode(&i) == nil {
			return i, nil
		}
		return number(n)
	case "!!float":
		return number(n)
	}
	return nil, fmt.Errorf("tag %s has no meaning here", n.Tag)
}

// wrong reports a scalar of the wrong type.
func (d *decoder) wrong(n *yaml.Node, v reflect.Value, path string) {
	names := map[string]string{
		"!!str": "text", "!!int": "a number", "!!float": "a number", "!!bool": "true or false", "!!timestamp": "a date",
	}
	is := names[n.Tag]
	hint := ""
	switch {
	case is == "":
		is = "tagged " + n.Tag
	case v.Kind() == reflect.String:
		hint = "write " + strconv.Quote(n.Value) + " in quotes"
	case v.Kind() == reflect.Bool && n.Tag == "!!str":
		hint = "write true or false, without quotes"
	case v.Type() == reflect.TypeFor[Duration]():
		hint = "add a unit, such as " + n.Value + "s"
	case v.Kind() == reflect.Float64 || v.Kind() == reflect.Int || v.Kind() == reflect.Interface:
		if n.Tag == "!!int" || n.Tag == "!!float" {
			is = shorten(n.Value)
		}
	}
	d.problem(n, path, hint, "%s must be %s, not %s", last(path), kindName(v.Type()), is)
}

// kindName says in words what a field takes.
func kindName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[Duration]():
		return "a duration such as 10m"
	case t == reflect.TypeFor[Quantity]():
		return "a quantity such as 10Gi"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	case reflect.Interface:
		return "a value"
	}
	return "a mapping"
}
