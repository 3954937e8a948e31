package sqltest

import (
	"fmt"
	"strings"
)

var operators = []string{"=", "<", ">=", "<>", ">", "<=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"}

// predicate is a condition over the columns of a scope.
func (g *gen) predicate(scope []column, depth int) string {
	kind := g.below(24)
	if depth <= 0 {
		kind %= 12
	}
	if kind >= 12 && kind <= 14 {
		return "(" + g.predicate(scope, depth-1) + among(g.choices, " AND ", " OR ") + g.predicate(scope, depth-1) + ")"
	}
	if kind == 15 {
		return "NOT (" + g.predicate(scope, depth-1) + ")"
	}
	if kind >= 19 {
		return g.asks(scope, kind)
	}
	return g.test(scope, kind, depth)
}

// test compares values.
func (g *gen) test(scope []column, kind, depth int) string {
	t := g.comparableIn(scope)
	x := g.expr(scope, t, depth-1)
	switch kind {
	case 3:
		return x + among(g.choices, " IS NULL", " IS NOT NULL")
	case 4:
		return x + among(g.choices, " BETWEEN ", " NOT BETWEEN ") + g.literal(t) + " AND " + g.literal(t)
	case 5, 6:
		return x + among(g.choices, " IN (", " NOT IN (") + g.literal(t) + ", " + g.literal(t) + ", " + g.literalOrNull(t) + ")"
	case 7:
		return g.expr(scope, text, depth-1) + among(g.choices, " LIKE ", " ILIKE ", " NOT LIKE ", " SIMILAR TO ") + among(g.choices, "'%a%'", "'N%'", "'_u_'", "'%o'", "'x%y'")
	case 8:
		return among(g.choices, "starts_with(", "contains(") + g.expr(scope, text, depth-1) + ", " + among(g.choices, "'a'", "'N'") + ")"
	case 9:
		return g.expr(scope, truth, depth-1)
	case 10:
		return fmt.Sprintf("(%s, %s) = (%s, %s)", x, g.expr(scope, whole, 0), g.literal(t), g.literal(whole))
	case 11:
		return g.parameter(scope)
	case 16:
		if g.one(3) {
			return among(g.choices, g.leaf(scope, moment)+" < now()", g.leaf(scope, day)+" <= current_date")
		}
		return "list_contains(" + g.expr(scope, words, depth-1) + ", " + g.literal(text) + ")"
	case 17, 18:
		return x + " " + operators[g.below(len(operators))] + " " + g.expr(scope, t, depth-1)
	}
	return x + " " + operators[g.below(len(operators))] + " " + g.literal(t)
}

// parameter compares with an argument.
func (g *gen) parameter(scope []column) string {
	if g.args == nil {
		g.args = map[string]any{}
	}
	name := "p" + string(rune('a'+len(g.args)%26))
	if g.one(2) {
		g.args[name] = items[g.below(len(items))]
		return g.expr(scope, text, 0) + " <= $" + name
	}
	g.args[name] = int64(g.below(10))
	return g.expr(scope, whole, 0) + " > $" + name
}

// asks asks a subquery.
func (g *gen) asks(scope []column, kind int) string {
	from, where := g.inner(scope)
	if kind == 19 {
		return among(g.choices, "EXISTS (", "NOT EXISTS (") + "SELECT 1 FROM " + from.sql + where + ")"
	}
	t := g.comparableIn(from.columns)
	x, y := g.expr(scope, t, 0), g.expr(from.columns, t, 1)
	sub := "(SELECT " + y + " FROM " + from.sql + where + ")"
	switch kind {
	case 20, 21:
		return x + among(g.choices, " IN ", " NOT IN ") + sub
	case 22:
		return x + " " + operators[g.below(6)] + among(g.choices, " ANY ", " ALL ") + sub
	}
	return x + " " + operators[g.below(6)] + strings.Replace(sub, y, "max("+y+")", 1)
}
