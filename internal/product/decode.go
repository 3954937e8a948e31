package product

import (
	"fmt"
	"reflect"
	"slices"
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
			d.problem(e.key, join(path, e.key.Value), unknownHint(v.Type(), e.key.Value, names), "unknown field %q", shorten(e.key.Value))
			d.excused[join(path, nearest(e.key.Value, names))] = true
			continue
		}
		d.value(e.key, e.value, v.Field(i), join(path, e.key.Value), depth+1)
	}
}

// unknownHint is the hint about a field that there is none of. A JetStream stream has some
// that a port's cannot have.
func unknownHint(of reflect.Type, word string, names []string) string {
	port := of == reflect.TypeFor[Output]() || of == reflect.TypeFor[LogStream]() || of == reflect.TypeFor[Retention]()
	if port && slices.Contains([]string{"replicas", "num_replicas", "numReplicas", "placement"}, word) {
		return "leave it out: a port's log lies on its product's leaf, which is one server; consumers' leaves have copies, and meshctl stream backup makes them"
	}
	return didYouMean(word, names)
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
		case key.Value == "<<": // written again, it would be a merge key
			d.problem(key, path, "", "<< cannot be the name of a field")
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
