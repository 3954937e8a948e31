package sqltest

import (
	"fmt"
	"strings"
)

// window is a window function. One that depends on the order of rows gets an order that
// leaves nothing open, or is not asked.
func (g *gen) window(from relation, top bool) (string, typ) {
	by := g.by(from.columns, g.comparableIn(from.columns))
	peers := g.partition(from) + "ORDER BY " + by + g.direction()
	kind := g.below(8)
	if from.key == nil {
		kind %= 4
	}
	switch kind {
	case 0:
		return "count(*) OVER (" + strings.TrimSpace(g.partition(from)) + ")", whole
	case 1:
		return among(g.choices, "rank", "dense_rank") + "() OVER (" + peers + ")", whole
	case 2:
		return "sum(" + g.expr(from.columns, dec, 1) + ") OVER (" + peers + ")", dec
	case 3:
		t := g.comparableIn(from.columns)
		return among(g.choices, "max(", "min(") + g.expr(from.columns, t, 1) + ") OVER (" + peers + ")", t
	}
	total := peers + ", " + strings.Join(from.key, ", ")
	switch kind {
	case 4:
		return "row_number() OVER (" + total + ")", whole
	case 5:
		t := g.typeIn(from.columns, top)
		return fmt.Sprintf("%s(%s, %d) OVER (%s)", among(g.choices, "lag", "lead"), g.expr(from.columns, t, 1), 1+g.below(3), total), t
	case 6:
		t := g.typeIn(from.columns, top)
		return among(g.choices, "first_value(", "last_value(") + g.expr(from.columns, t, 1) + ") OVER (" + total + g.frame() + ")", t
	}
	return "sum(" + g.expr(from.columns, float, 1) + ") OVER (" + total + g.frame() + ")", float
}

func (g *gen) partition(from relation) string {
	if g.one(3) {
		return ""
	}
	return "PARTITION BY " + g.expr(from.columns, g.comparableIn(from.columns), 1) + " "
}

func (g *gen) frame() string {
	return among(g.choices, "", " ROWS BETWEEN 2 PRECEDING AND CURRENT ROW", " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING",
		" ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW")
}

// qualify keeps the rows that a window function chooses.
func (g *gen) qualify(from relation) string {
	peers := g.partition(from) + "ORDER BY " + g.by(from.columns, g.comparableIn(from.columns)) + g.direction()
	if from.key == nil {
		return fmt.Sprintf(" QUALIFY rank() OVER (%s) <= %d", peers, 1+g.below(4))
	}
	return fmt.Sprintf(" QUALIFY row_number() OVER (%s, %s) <= %d", peers, strings.Join(from.key, ", "), 1+g.below(4))
}
