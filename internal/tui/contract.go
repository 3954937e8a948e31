package tui

import (
	"github.com/meshctl/meshctl/internal/catalog"
)

// contractPane is a port's columns with their rules, and its promises.
func contractPane(m *Model, _ subject) body {
	_, p := m.target()
	var rows [][]span
	for _, c := range catalog.Columns(&p.Output) {
		rows = append(rows, columnCells(c))
	}
	return &sheet{
		grid:  listGrid([]string{"column", "type", "role", "class", "rules", "description"}, rows),
		empty: "The contract has no columns.",
		below: func(w int) []line { return promises(p, w) },
	}
}

// columnCells are a column as a row; what is beside the point, or matters more, stands out.
func columnCells(c catalog.ColumnRow) []span {
	role, class := span{c.Role, dim}, span{c.Classification, plain}
	if c.Key > 0 {
		role.role = accent
	}
	if c.Sensitive() {
		class.role = warning
	}
	return []span{{c.Path, plain}, {c.Type, dim}, role, class, {c.Rules, plain}, {c.Description, dim}}
}

// promises are the quality rules and service levels of a port.
func promises(p *catalog.Port, w int) []line {
	f := &facts{w: w}
	for _, part := range []struct {
		head string
		all  []catalog.Promise
	}{{"Promises", catalog.Promises(&p.Output)}, {"Quality", catalog.Quality(&p.Output)}} {
		if len(part.all) > 0 {
			f.head(part.head)
		}
		for _, one := range part.all {
			f.long(one.Name, one.Text)
		}
	}
	return f.lines
}
