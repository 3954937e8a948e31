package shell

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/meshctl/meshctl/internal/render"
	"github.com/meshctl/meshctl/internal/serve"
	"github.com/meshctl/meshctl/internal/spool"
	"github.com/meshctl/meshctl/internal/work"
)

// model is the state of the shell.
type model struct {
	o    Options
	ctx  context.Context
	work *work.Work
	link *link

	width, height int
	look          *look
	editor        editor
	history       *history
	search        *search
	menu          *menu
	hint          string // below the prompt, until the next key

	format render.Format
	before render.Format // \x turned records on
	timing bool
	out    output

	busy    bool      // something is being done; keys wait
	waiting []tea.Msg // keys and what was pasted meanwhile
	queue   []job
	gen     int      // of what was begun last
	running *running // what runs, nil for nothing that takes time
	pager   *pager
	watch   *watch

	settle func() tea.Cmd // waits until the pager has left the screen

	away *atomic.Bool // a program of the person's own has the terminal

	last   string // the last statement
	answer *spool.Spool
	ended  serve.QueryAnswer // of the answer
	quit   bool
}

// running is what runs beside the screen.
type running struct {
	gen    int
	what   string
	began  time.Time
	cancel context.CancelFunc
	rows   func() int
}

type (
	linkMsg struct{ err error }
	nextMsg struct{}          // go on with the queue
	spinMsg struct{ gen int } // draw what runs anew
	toldMsg struct {          // a command's answer
		gen   int
		lines []string
		err   error
		sql   string // that the error is about
	}
)

func newModel(ctx context.Context, o Options) *model {
	m := &model{
		o: o, ctx: ctx, work: &work.Work{}, away: &atomic.Bool{}, link: newLink(o.Connect), width: 80, height: 24,
		look: newLook(o.Color, true), editor: newEditor(), timing: true, format: cmp.Or(o.Format, render.Table),
		settle: func() tea.Cmd { return tea.Exec(nothing{}, func(err error) tea.Msg { return pagedMsg{err} }) },
	}
	m.editor.SetWidth(m.width - width(firstPrompt))
	if m.o.Request.Limit == 0 {
		m.o.Request.Limit = LimitRows
	}
	return m
}

// Init begins to look for the mesh.
func (m *model) Init() tea.Cmd { return tea.Batch(tea.RequestBackgroundColor, m.connect()) }

// hello is what stands above the first prompt. It is written before the terminal is
// asked for its colours.
func (m *model) hello() []string {
	lines := []string{m.look.in(strong, "meshctl "+m.o.Version) + m.look.in(plain, cut(` · SQL ends with ; · \? helps · \q leaves`, m.width-9-width(m.o.Version)))}
	h, err := openHistory(m.o.History)
	if m.history = h; err != nil {
		lines = append(lines, m.look.problem(err, m.width)...)
	}
	return lines
}

// connect looks for the mesh beside the prompt, and tells when there is none.
func (m *model) connect() tea.Cmd {
	first := make(chan error, 1)
	m.work.Go(func() {
		defer close(first)
		m.link.follow(m.ctx, func(err error) { first <- err })
	})
	return func() tea.Msg {
		if err, ok := <-first; ok {
			return linkMsg{err}
		}
		return nil
	}
}

// Update takes one message in.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) { return m, m.update(msg) }

func (m *model) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		m.editor.SetWidth(max(m.width-width(firstPrompt), 1))
	case tea.BackgroundColorMsg:
		m.look = newLook(m.o.Color, msg.IsDark())
	case tea.KeyPressMsg:
		return m.press(msg)
	case tea.PasteMsg:
		return m.paste(msg)
	case linkMsg:
		return m.print(append(m.look.problem(msg.err, m.width), m.look.in(dim, "the shell goes on looking for it"))...)
	case nextMsg:
		return m.next()
	case spinMsg:
		if m.running != nil && m.running.gen == msg.gen {
			return spin(msg.gen)
		}
	case toldMsg:
		return m.told(msg)
	case ranMsg:
		return m.ran(msg)
	case editedMsg:
		return m.edited(msg)
	case pagedMsg:
		return m.paged(msg)
	case watchMsg:
		return m.again(msg)
	default:
		if m.search == nil && !m.busy {
			return m.editor.key(msg)
		}
	}
	return nil
}

func spin(gen int) tea.Cmd {
	return tea.Tick(100*time.Millisecond, func(time.Time) tea.Msg { return spinMsg{gen} })
}

// print puts lines above the prompt, where they stay. No more of them than fit a screen
// go at once, for the terminal would scroll empty lines past.
func (m *model) print(lines ...string) tea.Cmd {
	var cmds []tea.Cmd
	for len(lines) > 0 {
		n := min(len(lines), max(m.height-2, 1))
		cmds = append(cmds, tea.Println(strings.Join(lines[:n], "\n")))
		lines = lines[n:]
	}
	return tea.Sequence(cmds...)
}

// say prints lines, then goes on with the queue.
func (m *model) say(lines ...string) tea.Cmd {
	return tea.Sequence(m.print(lines...), func() tea.Msg { return nextMsg{} })
}

// fail prints an error, with the place in a statement that it is about, and gives up what
// else was to be done.
func (m *model) fail(err error, sql string) tea.Cmd {
	left := len(m.queue)
	m.queue, m.watch = nil, nil
	if errors.Is(err, context.Canceled) {
		return m.say(m.look.in(warning, "stopped"))
	}
	lines := m.look.problem(err, m.width)
	if at := m.look.excerpt(sql, err.Error(), m.width); at != nil {
		hint := len(lines)
		for i, l := range lines {
			if i > 0 && strings.HasPrefix(l, "hint: ") {
				hint = i
			}
		}
		lines = append(lines[:hint:hint], append(at, lines[hint:]...)...)
	}
	if left > 0 {
		lines = append(lines, m.look.in(dim, count(left, "statement")+" after it left out"))
	}
	return m.say(lines...)
}

// submit does what is in the editor.
func (m *model) submit() tea.Cmd {
	typed := strings.TrimSpace(m.editor.Value())
	all, rest := jobs(typed)
	if rest != "" { // it may run without its semicolon only where that was asked for
		all = append(all, job{text: rest})
	}
	echo := m.echo()
	m.editor.Reset()
	m.menu, m.hint = nil, ""
	err := m.history.add(typed)
	m.queue, m.busy = append(m.queue, all...), true
	lines := echo
	if err != nil {
		lines = append(lines, m.look.problem(err, m.width)...)
	}
	return m.say(lines...)
}

// echo is the prompt as it stays above.
func (m *model) echo() []string {
	return m.look.draw(m.editor.Value(), 0, m.width).lines
}

// next does the next thing of the queue, or waits for keys.
func (m *model) next() tea.Cmd {
	if m.quit {
		return tea.Quit
	}
	if len(m.queue) > 0 {
		j := m.queue[0]
		m.queue = m.queue[1:]
		if j.command {
			return m.command(j.text)
		}
		return m.query(j.text)
	}
	m.busy, m.running = false, nil
	held := m.waiting
	m.waiting = nil
	var cmds []tea.Cmd
	for i, msg := range held {
		cmds = append(cmds, m.update(msg))
		if m.busy {
			m.waiting = append(m.waiting, held[i+1:]...)
			break
		}
	}
	return tea.Sequence(cmds...)
}

// begin runs a call beside the screen until it ends or the person stops it.
func (m *model) begin(what string, call func(ctx context.Context, gen int) tea.Msg) tea.Cmd {
	ctx, cancel := context.WithCancel(m.ctx)
	m.gen++
	gen := m.gen
	m.running = &running{gen: gen, what: what, began: m.o.Now(), cancel: cancel}
	return tea.Batch(spin(gen), func() tea.Msg {
		defer cancel()
		if !m.work.Begin() {
			return nil
		}
		defer m.work.Done()
		return call(ctx, gen)
	})
}

// told ends a command that took time.
func (m *model) told(msg toldMsg) tea.Cmd {
	m.running = nil
	if msg.err != nil {
		return m.fail(msg.err, msg.sql)
	}
	return m.say(msg.lines...)
}

// forget drops the last answer.
func (m *model) forget() error {
	old := m.answer
	m.answer = nil
	if old == nil {
		return nil
	}
	return old.Close()
}
