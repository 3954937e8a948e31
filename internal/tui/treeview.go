package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/catalog"
)

// column is one column of the tree.
type column struct {
	title string
	sort  int // of sorts()
	width int
	cell  func(b *branch, now time.Time) span
}

func columns() []column {
	figure := func(show func(b *branch) string) func(*branch, time.Time) span {
		return func(b *branch, _ time.Time) span {
			if text := show(b); text != "0" {
				return span{text, plain}
			}
			return span{"0", dim}
		}
	}
	return []column{
		{"RECORDS", 1, 10, figure(func(b *branch) string { return number(int(b.records)) })},
		{"LAG", 2, 7, figure(func(b *branch) string { return number(int(b.lag)) })},
		{"RATE/S", 3, 8, figure(func(b *branch) string { return perSecond(b.rate) })},
		{"UPDATED", 4, 8, func(b *branch, now time.Time) span {
			if b.last.IsZero() {
				return span{"-", dim}
			}
			return span{catalog.Ago(now, b.last), plain}
		}},
		{"DEAD", 5, 5, func(b *branch, _ time.Time) span {
			if b.dead > 0 {
				return span{number(int(b.dead)), warning}
			}
			return span{"0", dim}
		}},
	}
}

// stateWidth is the width of the last column, a sign and some words.
const stateWidth = 14

// fitting are the columns that there is room for, the first first.
func fitting(w int) (cols []column, name int) {
	name = w - stateWidth - 2
	all := columns()
	order := []int{0, 4, 1, 2, 3} // records, dead, lag, rate, updated
	keep := map[int]bool{}
	for _, i := range order {
		if name-all[i].width < 18 {
			break
		}
		name -= all[i].width
		keep[i] = true
	}
	for i, c := range all {
		if keep[i] {
			cols = append(cols, c)
		}
	}
	return cols, name
}

// draw is the tree in w by h cells; lit says that keys go to it.
func (t *tree) draw(m *Model, w, h int, lit bool) []line {
	cols, name := fitting(w)
	head := []span{in(dim, left("  "+t.title("NAME", 0), name))}
	for _, c := range cols {
		head = append(head, in(dim, right(t.title(c.title, c.sort), c.width)))
	}
	head = append(head, in(dim, "  "+left(t.title("STATE", 6), stateWidth)))
	lines := []line{{spans: head}}
	t.height = h - 1
	t.scroll()
	if len(t.rows) == 0 {
		return append(lines, line{}, spans(in(dim, "  "+t.nothing(m.mesh))))
	}
	now := m.mesh.AsOf()
	for i := t.top; i < len(t.rows) && len(lines) < h; i++ {
		b := t.rows[i]
		l := line{chosen: b.of == t.at}
		l.lit = l.chosen && lit
		l.spans = append(l.spans, t.label(b, name, l.chosen))
		for _, c := range cols {
			s := c.cell(b, now)
			l.spans = append(l.spans, span{right(s.text, c.width), s.role})
		}
		l.spans = append(l.spans, span{"  " + left(b.health.String(), stateWidth), roleOf(b.health.Rank)})
		lines = append(lines, l)
	}
	return lines
}

// title is a column's head, with an arrow where the tree is ordered by it.
func (t *tree) title(text string, sort int) string {
	switch {
	case t.sort != sort:
		return text
	case t.desc:
		return text + "▼"
	}
	return text + "▲"
}

func (t *tree) label(b *branch, w int, chosen bool) span {
	mark, knob, role := " ", "  ", plain
	if chosen {
		mark = "▌"
	}
	if len(b.below) > 0 {
		knob = "▸ "
		if t.open(b) {
			knob = "▾ "
		}
	}
	text := b.label
	if b.of.depth() == 0 {
		text, role = fmt.Sprintf("%s (%s)", b.label, number(b.count)), accent
	}
	return span{left(mark+strings.Repeat("  ", b.of.depth())+knob+text, w), role}
}

// nothing says why there is no row.
func (t *tree) nothing(s *browse.State) string {
	switch {
	case !s.Loaded:
		return "reading the catalog …"
	case len(s.All) == 0:
		return "The catalog is empty. Start a product: meshctl up FOLDER"
	}
	return fmt.Sprintf("None of %s matches %q. esc shows all.", count(t.total, "port"), t.filter.text)
}

// scroll keeps the cursor on the screen.
func (t *tree) scroll() {
	i := max(t.index(), 0)
	if i < t.top {
		t.top = i
	}
	if i >= t.top+t.height {
		t.top = i - t.height + 1
	}
	t.top = max(0, min(t.top, len(t.rows)-t.height))
}
