package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	tea "charm.land/bubbletea/v2"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/render"
	"github.com/meshctl/meshctl/internal/serve"
	"github.com/meshctl/meshctl/internal/spool"
)

// ranMsg says that a statement has ended.
type ranMsg struct {
	gen    int
	sql    string
	rows   *spool.Spool // what has come, also with an error; nil for nothing
	answer serve.QueryAnswer
	err    error
}

// query runs a statement.
func (m *model) query(sql string) tea.Cmd {
	m.last = sql
	var kept atomic.Pointer[spool.Spool]
	r := m.o.Request
	r.SQL, r.Args = sql, Used(sql, r.Args)
	if m.out.f != nil { // a file gets everything
		r.Limit = 0
	}
	cmd := m.begin("", func(ctx context.Context, gen int) tea.Msg {
		msg := ranMsg{gen: gen, sql: sql}
		msg.rows, msg.answer, msg.err = m.fetch(ctx, r, &kept)
		return msg
	})
	m.running.rows = func() int {
		if s := kept.Load(); s != nil {
			return s.Len()
		}
		return 0
	}
	return cmd
}

// fetch asks the mesh and keeps the answer.
func (m *model) fetch(ctx context.Context, r serve.QueryRequest, kept *atomic.Pointer[spool.Spool]) (*spool.Spool, serve.QueryAnswer, error) {
	var none serve.QueryAnswer
	mesh, err := m.link.reach(ctx)
	if err != nil {
		return nil, none, err
	}
	a, err := mesh.Query(ctx, r)
	if err != nil {
		return nil, none, asked(ctx, err)
	}
	s, err := spool.New(a.Schema())
	if err != nil {
		return nil, none, errors.Join(err, a.Close())
	}
	kept.Store(s)
	f, err := spool.Fill(ctx, a, s)
	return s, f, asked(ctx, err)
}

// asked is the error of a call, which is the person's own doing where they stopped it.
func asked(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// ran shows a statement's answer.
func (m *model) ran(msg ranMsg) tea.Cmd {
	m.running = nil
	if msg.rows != nil {
		if err := m.forget(); err != nil {
			return m.fail(err, "")
		}
		m.answer, m.ended = msg.rows, msg.answer
	}
	if m.watch != nil {
		return m.watched(msg)
	}
	if msg.err != nil {
		return m.fail(msg.err, msg.sql)
	}
	if m.out.f != nil {
		return m.toFile(msg)
	}
	return m.show()
}

// toFile writes an answer to the file that \o or \once named.
func (m *model) toFile(msg ranMsg) tea.Cmd {
	path, once := m.out.path, m.out.once
	_, err := write(m.ctx, m.out.f, msg.rows.Rows(), render.Options{Format: m.out.format})
	if once || err != nil {
		err = errors.Join(err, m.out.close())
	}
	if err != nil {
		return m.fail(fmt.Errorf("write %s: %w", path, err), "")
	}
	return m.say(append(m.footer(), m.look.lines(dim, "written to "+path, m.width)...)...)
}

// show shows the last answer: above the prompt, or in a pager where it is longer than the
// screen.
func (m *model) show() tea.Cmd {
	if f := m.format; m.answer.Len() > m.height-3 && (f == render.Table || f == render.Wide) && m.pagerProgram() == "" {
		return m.openPager()
	}
	if m.answer.Len() > m.height-3 && m.pagerProgram() != "" {
		return m.pipe()
	}
	text, truncated, err := m.drawn(m.width)
	if err != nil {
		return m.fail(err, "")
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if m.answer.Len() == 0 && m.format == render.Table && len(m.answer.Schema().Fields()) == 0 {
		lines = nil
	}
	return m.say(append(lines, m.notes(truncated)...)...)
}

// drawn is the last answer in the format that was chosen.
func (m *model) drawn(w int) (text string, truncated bool, err error) {
	var b bytes.Buffer
	o := render.Options{Format: m.format, Color: m.o.Color}
	if m.format == render.Table {
		o.Width = w
	}
	truncated, err = write(m.ctx, forTerminal(&b, m.format), m.answer.Rows(), o)
	return b.String(), truncated, err
}

// notes are what stands below an answer.
func (m *model) notes(truncated bool) []string {
	lines := m.footer()
	if truncated {
		lines = append(lines, m.look.lines(warning, `cut to the terminal's width: \x shows a column a line, \format wide all of it`, m.width)...)
	}
	return lines
}

// footer says how many rows there are and as of when, and what was left out.
func (m *model) footer() []string {
	lines := m.look.footer(m.answer.Len(), m.ended, m.timing, m.width)
	if m.ended.More {
		lines = append(lines, m.look.lines(warning, fmt.Sprintf(`the first %s: \limit 0 shows all, \export FILE writes all`, count(m.answer.Len(), "row")), m.width)...)
	}
	return lines
}

// output is the file that answers go to.
type output struct {
	f      *os.File
	path   string
	format render.Format
	once   bool
}

// open makes the file, and replaces one that is there.
func (o *output) open(path string, chosen render.Format, once bool) error {
	format, err := formatOf(path, chosen)
	if err != nil {
		return err
	}
	if format == parquet {
		return fault.New(fault.Invalid, `write the last answer with \export`, "a Parquet file holds one answer")
	}
	f, err := os.Create(path)
	if err != nil {
		return fault.New(fault.Invalid, "check the path", "write answers: %w", err)
	}
	if err := o.close(); err != nil {
		return errors.Join(err, f.Close())
	}
	*o = output{f, path, format, once}
	return nil
}

func (o *output) close() error {
	f := o.f
	*o = output{}
	if f == nil {
		return nil
	}
	return f.Close()
}
