package product

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Change is one difference between two versions of a product. Its Path names ports and
// columns instead of counting them: spec.outputs[flights].schema[id].logicalType.
type Change struct {
	Path     string `json:"path"`
	Message  string `json:"message"`
	Breaking bool   `json:"breaking"` // it must be refused
	Hint     string `json:"hint,omitempty"`
}

// Compare tells what changes for the product's readers when new takes the place of
// old, both with defaults, as Parse gives them. A change that breaks readers of a port
// is Breaking unless the major grew, for a new major has streams of its own. Another
// name or domain is always Breaking, for every name derives from them, and so is a
// major that goes backwards. Within a major the version may go back, as it does when a
// release is taken back. It is nil when nothing changes.
func Compare(old, new *Product) []Change {
	c := comparison{grew: new.Major() > old.Major(), shrank: new.Major() < old.Major(), major: old.Major() + 1}
	c.metadata(&old.Metadata, &new.Metadata)
	for i := range old.Spec.Outputs {
		o := &old.Spec.Outputs[i]
		path := "spec.outputs[" + o.Name + "]"
		if n := new.Output(o.Name); n != nil {
			c.output(path, o, n)
		} else {
			c.broken(path, "port %s is removed", o.Name)
		}
	}
	for i := range new.Spec.Outputs {
		if n := &new.Spec.Outputs[i]; old.Output(n.Name) == nil {
			c.note("spec.outputs["+n.Name+"]", "port %s is added", n.Name)
		}
	}
	c.logic(old, new)
	c.storage(old.Spec.Storage, new.Spec.Storage)
	c.plain("spec.resources", old.Spec.Resources, new.Spec.Resources)
	return c.changes
}

type comparison struct {
	grew    bool // the major grew
	shrank  bool // it went back
	major   int  // the least major that may break
	changes []Change
}

// note adds a change that readers can live with.
func (c *comparison) note(path, format string, args ...any) {
	c.changes = append(c.changes, Change{Path: path, Message: fmt.Sprintf(format, args...)})
}

// broken adds a change that breaks readers, unless the major grew.
func (c *comparison) broken(path, format string, args ...any) {
	c.note(path, format, args...)
	if !c.grew {
		last := &c.changes[len(c.changes)-1]
		last.Breaking, last.Hint = true, fmt.Sprintf("undo it, or raise metadata.version to %d.0.0", c.major)
	}
}

// refused adds a change that no version allows.
func (c *comparison) refused(path, hint, format string, args ...any) {
	c.changes = append(c.changes, Change{Path: path, Message: fmt.Sprintf(format, args...), Breaking: true, Hint: hint})
}

// storage notes what is kept otherwise. Segments go from a volume into a bucket by
// themselves, but never out of one: the log may no longer hold their records.
func (c *comparison) storage(old, new Storage) {
	const hint = "undo it, or offer the records from a product of its own"
	switch o, n := strings.TrimSuffix(old.Bucket, "/"), strings.TrimSuffix(new.Bucket, "/"); {
	case o == n:
	case o == "":
		c.note("spec.storage.bucket", "segments move into %s when the product starts again", n)
	case n == "":
		c.refused("spec.storage.bucket", hint, "segments cannot move out of %s", o)
	default:
		c.refused("spec.storage.bucket", hint, "segments cannot move from %s to %s", o, n)
	}
	old.Bucket, new.Bucket = "", ""
	c.plain("spec.storage", old, new)
}

func (c *comparison) metadata(old, new *Metadata) {
	if old.Name != new.Name {
		c.refused("metadata.name", "make it a product of its own", "the product is renamed from %s to %s", old.Name, new.Name)
	}
	if old.Domain != new.Domain {
		c.refused("metadata.domain", "make it a product of its own", "the domain changes from %s to %s, and every subject with it", old.Domain, new.Domain)
	}
	switch {
	case c.shrank:
		c.refused("metadata.version", "write a version after "+old.Version, "the major goes back from %s to %s", old.Version, new.Version)
	case old.Version != new.Version:
		c.note("metadata.version", "the version changes from %s to %s", old.Version, new.Version)
	}
	c.plain("metadata.owner", old.Owner, new.Owner)
	c.plain("metadata.description", old.Description, new.Description)
	c.plain("metadata.status", old.Status, new.Status)
	c.plain("metadata.tags", old.Tags, new.Tags)
	c.plain("metadata.labels", old.Labels, new.Labels)
}

// plain notes a difference of values that bind no reader, a struct's field by field.
func (c *comparison) plain(path string, old, new any) {
	o, n := reflect.ValueOf(old), reflect.ValueOf(new)
	if o.Kind() == reflect.Struct {
		names, _ := fields(o.Type())
		for i, name := range names {
			c.plain(path+"."+name, o.Field(i).Interface(), n.Field(i).Interface())
		}
		return
	}
	before, after := canonical(old), canonical(new)
	switch {
	case before == after:
	case len(before)+len(after) > 80:
		c.note(path, "%s changes", last(path))
	default:
		c.note(path, "%s changes from %s to %s", last(path), before, after)
	}
}

// canonical is v as JSON, in which a number is the same whether it came from YAML or
// from JSON; nothing, an empty list and an empty text are all "none".
func canonical(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("product: a descriptor is made of plain values: %v", err))
	}
	switch s := string(data); s {
	case "null", `""`, "[]", "{}", `"0s"`:
		return "none"
	default:
		return s
	}
}

// logic notes what becomes of the records that the product makes from now on.
func (c *comparison) logic(old, new *Product) {
	o, n := old.Spec.Logic, new.Spec.Logic
	switch {
	case o == nil && n != nil:
		c.note("spec.logic", "logic is added: the output is made from the inputs, and no longer takes published records")
	case o != nil && n == nil:
		c.note("spec.logic", "logic is removed: the output takes published records as they are")
	case canonical(o) != canonical(n):
		c.note("spec.logic", "logic changes: records made from now on follow it, those in the log stay as they are")
	}
	for _, in := range old.Spec.Inputs {
		path := "spec.inputs[" + in.Name + "]"
		if now := new.Input(in.Name); now == nil {
			c.note(path, "input %s is removed", in.Name)
		} else {
			c.plain(path+".port", in.Port, now.Port)
		}
	}
	for _, in := range new.Spec.Inputs {
		if old.Input(in.Name) == nil {
			c.note("spec.inputs["+in.Name+"]", "input %s is added, and read from its beginning", in.Name)
		}
	}
}

func (c *comparison) output(path string, old, new *Output) {
	if old.Type != new.Type {
		c.broken(path+".type", "port %s changes from %s to %s", old.Name, old.Type, new.Type)
	}
	if !slices.Equal(old.Key, new.Key) {
		c.broken(path+".key", "the key changes from %s to %s", keyText(old.Key), keyText(new.Key))
	}
	c.columns(path+".schema", old.Schema, new.Schema)
	if before, after := old.Readers(), new.Readers(); before != after {
		c.note(path+".grants", "port %s may be read by %s, no longer by %s", old.Name, after, before)
	}
	c.plain(path+".description", old.Description, new.Description)
	c.plain(path+".retention", old.Retention, new.Retention)
	c.plain(path+".stream", old.Stream, new.Stream)
	c.plain(path+".quality", old.Quality, new.Quality)
	c.plain(path+".slaProperties", old.SLA, new.SLA)
}

func keyText(key []string) string {
	if len(key) == 0 {
		return "none"
	}
	return strings.Join(key, ", ")
}
