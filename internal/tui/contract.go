package tui

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/product"
)

// contractPane is a port's columns with their rules, and its promises.
func contractPane(m *Model, _ subject) body {
	_, p := m.target()
	var rows [][]span
	for i := range p.Output.Schema {
		rows = append(rows, columnRows("", &p.Output.Schema[i], &p.Output)...)
	}
	return &sheet{
		grid:  listGrid([]string{"column", "type", "role", "class", "rules", "description"}, rows),
		empty: "The contract has no columns.",
		below: func(w int) []line { return promises(p, w) },
	}
}

func columnRows(path string, c *product.Column, o *product.Output) (rows [][]span) {
	name := path + c.Name
	role := span{"", dim}
	for i, k := range o.Key {
		if path == "" && k == c.Name {
			role = span{fmt.Sprintf("key %d", i+1), accent}
		}
	}
	if role.text == "" && c.Required {
		role.text = "required"
	}
	class := span{c.Classification, plain}
	if c.Classification != "" && c.Classification != "public" && c.Classification != "internal" {
		class.role = warning
	}
	rows = append(rows, []span{{name, plain}, {cmp.Or(c.PhysicalType, c.LogicalType), dim}, role, class, {rules(c), plain}, {c.Description, dim}})
	for i := range c.Properties {
		rows = append(rows, columnRows(name+".", &c.Properties[i], o)...)
	}
	if c.Items != nil {
		rows = append(rows, columnRows(name+"[]", c.Items, o)...)
	}
	return rows
}

// rules are what narrows a column's type, in the signs of mathematics.
func rules(c *product.Column) string {
	var all []string
	bound := func(sign string, n any, given bool) {
		if given {
			all = append(all, fmt.Sprintf("%s %v", sign, n))
		}
	}
	t := c.Options
	if t.Minimum != nil {
		bound("≥", *t.Minimum, true)
	}
	if t.Maximum != nil {
		bound("≤", *t.Maximum, true)
	}
	if t.MinLength != nil {
		bound("length ≥", *t.MinLength, true)
	}
	if t.MaxLength != nil {
		bound("length ≤", *t.MaxLength, true)
	}
	bound("~", t.Pattern, t.Pattern != "")
	if enum := c.Enum(); enum != nil {
		var values []string
		for _, v := range enum {
			values = append(values, fmt.Sprint(v))
		}
		all = append(all, "one of "+strings.Join(values, "|"))
	}
	if c.Unique {
		all = append(all, "unique")
	}
	return strings.Join(all, ", ")
}

// promises are the quality rules and service levels of a port.
func promises(p *catalog.Port, w int) []line {
	f := &facts{w: w}
	if len(p.Output.SLA) > 0 {
		f.head("Promises")
		for _, s := range p.Output.SLA {
			f.long(s.Property, strings.TrimSpace(fmt.Sprintf("%v %s %s", s.Value, s.Unit, s.Description)))
		}
	}
	if len(p.Output.Quality) > 0 {
		f.head("Quality")
		for _, q := range p.Output.Quality {
			f.long(cmp.Or(q.Name, cmp.Or(q.Metric, q.Type)), cmp.Or(q.Description, q.Query))
		}
	}
	return f.lines
}
