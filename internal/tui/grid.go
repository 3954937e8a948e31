package tui

import (
	"cmp"
	"context"
	"math/big"
	"slices"
	"strings"
)

// table is what a grid shows. Rows may be many: only those on the screen are asked for.
type table interface {
	Header() []string
	Len() int
	// Row is the cells of a row, each in its role.
	Row(i int) []span
	// Each gives the texts of some columns of every row.
	Each(ctx context.Context, columns []int, row func(texts []string) error) error
}

// grid is a table on the screen, with a cursor on a row and a column.
type grid struct {
	table
	row, col int
	top      int // first row on the screen
	first    int // first column on the screen
	height   int
	follow   bool // stay at the end as rows come
	numbers  []bool
	sorted   int   // 1 + the column that it is ordered by, negative for descending; 0 as it came
	widths   []int // of the columns, as wide as any row that was shown; calmer than to fit each page
	edges    []int // where columns begin on the screen, for the mouse

	// Of a table that is held whole, all rows and what of them is shown.
	source *listed
	filter filter
}

const (
	widest    = 48 // cells of a column, but for the last
	columnGap = 2
)

// move moves the cursor by rows, and says whether it did.
func (g *grid) move(by int) bool {
	to := max(0, min(g.row+by, g.Len()-1))
	moved := to != g.row
	g.row = to
	g.follow = g.follow && g.row == g.Len()-1
	return moved
}

// shift moves the cursor by columns, and says whether it did.
func (g *grid) shift(by int) bool {
	to := max(0, min(g.col+by, len(g.Header())-1))
	moved := to != g.col
	g.col = to
	return moved
}

// cell is the text under the cursor, "" for none.
func (g *grid) cell() string {
	if g.Len() == 0 {
		return ""
	}
	row := g.Row(g.row)
	if g.col >= len(row) {
		return ""
	}
	return row[g.col].text
}

// draw is the grid in w by h cells: a head and rows.
func (g *grid) draw(w, h int, lit bool) []line {
	g.height = max(h-1, 1)
	if g.follow {
		g.row = max(g.Len()-1, 0)
	}
	g.row = max(0, min(g.row, g.Len()-1))
	g.col = max(0, min(g.col, len(g.Header())-1))
	g.scroll()
	var rows [][]span
	for i := g.top; i < min(g.top+g.height, g.Len()); i++ {
		rows = append(rows, g.Row(i))
	}
	widths, right := g.measure(rows)
	g.aim(widths, w)
	lines := []line{g.head(widths, right, w)}
	for i, row := range rows {
		at := g.top+i == g.row
		l := line{chosen: at, lit: at && lit}
		mark := " "
		if at {
			mark = "▌"
		}
		l.spans = append(l.spans, span{mark, accent})
		room := w - 1
		for c := g.first; c < len(widths) && room > 0; c++ {
			cw := min(widths[c], room)
			s := span{}
			if c < len(row) {
				s = row[c]
			}
			l.spans = append(l.spans, span{align(s.text, cw, right[c]), s.role}, span{strings.Repeat(" ", columnGap), plain})
			room -= cw + columnGap
		}
		lines = append(lines, l)
	}
	return lines
}

func align(s string, w int, toRight bool) string {
	if toRight {
		return right(s, w)
	}
	return left(s, w)
}

// head is the line of titles; the column under the cursor stands out.
func (g *grid) head(widths []int, right []bool, w int) line {
	l := spans(in(dim, " "))
	g.edges = g.edges[:0]
	x := 1
	for c := g.first; c < len(widths) && x < w; c++ {
		title := strings.ToUpper(g.Header()[c])
		switch g.sorted {
		case c + 1:
			title += "▲"
		case -c - 1:
			title += "▼"
		}
		r := dim
		if c == g.col && len(widths) > 1 {
			r = accent
		}
		cw := min(widths[c], w-x)
		l.spans = append(l.spans, in(r, align(title, cw, right[c])), in(dim, strings.Repeat(" ", columnGap)))
		g.edges = append(g.edges, x)
		x += cw + columnGap
	}
	return l
}

// measure is how wide the columns of these rows are, and which go to the right.
func (g *grid) measure(rows [][]span) (widths []int, right []bool) {
	header := g.Header()
	widths, right = make([]int, len(header)), make([]bool, len(header))
	if len(g.widths) == len(header) {
		copy(widths, g.widths)
	}
	g.widths = widths
	for c, title := range header {
		widths[c] = max(widths[c], width(clean(title)))
		if g.sorted == c+1 || g.sorted == -c-1 {
			widths[c] = max(widths[c], width(clean(title))+1)
		}
		right[c] = c < len(g.numbers) && g.numbers[c]
		limit := widest
		if c == len(header)-1 {
			limit = 4096
		}
		for _, row := range rows {
			if c < len(row) {
				widths[c] = max(widths[c], min(width(clean(row[c].text)), limit))
			}
		}
	}
	return widths, right
}

// aim chooses the first column so that the one under the cursor is on the screen.
func (g *grid) aim(widths []int, w int) {
	if g.col < g.first {
		g.first = g.col
	}
	for g.first < g.col {
		x := 1
		for c := g.first; c < g.col; c++ {
			x += widths[c] + columnGap
		}
		if x+min(widths[g.col], w/2) <= w {
			break
		}
		g.first++
	}
}

func (g *grid) scroll() {
	if g.row < g.top {
		g.top = g.row
	}
	if g.row >= g.top+g.height {
		g.top = g.row - g.height + 1
	}
	g.top = max(0, min(g.top, g.Len()-g.height))
}

// listed is a table that is held whole.
type listed struct {
	header []string
	rows   [][]span
}

func (t *listed) Header() []string { return t.header }
func (t *listed) Len() int         { return len(t.rows) }
func (t *listed) Row(i int) []span { return t.rows[i] }

func (t *listed) Each(_ context.Context, columns []int, row func([]string) error) error {
	texts := make([]string, len(columns))
	for _, r := range t.rows {
		for i, c := range columns {
			texts[i] = textAt(r, c)
		}
		if err := row(texts); err != nil {
			return err
		}
	}
	return nil
}

func textAt(row []span, column int) string {
	if column < len(row) {
		return row[column].text
	}
	return ""
}

func compare(a, b string) int {
	x, okX := new(big.Float).SetString(strings.ReplaceAll(a, ",", ""))
	y, okY := new(big.Float).SetString(strings.ReplaceAll(b, ",", ""))
	switch {
	case okX && okY:
		return x.Cmp(y)
	case okX != okY: // numbers first
		if okX {
			return -1
		}
		return 1
	}
	return cmp.Compare(a, b)
}

// turn is the order that comes after this one for the column under the cursor: up, then
// down, then as it came.
func (g *grid) turn() {
	c := g.col + 1
	switch g.sorted {
	case c:
		g.sorted = -c
	case -c:
		g.sorted = 0
	default:
		g.sorted = c
	}
}

// show takes rows in, and shows those that the filter leaves in the order that is set.
func (g *grid) show(all *listed) {
	g.source = all
	shown := &listed{header: all.header}
	for _, row := range all.rows {
		if g.passes(row) {
			shown.rows = append(shown.rows, row)
		}
	}
	if c := abs(g.sorted) - 1; c >= 0 {
		slices.SortStableFunc(shown.rows, func(a, b []span) int {
			x, y := textAt(a, c), textAt(b, c)
			switch by := compare(x, y); {
			case x == "NULL" || y == "NULL": // last, whatever the order
				return cmp.Compare(b2i(x == "NULL"), b2i(y == "NULL"))
			case g.sorted < 0:
				return -by
			default:
				return by
			}
		})
	}
	g.table = shown
}

func (g *grid) passes(row []span) bool {
	if g.filter.empty() {
		return true
	}
	texts := make([]string, len(row))
	for i, s := range row {
		texts[i] = s.text
	}
	return g.filter.any(texts...)
}

// listGrid is a grid over rows that are held whole.
func listGrid(header []string, rows [][]span, numbers ...int) *grid {
	g := &grid{numbers: make([]bool, len(header))}
	for _, c := range numbers {
		g.numbers[c] = true
	}
	g.show(&listed{header, rows})
	return g
}

func abs(n int) int { return max(n, -n) }

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
