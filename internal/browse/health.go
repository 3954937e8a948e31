package browse

import (
	"cmp"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/product"
)

// Rank orders how things fare, the worst last.
type Rank int

// The ranks.
const (
	Well  Rank = iota
	Quiet      // not meant to be used, or not any more
	Warn
	Error
	Gone
)

// Sign is the rank as a shape of its own, so that no colour is needed.
func (r Rank) Sign() string { return [...]string{"●", "◌", "▲", "✖", "○"}[r] }

// Health is how something fares, with a few words.
type Health struct {
	Rank Rank   `json:"rank"`
	Text string `json:"text"`
}

// String is the sign and the words.
func (h Health) String() string { return h.Rank.Sign() + " " + h.Text }

// PortHealth is how a port of an entry fares.
func (s *State) PortHealth(e *catalog.Entry, p *catalog.Port) Health {
	now, status := s.AsOf(), cmp.Or(e.Product.Metadata.Status, product.StatusActive)
	switch {
	case e.Gone(now):
		return Health{Gone, "gone " + catalog.Ago(now, e.Seen)}
	case s.Mute(e):
		return Health{Error, "no answer"}
	case p.Error != "":
		return Health{Error, "error"}
	case inputError(e):
		return Health{Error, "input error"}
	case p.Stale(now):
		return Health{Warn, "stale"}
	case p.Dead > 0:
		return Health{Warn, "dead letters"}
	case status == product.StatusActive:
		return Health{Well, status}
	}
	return Health{Quiet, status}
}

func inputError(e *catalog.Entry) bool {
	for _, in := range e.Inputs {
		if in.Error != "" {
			return true
		}
	}
	return false
}

// Health is that of the worst of a product's ports.
func (s *State) Health(e *catalog.Entry) Health {
	worst := Health{Well, cmp.Or(e.Product.Metadata.Status, product.StatusActive)}
	if len(e.Ports) == 0 { // it may be gone all the same
		return s.PortHealth(e, &catalog.Port{})
	}
	for i := range e.Ports {
		if h := s.PortHealth(e, &e.Ports[i]); h.Rank > worst.Rank {
			worst = h
		}
	}
	return worst
}
