package browse

import (
	"slices"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
)

// gauge is how a log grew over the last minutes.
type gauge struct {
	at    []time.Time
	value []float64
}

const (
	gaugePoints = 240
	gaugeStep   = 900 * time.Millisecond // between two points
	gaugeWindow = 12 * time.Second       // that a rate is measured over
)

func (g *gauge) add(at time.Time, value float64) {
	if n := len(g.at); n > 0 && at.Sub(g.at[n-1]) < gaugeStep {
		return
	}
	g.at, g.value = append(g.at, at), append(g.value, value)
	if over := len(g.at) - gaugePoints; over > 0 {
		g.at, g.value = slices.Delete(g.at, 0, over), slices.Delete(g.value, 0, over)
	}
}

// rate is the growth over the last seconds; 0 when nothing was heard in them.
func (g *gauge) rate(now time.Time) float64 {
	n := len(g.at) - 1
	if n < 1 || now.Sub(g.at[n]) > 2*gaugeWindow {
		return 0
	}
	first := n - 1
	for first > 0 && g.at[n].Sub(g.at[first-1]) <= gaugeWindow {
		first--
	}
	return max(0, (g.value[n]-g.value[first])/g.at[n].Sub(g.at[first]).Seconds())
}

// steps are the rates between the points, oldest first.
func (g *gauge) steps() []float64 {
	var out []float64
	for i := 1; i < len(g.at); i++ {
		out = append(out, max(0, (g.value[i]-g.value[i-1])/g.at[i].Sub(g.at[i-1]).Seconds()))
	}
	return out
}

// Rate is how many records a second a port's log grows by.
func (s *State) Rate(address string) float64 {
	if g := s.gauges[address]; g != nil {
		return g.rate(s.AsOf())
	}
	return 0
}

// Rates are how the log grew over the last minutes, oldest first.
func (s *State) Rates(address string) []float64 {
	if g := s.gauges[address]; g != nil {
		return g.steps()
	}
	return nil
}

func (s *State) observe(e *catalog.Entry) {
	for i := range e.Ports {
		p := &e.Ports[i]
		g := s.gauges[p.Address]
		if g == nil {
			g = &gauge{}
			s.gauges[p.Address] = g
		}
		g.add(e.Seen, float64(p.Last))
	}
}
