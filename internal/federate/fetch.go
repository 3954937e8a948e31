package federate

import (
	"slices"
	"strings"
)

// Fetch is what to ask for of one table: rows of those columns.
type Fetch struct {
	Columns []string
	Where   string // "" for all rows
}

// Fetches are what the scans need of each of n tables; table says which of them a scan
// reads, and whether it is one of them. A table that no scan reads is nil.
func (p *Plan) Fetches(n int, table func(*Scan) (int, bool)) []*Fetch {
	list := make([]*Fetch, n)
	wheres := make([][]string, n)
	all := make([]bool, n)
	for i := range p.Scans {
		s := &p.Scans[i]
		t, ok := table(s)
		if !ok {
			continue
		}
		if list[t] == nil {
			list[t] = &Fetch{}
		}
		for _, c := range s.Columns {
			if !slices.Contains(list[t].Columns, c) {
				list[t].Columns = append(list[t].Columns, c)
			}
		}
		if where := strings.Join(s.Where, " AND "); where == "" {
			all[t] = true
		} else if !slices.Contains(wheres[t], where) {
			wheres[t] = append(wheres[t], where)
		}
	}
	for t, f := range list {
		if f != nil && !all[t] {
			f.Where = either(wheres[t])
		}
	}
	return list
}

// either is true where one of the predicates is.
func either(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return "(" + strings.Join(list, ") OR (") + ")"
}
