package federate

import (
	"math"
	"slices"
)

// Limits say when it is worth while to have one table choose the rows of another.
type Limits struct {
	Rows  int     // of a table that are fetched at once: to ask for fewer would take longer
	Share float64 // of what would be fetched now, to be left at most by keys or by waiting for them
}

// Usual are the limits that were found to be best.
func Usual() Limits { return Limits{Rows: 2000, Share: 0.6} }

// guessed is the share of its rows that a scan's predicates are taken to leave.
const guessed = 0.3

// Waves decide which tables to fetch first, so that what came says which rows of the
// others matter.
type Waves struct {
	plan   *Plan
	limits Limits
	tables []int // that each scan reads; -1 for none
	base   []float64
	share  []float64 // of a table's rows, that each scan's predicates leave
	rows   []float64 // that were fetched, by table
	done   []bool
}

// NewWaves is for the tables that the scans read, each of about so many rows.
func (p *Plan) NewWaves(tables []int, rows []float64, limits Limits) *Waves {
	w := &Waves{plan: p, limits: limits, tables: tables, base: make([]float64, len(rows)), rows: make([]float64, len(rows)), done: make([]bool, len(rows)), share: make([]float64, len(p.Scans))}
	for i, n := range rows {
		w.base[i] = max(n, 1)
	}
	for i := range w.share {
		w.share[i] = 1
		if len(p.Scans[i].Where) > 0 {
			w.share[i] = guessed
		}
	}
	return w
}

// Sampled takes in which share of a scan's rows its predicates leave.
func (w *Waves) Sampled(scan int, share float64) { w.share[scan] = share }

// Fetched takes in that a table is here, with so many rows.
func (w *Waves) Fetched(table int, rows int64) {
	w.done[table], w.rows[table] = true, float64(rows)
}

// Large says whether a table has so many rows that it may be worth while to ask for fewer.
func (w *Waves) Large(table int) bool { return w.base[table] > float64(w.limits.Rows) }

// Small are the tables that are fetched at once, whatever is found out about the others.
func (w *Waves) Small() []int {
	var list []int
	for t := range w.base {
		if !w.Large(t) {
			list = append(list, t)
		}
	}
	return list
}

// Next are the tables to fetch now, none when all are here.
func (w *Waves) Next() []int {
	now, later := w.expected(true), w.expected(false)
	var ready []int
	least := -1
	for t, done := range w.done {
		if done {
			continue
		}
		if now[t] <= float64(w.limits.Rows) || later[t] > w.limits.Share*now[t] {
			ready = append(ready, t)
		}
		if least < 0 || now[t] < now[least] {
			least = t
		}
	}
	if len(ready) == 0 && least >= 0 {
		ready = []int{least}
	}
	return ready
}

// expected are the rows of each table that are of use, given what is here or, unless
// hereOnly, once everything that it is linked with is.
func (w *Waves) expected(hereOnly bool) []float64 {
	rows := make([]float64, len(w.base))
	for t := range rows {
		rows[t] = w.useOf(t, hereOnly, nil)
	}
	return rows
}

// farthest is how many links away a table's size still counts.
const farthest = 4

// useOf is how many rows of a table are of use. What it does to the tables on the way to
// it, which path holds, is not counted twice.
func (w *Waves) useOf(t int, hereOnly bool, path []int) float64 {
	most := 0.0
	for s, table := range w.tables {
		if table == t {
			most = max(most, w.useOfScan(s, hereOnly, append(path, t), nil))
		}
	}
	return most
}

// useOfScan is how many rows are of use to one scan of the path's last table. Others of that
// table, but for those in within, may choose among them.
func (w *Waves) useOfScan(s int, hereOnly bool, path, within []int) float64 {
	t := w.tables[s]
	n := w.base[t] * w.share[s]
	if w.done[t] {
		n = min(n, w.rows[t])
	}
	within = append(within, s)
	for _, l := range w.plan.Links {
		from := w.tables[l.From]
		switch {
		case l.To != s || from < 0:
		case from == t:
			if !slices.Contains(within, l.From) {
				n *= w.left(l, w.useOfScan(l.From, hereOnly, path, within))
			}
		case len(path) < farthest && !slices.Contains(path, from) && (w.done[from] || !hereOnly):
			n *= w.left(l, w.useOf(from, hereOnly, path))
		}
	}
	return n
}

// left is the share of its rows that a link leaves, given so many keys. The column with
// fewer values is taken to have one for each row of its table.
func (w *Waves) left(l Link, keys float64) float64 {
	return math.Min(1, keys/min(w.base[w.tables[l.From]], w.base[w.tables[l.To]]))
}

// Useful says whether so many keys leave out enough rows of the link's table.
func (w *Waves) Useful(l Link, keys int64) bool { return w.left(l, float64(keys)) < w.limits.Share }

// Into are the links by which what is here says which rows of a scan matter.
func (w *Waves) Into(scan int) []Link {
	var list []Link
	for _, l := range w.plan.Links {
		if from := w.tables[l.From]; l.To == scan && from >= 0 && w.done[from] && !slices.Contains(list, l) {
			list = append(list, l)
		}
	}
	return list
}

// Within are the links by which other scans of the same table, which is not here yet, leave
// out enough rows of a scan.
func (w *Waves) Within(scan int) []Link {
	t := w.tables[scan]
	var list []Link
	for _, l := range w.plan.Links {
		if l.To == scan && w.tables[l.From] == t && !w.done[t] && !slices.Contains(list, l) &&
			w.left(l, w.useOfScan(l.From, true, []int{t}, []int{scan})) < w.limits.Share {
			list = append(list, l)
		}
	}
	return list
}

// Keys is a SELECT of the values that a link looks for, over what is here: those of rows
// that are of use themselves.
func (w *Waves) Keys(l Link) string {
	seen := map[int]bool{l.To: true}
	return "SELECT DISTINCT " + ident(l.FromColumn) + " AS k FROM " + w.plan.Scans[l.From].table() + where(append(w.useful(l.From, seen), ident(l.FromColumn)+" IS NOT NULL"))
}

// useful are the predicates that rows of a scan meet which are of use.
func (w *Waves) useful(scan int, seen map[int]bool) []string {
	seen[scan] = true
	list := slices.Clone(w.plan.Scans[scan].Where)
	for _, l := range w.Into(scan) {
		if seen[l.From] {
			continue
		}
		from := "SELECT " + ident(l.FromColumn) + " FROM " + w.plan.Scans[l.From].table() + where(w.useful(l.From, seen))
		list = append(list, l.in(from))
	}
	return list
}

// in is the predicate that the link's column has one of the values.
func (l Link) in(values string) string {
	text := ident(l.ToColumn) + " IN (" + values + ")"
	if l.Nulls {
		return "(" + text + " OR " + ident(l.ToColumn) + " IS NULL)"
	}
	return text
}
