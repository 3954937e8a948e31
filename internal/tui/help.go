package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/meshctl/meshctl/internal/browse"
)

// showHelp explains what the cursor is on and what keys do there, then everything else.
func (m *Model) showHelp() tea.Cmd {
	if top := m.top(); top != nil && top.title == "Help" {
		return m.complain("this is the help; esc closes it")
	}
	about, here := m.about(), m.scope()
	m.push(&overlay{title: "Help", scope: inText, body: &text{make: func(w int) []line { return helpLines(about, here, w) }}})
	return nil
}

// about says what the cursor is on, in a sentence or two.
func (m *Model) about() string {
	if top := m.top(); top != nil {
		switch top.title {
		case "SQL":
			return "SQL runs one SELECT over the mesh; tables are named product.port. The answer is kept in a temporary file, so it may have millions of rows; what does not fit 2 GiB is cut, which is said."
		case "Events":
			return "Events is what happened since the screens were opened: products that came, went, failed or got dead letters, and the hub."
		}
		return top.title + "."
	}
	if m.inPane {
		t := tabs()[m.pane.tab]
		return t.name + " of " + m.pane.of.String() + ": " + t.does + "."
	}
	switch m.tree.at.depth() {
	case 2:
		return "The cursor is on a port, which is what a product offers: a stream, a table, a contract. LAG is records of its log that its stores do not show yet, DEAD is records that broke the contract and wait. enter shows it."
	case 1:
		return "The cursor is on a data product. Its figures are those of its ports together, its state the worst of theirs."
	}
	return "The cursor is on a business domain. Its figures are those of its products together, its state the worst of theirs."
}

func helpLines(about string, here scope, w int) []line {
	lines := []line{{}}
	for _, l := range fold(about, w-2) {
		lines = append(lines, spans(in(plain, " "+l)))
	}
	section := func(title string) { lines = append(lines, line{}, spans(in(strong, " "+title))) }
	add := func(name, does string) {
		for i, l := range fold(does, w-24) {
			if i > 0 {
				name = ""
			}
			lines = append(lines, spans(in(accent, left(" "+name, 22)), in(plain, l)))
		}
	}
	section("Keys here")
	taken := map[string]bool{}
	for _, b := range bindings() {
		if b.in&here != 0 && b.in != everywhere && !taken[b.keys[0]] {
			taken[b.keys[0]] = true
			add(strings.Join(b.keys, " "), b.does)
		}
	}
	section("Keys everywhere")
	for _, b := range bindings() {
		if b.in == everywhere {
			add(strings.Join(b.keys, " "), b.does)
		}
	}
	section("Signs")
	for _, s := range []struct {
		rank browse.Rank
		does string
	}{{browse.Well, "well"}, {browse.Warn, "stale against what is promised, or dead letters wait"}, {browse.Error, "an error, of the port or of an input, or of a product that does not answer"}, {browse.Gone, "gone: no sign of life, with since when"}, {browse.Quiet, "proposed, draft, deprecated or retired"}} {
		lines = append(lines, spans(span{left(" "+s.rank.Sign(), 22), roleOf(s.rank)}, in(plain, s.does)))
	}
	section("Filter")
	add("/delay", "a regular expression in names, owners, tags, descriptions and columns")
	add("/~flts", "fuzzy: these letters in this order")
	add("/!^aviation", "inverse: what does not match")
	section("Commands")
	for _, c := range commands() {
		add(strings.TrimSpace(":"+c.name+" "+c.args), c.does)
	}
	section("Keys elsewhere")
	for _, b := range bindings() {
		if b.in&here == 0 && b.in != everywhere {
			add(strings.Join(b.keys, " "), b.in.String()+": "+b.does)
		}
	}
	return lines
}
