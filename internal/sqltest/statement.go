package sqltest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Statement is one SELECT.
type Statement struct {
	SQL     string
	Args    map[string]any // bound to $name
	Ordered bool           // no two rows of the answer can change places
	Rough   []int          // columns that may differ in their last digits
	choices []int
}

// Make is the statement of a seed.
func Make(tables []*Table, seed uint64) Statement {
	return made(tables, &choices{rng: rand.New(rand.NewPCG(seed, 2))})
}

func made(tables []*Table, c *choices) Statement {
	g := &gen{choices: c, tables: tables, bare: map[string]bool{}}
	s := g.statement()
	s.choices = c.taken
	return s
}

// Smaller looks for a simpler statement that fails still, asking at most so many times.
func Smaller(tables []*Table, s Statement, asks int, fails func(Statement) bool) Statement {
	try := func(given []int) bool {
		if asks <= 0 {
			return false
		}
		next := made(tables, &choices{given: given})
		if next.SQL == s.SQL || len(next.choices) > len(s.choices) {
			return false
		}
		asks--
		if !fails(next) {
			return false
		}
		s = next
		return true
	}
	for better := true; better && asks > 0; {
		better = false
		for span := len(s.choices) / 2; span > 0; span /= 2 {
			for at := 0; at+span <= len(s.choices); at++ {
				if try(slices.Concat(s.choices[:at], s.choices[at+span:])) || try(slices.Concat(s.choices[:at], []int{0}, s.choices[at+span:])) {
					better, at = true, at-1
					continue
				}
				zeroed := slices.Clone(s.choices)
				clear(zeroed[at : at+span])
				if slices.Equal(zeroed, s.choices) {
					continue
				}
				better = try(zeroed) || better
			}
		}
	}
	return s
}

// gen is a statement in the making.
type gen struct {
	*choices
	tables  []*Table
	aliases int
	bare    map[string]bool // tables that a FROM names without an alias
	ctes    []relation      // that the place in hand can name
	args    map[string]any
}

// query is a SELECT in the making.
type query struct {
	sql     string
	columns []column // their refs are positions
	unique  bool     // no two rows are alike in the columns of key
	key     []int
	closed  bool // it ends with an ORDER BY already
}

func (g *gen) alias(prefix string) string {
	g.aliases++
	return fmt.Sprintf("%s%d", prefix, g.aliases)
}

// statement is a whole statement: WITH, a query, ORDER BY and LIMIT.
func (g *gen) statement() Statement {
	with := g.with(3)
	q := g.query(nil, true, 3)
	s := Statement{SQL: with + q.sql, Args: g.args}
	for i, c := range q.columns {
		if c.typ == rough {
			s.Rough = append(s.Rough, i)
		}
	}
	order, total := g.order(q)
	s.SQL += order
	for name := range s.Args { // it may have been for an expression that was not taken
		if !strings.Contains(s.SQL, "$"+name) {
			delete(s.Args, name)
		}
	}
	if total {
		s.Ordered = true
		s.SQL += g.limit()
	}
	return s
}

// order is an ORDER BY over the columns of q; total says that it leaves nothing open.
func (g *gen) order(q query) (sql string, total bool) {
	if q.closed {
		return "", false
	}
	total = q.unique && !g.one(3)
	var terms []string
	seen := map[int]bool{}
	for i := range q.columns {
		if q.columns[i].typ <= clock && g.one(3) {
			terms = append(terms, fmt.Sprint(i+1)+g.direction())
			seen[i] = true
		}
	}
	if total {
		for _, i := range q.key {
			if !seen[i] {
				terms = append(terms, fmt.Sprint(i+1)+g.direction())
			}
		}
	}
	if len(terms) == 0 {
		return "", false
	}
	return " ORDER BY " + strings.Join(terms, ", "), total
}

func (g *gen) direction() string {
	return among(g.choices, "", "", " DESC", " ASC NULLS FIRST", " DESC NULLS LAST")
}

func (g *gen) limit() string {
	switch g.below(5) {
	case 2:
		return fmt.Sprintf(" LIMIT %d", g.below(30))
	case 3:
		return fmt.Sprintf(" LIMIT %d OFFSET %d", 1+g.below(20), g.below(20))
	case 4:
		return fmt.Sprintf(" OFFSET %d", g.below(10))
	}
	return ""
}

// with is a WITH of some queries that what follows can name, or nothing.
func (g *gen) with(depth int) string {
	if !g.one(4) {
		return ""
	}
	var list []string
	recursive := false
	for range 1 + g.below(2) {
		name := g.alias("w")
		q := query{}
		if g.one(4) {
			q, recursive = g.recursive(name), true
		} else {
			q = g.query(nil, false, depth-1)
		}
		r := g.named(q, name)
		list = append(list, name+"("+strings.Join(names(r.columns), ", ")+") AS "+among(g.choices, "", "", "MATERIALIZED ", "NOT MATERIALIZED ")+"("+q.sql+")")
		g.ctes = append(g.ctes, r)
	}
	if recursive {
		return "WITH RECURSIVE " + strings.Join(list, ", ") + " "
	}
	return "WITH " + strings.Join(list, ", ") + " "
}

// recursive walks up or down the tree of customers, or counts.
func (g *gen) recursive(name string) query {
	union := among(g.choices, "UNION ALL", "UNION")
	start := fmt.Sprintf("SELECT id, parent, 0 FROM customers.customers WHERE id < %d", 1+g.below(20))
	// The columns have names from the WITH: c0, c1, c2.
	step := among(g.choices,
		"SELECT t.id, t.parent, c2 + 1 FROM %s JOIN customers.customers AS t ON t.parent = c0 WHERE c2 < 3",
		"SELECT t.id, t.parent, c2 + 1 FROM %s, customers.customers AS t WHERE t.id = c1 AND c2 < 3",
		"SELECT c0 + 1, (SELECT max(o.qty) FROM shop.orders AS o WHERE o.customer = c0), c2 + 1 FROM %s WHERE c2 < 4")
	return query{
		sql:     start + " " + union + " " + fmt.Sprintf(step, name),
		columns: []column{{typ: whole}, {typ: whole}, {typ: whole}},
	}
}

// query is a SELECT whose columns have the types wanted, or any.
func (g *gen) query(want []typ, top bool, depth int) query {
	kind := g.below(12)
	switch {
	case depth > 0 && kind >= 10:
		return g.setOperation(want, depth)
	case depth > 0 && kind == 9 && !top:
		return g.cut(want, depth)
	case kind == 8 && want == nil && !top:
		return g.values()
	case kind >= 5 && kind <= 7:
		return g.grouped(want, top, depth)
	}
	return g.plain(want, top, depth)
}

// setOperation is two queries of the same types in one.
func (g *gen) setOperation(want []typ, depth int) query {
	a := g.query(want, false, depth-1)
	types := make([]typ, len(a.columns))
	for i, c := range a.columns {
		types[i] = c.typ
	}
	b := g.query(types, false, depth-1)
	op := among(g.choices, "UNION ALL", "UNION", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL")
	q := query{sql: "(" + a.sql + ") " + op + " (" + b.sql + ")", columns: a.columns}
	if !strings.HasSuffix(op, "ALL") {
		q.unique, q.key = true, all(len(q.columns))
	}
	return q
}

// cut is a query with an ORDER BY that leaves nothing open, and a LIMIT.
func (g *gen) cut(want []typ, depth int) query {
	q := g.plain(want, false, depth-1)
	if !q.unique || q.closed {
		return q
	}
	terms := make([]string, len(q.key))
	for i, k := range q.key {
		terms[i] = fmt.Sprint(k+1) + g.direction()
	}
	q.closed = true
	q.sql += " ORDER BY " + strings.Join(terms, ", ") + fmt.Sprintf(" LIMIT %d", 1+g.below(25))
	return q
}

func (g *gen) values() query {
	types := []typ{among(g.choices, whole, text, day), among(g.choices, whole, text, dec, truth)}
	var rows []string
	for range 1 + g.below(4) {
		rows = append(rows, "("+g.literalOrNull(types[0])+", "+g.literalOrNull(types[1])+")")
	}
	rows = append(rows, "("+g.literal(types[0])+", "+g.literal(types[1])+")")
	return query{sql: "VALUES " + strings.Join(rows, ", "), columns: []column{{typ: types[0]}, {typ: types[1]}}}
}

func all(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func names(columns []column) []string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = c.name
	}
	return list
}
