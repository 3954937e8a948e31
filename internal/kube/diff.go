package kube

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Change is one field that two states of an object differ in. What is not there is nil.
type Change struct {
	Field string `json:"field"`
	Old   any    `json:"old,omitempty"`
	New   any    `json:"new,omitempty"`
}

// Diff lists the fields in which two states of an object differ, in the order of their
// names: those that people write, not those that the API server keeps. What a Secret
// holds is not shown.
func Diff(old, new Object) []Change {
	var all []Change
	diffMaps(&all, "", visible(old), visible(new))
	if Text(new, "kind") == "Secret" {
		for i := range all {
			all[i].mask()
		}
	}
	return all
}

// visible is obj without what the API server keeps about it.
func visible(obj Object) Object {
	out := maps.Clone(obj)
	delete(out, "status")
	delete(out, "apiVersion")
	if meta, ok := out["metadata"].(map[string]any); ok {
		meta = maps.Clone(meta)
		for _, name := range []string{"managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink"} {
			delete(meta, name)
		}
		out["metadata"] = meta
	}
	return out
}

func (c *Change) mask() {
	if !strings.HasPrefix(c.Field, "data") && !strings.HasPrefix(c.Field, "stringData") {
		return
	}
	if c.Old != nil {
		c.Old = "*** (before)"
	}
	if c.New != nil {
		c.New = "*** (after)"
	}
}

func diffValues(all *[]Change, path string, old, new any) {
	switch o := old.(type) {
	case map[string]any:
		if n, ok := new.(map[string]any); ok {
			diffMaps(all, path, o, n)
			return
		}
	case []any:
		if n, ok := new.([]any); ok {
			diffLists(all, path, o, n)
			return
		}
	}
	if !reflect.DeepEqual(old, new) {
		*all = append(*all, Change{path, old, new})
	}
}

func diffMaps(all *[]Change, path string, old, new map[string]any) {
	names := slices.Collect(maps.Keys(old))
	for name := range new {
		if _, ok := old[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		diffValues(all, join(path, name), old[name], new[name])
	}
}

// join writes a name below path; one that holds dots, as labels do, goes in brackets.
func join(path, name string) string {
	switch {
	case strings.ContainsAny(name, "./"):
		return path + "[" + name + "]"
	case path == "":
		return name
	}
	return path + "." + name
}

// diffLists compares items that bear names by name, others by place.
func diffLists(all *[]Change, path string, old, new []any) {
	names := itemNames(append(slices.Clone(old), new...))
	if names == nil {
		for i := range max(len(old), len(new)) {
			diffValues(all, path+"["+strconv.Itoa(i)+"]", at(old, i), at(new, i))
		}
		return
	}
	before, after := byName(old, names[:len(old)]), byName(new, names[len(old):])
	seen := map[string]bool{}
	for _, name := range names {
		if !seen[name] {
			seen[name] = true
			diffValues(all, path+"["+name+"]", before[name], after[name])
		}
	}
}

func at(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

func byName(items []any, names []string) map[string]any {
	m := map[string]any{}
	for i, item := range items {
		m[names[i]] = item
	}
	return m
}

// itemNames are the names that a list's items bear, nil when one has none.
func itemNames(items []any) []string {
	names := make([]string, len(items))
	for i, item := range items {
		m, ok := item.(map[string]any)
		if !ok {
			return nil
		}
		meta, _ := m["metadata"].(map[string]any) // of claim templates
		name := cmp.Or(text(m["name"]), text(m["mountPath"]), text(m["containerPort"]), text(m["port"]), text(meta["name"]))
		if name == "" {
			return nil
		}
		names[i] = name
	}
	return names
}

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64, float64:
		return fmt.Sprint(v)
	}
	return ""
}
