package federate

import (
	"slices"
	"strings"
)

// Columns are those that the scans read of each of n tables, of which tables says which
// a scan reads, and -1 if none. There are none for a table that no scan reads: no row of it matters.
func (p *Plan) Columns(n int, tables []int) (columns [][]string, read []bool) {
	columns, read = make([][]string, n), make([]bool, n)
	for i, t := range tables {
		if t < 0 {
			continue
		}
		read[t] = true
		for _, c := range p.Scans[i].Columns {
			if !slices.Contains(columns[t], c) {
				columns[t] = append(columns[t], c)
			}
		}
	}
	return columns, read
}

// Where is the predicate of the rows that any of the scans needs, each of which has the
// predicates of its list; "" for all rows.
func Where(scans [][]string) string {
	var list []string
	for _, predicates := range scans {
		text := strings.Join(predicates, " AND ")
		if text == "" {
			return ""
		}
		if !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return either(list)
}

// either is true where one of the predicates is.
func either(list []string) string {
	switch len(list) {
	case 0:
		return ""
	case 1:
		return list[0]
	}
	return "(" + strings.Join(list, ") OR (") + ")"
}

func where(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(list, " AND ")
}

// table is the scan's table as SQL.
func (s *Scan) table() string { return ident(s.Schema) + "." + ident(s.Table) }

// Keyed is the predicate that a link's column has one of the keys, which are bound to
// $name as a JSON list of strings or, for integers, of numbers.
func (l Link) Keyed(name string) string {
	list := "CAST($" + name + " AS " + l.Kind + "[])"
	if l.Text() {
		list = `CAST(from_json($` + name + `, '["VARCHAR"]') AS ` + l.Kind + "[])"
	}
	return l.in("SELECT unnest(" + list + ")")
}

// Selected is the predicate that a link's column has one of the values that its other column
// has in rows of the table that meet the predicates.
func (l Link) Selected(table string, predicates []string) string {
	return l.in("SELECT " + ident(l.FromColumn) + " FROM " + table + where(predicates))
}

// Text says whether the link's keys are strings rather than integers.
func (l Link) Text() bool { return l.Kind == "VARCHAR" || l.Kind == "DATE" }
