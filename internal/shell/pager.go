package shell

import (
	"fmt"
	"io"
	"os/exec"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/cell"
	"github.com/meshctl/meshctl/internal/render"
	"github.com/meshctl/meshctl/internal/spool"
)

// pager scrolls through an answer that is longer than the screen. Only the rows that are
// shown are read.
type pager struct {
	rows   *spool.Spool
	top    int // first row on the screen
	first  int // first column on the screen
	widths []int
	page   int  // rows on the screen
	more   bool // columns to the right are not on the screen
}

const (
	pagerWidest = 60 // cells of a column
	pagerGap    = 2
)

func (m *model) openPager() tea.Cmd {
	m.pager = &pager{rows: m.answer}
	for _, f := range m.answer.Schema().Fields() {
		m.pager.widths = append(m.pager.widths, min(width(render.Text(f.Name)), pagerWidest))
	}
	return nil
}

// pagerKey takes a key while the pager is shown.
func (m *model) pagerKey(name string) tea.Cmd {
	p := m.pager
	switch name {
	case "q", "esc", "ctrl+c", "ctrl+d":
		m.pager = nil
		return m.settle()
	case "up", "k":
		p.top--
	case "down", "j", "enter":
		p.top++
	case "pgup", "b", "ctrl+b", "ctrl+u":
		p.top -= p.page
	case "pgdown", "space", "f", "ctrl+f":
		p.top += p.page
	case "home", "g", "<":
		p.top = 0
	case "end", "G", ">":
		p.top = p.rows.Len()
	case "left", "h":
		p.first = max(0, p.first-1)
	case "right", "l":
		if p.more {
			p.first++
		}
	}
	return nil
}

// draw is the pager in exactly h lines.
func (p *pager) draw(l *look, w, h int) []string {
	p.page = max(h-2, 1)
	p.top = max(0, min(p.top, p.rows.Len()-p.page))
	fields := p.rows.Schema().Fields()
	var cells [][]piece
	for i := p.top; i < min(p.top+p.page, p.rows.Len()); i++ {
		row := make([]piece, len(fields))
		if err := p.rows.Row(i, func(b arrow.RecordBatch, at int) {
			for c, col := range b.Columns() {
				row[c] = piece{dim, "NULL"}
				if !cell.IsNull(col, at) {
					row[c] = piece{plain, render.Text(string(cell.AppendText(nil, col, at)))}
				}
				p.widths[c] = max(p.widths[c], min(width(row[c].text), pagerWidest))
			}
		}); err != nil {
			row = []piece{{bad, err.Error()}}
		}
		cells = append(cells, row)
	}
	head := make([]piece, len(fields))
	right := make([]bool, len(fields))
	for c, f := range fields {
		head[c], right[c] = piece{strong, strings.ToUpper(render.Text(f.Name))}, cell.IsNumber(f.Type)
	}
	lines := []string{p.line(l, head, right, w)}
	for _, row := range cells {
		lines = append(lines, p.line(l, row, right, w))
	}
	for len(lines) < h-1 {
		lines = append(lines, "")
	}
	return append(lines, p.state(l, w, len(cells)))
}

// nothing is a program that does nothing. When bubbletea has run it, the screen below the
// pager is shown, and what is printed is not lost.
type nothing struct{}

func (nothing) Run() error          { return nil }
func (nothing) SetStdin(io.Reader)  {}
func (nothing) SetStdout(io.Writer) {}
func (nothing) SetStderr(io.Writer) {}

// line is a row from the first column on the screen.
func (p *pager) line(l *look, row []piece, right []bool, w int) string {
	var b strings.Builder
	x := 0
	p.more = false
	for c := p.first; c < len(row); c++ {
		cw := p.widths[c]
		if x+cw > w && c > p.first {
			p.more = true
			break
		}
		cw = min(cw, w)
		text := cut(row[c].text, cw)
		gap := strings.Repeat(" ", max(0, cw-width(text)))
		if right[c] {
			b.WriteString(gap + l.in(row[c].role, text))
		} else {
			b.WriteString(l.in(row[c].role, text) + gap)
		}
		b.WriteString(strings.Repeat(" ", pagerGap))
		x += cw + pagerGap
	}
	return strings.TrimRight(cut(b.String(), w), " ")
}

// state is the pager's last line.
func (p *pager) state(l *look, w, shown int) string {
	text := fmt.Sprintf("rows %s to %s of %s", grouped(uint64(p.top+min(1, shown))), grouped(uint64(p.top+shown)), grouped(uint64(p.rows.Len())))
	if p.first > 0 || p.more {
		text += fmt.Sprintf(", from column %d of %d", p.first+1, len(p.widths))
	}
	return l.in(accent, cut(text, w)) + l.in(dim, cut("  arrows, pgup, pgdown, g, G scroll · q leaves", w-width(text)))
}

// pagerProgram is the person's own pager, "" for none.
func (m *model) pagerProgram() string { return m.o.Env("PAGER") }

type pagedMsg struct{ err error }

// pipe shows the last answer in the person's own pager, of which nothing is cut.
func (m *model) pipe() tea.Cmd {
	cmd := exec.CommandContext(m.ctx, "sh", "-c", m.pagerProgram())
	cmd.Env = m.o.Environ
	if m.o.Env("LESS") == "" {
		cmd.Env = append(cmd.Env, "LESS=FRSX")
	}
	r, w := io.Pipe()
	cmd.Stdin = r
	rows, format := m.answer.Rows(), m.format
	if format == render.Table {
		format = render.Wide
	}
	written := make(chan struct{})
	m.work.Go(func() {
		defer close(written)
		_, err := write(m.ctx, forTerminal(w, format), rows, render.Options{Format: format, Color: m.o.Color})
		w.CloseWithError(err) // one that has seen enough is no error
	})
	return m.outside(cmd, func(err error) tea.Msg {
		r.Close()
		<-written
		return pagedMsg{err}
	})
}

func (m *model) paged(msg pagedMsg) tea.Cmd {
	if msg.err != nil {
		return m.fail(fmt.Errorf("page with %s: %w", m.pagerProgram(), msg.err), "")
	}
	return m.say(m.footer()...)
}
