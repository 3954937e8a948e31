package sqltest

import (
	"fmt"
	"regexp"
	"strings"
)

// form is a text with a place for an expression of each type.
type form struct {
	format string
	scope  []column
	types  []typ
	depth  int
}

// fill is one of the forms, the simplest first.
func (g *gen) fill(forms ...form) string {
	f := forms[g.below(len(forms))]
	args := make([]any, len(f.types))
	for i, t := range f.types {
		args[i] = g.expr(f.scope, t, f.depth)
	}
	return fmt.Sprintf(f.format, args...)
}

// forms are what makes an expression of a type from others.
var exprForms = map[typ][]form{
	whole: {
		{format: "(%s + %s)", types: []typ{whole, whole}}, {format: "(%s - 3)", types: []typ{whole}}, {format: "(%s * 2)", types: []typ{whole}},
		{format: "abs(%s)", types: []typ{whole}}, {format: "(%s %% 5)", types: []typ{whole}}, {format: "length(%s)", types: []typ{text}},
		{format: "year(%s)", types: []typ{day}}, {format: "extract(day FROM %s)", types: []typ{day}}, {format: "hour(%s)", types: []typ{moment}},
		{format: "len(%s)", types: []typ{words}}, {format: "%s.floor", types: []typ{place}}, {format: "len(%s)", types: []typ{parts}},
		{format: "date_diff('day', %s, %s)", types: []typ{day, day}}, {format: "greatest(%s, %s)", types: []typ{whole, whole}},
		{format: "%s[1].n", types: []typ{parts}}, {format: "CAST(%s AS BIGINT)", types: []typ{truth}}, {format: "sign(%s)::BIGINT", types: []typ{dec}},
		{format: "(%s // 3)", types: []typ{whole}}, {format: "epoch(%s)::BIGINT", types: []typ{moment}},
		{format: "try_cast(%s AS BIGINT)", types: []typ{text}}, {format: "(%s::INTEGER & 3)", types: []typ{whole}},
		{format: "ifnull(%s, 0)", types: []typ{whole}},
	},
	text: {
		{format: "upper(%s)", types: []typ{text}}, {format: "(%s || '-' || %s)", types: []typ{text, text}}, {format: "substr(%s, 1, 2)", types: []typ{text}},
		{format: "CAST(%s AS VARCHAR)", types: []typ{whole}}, {format: "CAST(%s AS VARCHAR)", types: []typ{day}}, {format: "CAST(%s AS VARCHAR)", types: []typ{dec}},
		{format: "strftime(%s, '%%Y-%%m')", types: []typ{day}}, {format: "array_to_string(%s, '+')", types: []typ{words}}, {format: "%s.city", types: []typ{place}},
		{format: "%s.gate.code", types: []typ{place}}, {format: "%s[1]", types: []typ{words}}, {format: "replace(%s, 'a', 'ä')", types: []typ{text}},
		{format: "concat(%s, %s)", types: []typ{text, whole}}, {format: "trim(lower(%s))", types: []typ{text}}, {format: "CAST(%s AS VARCHAR)", types: []typ{moment}},
		{format: "regexp_replace(%s, '[a-m]', '_')", types: []typ{text}}, {format: "typeof(%s)", types: []typ{dec}}, {format: "monthname(%s)", types: []typ{day}},
		{format: "CAST(%s AS VARCHAR)", types: []typ{place}}, {format: "lpad(%s, 4, '.')", types: []typ{text}}, {format: "%s[-1].k", types: []typ{parts}},
	},
	dec: {
		{format: "(%s + %s)", types: []typ{dec, dec}}, {format: "(%s - 1.5)", types: []typ{dec}}, {format: "round(%s, 1)", types: []typ{dec}},
		{format: "abs(%s)", types: []typ{dec}}, {format: "%s.gate.fee", types: []typ{place}}, {format: "(%s * 3)", types: []typ{dec}},
		{format: "CAST(%s AS DECIMAL(12,2))", types: []typ{whole}}, {format: "least(%s, %s)", types: []typ{dec, dec}}, {format: "CAST(%s AS DECIMAL(14,1))", types: []typ{float}},
	},
	truth: {
		{format: "(%s > %s)", types: []typ{whole, whole}}, {format: "(NOT %s)", types: []typ{truth}}, {format: "(%s = %s)", types: []typ{text, text}},
		{format: "(%s IS NULL)", types: []typ{day}}, {format: "list_contains(%s, %s)", types: []typ{words, text}}, {format: "(%s AND %s)", types: []typ{truth, truth}},
	},
	day: {
		{format: "(%s + 3)", types: []typ{day}}, {format: "CAST(date_trunc('month', %s) AS DATE)", types: []typ{day}}, {format: "CAST(%s AS DATE)", types: []typ{moment}},
		{format: "last_day(%s)", types: []typ{day}}, {format: "CAST(%s + INTERVAL 1 MONTH AS DATE)", types: []typ{day}}, {format: "least(%s, %s)", types: []typ{day, day}},
	},
	moment: {
		{format: "(%s + INTERVAL 90 MINUTE)", types: []typ{moment}}, {format: "date_trunc('hour', %s)", types: []typ{moment}},
		{format: "CAST(%s AS TIMESTAMPTZ)", types: []typ{day}}, {format: "greatest(%s, %s)", types: []typ{moment, moment}},
	},
	float: {
		{format: "(%s + %s)", types: []typ{float, float}}, {format: "(%s * 0.5::DOUBLE)", types: []typ{float}}, {format: "abs(%s)", types: []typ{float}},
		{format: "CAST(%s AS DOUBLE)", types: []typ{whole}}, {format: "floor(%s)", types: []typ{float}},
	},
	quot: {
		{format: "(%s / NULLIF(%s, 0))", types: []typ{whole, whole}}, {format: "CAST(%s AS DOUBLE)", types: []typ{dec}}, {format: "(%s / 3)", types: []typ{whole}},
		{format: "sqrt(abs(%s))", types: []typ{whole}}, {format: "(%s / %s)", types: []typ{float, whole}}, {format: "round(%s, 1)", types: []typ{float}},
	},
	huge:  {{format: "CAST(%s AS HUGEINT)", types: []typ{whole}}, {format: "(%s + 1)", types: []typ{huge}}},
	clock: {{format: "(%s + INTERVAL 1 HOUR)", types: []typ{clock}}},
	words: {
		{format: "list_sort(list_distinct(%s))", types: []typ{words}}, {format: "[%s, %s]", types: []typ{text, text}}, {format: "list_concat(%s, %s)", types: []typ{words, words}},
		{format: "list_transform(%s, lambda x: upper(x) || '!')", types: []typ{words}}, {format: "list_filter(%s, lambda x: length(x) > 2)", types: []typ{words}},
		{format: "string_split(%s, 'a')", types: []typ{text}}, {format: "%s[1:2]", types: []typ{words}},
	},
	place: {{format: "{'city': %s, 'floor': %s, 'gate': {'code': %s, 'fee': CAST(%s AS DECIMAL(12,2))}}", types: []typ{text, whole, text, dec}}},
	parts: {
		{format: "list_filter(%s, lambda p: p.n > 1)", types: []typ{parts}}, {format: "[{'k': %s, 'n': %s}]", types: []typ{text, whole}},
		{format: "list_reverse(%s)", types: []typ{parts}},
	},
}

// anyForms work for every type: %s is an expression of it, the last one a condition.
var anyForms = []string{"coalesce(%s, %s)", "CASE WHEN %[3]s THEN %[1]s ELSE %[2]s END", "CASE WHEN %[3]s THEN %[1]s END", "nullif(%s, %s)", "if(%[3]s, %[1]s, %[2]s)"}

// expr is an expression of a type over the columns of a scope.
func (g *gen) expr(scope []column, t typ, depth int) string {
	if depth <= 0 || !g.one(3) {
		return g.leaf(scope, t)
	}
	switch kind := g.below(10); {
	case kind == 9 && depth > 1 && t <= clock:
		return g.scalar(scope, t)
	case kind >= 7:
		f := anyForms[g.below(len(anyForms))]
		if strings.HasPrefix(f, "nullif") && t > clock {
			f = anyForms[0]
		}
		args := []any{g.expr(scope, t, depth-1), g.expr(scope, t, depth-1)}
		if strings.Contains(f, "[3]") {
			args = append(args, g.predicate(scope, 0))
		}
		return fmt.Sprintf(f, args...)
	}
	list := exprForms[t]
	if len(list) == 0 {
		return g.leaf(scope, t)
	}
	f := list[g.below(len(list))]
	f.scope, f.depth = scope, depth-1
	return g.fill(f)
}

// by is what rows are ordered or grouped by: not a bare literal, which would be a column's position.
func (g *gen) by(scope []column, t typ) string {
	x := g.expr(scope, t, 1)
	if bare.MatchString(x) {
		return "coalesce(" + x + ", " + x + ")"
	}
	return x
}

var bare = regexp.MustCompile(`^(-?[\d.e-]+|'([^']|'')*'|true|false)$`)

// leaf is a column of the type, or a literal where there is none.
func (g *gen) leaf(scope []column, t typ) string {
	var of []string
	for _, c := range scope {
		if c.typ == t {
			of = append(of, c.ref)
		}
	}
	if len(of) == 0 || g.one(8) {
		return g.literal(t)
	}
	return of[g.below(len(of))]
}

func (g *gen) literalOrNull(t typ) string {
	if g.one(5) {
		return "NULL"
	}
	return g.literal(t)
}

// literal is a value of the type, often one that columns hold too.
func (g *gen) literal(t typ) string {
	switch t {
	case whole:
		return fmt.Sprint(g.below(12) - 3)
	case text:
		of := among(g.choices, items, cities, odd)
		return "'" + strings.ReplaceAll(of[g.below(len(of))], "'", "''") + "'"
	case dec:
		return fmt.Sprintf("%d.%02d", g.below(160)-40, g.below(100))
	case truth:
		return among(g.choices, "true", "false")
	case day:
		return fmt.Sprintf("DATE '2024-%02d-%02d'", 1+g.below(2), 1+g.below(28))
	case moment:
		return fmt.Sprintf("TIMESTAMPTZ '2024-01-%02d %02d:00:00+00'", 1+g.below(13), g.below(24))
	case float:
		return fmt.Sprintf("%g::DOUBLE", float64(g.below(160)-40)/8)
	case quot:
		return fmt.Sprintf("%de-1", g.below(100)-20)
	case huge:
		return fmt.Sprintf("%d::HUGEINT", g.below(200))
	case clock:
		return fmt.Sprintf("TIME '%02d:30:00'", g.below(24))
	case words:
		return "['a', " + g.literalOrNull(text) + "]"
	case place:
		return "{'city': " + g.literal(text) + ", 'floor': 1::BIGINT, 'gate': {'code': 'a', 'fee': 1.50::DECIMAL(12,2)}}"
	}
	return "[{'k': 'a', 'n': 1::BIGINT}]"
}

// scalar is a subquery of one row and one column.
func (g *gen) scalar(scope []column, t typ) string {
	from, where := g.inner(scope)
	return "(SELECT " + g.aggregateOf(from, t) + " FROM " + from.sql + where + ")"
}

// inner is a FROM and WHERE of a subquery, often correlated with scope.
func (g *gen) inner(scope []column) (relation, string) {
	from := g.relation(0)
	var conditions []string
	if !g.one(3) {
		if on := g.on(from, relation{columns: scope, large: true}); on != "" {
			conditions = append(conditions, on)
		}
	}
	if g.one(3) {
		conditions = append(conditions, g.predicate(from.columns, 0))
	}
	if len(conditions) == 0 {
		return from, ""
	}
	return from, " WHERE " + strings.Join(conditions, " AND ")
}
