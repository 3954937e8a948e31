package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/theme"
)

// command is what can be typed after a colon.
type command struct {
	name string
	args string
	does string
	do   func(m *Model, arg string) tea.Cmd
	// complete are the arguments that there are.
	complete func(m *Model) []string
}

// commands are all of them; docs/ui.md shows the same.
func commands() []command {
	list := []command{
		{"go", "NAME", "put the cursor on a product or a port", (*Model).goTo, names},
		{"search", "WORDS", "search names, owners, tags, descriptions and columns of all products", (*Model).search, nil},
		{"filter", "TEXT", "show what matches; nothing shows all", func(m *Model, arg string) tea.Cmd {
			f, err := parseFilter(arg)
			if err != nil {
				return m.complain("%s", err)
			}
			m.tree.filter = f
			m.tree.build(m.mesh)
			return m.cursorMoved()
		}, nil},
		{"sort", "COLUMN", "order the tree, descending with - before it", (*Model).sortBy, func(*Model) []string { return sorts() }},
		{"sql", "[STATEMENT]", "the SQL editor; a statement is run", func(m *Model, arg string) tea.Cmd {
			open := m.openSQL(arg)
			if arg == "" {
				return open
			}
			return tea.Batch(open, m.run())
		}, nil},
		{"export", "FILE", "write the table that has the keys to a file", (*Model).export, nil},
		{"events", "", "what happened since this was opened", func(m *Model, _ string) tea.Cmd { return m.showEvents() }, nil},
		{"theme", "NAME", "choose the colours", (*Model).setTheme, func(*Model) []string { return theme.Names() }},
		{"help", "", "help", func(m *Model, _ string) tea.Cmd { return m.showHelp() }, nil},
		{"quit", "", "leave", func(*Model, string) tea.Cmd { return tea.Quit }, nil},
	}
	for i, t := range tabs() {
		list = append(list, command{strings.ToLower(t.name), "", t.does, func(m *Model, _ string) tea.Cmd { return m.showTab(i) }, nil})
	}
	return list
}

func (m *Model) askCommand() tea.Cmd {
	return m.ask1(&prompt{label: " : ", done: m.command, complete: func(text string) (all []string) {
		for _, c := range commands() {
			all = append(all, strings.TrimSpace(c.name+" "+map[bool]string{true: " "}[c.args != ""]))
			if c.complete != nil && strings.HasPrefix(text, c.name+" ") {
				for _, arg := range c.complete(m) {
					all = append(all, c.name+" "+arg)
				}
			}
		}
		return all
	}}, "")
}

// command does what was typed.
func (m *Model) command(text string) tea.Cmd {
	name, arg, _ := strings.Cut(strings.TrimSpace(text), " ")
	if name == "" {
		return nil
	}
	var known []string
	var found []command
	for _, c := range commands() {
		known = append(known, c.name)
		if c.name == name {
			return c.do(m, strings.TrimSpace(arg))
		}
		if strings.HasPrefix(c.name, name) {
			found = append(found, c)
		}
	}
	if len(found) == 1 {
		return found[0].do(m, strings.TrimSpace(arg))
	}
	if near := product.Nearest(name, known); near != "" {
		return m.complain("there is no command %q; did you mean :%s?", name, near)
	}
	return m.complain("there is no command %q; ? lists them", name)
}

func names(m *Model) (all []string) {
	for _, e := range m.mesh.All {
		all = append(all, e.Product.Metadata.Name)
		for _, p := range e.Ports {
			if p.Address != e.Product.Metadata.Name {
				all = append(all, p.Address)
			}
		}
	}
	return all
}

// goTo puts the cursor on a product or a port, out of every overlay.
func (m *Model) goTo(name string) tea.Cmd {
	if name == "" {
		return m.complain("write the name of a product or a port after :go")
	}
	to := subject{product: name}
	e := m.mesh.All.Product(name)
	if e == nil {
		found, p, err := m.mesh.All.Port(name)
		if err != nil {
			return m.refuse(err)
		}
		e, to = found, subject{product: found.Product.Metadata.Name, port: p.Address}
	}
	to.domain = e.Product.Metadata.Domain
	m.over, m.inPane = nil, false
	m.tree.filter = filter{}
	m.tree.folded[subject{domain: to.domain}] = false
	if to.port != "" {
		m.tree.folded[subject{domain: to.domain, product: to.product}] = false
	}
	m.tree.at = to
	m.tree.build(m.mesh)
	return m.cursorMoved()
}

func (m *Model) sortBy(name string) tea.Cmd {
	column, desc := strings.CutPrefix(strings.ToLower(name), "-")
	i := slices.Index(sorts(), column)
	if i < 0 {
		return m.complain("sort by one of %s", strings.Join(sorts(), ", "))
	}
	m.tree.sort, m.tree.desc = i, desc
	return m.sorted()
}

// sorted shows the tree in its new order, and says which it is.
func (m *Model) sorted() tea.Cmd {
	m.tree.build(m.mesh)
	way := "ascending"
	if m.tree.desc {
		way = "descending"
	}
	return m.report("by %s, %s", sorts()[m.tree.sort], way)
}

func (m *Model) setTheme(name string) tea.Cmd {
	t, ok := theme.Named(name)
	if !ok || name == "" {
		return m.complain("choose one of %s", strings.Join(theme.Names(), ", "))
	}
	m.theme = t
	m.paint()
	return m.report("theme %s: %s", t.Name, t.Does)
}

func (m *Model) nextTheme() tea.Cmd {
	all := theme.Names()
	return m.setTheme(all[(slices.Index(all, m.theme.Name)+1)%len(all)])
}

// search lists the products in which every word occurs; enter goes there.
func (m *Model) search(words string) tea.Cmd {
	if words == "" {
		return m.complain("write what to look for after :search")
	}
	hits := m.mesh.All.Search(words)
	var rows [][]span
	for _, h := range hits {
		md := &h.Entry.Product.Metadata
		places := h.Places
		if len(places) > 3 {
			places = append(slices.Clone(places[:3]), "and "+count(len(h.Places)-3, "more place"))
		}
		rows = append(rows, []span{{md.Name, accent}, {md.Domain, plain}, {md.Owner, plain}, {strings.Join(places, ", "), dim}})
	}
	s := &sheet{grid: listGrid([]string{"product", "domain", "owner", "found in"}, rows), empty: fmt.Sprintf("No product has all of %q.", words)}
	s.open = func(row []span) tea.Cmd { return m.goTo(row[0].text) }
	m.push(&overlay{title: "Search: " + words, body: s, scope: inGrid})
	return nil
}

// again asks for what is shown once more.
func (m *Model) again() tea.Cmd {
	if m.top() == nil {
		return tea.Batch(m.openPane(true), m.poll())
	}
	return m.poll()
}

func (m *Model) sortTree(by int) tea.Cmd {
	if by == 0 {
		m.tree.desc = !m.tree.desc
	} else {
		m.tree.sort = (m.tree.sort + by) % len(sorts())
		m.tree.desc = m.tree.sort != 0 // the largest first, names from a
	}
	return m.sorted()
}
