package product

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds that keep a hostile file from costing much: aliases can make a small one
// expand without end.
const (
	maxDepth  = 64
	maxValues = 200_000
)

// decoder fills Go values from YAML nodes, strictly, and remembers where each stood.
// It goes on after a problem, so that all are found at once.
type decoder struct {
	file     string
	marks    marks
	problems Problems
	values   int
	open     map[*yaml.Node]bool // alias targets being decoded, to find cycles
	excused  map[string]bool     // paths that no rule need complain of again
	tooLarge bool
}

// afford counts values and says whether they are within bounds.
func (d *decoder) afford(n *yaml.Node, path string, values, depth int) bool {
	if d.values += values; d.values <= maxValues && depth <= maxDepth {
		return true
	}
	if !d.tooLarge {
		d.tooLarge = true
		d.problem(n, path, "", "the descriptor is nested too deep or expands to too many values")
	}
	return false
}

func (d *decoder) problem(n *yaml.Node, path, hint, format string, args ...any) {
	d.excused[path] = true
	d.problems = append(d.problems, Problem{
		File: d.file, Line: n.Line, Column: n.Column, Path: path,
		Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// value decodes n into v. key is the node that names it, nil for an item of a list.
func (d *decoder) value(key, n *yaml.Node, v reflect.Value, path string, depth int) {
	d.mark(key, n, path)
	if !d.afford(n, path, 1, depth) {
		return
	}
	if n.Kind == yaml.AliasNode {
		target := n.Alias
		if d.open[target] {
			d.problem(n, path, "", "anchor %q contains itself", n.Value)
			return
		}
		d.open[target] = true
		defer delete(d.open, target)
		n = target
	}
	if isNull(n) {
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch n.Kind {
	case yaml.MappingNode:
		d.mapping(n, v, path, depth)
	case yaml.SequenceNode:
		d.sequence(n, v, path, depth)
	default:
		d.scalar(n, v, path)
	}
}

// mark notes where path stands: a text or number at itself, a block at the key before it.
func (d *decoder) mark(key, n *yaml.Node, path string) {
	at := n
	null := isNull(n) || n.Kind == yaml.AliasNode && isNull(n.Alias)
	if key != nil && (null || n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode) {
		at = key
	}
	d.marks[path] = mark{line: at.Line, column: at.Column, null: null}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string, depth int) {
	if n.Tag != "" && n.Tag != "!!map" {
		d.problem(n, path, "", "tag %s has no meaning here", n.Tag)
		return
	}
	switch {
	case v.Kind() == reflect.Struct:
		d.structure(n, v, path, depth)
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for _, e := range d.entries(n, path, depth) {
			item := reflect.New(v.Type().Elem()).Elem()
			d.value(e.key, e.value, item, join(path, e.key.Value), depth+1)
			v.SetMapIndex(reflect.ValueOf(e.key.Value), item)
		}
	case v.Kind() == reflect.Interface:
		m := map[string]any{}
		d.mapping(n, reflect.ValueOf(&m).Elem(), path, depth)
		v.Set(reflect.ValueOf(m))
	default:
		d.problem(n, path, "", "%s must be %s, not a mapping", last(path), kindName(v.Type()))
	}
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string, depth int) {
	names, index := fields(v.Type())
	for _, e := range d.entries(n, path, depth) {
		i, ok := index[e.key.Value]
		if !ok {
			d.problem(e.key, join(path, e.key.Value), didYouMean(e.key.Value, names), "unknown field %q", shorten(e.key.Value))
			d.excused[join(path, nearest(e.key.Value, names))] = true
			continue
		}
		d.value(e.key, e.value, v.Field(i), join(path, e.key.Value), depth+1)
	}
}

func (d *decoder) sequence(n *yaml.Node, v reflect.Value, path string, depth int) {
	if n.Tag != "" && n.Tag != "!!seq" {
		d.problem(n, path, "", "tag %s has no meaning here", n.Tag)
		return
	}
	var list reflect.Value
	switch {
	case v.Kind() == reflect.Slice:
		list = v
	case v.Kind() == reflect.Interface:
		list = reflect.New(reflect.TypeFor[[]any]()).Elem()
	default:
		d.problem(n, path, "", "%s must be %s, not a list", last(path), kindName(v.Type()))
		return
	}
	list.Set(reflect.MakeSlice(list.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		if isNull(item) {
			d.problem(item, fmt.Sprintf("%s[%d]", path, i), "", "an item of %s has no value", last(path))
			continue
		}
		d.value(nil, item, list.Index(i), fmt.Sprintf("%s[%d]", path, i), depth+1)
	}
	if v.Kind() == reflect.Interface {
		v.Set(list)
	}
}

type entry struct{ key, value *yaml.Node }

// entries are the pairs of a mapping, those of its merge keys (<<) after its own. A
// key given twice is a problem.
func (d *decoder) entries(n *yaml.Node, path string, depth int) []entry {
	var own []entry
	var merged []*yaml.Node
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		switch {
		case key.Kind != yaml.ScalarNode || isNull(key):
			d.problem(n.Content[i], path, "", "a field's name must be text")
		case key.Tag == "!!merge":
			merged = append(merged, value)
		case seen[key.Value] > 0:
			d.problem(key, join(path, key.Value), "keep one of them", "%q is given twice, first on line %d", key.Value, seen[key.Value])
		default:
			seen[key.Value] = max(key.Line, 1)
			own = append(own, entry{key, value})
		}
	}
	for _, value := range merged {
		for _, e := range d.merge(value, path, depth+1) {
			if seen[e.key.Value] == 0 {
				seen[e.key.Value] = max(e.key.Line, 1)
				own = append(own, e)
			}
		}
	}
	return own
}

// merge is what a merge key brings: a mapping, or a list of them, the first winning.
func (d *decoder) merge(n *yaml.Node, path string, depth int) []entry {
	if !d.afford(n, path, 1+len(n.Content), depth) {
		return nil
	}
	target := n
	if n.Kind == yaml.AliasNode {
		target = n.Alias
	}
	switch target.Kind {
	case yaml.MappingNode:
		if !d.afford(n, path, len(target.Content), depth) {
			return nil
		}
		return d.entries(target, path, depth)
	case yaml.SequenceNode:
		var all []entry
		for _, item := range target.Content {
			all = append(all, d.merge(item, path, depth+1)...)
		}
		return all
	}
	d.problem(n, path, "", "<< must name a mapping")
	return nil
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
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
		ok = n.Tag == "!!str" || n.Tag == "!!timestamp" || quantity && (n.Tag == "!!int" || n.Tag == "!!float")
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
	return f, nil
}

// anyScalar is a scalar where any type may stand: string, bool, int64 or float64.
func anyScalar(n *yaml.Node) (any, error) {
	switch n.Tag {
	case "!!str", "!!timestamp":
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

// fields are the names of a struct's fields as a file writes them, and their places.
func fields(t reflect.Type) (names []string, index map[string]int) {
	index = make(map[string]int, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
		index[name] = i
	}
	return names, index
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

// join is the path of a field below path.
func join(path, field string) string {
	if strings.ContainsAny(field, ".[]") || field == "" {
		return fmt.Sprintf("%s[%q]", path, field)
	}
	if path == "" {
		return field
	}
	return path + "." + field
}

// last is the last step of path, for a message; the whole descriptor has none.
func last(path string) string {
	if path == "" {
		return "the descriptor"
	}
	if i := strings.LastIndex(path, `["`); i >= 0 && strings.HasSuffix(path, `"]`) {
		return path[i+2 : len(path)-2]
	}
	return path[strings.LastIndexByte(path, '.')+1:]
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}
