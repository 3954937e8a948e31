package shell

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// View is what is below the answers: the prompt, or what runs.
func (m *model) View() tea.View {
	if m.pager != nil {
		v := tea.NewView(strings.Join(m.pager.draw(m.look, m.width, m.height), "\n"))
		v.AltScreen = true
		return v
	}
	switch {
	case m.quit:
		return tea.NewView("")
	case m.watch != nil:
		return tea.NewView(strings.Join(m.watchLines(), "\n"))
	case m.busy:
		return tea.NewView(m.progress())
	case m.search != nil:
		return m.searchView()
	}
	typed := m.editor.Value()
	below := m.below()
	d := m.look.draw(typed, m.editor.at(), m.width).window(max(m.height-len(below)-1, 1))
	v := tea.NewView(strings.Join(append(d.lines, below...), "\n"))
	v.Cursor = tea.NewCursor(d.x, d.y)
	return v
}

// below is what is shown under the prompt.
func (m *model) below() []string {
	if m.hint != "" {
		return []string{m.look.in(dim, cut("  "+m.hint, m.width))}
	}
	if m.menu == nil {
		return nil
	}
	rows := min(menuRows, max(m.height-3, 1))
	top := max(0, min(m.menu.chosen-rows/2, len(m.menu.choices)-rows))
	shown := m.menu.choices[top:min(top+rows, len(m.menu.choices))]
	name := 0
	for _, c := range shown {
		name = max(name, min(width(c.text), m.width/2))
	}
	var lines []string
	for i, c := range shown {
		mark, r := "  ", plain
		if top+i == m.menu.chosen {
			mark, r = "▌ ", accent
		}
		lines = append(lines, m.look.in(accent, mark)+m.look.in(r, pad(cut(c.text, name), name))+"  "+m.look.in(dim, cut(c.note, m.width-name-4)))
	}
	if more := len(m.menu.choices) - len(shown); more > 0 {
		lines = append(lines, m.look.in(dim, cut(fmt.Sprintf("  %d more; tab goes through them", more), m.width)))
	}
	return lines
}

// progress is what runs and for how long.
func (m *model) progress() string {
	r := m.running
	if r == nil {
		return ""
	}
	passed := m.o.Now().Sub(r.began)
	text := fmt.Sprintf("%s %.1f s", r.what, passed.Seconds())
	if r.rows != nil {
		if n := r.rows(); n > 0 {
			text += ", " + count(n, "row") + " so far"
		}
	}
	spinner := []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧"}
	return m.look.in(accent, spinner[int(passed.Milliseconds()/100)%len(spinner)]) + m.look.in(dim, cut(" "+text+" · ctrl+c stops it", m.width-1))
}

func (m *model) searchView() tea.View {
	found, ok := m.history.find(m.search.what, m.search.skip)
	label := "search: "
	if !ok {
		label, found = "nothing has: ", ""
	}
	head := m.look.in(accent, label) + m.look.in(plain, m.search.what)
	at := max(strings.Index(strings.ToLower(found), strings.ToLower(m.search.what)), 0)
	d := m.look.draw(found, min(at, len(found)), m.width).window(max(m.height-3, 1))
	v := tea.NewView(strings.Join(append([]string{head}, append(d.lines, m.look.in(dim, cut("  enter runs it · esc edits it · ctrl+r an earlier one · ctrl+c leaves", m.width)))...), "\n"))
	v.Cursor = tea.NewCursor(min(width(label+m.search.what), m.width-1), 0)
	return v
}
