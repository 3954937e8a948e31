package app

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// random makes SELECTs over the products of shopping.
type random struct {
	r     *rand.Rand
	names int
	ctes  []relation
}

// relation is something that a FROM may name, and its columns by what they hold.
type relation struct {
	sql     string
	columns map[string][]string // by n for integers, d for decimals, s for text, t for times, b for truth, a for dates
}

var ports = []relation{
	{"buyers.people", map[string][]string{"n": {"id"}, "s": {"name", "city"}, "a": {"born"}, "d": {`"limit"`}}},
	{"sales.orders", map[string][]string{"n": {"id", "buyer", `"to".zip`}, "d": {"total"}, "t": {"at"}, "b": {"paid"}, "s": {`"to".city`}}},
	{"sales.lines", map[string][]string{"n": {"id", "amount"}, "s": {"item"}}},
	{`"the-items".items`, map[string][]string{"s": {"item", "kind"}, "d": {"price"}}},
}

func (g *random) chance(of int) bool { return g.r.IntN(of) == 0 }

func (g *random) pick(list ...string) string { return list[g.r.IntN(len(list))] }

func (g *random) name(prefix string) string {
	g.names++
	return fmt.Sprint(prefix, g.names)
}

// statement is a whole SELECT.
func (g *random) statement() string {
	var with []string
	for range g.r.IntN(3) {
		rel := g.derived(2)
		name := g.name("c")
		with = append(with, name+" AS"+g.pick("", "", " MATERIALIZED", " NOT MATERIALIZED")+" "+rel.sql)
		g.ctes = append(g.ctes, relation{name, rel.columns})
	}
	text := g.query(2)
	if g.chance(5) {
		text += " " + g.pick("UNION", "UNION ALL", "EXCEPT", "INTERSECT") + " " + g.query(1)
	}
	if len(with) > 0 {
		text = "WITH " + strings.Join(with, ", ") + " " + text
	}
	if g.chance(2) {
		text = "SELECT * FROM (" + text + ") ORDER BY ALL"
		if g.chance(2) {
			text = strings.TrimSuffix(text, " ORDER BY ALL") + fmt.Sprintf(" ORDER BY ALL LIMIT %d", g.r.IntN(20))
		}
	}
	return text
}

// query is a SELECT of an integer, a text and a decimal.
func (g *random) query(depth int) string {
	from, columns := g.from(depth)
	n, s, d := g.scalar("n", columns), g.scalar("s", columns), g.scalar("d", columns)
	where := ""
	if !g.chance(4) {
		where = " WHERE " + g.predicate(columns, depth)
	}
	switch g.r.IntN(5) {
	case 0:
		return fmt.Sprintf("SELECT count(*) AS n, max(%s) AS s, sum(%s) AS d FROM %s%s", s, d, from, where)
	case 1:
		having := g.pick("", fmt.Sprintf(" HAVING count(*) > %d", g.r.IntN(4)), fmt.Sprintf(" HAVING sum(%s) > 100", d))
		return fmt.Sprintf("SELECT %s(%s)::BIGINT AS n, %s AS s, %s(%s) AS d FROM %s%s GROUP BY 2%s", g.pick("count", "sum", "min", "count"), n, s, g.pick("sum", "max", "min"), d, from, where, having)
	case 2:
		return fmt.Sprintf("SELECT row_number() OVER (PARTITION BY %s ORDER BY %s, %s, %s) AS n, %s AS s, sum(%s) OVER (PARTITION BY %s) AS d FROM %s%s", s, n, d, s, s, d, n, from, where)
	case 3:
		return fmt.Sprintf("SELECT DISTINCT %s AS n, %s AS s, %s AS d FROM %s%s", n, s, d, from, where)
	}
	return fmt.Sprintf("SELECT %s AS n, %s AS s, %s AS d FROM %s%s", n, s, d, from, where)
}

// derived is a query in brackets.
func (g *random) derived(depth int) relation {
	sql := g.query(depth - 1)
	if g.chance(3) {
		sql += fmt.Sprintf(" ORDER BY ALL LIMIT %d", g.r.IntN(40))
	}
	return relation{"(" + sql + ")", map[string][]string{"n": {"n"}, "s": {"s"}, "d": {"d"}}}
}

func (g *random) relation(depth int) relation {
	switch {
	case depth > 0 && g.chance(4):
		return g.derived(depth)
	case len(g.ctes) > 0 && g.chance(2):
		return g.ctes[g.r.IntN(len(g.ctes))]
	}
	return ports[g.r.IntN(len(ports))]
}

// from is a FROM of one to three relations.
func (g *random) from(depth int) (sql string, columns map[string][]string) {
	columns = map[string][]string{}
	add := func(rel relation, alias string) {
		for kind, names := range rel.columns {
			for _, name := range names {
				columns[kind] = append(columns[kind], alias+"."+name)
			}
		}
	}
	first := g.relation(depth)
	alias := g.name("t")
	sql = first.sql + " " + alias
	add(first, alias)
	for range g.r.IntN(3) {
		rel := g.relation(depth)
		alias := g.name("t")
		kind := g.pick("n", "n", "s", "s", "d")
		left, right := columns[kind], rel.columns[kind]
		if len(left) == 0 || len(right) == 0 {
			kind = "s"
			left, right = columns[kind], rel.columns[kind]
		}
		on := g.pick(left...) + g.pick(" = ", " = ", " = ", " = ", " IS NOT DISTINCT FROM ") + alias + "." + g.pick(right...)
		own := map[string][]string{}
		for kind, names := range rel.columns {
			for _, name := range names {
				own[kind] = append(own[kind], alias+"."+name)
			}
		}
		if g.chance(3) {
			on += " AND " + g.simple(own)
		}
		how := g.pick("JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "SEMI JOIN", "ANTI JOIN")
		sql += " " + how + " " + rel.sql + " " + alias + " ON " + on
		if how != "SEMI JOIN" && how != "ANTI JOIN" {
			add(rel, alias)
		}
	}
	return sql, columns
}

// scalar is an expression of that kind.
func (g *random) scalar(kind string, columns map[string][]string) string {
	list := columns[kind]
	if len(list) == 0 {
		return map[string]string{"n": "7", "s": "'x'", "d": "1.25::DECIMAL(12,2)"}[kind]
	}
	c := g.pick(list...)
	if !g.chance(4) {
		return c
	}
	switch kind {
	case "n":
		return g.pick("("+c+" + 1)", "coalesce("+c+", 0)", "abs("+c+")", "CASE WHEN "+c+" > 9 THEN 1 ELSE "+c+" END")
	case "s":
		return g.pick("lower("+c+")", "coalesce("+c+", 'none')", c+" || '!'", "left("+c+", 2)")
	}
	return g.pick("("+c+" * 2)", "round("+c+", 1)", "-"+c)
}

// simple is a predicate without subqueries.
func (g *random) simple(columns map[string][]string) string {
	var kinds []string
	for _, k := range []string{"n", "s", "d", "t", "b", "a"} {
		if len(columns[k]) > 0 {
			kinds = append(kinds, k)
		}
	}
	kind := g.pick(kinds...)
	c := g.pick(columns[kind]...)
	op := g.pick(" = ", " <> ", " < ", " > ", " <= ", " >= ")
	if g.chance(6) {
		return c + g.pick(" IS NULL", " IS NOT NULL")
	}
	switch kind {
	case "n":
		return g.pick(fmt.Sprint(g.scalar("n", columns), op, g.r.IntN(90)), fmt.Sprintf("%s IN (%d, %d, %d)", c, g.r.IntN(40), g.r.IntN(40), g.r.IntN(90)),
			fmt.Sprintf("%s %% 3 = %d", c, g.r.IntN(3)), fmt.Sprintf("%s BETWEEN %d AND %d", c, g.r.IntN(40), g.r.IntN(90)), fmt.Sprintf("%s NOT IN (1, NULL)", c))
	case "s":
		return g.pick(fmt.Sprint(g.scalar("s", columns), op, "'", g.pick("Rome", "i11", "tea", "o''il", "", "São"), "'"), c+g.pick(" LIKE ", " NOT LIKE ", " ILIKE ")+g.pick("'R%'", "'%s%'", "'i1_'", "'%''il'"),
			"length("+c+")"+op+"3", "starts_with("+c+", 'i')", c+" IN ('Rome', 'tea', 'i3')", "regexp_matches("+c+", '^[A-Ri]')")
	case "d":
		return g.pick(fmt.Sprint(c, op, g.r.IntN(200), ".5"), c+" * 2"+op+"100", c+"::DOUBLE"+op+"5e1", fmt.Sprint(g.scalar("d", columns), op, g.scalar("d", columns)))
	case "t":
		return g.pick(c+op+"TIMESTAMPTZ '2017-03-11 04:15:00+00'", "year("+c+")"+op+"2015", "date_trunc('month', "+c+")"+op+"'2016-01-01'", c+" < now()")
	case "a":
		return g.pick(c+op+"DATE '1950-05-12'", "month("+c+")"+op+"5", c+" + 30"+op+"DATE '1970-01-01'")
	}
	return g.pick(c, "NOT "+c)
}

// predicate is a predicate, perhaps with subqueries.
func (g *random) predicate(columns map[string][]string, depth int) string {
	switch g.r.IntN(9) {
	case 0:
		return "(" + g.predicate(columns, depth) + " OR " + g.predicate(columns, depth) + ")"
	case 1, 2:
		return g.predicate(columns, depth) + " AND " + g.predicate(columns, depth)
	case 3:
		return "NOT (" + g.simple(columns) + ")"
	case 4:
		if depth > 0 && len(columns["n"]) > 0 {
			return g.subquery(columns, depth)
		}
	}
	return g.simple(columns)
}

func (g *random) subquery(columns map[string][]string, depth int) string {
	rel := ports[g.r.IntN(3)]
	alias := g.name("q")
	outer := g.pick(columns["n"]...)
	inner := alias + "." + g.pick(rel.columns["n"]...)
	own := map[string][]string{}
	for kind, names := range rel.columns {
		for _, name := range names {
			own[kind] = append(own[kind], alias+"."+name)
		}
	}
	where := g.simple(own)
	switch g.r.IntN(4) {
	case 0:
		return fmt.Sprintf("%s %s (SELECT %s FROM %s %s WHERE %s)", outer, g.pick("IN", "NOT IN"), inner, rel.sql, alias, where)
	case 1:
		return fmt.Sprintf("%s (SELECT 1 FROM %s %s WHERE %s = %s AND %s)", g.pick("EXISTS", "NOT EXISTS"), rel.sql, alias, inner, outer, where)
	case 2:
		return fmt.Sprintf("%s > (SELECT %s(%s) FROM %s %s WHERE %s)", outer, g.pick("min", "avg", "count"), inner, rel.sql, alias, where)
	}
	return fmt.Sprintf("%s >= (SELECT max(%s) FROM %s %s WHERE %s = %s)", outer, inner, rel.sql, alias, g.pick(own["n"]...), outer)
}
