package catalog

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/meshctl/meshctl/internal/product"
)

// ColumnRow is a column of a contract, or a part of one, as people read it.
type ColumnRow struct {
	Path           string `json:"path"` // with the columns that it is in: address.city, tags[]
	Type           string `json:"type"`
	Key            int    `json:"key,omitempty"` // its place in the key, from 1
	Role           string `json:"role,omitempty"`
	Classification string `json:"classification,omitempty"`
	Rules          string `json:"rules,omitempty"` // what narrows its type, in the signs of mathematics
	Description    string `json:"description,omitempty"`
}

// Sensitive says whether the column is classified as more than internal.
func (c ColumnRow) Sensitive() bool {
	return c.Classification != "" && c.Classification != "public" && c.Classification != "internal"
}

// Columns are the columns of a contract, each followed by its parts.
func Columns(o *product.Output) []ColumnRow {
	rows := []ColumnRow{}
	for i := range o.Schema {
		at := len(rows)
		rows = appendColumn(rows, "", &o.Schema[i])
		for k, key := range o.Key {
			if key == o.Schema[i].Name {
				rows[at].Key, rows[at].Role = k+1, fmt.Sprintf("key %d", k+1)
			}
		}
	}
	return rows
}

// Promise is a service level or a quality rule, in words.
type Promise struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Promises are a contract's service levels.
func Promises(o *product.Output) []Promise {
	all := []Promise{}
	for _, s := range o.SLA {
		all = append(all, Promise{s.Property, strings.TrimSpace(fmt.Sprintf("%v %s %s", s.Value, s.Unit, s.Description))})
	}
	return all
}

// Quality are a contract's quality rules.
func Quality(o *product.Output) []Promise {
	all := []Promise{}
	for _, q := range o.Quality {
		all = append(all, Promise{cmp.Or(q.Name, q.Metric, q.Type), cmp.Or(q.Description, q.Query)})
	}
	return all
}

func appendColumn(rows []ColumnRow, path string, c *product.Column) []ColumnRow {
	row := ColumnRow{
		Path: path + c.Name, Type: cmp.Or(c.PhysicalType, c.LogicalType), Classification: c.Classification,
		Rules: rules(c), Description: c.Description,
	}
	if c.Required {
		row.Role = "required"
	}
	rows = append(rows, row)
	for i := range c.Properties {
		rows = appendColumn(rows, row.Path+".", &c.Properties[i])
	}
	if c.Items != nil {
		rows = appendColumn(rows, row.Path+"[]", c.Items)
	}
	return rows
}

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
