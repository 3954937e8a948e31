package kube

import (
	"encoding/json"
	"reflect"
	"strings"
)

// Owned says whether meshctl applied obj: the API server says so, and no copy of the
// object can claim it.
func Owned(obj Object) bool { return appliedFields(obj) != nil }

// appliedFields are the fields of obj that meshctl's last apply named, as the API
// server writes them; nil when meshctl never applied it.
func appliedFields(obj Object) map[string]any {
	list, _ := Field(obj, "metadata", "managedFields").([]any) // nobody manages it, then
	for _, item := range list {
		m, ok := item.(map[string]any)
		if ok && m["manager"] == Manager && m["operation"] == "Apply" && (m["subresource"] == nil || m["subresource"] == "") {
			fields, _ := m["fieldsV1"].(map[string]any)
			return fields
		}
	}
	return nil
}

// AppliedAlready says whether applying want to live would change nothing: live has
// every value of want, and meshctl's last apply named nothing that want leaves out. It
// errs on the safe side: a value that the API server writes differently, such as 0.5 for
// 500m, makes it false, and then a dry-run tells.
func AppliedAlready(live, want Object) bool {
	fields := appliedFields(live)
	if fields == nil {
		return false
	}
	for name, v := range want {
		if name != "metadata" && !holds(live[name], v) {
			return false
		}
	}
	meta, _ := want["metadata"].(map[string]any)
	for name, v := range meta {
		if !holds(Field(live, "metadata", name), v) {
			return false
		}
	}
	return named(fields, want)
}

// setsOnly says whether want leaves out nothing that meshctl's last apply to live named,
// and nobody else manages a field of live, other than its status.
func setsOnly(live, want Object) bool {
	list, _ := Field(live, "metadata", "managedFields").([]any) // nobody manages it, then
	for _, item := range list {
		m, _ := item.(map[string]any) // is nobody's, then
		if m["subresource"] != "status" && (m["manager"] != Manager || m["operation"] != "Apply") {
			return false
		}
	}
	fields := appliedFields(live)
	return fields != nil && named(fields, want)
}

// holds says whether live has every value of want.
func holds(live, want any) bool {
	switch w := want.(type) {
	case map[string]any:
		l, ok := live.(map[string]any)
		if !ok {
			return false
		}
		for name, v := range w {
			if !holds(l[name], v) {
				return false
			}
		}
		return true
	case []any:
		l, ok := live.([]any)
		if !ok || len(l) != len(w) {
			return false
		}
		for i := range w {
			if !holds(l[i], w[i]) {
				return false
			}
		}
		return true
	}
	return equal(live, want)
}

// equal compares two scalars; numbers by value, however they were decoded.
func equal(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	x, xok := number(a)
	y, yok := number(b)
	return xok && yok && x == y
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// named says whether want has a value wherever the field set does
// (https://kubernetes.io/docs/reference/using-api/server-side-apply/): "f:" is a field,
// "k:" an item of a list by its keys, "v:" an item that is a value.
func named(fields map[string]any, want any) bool {
	for key, below := range fields {
		if key == "." {
			continue
		}
		v, ok := step(want, key)
		inner, _ := below.(map[string]any) // an empty set for a leaf
		if !ok || !named(inner, v) {
			return false
		}
	}
	return true
}

// step goes from v one step down a field set.
func step(v any, key string) (any, bool) {
	kind, rest, ok := strings.Cut(key, ":")
	if !ok {
		return nil, false
	}
	if kind == "f" {
		m, _ := v.(map[string]any)
		below, ok := m[rest]
		return below, ok
	}
	list, _ := v.([]any)
	var want any
	if json.Unmarshal([]byte(rest), &want) != nil {
		return nil, false
	}
	for _, item := range list {
		switch keys := want.(type) {
		case map[string]any:
			if m, ok := item.(map[string]any); ok && kind == "k" && bears(m, keys) {
				return item, true
			}
		default:
			if kind == "v" && equal(item, want) {
				return item, true
			}
		}
	}
	return nil, false
}

// bears says whether an item has the keys. One that it leaves out counts as there, for
// the API server filled in its default.
func bears(item, keys map[string]any) bool {
	for name, v := range keys {
		if have, ok := item[name]; ok && !equal(have, v) {
			return false
		}
	}
	return true
}
