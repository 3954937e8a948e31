package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// scope is where a key works; several may hold at once.
type scope int

const (
	inTree scope = 1 << iota
	inPane
	inGrid
	inStream
	inDead
	inSQL    // the screen, whichever part of it has the keys
	inEditor // of SQL
	inText
	inChart
	everywhere = inTree | inPane | inGrid | inStream | inDead | inSQL | inText | inChart
)

func (s scope) String() string {
	for _, one := range []struct {
		s    scope
		name string
	}{
		{everywhere, "everywhere"}, {inSQL | inEditor, "SQL"}, {inEditor, "editor"}, {inTree, "tree"}, {inPane, "pane"}, {inGrid, "tables"},
		{inStream, "Stream"}, {inDead, "Dead"}, {inChart, "charts"}, {inTree | inPane, "tree, pane"}, {inTree | inGrid, "tree, tables"},
	} {
		if one.s == s {
			return one.name
		}
	}
	return "here"
}

// binding is what keys do somewhere.
type binding struct {
	keys []string
	in   scope
	name string // for the bottom line; "" is not shown there
	does string
	do   func(m *Model) tea.Cmd
	why  func(m *Model) string // why it does nothing just now, "" when it does; nil: it always does
}

// bindings is the one list of keys, the more special first. docs/ui.md shows the same.
func bindings() []binding {
	return slices.Concat(editorKeys(), screenKeys(), gridKeys(), treeKeys(), moveKeys(), globalKeys())
}

func editorKeys() []binding {
	return []binding{
		{[]string{"ctrl+r", "f5"}, inSQL | inEditor, "run", "run the statement; enter does too where it ends with ;", (*Model).run, nil},
		{[]string{"tab"}, inSQL | inEditor, "to the answer and back", "go to the answer, and back to the editor", (*Model).swapSQL, nil},
		{[]string{"ctrl+p"}, inEditor, "earlier", "put the statement before into the editor", func(m *Model) tea.Cmd { return m.recall(1) }, nil},
		{[]string{"ctrl+n"}, inEditor, "", "put the statement after into the editor", func(m *Model) tea.Cmd { return m.recall(-1) }, nil},
		{[]string{"esc"}, inSQL | inEditor, "back", "stop the statement that runs, else go back", (*Model).backSQL, nil},
	}
}

func screenKeys() []binding {
	return []binding{
		{[]string{"p"}, inStream, "pause", "hold the records still, and go on", (*Model).pause, nil},
		{[]string{"R"}, inDead, "replay", "publish the letter under the cursor again, after asking", (*Model).replay, func(m *Model) string {
			if m.o.ReadOnly {
				return "R publishes again, and --readonly forbids that"
			}
			return noRows(m)
		}},
		{[]string{"c"}, inChart, "another chart", "draw it in another way", func(m *Model) tea.Cmd {
			if c, ok := m.body().(chartBody); ok {
				c.turn()
			}
			return nil
		}, func(m *Model) string {
			if c, ok := m.body().(chartBody); ok && len(c.kinds) == 1 {
				return "this column has one chart only"
			}
			return ""
		}},
	}
}

func gridKeys() []binding {
	return []binding{
		{[]string{"enter"}, inGrid, "whole row", "show the row under the cursor in full", (*Model).openRow, noRows},
		{[]string{"left", "h"}, inGrid, "", "go to the column before", func(m *Model) tea.Cmd { return m.shift(-1) }, nil},
		{[]string{"right", "l"}, inGrid, "", "go to the column after", func(m *Model) tea.Cmd { return m.shift(1) }, nil},
		{[]string{"s"}, inGrid, "sort", "order by the column: up, down, as it came", (*Model).sortGrid, func(m *Model) string {
			if m.scope()&inStream != 0 {
				return "a stream is in the order of its log"
			}
			return noRows(m)
		}},
		{[]string{"c"}, inGrid, "chart", "draw the column: histogram, bars or over time", (*Model).plot, noRows},
		{[]string{"y"}, inGrid, "copy", "copy the cell to the clipboard", (*Model).copyCell, noRows},
		{[]string{"Y"}, inGrid, "", "copy the row to the clipboard", (*Model).copyRow, noRows},
		{[]string{"x"}, inGrid, "export", "write the rows to a file: .csv .json .jsonl .parquet .md", (*Model).askExport, noRows},
	}
}

func noRows(m *Model) string {
	if g := gridOf(m.body()); g == nil || g.Len() == 0 {
		return "there is no row here"
	}
	return ""
}

func treeKeys() []binding {
	return []binding{
		{[]string{"enter"}, inTree, "open", "open a product or a port, fold or unfold a domain", (*Model).openRow, nil},
		{[]string{"right", "l"}, inTree, "unfold", "unfold; open where there is nothing to unfold", (*Model).goRight, nil},
		{[]string{"left", "h"}, inTree, "", "fold, or go to what is above", (*Model).foldUp, nil},
		{[]string{"space"}, inTree, "", "fold or unfold", (*Model).foldToggle, nil},
		{[]string{"s"}, inTree, "sort", "order by the next column", func(m *Model) tea.Cmd { return m.sortTree(1) }, nil},
		{[]string{"S"}, inTree, "", "turn the order around", func(m *Model) tea.Cmd { return m.sortTree(0) }, nil},
		{[]string{"y"}, inTree, "copy", "copy the name to the clipboard", (*Model).copyName, nil},
		{[]string{"left", "h"}, inPane, "", "go back to the tree", (*Model).back, nil},
	}
}

func moveKeys() []binding {
	by := func(n int) func(m *Model) tea.Cmd { return func(m *Model) tea.Cmd { return m.move(n) } }
	pages := func(n int) func(m *Model) tea.Cmd {
		return func(m *Model) tea.Cmd { return m.move(n * max(m.pageRows()-1, 1)) }
	}
	return []binding{
		{[]string{"up", "k"}, everywhere, "", "one row up", by(-1), nil},
		{[]string{"down", "j"}, everywhere, "", "one row down", by(1), nil},
		{[]string{"pgup", "ctrl+b"}, everywhere, "", "one page up", pages(-1), nil},
		{[]string{"pgdown", "ctrl+f"}, everywhere, "", "one page down", pages(1), nil},
		{[]string{"home", "g"}, everywhere, "", "to the first row", by(-1 << 40), nil},
		{[]string{"end", "G"}, everywhere, "", "to the last row; a stream goes on following", (*Model).toEnd, nil},
	}
}

func globalKeys() []binding {
	keys := []binding{
		{[]string{"/"}, everywhere, "filter", "filter what is shown; ! inverts, ~ is fuzzy", (*Model).askFilter, func(m *Model) string {
			if m.scope()&(inText|inChart) != 0 {
				return "there is nothing to filter here; esc goes back to where there is"
			}
			if g := gridOf(m.body()); g != nil && g.source == nil {
				return "an answer is filtered by its WHERE: tab goes to the editor"
			}
			return ""
		}},
		{[]string{"tab"}, inTree | inPane, "", "the next tab of the pane", func(m *Model) tea.Cmd { return m.turnTab(1) }, nil},
		{[]string{"shift+tab"}, inTree | inPane, "", "the tab before", func(m *Model) tea.Cmd { return m.turnTab(-1) }, nil},
		{[]string{"e"}, everywhere, "SQL", "the SQL editor, about the port under the cursor", func(m *Model) tea.Cmd { return m.openSQL("") }, nil},
		{[]string{"v"}, everywhere, "events", "what happened since this was opened", (*Model).showEvents, nil},
		{[]string{":"}, everywhere, "command", "type a command; tab completes", (*Model).askCommand, nil},
		{[]string{"r"}, everywhere, "", "ask again now", (*Model).again, nil},
		{[]string{"t"}, everywhere, "", "the next theme", (*Model).nextTheme, func(m *Model) string {
			if !m.o.Color {
				return "there are no themes without colour (NO_COLOR, --no-color or this terminal)"
			}
			return ""
		}},
		{[]string{"?"}, everywhere, "help", "help for what is under the cursor", (*Model).showHelp, nil},
		{[]string{"esc"}, everywhere, "back", "back: closes, goes to the tree, drops the filter", (*Model).back, nil},
		{[]string{"q", "ctrl+c"}, everywhere, "quit", "leave; ctrl+c leaves the editor too", func(*Model) tea.Cmd { return tea.Quit }, nil},
	}
	for i, t := range tabs() {
		keys = append(keys, binding{[]string{fmt.Sprint(i + 1)}, inTree | inPane, "", t.name + ": " + t.does, func(m *Model) tea.Cmd { return m.showTab(i) }, nil})
	}
	return keys
}

// scope is where keys go now.
func (m *Model) scope() scope {
	if top := m.top(); top != nil {
		if s, ok := top.body.(*sqlScreen); ok {
			if s.editing {
				return inEditor
			}
			return inSQL | inGrid
		}
		return top.scope
	}
	if !m.inPane {
		return inTree
	}
	s := inPane
	if gridOf(m.pane.body) != nil {
		s |= inGrid
	}
	switch m.pane.tab {
	case tabStream:
		s |= inStream
	case tabDead:
		s |= inDead
	}
	return s
}

// press is what a key does.
func (m *Model) press(key tea.KeyPressMsg) tea.Cmd {
	name := key.String()
	m.notice = notice{}
	if m.prompt != nil {
		return m.promptKey(key)
	}
	scope := m.scope()
	if name == "alt+esc" { // esc twice, so quickly that the terminal takes it for one key
		name = "esc"
	}
	if name == "ctrl+c" {
		return tea.Quit
	}
	for _, b := range bindings() {
		if b.in&scope == 0 || !slices.Contains(b.keys, name) {
			continue
		}
		if b.why != nil {
			if reason := b.why(m); reason != "" {
				return m.complain("%s", reason)
			}
		}
		return b.do(m)
	}
	if scope == inEditor {
		return m.edit(key)
	}
	return m.complain("%s", idle(name))
}

// idle says why a key does nothing here.
func idle(name string) string {
	var where []string
	for _, b := range bindings() {
		if slices.Contains(b.keys, name) && !slices.Contains(where, b.in.String()) {
			where = append(where, b.in.String())
		}
	}
	if len(where) == 0 {
		return fmt.Sprintf("%s does nothing; ? shows the keys that work here", name)
	}
	return fmt.Sprintf("%s does nothing here, it works in: %s", name, strings.Join(where, ", "))
}

// hints is the bottom line: what keys do here, and always where to find the others.
func (m *Model) hints(w int) line {
	scope := m.scope()
	l := spans(in(plain, " "))
	last := []span{{"?", accent}, {" help ", dim}}
	if scope == inEditor {
		last = nil
	}
	room := w - 1
	for _, s := range last {
		room -= width(s.text)
	}
	seen := map[string]bool{"help": true}
	for _, b := range bindings() {
		if b.in&scope == 0 || b.name == "" || seen[b.name] || seen[b.keys[0]] || b.why != nil && b.why(m) != "" {
			continue
		}
		need := width(b.keys[0]) + width(b.name) + 3
		if need > room {
			break
		}
		seen[b.name], seen[b.keys[0]] = true, true
		room -= need
		l.spans = append(l.spans, span{b.keys[0], accent}, span{" " + b.name + "  ", dim})
	}
	l.spans = append(l.spans, span{strings.Repeat(" ", max(room, 0)), plain})
	l.spans = append(l.spans, last...)
	return l
}
