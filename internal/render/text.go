package render

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"

	"github.com/meshctl/meshctl/internal/cell"
)

// width measures text in cells of a terminal. It does not ask the environment, for
// the same answer must have the same bytes everywhere.
var width = &runewidth.Condition{StrictEmojiNeutral: true}

// plain is s with everything escaped that a terminal might act on instead of showing it.
func plain(s string) string {
	clean := true
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x100 && cell.Hostile(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		case cell.Hostile(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r) // U+FFFD for what is not UTF-8
		}
		i += size
	}
	return b.String()
}

// fit is how wide each column is to be so that all of them, two spaces between, take
// at most total cells: the widest give way first, none below minWidth, and no number of a
// common size, for half of one misleads. Where that is not enough the last columns have
// no width at all; there is room for a sign of that. With a total of 0 nothing is cut,
// but a cell beyond padWidth does not widen its whole column.
func fit(widths []int, number []bool, total int) []int {
	if total <= 0 {
		fitted := make([]int, len(widths))
		for i, w := range widths {
			fitted[i] = min(w, padWidth)
		}
		return fitted
	}
	for n := len(widths); n > 1; n-- {
		room := total - gap*(n-1)
		if n < len(widths) {
			room -= gap + 1
		}
		if fitted, ok := squeeze(widths[:n], number, room); ok {
			return fitted
		}
	}
	switch len(widths) {
	case 0:
		return nil
	case 1:
		return []int{min(widths[0], total)}
	}
	return []int{min(widths[0], max(total-gap-1, 1))}
}

// squeeze makes the columns as wide as fit into room, if they do.
func squeeze(widths []int, number []bool, room int) (fitted []int, ok bool) {
	fitted = make([]int, len(widths))
	for most := max(room, minWidth); ; most-- {
		sum := 0
		for i, w := range widths {
			if fitted[i] = w; !number[i] || w > maxWhole {
				fitted[i] = min(w, most)
			}
			sum += fitted[i]
		}
		if sum <= room {
			return fitted, true
		}
		if most <= minWidth {
			return nil, false
		}
	}
}

const (
	gap      = 2
	minWidth = 6
	maxWhole = 20 // the longest 64-bit integer
	padWidth = 400
)

// Cut is a line cut to a width, and whether it had to be; 0 cuts nothing.
func Cut(line string, to int) (string, bool) {
	if to <= 0 || width.StringWidth(line) <= to {
		return line, false
	}
	return width.Truncate(line, to, "…"), true
}

// Text is s with its control characters made visible, so that what somebody published
// cannot drive the terminal.
func Text(s string) string { return plain(s) }
