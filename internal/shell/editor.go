package shell

import (
	"strings"

	"charm.land/bubbles/v2/textarea"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// editor is what is being typed at the prompt. Keys are bubbles' affair; what it looks
// like is ours, for it is highlighted.
type editor struct{ textarea.Model }

const (
	firstPrompt = "mesh> "
	nextPrompt  = "   -> "
	editorMost  = 1 << 20 // bytes
	editorLines = 10_000
)

func newEditor() editor {
	e := editor{textarea.New()}
	e.Prompt, e.ShowLineNumbers, e.CharLimit, e.MaxHeight = "", false, editorMost, editorLines
	e.SetVirtualCursor(false)
	e.Focus()
	return e
}

// at is the byte of the text that the cursor is before.
func (e *editor) at() int {
	lines := strings.SplitAfter(e.Value(), "\n")
	n := 0
	for _, l := range lines[:e.Line()] {
		n += len(l)
	}
	line := []rune(strings.TrimSuffix(lines[e.Line()], "\n"))
	return n + len(string(line[:min(e.Column(), len(line))]))
}

// set replaces the text and puts the cursor before one of its bytes.
func (e *editor) set(text string, at int) {
	e.SetValue(text)
	before := text[:at]
	e.MoveToBegin()
	for range strings.Count(before, "\n") {
		e.CursorEnd()
		e.CursorDown()
	}
	e.SetCursorColumn(len([]rune(before[strings.LastIndex(before, "\n")+1:])))
}

func (e *editor) fill(text string) { e.set(text, len(text)) }

// key gives the editor a key or what was pasted.
func (e *editor) key(msg tea.Msg) tea.Cmd {
	var cmd tea.Cmd
	e.Model, cmd = e.Update(msg)
	return cmd
}

// drawn is a text as it looks at the prompt.
type drawn struct {
	lines []string
	x, y  int // of the cursor
}

// draw is a text with prompts and colours, folded to w cells; the cursor is before the
// byte at.
func (l *look) draw(text string, at, w int) drawn {
	d := drawn{}
	var b strings.Builder
	x := width(firstPrompt)
	b.WriteString(l.in(accent, firstPrompt))
	end := func() {
		d.lines = append(d.lines, b.String())
		b.Reset()
	}
	mark := func(pos int) {
		if pos <= at {
			d.x, d.y = x, len(d.lines)
		}
	}
	pos := 0
	pieces := []piece{{plain, text}}
	if !isCommand(text) {
		pieces = l.paintSQL(lex(text))
	} else if name, rest, spaced := strings.Cut(text, " "); true {
		pieces = []piece{{accent, name}, {plain, map[bool]string{true: " "}[spaced] + rest}}
	}
	for _, p := range pieces {
		var run strings.Builder
		flush := func() {
			b.WriteString(l.in(p.role, run.String()))
			run.Reset()
		}
		for rest := p.text; rest != ""; {
			c, cw := ansi.FirstGraphemeCluster(rest, ansi.GraphemeWidth)
			rest = rest[len(c):]
			if c == "\n" {
				mark(pos)
				flush()
				end()
				b.WriteString(l.in(dim, nextPrompt))
				x, pos = width(nextPrompt), pos+1
				continue
			}
			if x+cw > w {
				flush()
				end()
				b.WriteString(strings.Repeat(" ", width(nextPrompt)))
				x = width(nextPrompt)
			}
			mark(pos)
			run.WriteString(c)
			x, pos = x+cw, pos+len(c)
		}
		flush()
	}
	if x >= w { // the cursor has a place of its own behind the text
		end()
		b.WriteString(strings.Repeat(" ", width(nextPrompt)))
		x = width(nextPrompt)
	}
	mark(pos)
	end()
	return d
}

// window is the part of what was drawn that fits h lines, around the cursor.
func (d drawn) window(h int) drawn {
	if len(d.lines) <= h {
		return d
	}
	top := max(0, min(d.y-h/2, len(d.lines)-h))
	return drawn{lines: d.lines[top : top+h], x: d.x, y: d.y - top}
}
