package tui

import (
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/meshctl/meshctl/internal/render"
)

// role is what a piece of text is for; the theme says how that looks.
type role int

const (
	plain role = iota
	dim        // beside the point
	strong
	accent // what can be chosen
	good
	warning
	bad
	roles
)

// span is a piece of text in one role. What stands in it need not be trusted: it is made
// harmless to a terminal when it is drawn.
type span struct {
	text string
	role role
}

// line is one line of a screen.
type line struct {
	spans  []span
	chosen bool   // the cursor is on it
	lit    bool   // chosen, in the part of the screen that has the keys
	raw    string // drawn already, in place of spans
}

func in(r role, text string) span { return span{text, r} }

func spans(s ...span) line { return line{spans: s} }

// width is how many cells of a terminal a text takes.
func width(s string) int { return ansi.StringWidth(s) }

// cut is s in at most w cells.
func cut(s string, w int) string { return ansi.Truncate(s, max(w, 0), "…") }

// left is s in exactly w cells, from their left.
func left(s string, w int) string {
	s = cut(clean(s), w)
	return s + strings.Repeat(" ", max(0, w-width(s)))
}

// right is s in exactly w cells, to their right.
func right(s string, w int) string {
	s = cut(clean(s), w)
	return strings.Repeat(" ", max(0, w-width(s))) + s
}

// clean is s without anything that a terminal would act upon.
func clean(s string) string { return render.Text(s) }

// draw is the line in exactly w cells.
func (l line) draw(st *styles, w int) string {
	if l.raw != "" {
		text := ansi.Truncate(l.raw, w, "")
		return text + strings.Repeat(" ", max(0, w-width(text)))
	}
	var b strings.Builder
	room := w
	mark := func(r role) lipgloss.Style {
		switch {
		case l.lit:
			return st.lit
		case l.chosen:
			return st.chosen
		}
		return st.roles[r]
	}
	for _, s := range l.spans {
		if room <= 0 {
			break
		}
		text := cut(clean(s.text), room)
		room -= width(text)
		b.WriteString(mark(s.role).Render(text))
	}
	if room > 0 {
		b.WriteString(mark(plain).Render(strings.Repeat(" ", room)))
	}
	return b.String()
}

// page is lines in exactly w by h cells.
func page(st *styles, lines []line, w, h int) []string {
	out := make([]string, h)
	for i := range out {
		var l line
		if i < len(lines) {
			l = lines[i]
		}
		out[i] = l.draw(st, w)
	}
	return out
}

// fold breaks a text into lines of at most w cells, at spaces where there are any.
func fold(text string, w int) []string {
	var out []string
	for para := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		out = append(out, strings.Split(ansi.Wrap(clean(para), max(w, 8), " "), "\n")...)
	}
	return out
}

// grouped is a number with its thousands apart.
func grouped(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return sign + b.String()
}

// count is "1 thing" or "1,234 things".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return number(n) + " " + thing + "s"
}
