package tui

import tea "charm.land/bubbletea/v2"

// body is what fills a pane or the whole screen below the head.
type body interface {
	draw(m *Model, w, h int, lit bool) []line
	// move moves by rows, shift by columns; each says whether it could.
	move(by int) bool
	shift(by int) bool
	// rows is how many rows the screen has, to move by pages.
	rows() int
}

// text is lines that are made for a width.
type text struct {
	make   func(w int) []line
	lines  int
	top    int
	height int
}

func (t *text) draw(_ *Model, w, h int, _ bool) []line {
	lines := t.make(w)
	t.lines, t.height = len(lines), h
	t.top = max(0, min(t.top, len(lines)-h))
	return lines[t.top:min(t.top+h, len(lines))]
}

func (t *text) move(by int) bool {
	to := max(0, min(t.top+by, t.lines-t.height))
	moved := to != t.top
	t.top = to
	return moved
}

func (t *text) shift(int) bool { return false }
func (t *text) rows() int      { return t.height }

// sheet is a grid as a body, with what to say when it has no rows.
type sheet struct {
	*grid
	empty string
	above func(w int) []line       // before the grid
	below func(w int) []line       // after it
	open  func(row []span) tea.Cmd // what enter does; nil shows the row in full
}

func (s *sheet) draw(m *Model, w, h int, lit bool) []line {
	var lines []line
	if s.above != nil {
		lines = s.above(w)
	}
	var after []line
	if s.below != nil {
		after = s.below(w)
	}
	room := max(h-len(lines)-len(after), min(h, 4))
	if s.Len() == 0 {
		why := s.empty
		if s.source != nil && len(s.source.rows) > 0 {
			why = "None of " + count(len(s.source.rows), "row") + " matches " + s.filter.text + ". esc shows all."
		}
		for _, l := range fold(why, w-2) {
			lines = append(lines, spans(in(dim, "  "+l)))
		}
	} else {
		lines = append(lines, s.grid.draw(w, min(room, s.Len()+1), lit)...)
	}
	return append(lines, after...)
}

func (s *sheet) rows() int { return s.height }

// gridOf is the grid of a body, nil for one that has none.
func gridOf(b body) *grid {
	switch b := b.(type) {
	case *sheet:
		return b.grid
	case *sqlScreen:
		return b.result
	}
	return nil
}
