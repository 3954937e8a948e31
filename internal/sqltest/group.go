package sqltest

import (
	"fmt"
	"strings"
)

// grouped is a SELECT with aggregates.
func (g *gen) grouped(want []typ, top bool, depth int) query {
	from := g.from(depth)
	where := g.where(from.columns, depth)
	q := query{}
	var keys, list []string
	add := func(sql string, t typ) {
		q.columns = append(q.columns, column{typ: t, ref: sql})
		list = append(list, sql)
	}
	for range g.below(3) {
		t := g.comparableIn(from.columns)
		k := g.by(from.columns, t)
		if want == nil {
			q.key = append(q.key, len(list))
			add(k, t)
		}
		keys = append(keys, k)
	}
	q.unique = want == nil
	if want == nil {
		for range 1 + g.below(3) {
			add(g.aggregate(from, top))
		}
	}
	for _, t := range want {
		add(g.aggregateOf(from, t), t)
	}
	group, sets := g.groupBy(keys)
	if sets {
		q.unique, q.key = false, nil
		if want == nil && g.one(2) {
			add("grouping("+keys[0]+")", whole)
		}
	}
	having := ""
	if g.one(5) {
		having = " HAVING " + g.aggregateOf(from, whole) + among(g.choices, " > ", " <= ", " <> ") + fmt.Sprint(g.below(6))
	}
	if top {
		g.dress(list)
	}
	q.sql = "SELECT " + strings.Join(list, ", ") + " FROM " + from.sql + where + group + having
	return q
}

// groupBy is the GROUP BY; sets says that several groupings are in it.
func (g *gen) groupBy(keys []string) (sql string, sets bool) {
	if len(keys) == 0 {
		return "", false
	}
	list := strings.Join(keys, ", ")
	switch g.below(8) {
	case 5:
		return " GROUP BY ROLLUP (" + list + ")", true
	case 6:
		return " GROUP BY CUBE (" + list + ")", true
	case 7:
		return " GROUP BY GROUPING SETS ((" + list + "), (" + keys[0] + "), ())", true
	}
	return " GROUP BY " + list, false
}

// aggregate is any aggregate.
func (g *gen) aggregate(from relation, top bool) (string, typ) {
	if top && g.one(6) {
		return g.rough(from)
	}
	t := among(g.choices, whole, huge, dec, float, quot, text, day, truth, moment, clock)
	return g.aggregateOf(from, t) + g.filter(from, t), t
}

// filter restricts the rows of an aggregate, whose text ends with its parenthesis.
func (g *gen) filter(from relation, t typ) string {
	if t == whole || t == huge || !g.one(5) { // those may end otherwise
		return ""
	}
	return " FILTER (WHERE " + g.predicate(from.columns, 1) + ")"
}

// aggregateOf is an aggregate of that type.
func (g *gen) aggregateOf(from relation, t typ) string {
	of := func(format string, types ...typ) form { return form{format, from.columns, types, 1} }
	any := g.comparableIn(from.columns)
	switch t {
	case whole:
		if g.one(6) {
			return "count(*) FILTER (WHERE " + g.predicate(from.columns, 1) + ")"
		}
		return g.fill(of("count(*)"), of("count(%s)", any), of("count(DISTINCT %s)", any), of("max(%s)", whole), of("min(%s)", whole), of("bit_xor(%s)", whole))
	case huge:
		return g.fill(of("sum(%s)", whole), of("sum(DISTINCT %s)", whole), of("count_if(%s)::HUGEINT", truth))
	case dec:
		return g.fill(of("sum(%s)", dec), of("min(%s)", dec), of("max(%s)", dec), of("sum(DISTINCT %s)", dec))
	case float:
		return g.fill(of("sum(%s)", float), of("min(%s)", float), of("max(%s)", float))
	case quot:
		return g.fill(of("avg(%s)", whole), of("avg(%s)", dec), of("avg(%s)", float), of("median(%s)", whole), of("quantile_cont(%s, 0.3)", whole))
	case text:
		switch g.below(6) {
		case 3:
			return g.first(from, text)
		case 4:
			return g.ordered("string_agg(%s, '|' ORDER BY %[1]s)", from, text)
		case 5:
			return g.ordered("string_agg(DISTINCT %s, '|' ORDER BY %[1]s)", from, text)
		}
		return g.fill(of("min(%s)", text), of("max(%s)", text))
	case truth:
		return g.fill(of("bool_and(%s)", truth), of("bool_or(%s)", truth), of("max(%s)", truth))
	case words:
		return g.ordered("list(%s ORDER BY %[1]s)", from, text)
	case place, parts:
		return g.first(from, t)
	}
	if g.one(4) {
		return g.first(from, t)
	}
	return g.fill(of("max(%s)", t), of("min(%s)", t))
}

// ordered is an aggregate that depends on an order, with one.
func (g *gen) ordered(format string, from relation, t typ) string {
	return fmt.Sprintf(format, g.by(from.columns, t))
}

// first is the first value by an order that leaves nothing open, where there is one.
func (g *gen) first(from relation, t typ) string {
	if from.key == nil {
		return "max(" + g.expr(from.columns, t, 1) + ")"
	}
	return "first(" + g.expr(from.columns, t, 1) + " ORDER BY " + strings.Join(from.key, ", ") + ")"
}

// rough is an aggregate that depends on the order of rows, or whose type nothing else takes.
func (g *gen) rough(from relation) (string, typ) {
	of := func(format string, types ...typ) string { return g.fill(form{format, from.columns, types, 1}) }
	switch g.below(5) {
	case 1:
		return of("corr(%s, %s)", whole, float), rough
	case 2:
		return g.ordered("list(%s ORDER BY %[1]s)", from, g.comparableIn(from.columns)), opaque
	case 3:
		return of("histogram(%s)", whole), opaque
	case 4:
		return g.ordered("list(DISTINCT %s ORDER BY %[1]s)", from, whole), opaque
	}
	return of(among(g.choices, "stddev(%s)", "var_pop(%s)"), among(g.choices, whole, float)), rough
}
