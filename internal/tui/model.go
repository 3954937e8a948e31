// Package tui is the screens of meshctl ui: the mesh as a tree of domains, products and
// ports, what there is to know of each in tabs beside it, and an SQL editor. It draws
// itself; what it shows comes from a Source.
//
// Nothing on the screen waits for the mesh: every call runs beside it, with a context,
// and its answer comes as a message. An answer that was overtaken, because the cursor has
// moved on, is known by its number and dropped.
//
// A screen is lines of spans, text with a role, and only themes know colours.
// So text from the mesh cannot drive the terminal, and frames are the same without colour.
// Charts are drawn here: the library for it, ntcharts, knows only bubbletea v1.
package tui

import (
	"context"
	"io"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/theme"
	"github.com/meshctl/meshctl/internal/work"
)

// Options say how the screens are to be.
type Options struct {
	Start    string // the product or port that the cursor is on at first, "" for the first
	Theme    string // of Themes; "" for the default
	ReadOnly bool   // nothing in the mesh is changed
	Color    bool
	Dir      string // where files are written
	Now      func() time.Time

	In      io.Reader // a terminal
	Out     io.Writer
	Environ []string
}

// Model is the state of the screens.
type Model struct {
	src  browse.Source
	o    Options
	ctx  context.Context
	work *work.Work

	width, height int
	dark          bool
	theme         theme.Theme
	st            *styles

	mesh   *browse.State
	tree   *tree
	pane   pane
	inPane bool // the keys go to the pane, not the tree
	over   []*overlay
	sql    *sqlScreen
	prompt *prompt
	notice notice

	watch    *feed[change]
	watchGen int
	watching bool
	polling  bool
	started  bool  // the cursor has been put on Options.Start
	failed   error // of the watch
	tick     func() tea.Cmd

	tabEdges    []int
	afterAnswer func(*grid)
}

// change is what a watch tells: the whole catalog, or one entry.
type change struct {
	all   catalog.Catalog
	whole bool
	name  string
	entry *catalog.Entry
}

type (
	tickMsg  struct{}
	spinMsg  struct{ gen int }
	watchMsg struct {
		gen     int
		changes []change
		ended   bool
		err     error
	}
	pollMsg struct {
		reach    error
		answered []catalog.Entry
		silent   []string
	}
)

func newModel(ctx context.Context, src browse.Source, o Options) *Model {
	m := &Model{
		src: src, o: o, ctx: ctx, work: &work.Work{}, dark: true,
		mesh: browse.NewState(o.Now()), tree: newTree(), width: 80, height: 24,
		tick: func() tea.Cmd { return tea.Tick(time.Second, func(time.Time) tea.Msg { return tickMsg{} }) },
	}
	m.theme, _ = theme.Named(o.Theme)
	if !o.Color {
		m.theme, _ = theme.Named("mono")
	}
	m.st = stylesOf(m.theme, m.dark)
	m.sql = newSQLScreen(m.st)
	return m
}

func (m *Model) now() time.Time { return m.o.Now() }

func (m *Model) paint() {
	m.st = stylesOf(m.theme, m.dark)
	m.sql.paint(m.st)
}

// Init begins to watch the mesh.
func (m *Model) Init() tea.Cmd {
	return tea.Batch(tea.RequestBackgroundColor, m.startWatch(), m.tick())
}

func (m *Model) startWatch() tea.Cmd {
	m.watch.stop()
	m.watchGen++
	m.watching = true
	gen := m.watchGen
	m.watch = startFeed(m, func(ctx context.Context, emit func(change) error) error {
		return m.src.Watch(ctx,
			func(all catalog.Catalog) error { return emit(change{all: all, whole: true}) },
			func(name string, e *catalog.Entry) error { return emit(change{name: name, entry: e}) })
	}, func(changes []change, ended bool, err error) tea.Msg { return watchMsg{gen, changes, ended, err} })
	return m.watch.next()
}

// poll asks whether the hub is there, and the products on the screen how they fare.
func (m *Model) poll() tea.Cmd {
	if m.polling {
		return nil
	}
	m.polling = true
	names := m.tree.visible()
	if p := m.tree.at.product; m.inPane && p != "" {
		names = []string{p}
	}
	for _, name := range m.mesh.Doubtful() {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return m.ask(m.ctx, func(ctx context.Context) tea.Msg {
		ctx, cancel := context.WithTimeout(ctx, callLimit)
		defer cancel()
		msg := pollMsg{reach: m.src.Reach(ctx)}
		if msg.reach == nil && len(names) > 0 {
			msg.answered, msg.silent = m.src.Entries(ctx, names)
		}
		return msg
	})
}

// Update takes one message in.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) { return m, m.update(msg) }

func (m *Model) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		if m.pane.body == nil && !m.pane.busy {
			return m.openPane(false)
		}
	case tea.BackgroundColorMsg:
		m.dark = msg.IsDark()
		m.paint()
	case tea.KeyPressMsg:
		return m.press(msg)
	case tea.PasteMsg:
		return m.paste(msg)
	case tea.MouseClickMsg:
		return m.click(msg.X, msg.Y)
	case tea.MouseWheelMsg:
		return m.wheel(tea.Mouse(msg))
	case tickMsg:
		return m.second()
	case watchMsg:
		return m.gotChanges(msg)
	case pollMsg:
		return m.gotPoll(msg)
	case openMsg:
		if msg.gen == m.pane.gen && m.pane.busy {
			if _, p := m.target(); p != nil {
				return tabs()[m.pane.tab].load(m)
			}
		}
	case paneMsg:
		m.gotPane(msg)
	case streamMsg:
		return m.gotStream(msg)
	case chartMsg:
		return m.gotChart(msg)
	case answerMsg:
		cmd := m.gotAnswer(msg)
		if m.afterAnswer != nil && m.sql.result != nil {
			m.afterAnswer(m.sql.result)
			m.afterAnswer = nil
		}
		return tea.Batch(cmd, spin(msg.gen))
	case rowsMsg:
		m.gotRows(msg)
	case spinMsg: // the figures of a statement that runs are drawn anew
		if msg.gen == m.sql.gen && m.sql.cancel != nil {
			return spin(msg.gen)
		}
	case doneMsg:
		return m.gotDone(msg)
	default:
		return m.pass(msg)
	}
	return nil
}

func spin(gen int) tea.Cmd {
	return tea.Tick(150*time.Millisecond, func(time.Time) tea.Msg { return spinMsg{gen} })
}

// pass gives a message to what is being typed into, such as the blinking of its cursor.
func (m *Model) pass(msg tea.Msg) tea.Cmd {
	if m.prompt != nil {
		return m.promptMsg(msg)
	}
	if m.scope() == inEditor {
		var cmd tea.Cmd
		m.sql.editor, cmd = m.sql.editor.Update(msg)
		return cmd
	}
	return nil
}

func (m *Model) paste(msg tea.PasteMsg) tea.Cmd {
	if m.prompt == nil && m.scope() != inEditor {
		return m.complain("there is nothing to paste into here; e opens the SQL editor")
	}
	m.sql.touch(m.prompt == nil)
	return m.pass(msg)
}

// second is what happens once a second.
func (m *Model) second() tea.Cmd {
	m.mesh.Tick(m.now())
	cmds := []tea.Cmd{m.tick(), m.poll()}
	if !m.watching && m.mesh.Down == nil {
		cmds = append(cmds, m.startWatch())
	}
	m.redraw()
	return tea.Batch(cmds...)
}

// redraw takes what is known of the mesh into the tree and the pane.
func (m *Model) redraw() {
	m.tree.build(m.mesh)
	if m.pane.of == m.tree.at {
		m.refreshPane()
	}
	for _, o := range m.over {
		if o.again != nil {
			o.again()
		}
	}
}

func (m *Model) gotChanges(msg watchMsg) tea.Cmd {
	if msg.gen != m.watchGen {
		return nil
	}
	m.mesh.Now = m.now()
	if msg.ended {
		m.watching, m.failed = false, msg.err
		return nil
	}
	m.failed = nil
	for _, c := range msg.changes {
		switch {
		case c.whole:
			m.mesh.Reset(c.all)
		case c.entry == nil:
			m.mesh.Remove(c.name)
		default:
			m.mesh.Put(*c.entry)
		}
	}
	m.redraw()
	cmds := []tea.Cmd{m.watch.next()}
	if !m.started && m.mesh.Loaded {
		m.started = true
		cmds = append(cmds, m.begin())
	}
	if m.pane.of != m.tree.at {
		cmds = append(cmds, m.openPane(false))
	}
	return tea.Batch(cmds...)
}

// begin puts the cursor where it is to be at first.
func (m *Model) begin() tea.Cmd {
	if m.o.Start != "" {
		return m.goTo(m.o.Start)
	}
	for _, b := range m.tree.rows { // the first product, for a domain has little to show
		if b.of.product != "" {
			m.tree.at = b.of
			break
		}
	}
	return m.openPane(false)
}

func (m *Model) gotPoll(msg pollMsg) tea.Cmd {
	m.polling = false
	m.mesh.Now = m.now()
	back := m.mesh.Reached(msg.reach)
	for _, e := range msg.answered {
		m.mesh.Answered(e)
	}
	for _, name := range msg.silent {
		m.mesh.Hush(name)
	}
	m.mesh.Tick(m.now())
	m.redraw()
	if back {
		return tea.Batch(m.startWatch(), m.openPane(true))
	}
	return nil
}

func (m *Model) gotChart(msg chartMsg) tea.Cmd {
	if msg.err != nil {
		return m.complain("chart: %s", msg.err)
	}
	m.push(&overlay{title: "Chart", scope: inChart, body: chartBody{msg.chart}})
	return nil
}

func (m *Model) gotDone(msg doneMsg) tea.Cmd {
	switch {
	case msg.err != nil:
		m.notice = notice{msg.err.Error(), bad}
	case msg.text != "":
		m.notice = notice{msg.text, good}
	}
	if msg.again {
		return m.openPane(true)
	}
	return nil
}
