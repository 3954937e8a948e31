package render

import (
	"fmt"
	"math"
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
// at most total cells: the widest give way first, none below minWidth. With a total
// of 0 nothing is cut, but a cell beyond padWidth does not widen its whole column.
func fit(widths []int, total int) []int {
	room := total - gap*(len(widths)-1)
	most := 0
	for _, w := range widths {
		most = max(most, w)
	}
	if total <= 0 {
		room, most = math.MaxInt, min(most, padWidth)
	}
	fitted := make([]int, len(widths))
	for most = min(most, max(room, minWidth)); ; most-- {
		sum := 0
		for i, w := range widths {
			fitted[i] = min(w, most)
			sum += fitted[i]
		}
		if sum <= room || most <= minWidth {
			return fitted
		}
	}
}

const (
	gap      = 2
	minWidth = 6
	padWidth = 400
)

// Text is s with its control characters made visible, so that what somebody published
// cannot drive the terminal.
func Text(s string) string { return plain(s) }
