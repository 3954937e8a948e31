package sqltest

import (
	"fmt"
	"strings"
)

// plain is a SELECT without aggregates; with windows perhaps.
func (g *gen) plain(want []typ, top bool, depth int) query {
	from := g.from(depth)
	where := g.where(from.columns, depth)
	if want == nil && top && !strings.Contains(from.sql, "USING") && g.one(12) { // which would be one column of two
		return query{sql: "SELECT * FROM " + from.sql + where, columns: positions(from.columns)}
	}
	q := query{}
	var list []string
	add := func(sql string, t typ) {
		q.columns = append(q.columns, column{typ: t, ref: sql})
		list = append(list, sql)
	}
	windows := g.one(4)
	if want == nil {
		for range 1 + g.below(4) {
			t := g.typeIn(from.columns, top)
			if windows && g.one(2) {
				sql, wt := g.window(from, top)
				add(sql, wt)
				continue
			}
			add(g.expr(from.columns, t, 2), t)
		}
		if from.key != nil && !g.one(3) {
			for _, k := range from.key {
				q.key = append(q.key, len(list))
				add(k, typeOf(from.columns, k))
			}
			q.unique = true
		}
	} else {
		for _, t := range want {
			add(g.expr(from.columns, t, 2), t)
		}
	}
	distinct := ""
	if g.one(6) && !has(q.columns, rough) {
		distinct, q.unique, q.key = "DISTINCT ", true, all(len(list))
	}
	tail := ""
	if distinct == "" && from.key != nil && g.one(8) {
		distinct, tail = g.distinctOn(from)
		q.closed = true
	} else if distinct == "" && g.one(8) {
		tail = g.qualify(from)
	}
	if top {
		g.dress(list)
	}
	q.sql = "SELECT " + distinct + strings.Join(list, ", ") + " FROM " + from.sql + where + tail
	return q
}

// dress gives some columns names of their own; the others keep what the engine calls them.
func (g *gen) dress(list []string) {
	for i := range list {
		switch g.below(4) {
		case 2:
			list[i] += fmt.Sprintf(" AS col%d", i)
		case 3:
			list[i] += fmt.Sprintf(` AS "Column %d"`, i)
		}
	}
}

// distinctOn keeps the first row of each value, in an order that leaves nothing open.
func (g *gen) distinctOn(from relation) (distinct, order string) {
	on := g.by(from.columns, g.comparableIn(from.columns))
	by := []string{on}
	for _, k := range from.key {
		by = append(by, k+g.direction())
	}
	return "DISTINCT ON (" + on + ") ", " ORDER BY " + strings.Join(by, ", ")
}

func (g *gen) where(scope []column, depth int) string {
	if g.one(4) {
		return ""
	}
	return " WHERE " + g.predicate(scope, min(depth, 2))
}

func positions(columns []column) []column {
	list := make([]column, len(columns))
	for i, c := range columns {
		list[i] = column{typ: c.typ}
	}
	return list
}

func has(columns []column, t typ) bool {
	for _, c := range columns {
		if c.typ == t {
			return true
		}
	}
	return false
}

func typeOf(columns []column, ref string) typ {
	for _, c := range columns {
		if c.ref == ref {
			return c.typ
		}
	}
	return opaque
}

// typeIn is a type that some column has, or any scalar.
func (g *gen) typeIn(columns []column, top bool) typ {
	if len(columns) == 0 || g.one(5) {
		return comparableTypes[g.below(len(comparableTypes))]
	}
	t := columns[g.below(len(columns))].typ
	if t == rough || t == opaque {
		return whole
	}
	return t
}

// comparableIn is a type that can be compared.
func (g *gen) comparableIn(columns []column) typ {
	if t := g.typeIn(columns, false); t <= clock {
		return t
	}
	return whole
}
