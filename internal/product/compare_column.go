package product

import (
	"strings"
)

// columns compares two schemas, or the properties of two objects. Their order binds
// nobody, for columns are read by name.
func (c *comparison) columns(path string, old, new []Column) {
	for i := range old {
		at := path + "[" + old[i].Name + "]"
		if n := columnNamed(new, old[i].Name); n != nil {
			c.column(at, old[i].Name, &old[i], n)
		} else {
			c.broken(at, "column %s is removed", old[i].Name)
		}
	}
	for i := range new {
		n := &new[i]
		at := path + "[" + n.Name + "]"
		switch {
		case columnNamed(old, n.Name) != nil:
		case n.Required:
			c.broken(at, "required column %s is added, which records so far do not have", n.Name)
		default:
			c.note(at, "optional column %s is added", n.Name)
		}
	}
}

func (c *comparison) column(path, name string, old, new *Column) {
	switch was, is := old.typeText(), new.typeText(); {
	case was != is:
		c.broken(path+".logicalType", "column %s changes from %s to %s", name, was, is)
	default:
		c.plain(path+".physicalType", old.PhysicalType, new.PhysicalType)
	}
	switch {
	case new.Required && !old.Required:
		c.broken(path+".required", "column %s becomes required", name)
	case old.Required && !new.Required:
		c.note(path+".required", "column %s becomes optional", name)
	}
	c.options(path+".logicalTypeOptions", name, &old.Options, &new.Options)
	c.enum(path+".quality", name, old, new)
	if old.LogicalType == new.LogicalType {
		c.columns(path+".properties", old.Properties, new.Properties)
		if old.Items != nil && new.Items != nil {
			c.column(path+".items", "items of "+name, old.Items, new.Items)
		}
	}
	c.plain(path+".description", old.Description, new.Description)
	c.plain(path+".businessName", old.BusinessName, new.BusinessName)
	c.plain(path+".physicalName", old.PhysicalName, new.PhysicalName)
	c.plain(path+".unique", old.Unique, new.Unique)
	c.plain(path+".classification", old.Classification, new.Classification)
	c.plain(path+".tags", old.Tags, new.Tags)
	c.plain(path+".examples", old.Examples, new.Examples)
}

// typeText is the type that readers see: a decimal is another type than a double.
func (c *Column) typeText() string {
	if p, s, ok := c.Decimal(); ok {
		return "decimal(" + canonical(p) + "," + canonical(s) + ")"
	}
	return c.LogicalType
}

// options compares what narrows a column.
func (c *comparison) options(path, name string, old, new *TypeOptions) {
	lower(c, path+".minLength", name, old.MinLength, new.MinLength)
	lower(c, path+".minItems", name, old.MinItems, new.MinItems)
	lower(c, path+".minimum", name, old.Minimum, new.Minimum)
	upper(c, path+".maxLength", name, old.MaxLength, new.MaxLength)
	upper(c, path+".maxItems", name, old.MaxItems, new.MaxItems)
	upper(c, path+".maximum", name, old.Maximum, new.Maximum)
	switch {
	case old.Pattern == new.Pattern:
	case new.Pattern == "":
		c.note(path+".pattern", "column %s loses its pattern", name)
	default: // whether one pattern admits all that another does cannot be told
		c.broken(path+".pattern", "column %s changes its pattern", name)
	}
}

func lower[T int | float64](c *comparison, path, name string, old, new *T) {
	bound(c, path, name, old, new, old == nil || new != nil && *new > *old)
}

func upper[T int | float64](c *comparison, path, name string, old, new *T) {
	bound(c, path, name, old, new, old == nil || new != nil && *new < *old)
}

func bound[T int | float64](c *comparison, path, name string, old, new *T, narrower bool) {
	before, after := canonical(old), canonical(new)
	switch {
	case before == after:
	case narrower:
		c.broken(path, "column %s narrows %s from %s to %s", name, last(path), before, after)
	default:
		c.note(path, "column %s widens %s from %s to %s", name, last(path), before, after)
	}
}

// enum compares the values that a column may have, and notes other quality rules.
func (c *comparison) enum(path, name string, old, new *Column) {
	before, after := valueSet(old.Enum()), valueSet(new.Enum())
	var gone []string
	for _, v := range old.Enum() {
		if !after[canonical(v)] {
			gone = append(gone, canonical(v))
		}
	}
	switch {
	case before == nil && after != nil:
		c.broken(path, "column %s is narrowed to a list of values", name)
	case before != nil && after == nil:
		c.note(path, "column %s may have any value now", name)
	case len(gone) > 0:
		c.broken(path, "column %s may no longer be %s", name, strings.Join(gone, ", "))
	case len(after) > len(before):
		c.note(path, "column %s may have more values", name)
	default:
		c.plain(path, old.Quality, new.Quality)
	}
}

func valueSet(values []any) map[string]bool {
	if values == nil {
		return nil
	}
	set := map[string]bool{}
	for _, v := range values {
		set[canonical(v)] = true
	}
	return set
}
