package shell

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// press takes a key.
func (m *model) press(key tea.KeyPressMsg) tea.Cmd {
	name := key.String()
	switch {
	case m.pager != nil:
		return m.pagerKey(name)
	case m.busy && name == "ctrl+c":
		return m.stop()
	case m.busy:
		m.waiting = append(m.waiting, key)
		return nil
	case m.search != nil:
		return m.searchKey(key)
	}
	m.hint = ""
	if m.menu != nil {
		if cmd, used := m.menuKey(name); used {
			return cmd
		}
	}
	switch name {
	case "enter":
		return m.enter()
	case "alt+enter", "ctrl+j":
		m.editor.InsertString("\n")
		return nil
	case "f5":
		if strings.TrimSpace(m.editor.Value()) == "" {
			m.hint = "there is no statement to run"
			return nil
		}
		return m.submit()
	case "tab":
		return m.complete()
	case "ctrl+c":
		return m.clear()
	case "ctrl+d":
		if m.editor.Value() == "" {
			return m.leave()
		}
	case "ctrl+r":
		m.search = &search{kept: m.editor.Value()}
		return nil
	case "ctrl+l":
		return tea.ClearScreen
	case "up", "ctrl+p":
		if m.editor.Line() == 0 {
			return m.recall(1)
		}
	case "down", "ctrl+n":
		if m.editor.Line() == m.editor.LineCount()-1 {
			return m.recall(-1)
		}
	case "esc":
		return nil
	}
	return m.editor.key(key)
}

// enter runs what has ended, else it goes on to the next line.
func (m *model) enter() tea.Cmd {
	typed := m.editor.Value()
	if strings.TrimSpace(typed) == "" {
		lines := m.echo()
		m.editor.Reset()
		return m.print(lines...)
	}
	if _, rest := jobs(typed); rest != "" {
		m.editor.InsertString("\n")
		return nil
	}
	return m.submit()
}

// paste puts a text into the editor as it is, whatever it ends with.
func (m *model) paste(msg tea.PasteMsg) tea.Cmd {
	switch {
	case m.pager != nil:
		return nil
	case m.busy:
		m.waiting = append(m.waiting, msg)
		return nil
	case m.search != nil:
		m.search.typed(msg.Content)
		return nil
	}
	m.menu, m.hint = nil, ""
	return m.editor.key(tea.PasteMsg{Content: strings.ReplaceAll(msg.Content, "\r\n", "\n")})
}

// clear drops what is in the editor; it stays above, as in other shells.
func (m *model) clear() tea.Cmd {
	lines := m.echo()
	lines[len(lines)-1] += m.look.in(dim, "^C")
	m.editor.Reset()
	m.history.back, m.history.kept, m.menu = 0, "", nil
	return m.print(lines...)
}

func (m *model) leave() tea.Cmd {
	m.quit, m.busy = true, true
	return m.say(m.look.in(accent, firstPrompt) + m.look.in(dim, `\q`))
}

// stop stops what runs, and the queue.
func (m *model) stop() tea.Cmd {
	m.queue = nil
	if m.watch != nil {
		return m.endWatch()
	}
	if m.running != nil && m.running.cancel != nil {
		m.running.cancel()
	}
	return nil
}

// recall puts an earlier or later text into the editor.
func (m *model) recall(by int) tea.Cmd {
	text, ok := m.history.recall(by, m.editor.Value())
	if !ok {
		m.hint = fmt.Sprintf("there is no %s statement", map[bool]string{true: "earlier", false: "later"}[by > 0])
		return nil
	}
	m.editor.fill(text)
	if by < 0 { // so that down goes on from its last line, up from the first
		return nil
	}
	m.editor.set(text, firstLine(text))
	return nil
}

// firstLine is the end of a text's first line.
func firstLine(text string) int {
	if at := strings.IndexByte(text, '\n'); at >= 0 {
		return at
	}
	return len(text)
}

// search looks for an earlier statement by what is in it.
type search struct {
	what string
	skip int
	kept string // what was in the editor
}

func (s *search) typed(text string) {
	s.what += strings.ReplaceAll(text, "\n", " ")
	s.skip = 0
}

// searchKey takes a key while an earlier statement is looked for.
func (m *model) searchKey(key tea.KeyPressMsg) tea.Cmd {
	s := m.search
	found, ok := m.history.find(s.what, s.skip)
	switch name := key.String(); name {
	case "ctrl+r":
		if _, more := m.history.find(s.what, s.skip+1); more {
			s.skip++
		}
	case "ctrl+s":
		s.skip = max(0, s.skip-1)
	case "backspace":
		if r := []rune(s.what); len(r) > 0 {
			s.what, s.skip = string(r[:len(r)-1]), 0
		}
	case "ctrl+c", "ctrl+g":
		m.search = nil
	case "esc", "left", "right", "tab", "enter", "up", "down", "home", "end", "ctrl+a", "ctrl+e":
		m.search = nil
		if ok {
			m.editor.fill(found)
		}
		if name == "enter" && ok {
			return m.enter()
		}
	default:
		s.typed(key.Text)
	}
	return nil
}

// menu is the ways to complete what is typed, below the prompt.
type menu struct {
	from    int // in the text
	end     int // of what the choice took the place of
	choices []choice
	chosen  int // -1 for none yet
}

// menuRows is how many choices are shown.
const menuRows = 8

// complete completes what is typed as far as it can only be meant, and shows the choices.
func (m *model) complete() tea.Cmd {
	typed, at := m.editor.Value(), m.editor.at()
	from, choices := m.choices(typed, at)
	switch len(choices) {
	case 0:
		m.hint = "nothing that is known begins like this"
		if len(m.link.seen()) == 0 {
			m.hint = "the catalog has not come yet"
		}
		return nil
	case 1:
		m.put(from, at, choices[0].text)
		return nil
	}
	if all := common(choices); len(all) > at-from {
		m.put(from, at, all)
		at = from + len(all)
	}
	m.menu = &menu{from: from, end: at, choices: choices, chosen: -1}
	return nil
}

// choices are the ways to go on at a byte of a text.
func (m *model) choices(typed string, at int) (from int, choices []choice) {
	if isCommand(typed) || typed == `\` || typed == "." {
		return m.completeCommand(typed, at)
	}
	return complete(m.link.seen(), typed, at)
}

// put replaces a part of what is typed.
func (m *model) put(from, to int, text string) {
	typed := m.editor.Value()
	m.editor.set(typed[:from]+text+typed[to:], from+len(text))
}

// menuKey takes a key while choices are shown.
func (m *model) menuKey(name string) (cmd tea.Cmd, used bool) {
	by := map[string]int{"tab": 1, "down": 1, "shift+tab": -1, "up": -1}[name]
	if by == 0 || m.menu.chosen < 0 && (name == "up" || name == "down") {
		m.menu = nil
		return nil, name == "esc"
	}
	n := m.menu
	if n.chosen < 0 && by < 0 {
		n.chosen = 0
	}
	n.chosen = (n.chosen + by + len(n.choices)) % len(n.choices)
	text := n.choices[n.chosen].text
	m.put(n.from, n.end, text)
	n.end = n.from + len(text)
	return nil, true
}
