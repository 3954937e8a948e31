package sqltest

import (
	"fmt"
	"slices"
	"strings"
)

// relation is what stands in a FROM.
type relation struct {
	sql     string
	columns []column
	key     []string // refs that no two rows share; nil when there are none
	large   bool     // not to be multiplied by another
}

// named is q under a name, its columns c0, c1 and so on.
func (g *gen) named(q query, name string) relation {
	r := relation{sql: name}
	for i, c := range q.columns {
		c.name = fmt.Sprintf("c%d", i)
		c.ref = name + "." + c.name
		r.columns = append(r.columns, c)
	}
	if q.unique {
		for _, i := range q.key {
			r.key = append(r.key, r.columns[i].ref)
		}
	}
	return r
}

// from is a FROM of one to three relations, as one.
func (g *gen) from(depth int) relation {
	r := g.relation(depth)
	if depth <= 0 {
		return r
	}
	for range []int{0, 0, 1, 1, 2}[g.below(5)] {
		r = g.join(r, g.relation(depth-1))
	}
	if g.one(10) {
		r = g.lateral(r)
	}
	return r
}

func (g *gen) relation(depth int) relation {
	switch kind := g.below(10); {
	case kind >= 7 && len(g.ctes) > 0:
		return g.cte()
	case kind >= 8 && depth > 0:
		return g.derived(depth - 1)
	case kind == 7:
		name := g.alias("n")
		return relation{
			sql:     fmt.Sprintf("range(%d) AS %s(i)", 1+g.below(20), name),
			columns: []column{{"i", whole, name + ".i"}}, key: []string{name + ".i"},
		}
	}
	return g.table()
}

func (g *gen) table() relation {
	t := g.tables[g.below(len(g.tables))]
	sql, name := t.SQL(), t.SQL()
	switch form := g.below(8); {
	case form == 7 && !g.bare[name]:
		g.bare[name] = true
	case form == 6 && t.Product == t.Port: // a lone name is enough
		name = g.alias("t")
		sql = t.Port + " AS " + name
	case form == 5:
		name = g.alias("t")
		sql = quote(t.Product) + "." + quote(t.Port+"_v1") + " AS " + name
	default:
		name = g.alias("t")
		sql += among(g.choices, " AS ", " ") + name
	}
	r := relation{sql: sql, large: t.Rows.NumRows() > 1000}
	for _, c := range t.columns {
		c.ref = name + "." + c.name
		r.columns = append(r.columns, c)
	}
	for _, k := range t.key {
		r.key = append(r.key, name+"."+k)
	}
	return r
}

// cte is a query of a WITH, under a name of its own.
func (g *gen) cte() relation {
	c := g.ctes[g.below(len(g.ctes))]
	name := g.alias("t")
	r := relation{sql: c.sql + " AS " + name, large: true}
	for _, col := range c.columns {
		col.ref = name + "." + col.name
		r.columns = append(r.columns, col)
	}
	for _, k := range c.key {
		r.key = append(r.key, name+k[strings.LastIndex(k, "."):])
	}
	return r
}

func (g *gen) derived(depth int) relation {
	name := g.alias("d")
	q := g.query(nil, false, depth)
	r := g.named(q, name)
	r.sql = "(" + q.sql + ") AS " + name + "(" + strings.Join(names(r.columns), ", ") + ")"
	r.large = true
	return r
}

// lateral adds what is made of each row of r: the elements of a list, or a subquery's row.
func (g *gen) lateral(r relation) relation {
	name := g.alias("l")
	var lists []string
	for _, c := range r.columns {
		if c.typ == words {
			lists = append(lists, c.ref)
		}
	}
	if len(lists) > 0 {
		u := relation{sql: "unnest(" + lists[g.below(len(lists))] + ") AS " + name + "(v)", columns: []column{{"v", text, name + ".v"}}}
		return both(r, u, ", ")
	}
	from, where := g.inner(r.columns)
	sub := "(SELECT count(*) AS v, max(" + g.leaf(from.columns, whole) + ") AS w FROM " + from.sql + where + ") AS " + name
	l := relation{sql: sub, columns: []column{{"v", whole, name + ".v"}, {"w", whole, name + ".w"}}, key: []string{}}
	return both(r, l, ", LATERAL ")
}

// using joins by the columns of one name.
func (g *gen) using(a, b relation) (relation, bool) {
	for _, x := range a.columns {
		for _, y := range b.columns {
			if x.name != y.name || x.typ != y.typ || x.typ > clock || x.typ == truth || strings.Count(a.sql, " JOIN ")+strings.Count(a.sql, ", ") > 0 {
				continue
			}
			r := both(a, b, among(g.choices, " JOIN ", " LEFT JOIN "))
			r.sql += " USING (" + x.name + ")"
			return r, true
		}
	}
	return relation{}, false
}

// join is a and b in one.
func (g *gen) join(a, b relation) relation {
	if g.one(8) {
		if r, ok := g.using(a, b); ok {
			return r
		}
	}
	on := g.on(a, b)
	if on == "" {
		if a.large || b.large {
			return a
		}
		return both(a, b, among(g.choices, ", ", " CROSS JOIN "))
	}
	kind := among(g.choices, "JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "SEMI JOIN", "ANTI JOIN")
	r := both(a, b, " "+kind+" ")
	r.sql += " ON " + on
	if kind == "SEMI JOIN" || kind == "ANTI JOIN" {
		r.columns, r.key = a.columns, a.key
	}
	return r
}

func both(a, b relation, how string) relation {
	r := relation{sql: a.sql + how + b.sql, columns: slices.Concat(a.columns, b.columns), large: true}
	if a.key != nil && b.key != nil {
		r.key = slices.Concat(a.key, b.key)
	}
	return r
}

// on compares a column of a with one of b, preferably of the same name.
func (g *gen) on(a, b relation) string {
	var same, alike []string
	for _, x := range a.columns {
		for _, y := range b.columns {
			switch {
			case x.typ != y.typ || x.typ > clock || x.typ == truth:
			case x.name == y.name || x.name == "id" && y.name == "customer" || x.name == "customer" && y.name == "id":
				same = append(same, x.ref+" = "+y.ref)
			case !a.large || !b.large:
				alike = append(alike, x.ref+" = "+y.ref)
			}
		}
	}
	if len(same) == 0 || len(alike) > 0 && g.one(4) {
		same = alike
	}
	if len(same) == 0 {
		return ""
	}
	on := same[g.below(len(same))]
	switch g.below(6) {
	case 3:
		return on + " AND " + g.predicate(both(a, b, "").columns, 0)
	case 4:
		return strings.Replace(on, " = ", " IS NOT DISTINCT FROM ", 1)
	case 5:
		return on + " AND " + same[g.below(len(same))]
	}
	return on
}
