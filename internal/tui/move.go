package tui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// body is what the keys go to, nil for the tree.
func (m *Model) body() body {
	switch top := m.top(); {
	case top != nil:
		return top.body
	case m.inPane:
		return m.pane.body
	}
	return nil
}

func (m *Model) move(by int) tea.Cmd {
	if m.scope()&inTree != 0 {
		if !m.tree.move(by) {
			return m.complain("%s", edge(by))
		}
		return m.cursorMoved()
	}
	if b := m.body(); b == nil || !b.move(by) {
		return m.complain("%s", edge(by))
	}
	return nil
}

func edge(by int) string {
	if by < 0 {
		return "this is the beginning"
	}
	return "this is the end"
}

func (m *Model) shift(by int) tea.Cmd {
	if m.body().shift(by) {
		return nil
	}
	if by < 0 {
		return m.complain("this is the first column; esc goes back")
	}
	return m.complain("this is the last column")
}

func (m *Model) toEnd() tea.Cmd {
	if g := gridOf(m.body()); g != nil && m.scope()&inStream != 0 {
		g.follow = true
		return nil
	}
	return m.move(1 << 40)
}

func (m *Model) pageRows() int {
	if m.scope()&inTree != 0 {
		return m.tree.height
	}
	if b := m.body(); b != nil {
		return b.rows()
	}
	return 1
}

// cursorMoved shows what the cursor is on now.
func (m *Model) cursorMoved() tea.Cmd {
	if m.pane.of == m.tree.at {
		return nil
	}
	return m.openPane(false)
}

// openRow does what enter does: it goes into what the cursor is on.
func (m *Model) openRow() tea.Cmd {
	if m.scope()&inTree == 0 {
		if s, ok := m.body().(*sheet); ok && s.open != nil {
			return s.open(s.Row(s.row))
		}
		return m.record()
	}
	row := m.tree.row()
	switch {
	case row == nil:
		return m.complain("there is nothing to open")
	case row.of.depth() == 0:
		return m.foldToggle()
	}
	m.inPane = true
	if m.pane.of == m.tree.at && m.pane.body != nil {
		return nil
	}
	return m.openPane(true)
}

// goRight unfolds; where there is nothing to unfold it opens.
func (m *Model) goRight() tea.Cmd {
	if row := m.tree.row(); row != nil && len(row.below) > 0 && !m.tree.open(row) && m.tree.filter.empty() {
		return m.foldToggle()
	}
	return m.openRow()
}

func (m *Model) foldToggle() tea.Cmd {
	row := m.tree.row()
	if row == nil || len(row.below) == 0 {
		return m.complain("a port has nothing to fold; enter opens it")
	}
	if !m.tree.filter.empty() {
		return m.complain("nothing is folded while there is a filter; esc drops it")
	}
	m.tree.folded[row.of] = m.tree.open(row)
	m.tree.build(m.mesh)
	return nil
}

func (m *Model) foldUp() tea.Cmd {
	row := m.tree.row()
	if row == nil {
		return m.complain("there is nothing to fold")
	}
	if len(row.below) > 0 && m.tree.open(row) && m.tree.filter.empty() {
		return m.foldToggle()
	}
	up := subject{domain: row.of.domain}
	if row.of.port != "" {
		up.product = row.of.product
	}
	if up == row.of {
		return m.complain("this is as far up as it goes")
	}
	m.tree.at = up
	return m.cursorMoved()
}

// back closes what is on top, goes to the tree, drops the filter: one of them.
func (m *Model) back() tea.Cmd {
	g := gridOf(m.body())
	switch {
	case g != nil && g.source != nil && !g.filter.empty():
		g.filter = filter{}
		g.show(g.source)
	case m.top() != nil:
		m.over = m.over[:len(m.over)-1]
	case m.inPane:
		m.inPane = false
		if !m.paneShown() { // nothing goes on that nobody sees
			m.closePane()
			m.pane.of = subject{}
		}
	case m.tree.filter.text != "":
		m.tree.filter = filter{}
		m.tree.build(m.mesh)
	default:
		return m.complain("this is the beginning; q leaves")
	}
	return nil
}

func (m *Model) showTab(i int) tea.Cmd {
	m.over = nil
	if !m.paneShown() {
		m.inPane = true
	}
	if m.pane.tab == i && m.pane.of == m.tree.at && m.pane.body != nil {
		return m.complain("%s is open", tabs()[i].name)
	}
	m.pane.tab = i
	return m.openPane(true)
}

func (m *Model) turnTab(by int) tea.Cmd {
	if !m.paneShown() {
		m.inPane = true
		return m.openPane(true)
	}
	return m.showTab((m.pane.tab + by + len(tabs())) % len(tabs()))
}

func (m *Model) sortGrid() tea.Cmd {
	g := gridOf(m.body())
	if g.source == nil {
		return m.reorder()
	}
	g.turn()
	g.show(g.source)
	return nil
}

// swapSQL gives the keys to the answer, or back to the editor.
func (m *Model) swapSQL() tea.Cmd {
	s := m.sql
	if s.editing && (s.result == nil || s.result.Len() == 0) {
		return m.complain("there is no answer to go to; ctrl+r runs the statement")
	}
	if s.editing = !s.editing; s.editing {
		return s.editor.Focus()
	}
	s.editor.Blur()
	return nil
}

func (m *Model) backSQL() tea.Cmd {
	if m.stopQuery() {
		return nil
	}
	m.sql.editor.Blur()
	m.over = slices.DeleteFunc(m.over, func(o *overlay) bool { return o.body == m.sql })
	return nil
}

// edit gives a key to the editor; enter at the end of a statement runs it.
func (m *Model) edit(key tea.KeyPressMsg) tea.Cmd {
	s := m.sql
	if key.String() == "enter" && strings.HasSuffix(strings.TrimSpace(s.editor.Value()), ";") {
		return m.run()
	}
	s.touch(key.Text != "")
	var cmd tea.Cmd
	s.editor, cmd = s.editor.Update(key)
	return cmd
}

// click puts the cursor where the mouse is; on what is chosen already it opens that.
func (m *Model) click(x, y int) tea.Cmd {
	m.notice = notice{}
	y -= headRows
	w := m.treeWidth()
	switch {
	case y < 0 || y >= m.height-headRows-footRows || m.prompt != nil:
		return nil
	case m.top() != nil:
		return m.clickBody(m.top().body, x, y-1)
	case x < w:
		return m.clickTree(x, y, w)
	case x == w && w > 0:
		return nil
	}
	if w > 0 {
		x -= w + 1
	}
	m.inPane = true
	if y == 0 {
		for i := len(m.tabEdges) - 1; i >= 0; i-- {
			if x >= m.tabEdges[i] {
				return m.showTab(i)
			}
		}
		return nil
	}
	return m.clickBody(m.pane.body, x, y-2)
}

func (m *Model) clickTree(x, y, w int) tea.Cmd {
	m.inPane = false
	if y == 0 {
		return m.clickHead(x, w)
	}
	i := m.tree.top + y - 1
	if i >= len(m.tree.rows) {
		return nil
	}
	if m.tree.at == m.tree.rows[i].of {
		return m.openRow()
	}
	m.tree.at = m.tree.rows[i].of
	return m.cursorMoved()
}

// clickHead orders the tree by the column whose title was clicked, then turns it around.
func (m *Model) clickHead(x, w int) tea.Cmd {
	cols, name := fitting(w)
	by, edge := 0, name
	for _, c := range cols {
		if x >= edge {
			by = c.sort
		}
		edge += c.width
	}
	if x >= edge {
		by = len(sorts()) - 1
	}
	if m.tree.sort == by {
		m.tree.desc = !m.tree.desc
	} else {
		m.tree.sort, m.tree.desc = by, by != 0
	}
	m.tree.build(m.mesh)
	return nil
}

// clickBody puts a table's cursor where the mouse is, y rows below the body's first line.
func (m *Model) clickBody(b body, x, y int) tea.Cmd {
	g := gridOf(b)
	if s, ok := b.(*sqlScreen); ok {
		if y -= editorRows + 1; y < 0 {
			s.editing = true
			return s.editor.Focus()
		}
		s.editing = s.result == nil || s.result.Len() == 0
	}
	if g == nil || g.Len() == 0 || y < 0 {
		return nil
	}
	for i, edge := range g.edges {
		if x >= edge {
			g.col = min(g.first+i, len(g.Header())-1)
		}
	}
	if y == 0 {
		return m.sortGrid()
	}
	row := g.top + y - 1
	if row >= g.Len() || y > g.height {
		return nil
	}
	if row == g.row {
		return m.openRow()
	}
	g.move(row - g.row)
	return nil
}

// wheel moves what the mouse is over.
func (m *Model) wheel(at tea.Mouse) tea.Cmd {
	by := 3
	if at.Button == tea.MouseWheelUp {
		by = -3
	}
	if m.top() == nil && at.X < m.treeWidth() {
		m.tree.move(by)
		return m.cursorMoved()
	}
	b := m.pane.body
	if top := m.top(); top != nil {
		b = top.body
	}
	if b != nil {
		b.move(by)
	}
	return nil
}
