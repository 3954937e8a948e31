package shell

import (
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/render"
	"github.com/meshctl/meshctl/internal/theme"
)

// role is what a piece of text is for; the theme says how that looks.
type role int

const (
	plain role = iota
	dim
	strong
	accent
	good
	warning
	bad
	roles
)

// look is how roles look on this terminal.
type look [roles]lipgloss.Style

func newLook(color, dark bool) *look {
	l := &look{}
	if !color {
		return l
	}
	t, _ := theme.Named("")
	p := t.Light
	if dark {
		p = t.Dark
	}
	l[strong] = lipgloss.NewStyle().Bold(true)
	for r, hex := range map[role]string{dim: p.Dim, accent: p.Accent, good: p.Good, warning: p.Warning, bad: p.Bad} {
		l[r] = lipgloss.NewStyle().Foreground(lipgloss.Color(hex))
	}
	return l
}

// in is a text of one line in a role, with nothing in it that a terminal would act upon.
func (l *look) in(r role, s string) string {
	s = render.Text(s)
	if s == "" || r == plain {
		return s
	}
	return l[r].Render(s)
}

// lines is a text of several lines, folded to a width, in a role.
func (l *look) lines(r role, s string, w int) []string {
	var out []string
	for para := range strings.SplitSeq(strings.TrimRight(s, "\n"), "\n") {
		for folded := range strings.SplitSeq(ansi.Wrap(render.Text(para), max(w, 8), " "), "\n") {
			out = append(out, l.in(r, folded))
		}
	}
	return out
}

// problem tells an error with its hint.
func (l *look) problem(err error, w int) []string {
	out := l.lines(bad, "error: "+err.Error(), w)
	if hint := fault.HintOf(err); hint != "" {
		out = append(out, l.lines(plain, "hint: "+hint, w)...)
	}
	return out
}

func width(s string) int { return ansi.StringWidth(s) }

func cut(s string, w int) string { return ansi.Truncate(s, max(w, 0), "…") }

// pad is s in at least w cells.
func pad(s string, w int) string { return s + strings.Repeat(" ", max(0, w-width(s))) }

// paintSQL is tokens with their roles.
func (l *look) paintSQL(all []token) []piece {
	var out []piece
	for i, t := range all {
		r := plain
		switch t.kind {
		case text:
			r = good
		case number:
			r = warning
		case comment:
			r = dim
		case variable:
			r = warning
		case word:
			if isKeyword(t.text) && (i == 0 || all[i-1].text != ".") {
				r = accent
			}
		}
		out = append(out, piece{r, t.text})
	}
	return out
}

// piece is text in a role.
type piece struct {
	role role
	text string
}
