package tui

import (
	"fmt"
	"strconv"

	"github.com/meshctl/meshctl/internal/browse"
)

// roleOf is the colour of how something fares.
func roleOf(r browse.Rank) role {
	return [...]role{good, dim, warning, bad, bad}[r]
}

// shown is how something fares, with its sign.
func shown(h browse.Health) span { return span{h.String(), roleOf(h.Rank)} }

// number is a whole number with its thousands apart.
func number(n int) string { return grouped(strconv.Itoa(n)) }

// perSecond is a rate in few characters.
func perSecond(r float64) string {
	switch {
	case r < 0.05:
		return "0"
	case r < 10:
		return fmt.Sprintf("%.1f", r)
	}
	return number(int(r + 0.5))
}

// spark is values as a line of blocks w cells wide, the newest to the right.
func spark(values []float64, w int) string {
	if len(values) > w {
		values = values[len(values)-w:]
	}
	top := 0.0
	for _, v := range values {
		top = max(top, v)
	}
	blocks := []rune("▁▂▃▄▅▆▇█")
	out := make([]rune, 0, len(values))
	for _, v := range values {
		i := 0
		if top > 0 {
			i = int(v/top*float64(len(blocks)-1) + 0.5)
		}
		out = append(out, blocks[i])
	}
	return string(out)
}
