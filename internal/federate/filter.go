package federate

import "strings"

// tableFilters are the predicates that a scan applies itself.
type tableFilters struct {
	Filters []struct {
		Key   uint64 `json:"key"` // the table's column
		Value filter `json:"value"`
	} `json:"filters"`
}

// filter is a predicate about one column.
type filter struct {
	Type       string      `json:"filter_type"`
	Comparison string      `json:"comparison_type"`
	Constant   *value      `json:"constant"`
	Children   []filter    `json:"child_filters"`
	Values     []value     `json:"values"`
	Expr       *expression `json:"expr"`
}

// sql is the filter over column c, as far as it can be written: what is left out is
// weaker, never stronger.
func (f *filter) sql(c column) (text string, ok bool) {
	name := ident(c.name)
	switch f.Type {
	case "CONSTANT_COMPARISON":
		if f.Constant == nil || !f.Constant.Type.is(c.kind) {
			return "", false
		}
		constant, ok := f.Constant.sql()
		op := comparisons[f.Comparison]
		return name + " " + op + " " + constant, ok && op != ""
	case "IS_NULL":
		return name + " IS NULL", true
	case "IS_NOT_NULL":
		return name + " IS NOT NULL", true
	case "IN_FILTER":
		return f.in(c)
	case "CONJUNCTION_AND":
		return f.and(c)
	case "CONJUNCTION_OR":
		return f.or(c)
	case "EXPRESSION_FILTER":
		if f.Expr == nil {
			return "", false
		}
		list := conjuncts(f.Expr, []column{c})
		return strings.Join(list, " AND "), len(list) > 0
	}
	return "", false
}

func (f *filter) in(c column) (string, bool) {
	list := make([]string, len(f.Values))
	for i := range f.Values {
		var ok bool
		if list[i], ok = f.Values[i].sql(); !ok || !f.Values[i].Type.is(c.kind) {
			return "", false
		}
	}
	return ident(c.name) + " IN (" + strings.Join(list, ", ") + ")", len(list) > 0
}

func (f *filter) and(c column) (string, bool) {
	var list []string
	for i := range f.Children {
		if text, ok := f.Children[i].sql(c); ok {
			list = append(list, text)
		}
	}
	return "(" + strings.Join(list, " AND ") + ")", len(list) > 0
}

func (f *filter) or(c column) (string, bool) {
	list := make([]string, len(f.Children))
	for i := range f.Children {
		var ok bool
		if list[i], ok = f.Children[i].sql(c); !ok {
			return "", false
		}
	}
	return "(" + strings.Join(list, " OR ") + ")", len(list) > 0
}

func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
