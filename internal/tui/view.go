package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/catalog"
)

// View is the whole screen.
func (m *Model) View() tea.View {
	v := tea.NewView(strings.Join(m.frame(), "\n"))
	v.AltScreen = true
	v.MouseMode = tea.MouseModeCellMotion
	v.WindowTitle = "meshctl ui"
	return v
}

// The screen's parts: a head, the body, a line of keys or of what is typed.
const (
	headRows = 1
	footRows = 1
	tooSmall = 40
)

func (m *Model) frame() []string {
	if m.width < tooSmall || m.height < 8 {
		return page(m.st, []line{spans(in(warning, "make the terminal larger"))}, m.width, m.height)
	}
	h := m.height - headRows - footRows
	lines := []string{m.head().draw(m.st, m.width)}
	switch top := m.top(); {
	case top != nil:
		body := []line{spans(in(strong, " "+top.title), in(dim, "  esc goes back"))}
		body = append(body, top.body.draw(m, m.width, h-1, true)...)
		lines = append(lines, page(m.st, body, m.width, h)...)
	case m.treeWidth() == 0:
		lines = append(lines, page(m.st, m.drawPane(m.width, h, true), m.width, h)...)
	case m.treeWidth() == m.width:
		lines = append(lines, page(m.st, m.tree.draw(m, m.width, h, true), m.width, h)...)
	default:
		w := m.treeWidth()
		tree := page(m.st, m.tree.draw(m, w, h, !m.inPane), w, h)
		side := page(m.st, m.drawPane(m.width-w-1, h, m.inPane), m.width-w-1, h)
		rule := m.st.roles[dim].Render("│")
		for i := range tree {
			lines = append(lines, tree[i]+rule+side[i])
		}
	}
	return append(lines, m.foot())
}

// wideAt is the width from which tree and pane are side by side.
const wideAt = 110

// treeWidth is how much of the screen the tree has: all or nothing where it is narrow.
func (m *Model) treeWidth() int {
	switch {
	case m.width >= wideAt:
		return min(max(m.width*41/100, 49), 84)
	case m.inPane:
		return 0
	}
	return m.width
}

// paneShown says whether the pane is on the screen.
func (m *Model) paneShown() bool { return m.treeWidth() < m.width }

func (m *Model) head() line {
	s := m.mesh
	l := spans(in(accent, " meshctl "), in(dim, " "+m.src.Where()+" "))
	state := in(good, "● live ")
	switch {
	case s.Down != nil:
		state = in(bad, "✖ hub away for "+catalog.Ago(s.Now, s.Since)+", as of "+s.Since.Local().Format("15:04:05")+" ")
	case m.failed != nil:
		state = in(bad, "✖ "+m.failed.Error()+" ")
	case !s.Loaded:
		state = in(dim, "◌ reading ")
	}
	worst := map[browse.Rank]int{}
	ports := 0
	for i := range s.All {
		ports += len(s.All[i].Ports)
		worst[s.Health(&s.All[i]).Rank]++
	}
	figures := count(len(s.All), "product") + ", " + count(ports, "port") + "  "
	var marks []span
	for _, rank := range []browse.Rank{browse.Warn, browse.Error, browse.Gone} {
		if n := worst[rank]; n > 0 {
			marks = append(marks, span{fmt.Sprintf("%s %d  ", rank.Sign(), n), roleOf(rank)})
		}
	}
	if m.o.ReadOnly {
		marks = append(marks, in(dim, "read-only  "))
	}
	if !m.tree.filter.empty() {
		marks = append(marks, in(accent, "/"+m.tree.filter.text+"  "))
	}
	used := width(state.text) + width(figures)
	for _, s := range append(marks, l.spans...) {
		used += width(s.text)
	}
	if used > m.width { // the figures give way to what is wrong
		used -= width(figures)
		figures = ""
	}
	l.spans = append(l.spans, in(plain, strings.Repeat(" ", max(0, m.width-used))), in(dim, figures))
	l.spans = append(l.spans, marks...)
	l.spans = append(l.spans, state)
	return l
}

// foot is what is typed, what there is to tell, or the keys.
func (m *Model) foot() string {
	switch {
	case m.prompt != nil:
		p := m.prompt
		problem := cut(clean(p.problem), m.width/2)
		p.input.SetWidth(max(m.width-width(p.label)-width(problem)-4, 10))
		return line{raw: p.input.View() + "  " + m.st.roles[warning].Render(problem)}.draw(m.st, m.width)
	case m.notice.text != "":
		return spans(span{" " + m.notice.text, m.notice.role}).draw(m.st, m.width)
	}
	return m.hints(m.width).draw(m.st, m.width)
}
