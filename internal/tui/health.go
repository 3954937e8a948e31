package tui

import (
	"fmt"
	"strconv"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/product"
)

// health is how something fares, as a sign, a colour and a few words, the worst last.
type health struct {
	rank int // 0 is well
	sign string
	role role
	text string
}

// signs by rank; each has a shape of its own, so that no colour is needed.
func healthOf(rank int, text string) health {
	signs := [...]health{{sign: "●", role: good}, {sign: "◌", role: dim}, {sign: "▲", role: warning}, {sign: "✖", role: bad}, {sign: "○", role: bad}}
	h := signs[rank]
	h.rank, h.text = rank, text
	return h
}

const (
	rankWell  = iota
	rankQuiet // not meant to be used, or not any more
	rankWarn
	rankError
	rankGone
)

// portHealth is how a port of an entry fares at now.
func portHealth(e *catalog.Entry, p *catalog.Port, now time.Time) health {
	status := e.Product.Metadata.Status
	switch {
	case e.Gone(now):
		return healthOf(rankGone, "gone "+catalog.Ago(now, e.Seen))
	case p.Error != "":
		return healthOf(rankError, "error")
	case inputError(e) != "":
		return healthOf(rankError, "input error")
	case p.Stale(now):
		return healthOf(rankWarn, "stale")
	case p.Dead > 0:
		return healthOf(rankWarn, "dead letters")
	case status == product.StatusActive || status == "":
		return healthOf(rankWell, product.StatusActive)
	}
	return healthOf(rankQuiet, status)
}

func inputError(e *catalog.Entry) string {
	for _, in := range e.Inputs {
		if in.Error != "" {
			return in.Name + ": " + in.Error
		}
	}
	return ""
}

// entryHealth is the worst of a product's ports.
func entryHealth(e *catalog.Entry, now time.Time) health {
	worst := healthOf(rankWell, cmpOr(e.Product.Metadata.Status, product.StatusActive))
	if e.Gone(now) {
		return healthOf(rankGone, "gone "+catalog.Ago(now, e.Seen))
	}
	for i := range e.Ports {
		if h := portHealth(e, &e.Ports[i], now); h.rank > worst.rank {
			worst = h
		}
	}
	return worst
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

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
