package tui

import (
	"context"
	"errors"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/serve"
)

// tab is one view of what the cursor is on.
type tab struct {
	name string
	does string
	port bool // it is about one port
	// make is the body from what is known already; nil where the mesh is asked.
	make func(m *Model, s subject) body
	// load asks the mesh.
	load func(m *Model) tea.Cmd
}

func tabs() []tab {
	return []tab{
		{name: "Overview", does: "state, owner, promises, addresses", make: overview},
		{name: "Contract", does: "columns, types, keys, rules, quality", port: true, make: contractPane},
		{name: "Sample", does: "some rows", port: true, load: (*Model).loadSample},
		{name: "Stream", does: "records as they come", port: true, load: (*Model).loadStream},
		{name: "Lineage", does: "what it is made of and what is made of it", port: true, make: lineagePane},
		{name: "Consumers", does: "who reads it, and how far", port: true, make: consumersPane},
		{name: "Dead", does: "dead letters that wait", port: true, load: (*Model).loadDead},
	}
}

// The tabs that something else speaks of.
const (
	tabContract = 1
	tabSample   = 2
	tabStream   = 3
	tabDead     = 6
)

// pane is the tab that is open, of what the cursor is on.
type pane struct {
	tab    int
	of     subject
	gen    int // of what was asked; an answer of an earlier one is dropped
	body   body
	busy   bool
	err    error
	cancel context.CancelFunc

	stream  *feed[serve.Record]
	records []serve.Record // of the stream, the newest last
	paused  bool
	missed  int // records that came while it was paused
}

// settle is how long the cursor rests on something before the mesh is asked about it.
const settle = 150 * time.Millisecond

type openMsg struct{ gen int }

// openPane shows the tab of what the cursor is on now. At once says not to wait whether
// the cursor goes on.
func (m *Model) openPane(atOnce bool) tea.Cmd {
	m.closePane()
	p := &m.pane
	p.gen++
	p.of, p.body, p.err, p.busy = m.tree.at, nil, nil, false
	p.records, p.paused, p.missed = nil, false, 0
	t := tabs()[p.tab]
	if t.port {
		if _, port := m.target(); port == nil {
			return nil
		}
	}
	if t.make != nil {
		p.body = t.make(m, p.of)
		return nil
	}
	if !m.paneShown() {
		return nil
	}
	p.busy = true
	gen := p.gen
	if atOnce {
		return func() tea.Msg { return openMsg{gen} }
	}
	return tea.Tick(settle, func(time.Time) tea.Msg { return openMsg{gen} })
}

func (m *Model) closePane() {
	m.pane.stream.stop()
	m.pane.stream = nil
	if m.pane.cancel != nil {
		m.pane.cancel()
		m.pane.cancel = nil
	}
}

// paneContext ends when the pane shows something else.
func (m *Model) paneContext() context.Context {
	ctx, cancel := context.WithTimeout(m.ctx, callLimit)
	m.pane.cancel = cancel
	return ctx
}

// callLimit is how long the mesh may take to answer before the screen says so.
const callLimit = 15 * time.Second

// refreshPane takes what has become known since into the pane that is open.
func (m *Model) refreshPane() {
	p := &m.pane
	t := tabs()[p.tab]
	if t.make == nil {
		return
	}
	if _, port := m.target(); t.port && port == nil {
		p.body = nil
		return
	}
	fresh := t.make(m, p.of)
	switch old := p.body.(type) {
	case *text:
		if now, ok := fresh.(*text); ok {
			now.top = old.top
		}
	case *sheet:
		if now, ok := fresh.(*sheet); ok {
			g := now.grid
			old.grid.show(g.source)
			now.grid = old.grid
		}
	}
	p.body = fresh
}

// target is the entry and the port that the cursor is on. On a product it is the port of
// its name, or else its first; on a domain there is none.
func (m *Model) target() (*catalog.Entry, *catalog.Port) {
	at := m.tree.at
	e := m.mesh.All.Product(at.product)
	if e == nil || len(e.Ports) == 0 {
		return e, nil
	}
	if at.port == "" {
		if _, p, err := m.mesh.All.Port(at.product); err == nil {
			return e, p
		}
		return e, &e.Ports[0]
	}
	for i := range e.Ports {
		if e.Ports[i].Address == at.port {
			return e, &e.Ports[i]
		}
	}
	return e, nil
}

// drawPane is the tabs and the open one in w by h cells.
func (m *Model) drawPane(w, h int, lit bool) []line {
	lines := []line{m.drawTabs(w, lit)}
	p := &m.pane
	head := spans(in(strong, " "+p.of.String()))
	if e, port := m.target(); e != nil {
		hl := m.mesh.Health(e)
		if port != nil && tabs()[p.tab].port {
			head = spans(in(strong, " "+port.Address))
			hl = m.mesh.PortHealth(e, port)
		}
		head.spans = append(head.spans, span{"  " + hl.String(), roleOf(hl.Rank)})
	}
	lines = append(lines, head)
	say := func(r role, texts ...string) []line {
		lines = append(lines, line{})
		for _, t := range texts {
			for _, l := range fold(t, w-2) {
				lines = append(lines, spans(in(r, " "+l)))
			}
		}
		return lines
	}
	switch _, port := m.target(); {
	case tabs()[p.tab].port && port == nil:
		return say(dim, "This is about one port. Move the cursor to a product or a port.")
	case p.err != nil:
		lines = say(bad, "✖ "+p.err.Error())
		if hint := fault.HintOf(p.err); hint != "" {
			lines = say(plain, hint)
		}
		return say(dim, "r tries again")
	case p.body == nil:
		return say(dim, "asking "+p.of.String()+" …")
	}
	return append(lines, p.body.draw(m, w, h-len(lines), lit)...)
}

// drawTabs is the line of tabs; where there is little room, each is its number and a few letters.
func (m *Model) drawTabs(w int, lit bool) line {
	all := tabs()
	need := 1
	for _, t := range all {
		need += len("1 ") + len(t.name) + 1
	}
	most := 99
	if need > w {
		most = max(1, (w-2-len(all[m.pane.tab].name))/len(all)-3)
	}
	l := line{}
	x := 0
	m.tabEdges = m.tabEdges[:0]
	for i, t := range all {
		before, after, r := " ", "", dim
		name := t.name
		if i == m.pane.tab {
			before, after, r = "‹", "›", accent
			if lit {
				r = strong
			}
		} else {
			name = name[:min(len(name), most)]
			if i == m.pane.tab+1 {
				before = ""
			}
		}
		label := string(rune('1'+i)) + " " + name
		l.spans = append(l.spans, in(accent, before), in(r, label), in(accent, after))
		m.tabEdges = append(m.tabEdges, x)
		x += width(before + label + after)
	}
	return l
}

// paneMsg is a pane's content that was asked for, or why there is none.
type paneMsg struct {
	gen  int
	body func() body
	err  error
}

func (m *Model) gotPane(msg paneMsg) {
	p := &m.pane
	if msg.gen != p.gen || errors.Is(msg.err, context.Canceled) {
		return
	}
	p.busy = false
	if p.err = msg.err; p.err == nil {
		old := gridOf(p.body)
		p.body = msg.body()
		if g := gridOf(p.body); g != nil && old != nil { // asked again: the cursor stays
			g.row, g.col, g.top, g.first, g.filter, g.sorted = old.row, old.col, old.top, old.first, old.filter, old.sorted
			g.show(g.source)
		}
	}
}
