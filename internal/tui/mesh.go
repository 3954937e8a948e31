package tui

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
)

// mesh is what the screens know of the mesh: the catalog, and what was seen of it over time.
type mesh struct {
	all    catalog.Catalog // by name
	loaded bool
	now    time.Time
	down   error // why the hub cannot be reached
	since  time.Time
	gauges map[string]*gauge // of ports, by address
	gone   map[string]bool   // products, as they were last judged
	events []event           // oldest first
}

// mostEvents bounds what is remembered of them.
const mostEvents = 1000

// event is something that happened while somebody looked.
type event struct {
	at   time.Time
	mark role
	what string // a product, a port or the hub
	text string
}

func newMesh() *mesh { return &mesh{gauges: map[string]*gauge{}, gone: map[string]bool{}} }

// asOf is the time as of which states hold: while the hub is away, nothing is heard of
// anybody, which does not mean that they are gone.
func (s *mesh) asOf() time.Time {
	if s.down != nil {
		return s.since
	}
	return s.now
}

func (s *mesh) tell(mark role, what, format string, args ...any) {
	s.events = append(s.events, event{s.now, mark, what, fmt.Sprintf(format, args...)})
	if over := len(s.events) - mostEvents; over > 0 {
		s.events = slices.Delete(s.events, 0, over)
	}
}

// reset takes a whole catalog in.
func (s *mesh) reset(all catalog.Catalog) {
	first := !s.loaded
	s.loaded = true
	if first {
		s.all = slices.Clone(all)
		for i := range all {
			s.observe(&all[i])
			s.gone[all[i].Product.Metadata.Name] = all[i].Gone(s.now)
		}
		return
	}
	for _, e := range slices.Clone(s.all) {
		if all.Product(e.Product.Metadata.Name) == nil {
			s.remove(e.Product.Metadata.Name)
		}
	}
	for i := range all {
		s.put(all[i])
	}
}

// put takes one entry in, which may be new.
func (s *mesh) put(e catalog.Entry) {
	name := e.Product.Metadata.Name
	i, found := slices.BinarySearchFunc(s.all, name, func(a catalog.Entry, name string) int {
		return cmp.Compare(a.Product.Metadata.Name, name)
	})
	if !found {
		s.all = slices.Insert(s.all, i, e)
		s.tell(good, name, "joined the mesh")
	} else {
		if e.Seen.Before(s.all[i].Seen) {
			return // an answer that was overtaken
		}
		s.compare(&s.all[i], &e)
		s.all[i] = e
	}
	s.observe(&e)
}

func (s *mesh) compare(old, e *catalog.Entry) {
	if o, n := old.Product.Metadata.Version, e.Product.Metadata.Version; o != n {
		s.tell(plain, e.Product.Metadata.Name, "version %s took the place of %s", n, o)
	}
	for i := range e.Ports {
		p := &e.Ports[i]
		for j := range old.Ports {
			o := &old.Ports[j]
			if o.Address != p.Address {
				continue
			}
			switch {
			case p.Dead > o.Dead:
				s.tell(warning, p.Address, "%s more, %s in all", count(int(p.Dead-o.Dead), "dead letter"), number(int(p.Dead)))
			case p.Error != "" && p.Error != o.Error:
				s.tell(bad, p.Address, "%s", p.Error)
			case p.Error == "" && o.Error != "":
				s.tell(good, p.Address, "works again")
			}
		}
	}
}

func (s *mesh) remove(name string) {
	s.all = slices.DeleteFunc(s.all, func(e catalog.Entry) bool { return e.Product.Metadata.Name == name })
	delete(s.gone, name)
	s.tell(warning, name, "was taken out of the catalog")
}

// hush marks a product that did not answer just now.
func (s *mesh) hush(name string) {
	if e := s.all.Product(name); e != nil {
		e.Silent = true
	}
}

// tick judges who is gone at now.
func (s *mesh) tick(now time.Time) {
	s.now = now
	if s.down != nil {
		return
	}
	for i := range s.all {
		e := &s.all[i]
		name, gone := e.Product.Metadata.Name, e.Gone(now)
		if was := s.gone[name]; gone && !was {
			s.tell(bad, name, "is gone: last heard of %s ago", catalog.Ago(now, e.Seen))
		} else if !gone && was {
			s.tell(good, name, "is back")
		}
		s.gone[name] = gone
	}
}

// reached takes in whether the hub can be reached, and says whether it has come back.
func (s *mesh) reached(err error) (back bool) {
	switch {
	case err != nil && s.down == nil:
		s.down, s.since = err, s.now
		s.tell(bad, "hub", "%s", err)
	case err == nil && s.down != nil:
		s.tell(good, "hub", "can be reached again after %s", catalog.Ago(s.now, s.since))
		s.down = nil
		return true
	}
	return false
}

func (s *mesh) observe(e *catalog.Entry) {
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

// rate is how many records a second a port's log grows by.
func (s *mesh) rate(address string) float64 {
	if g := s.gauges[address]; g != nil {
		return g.rate(s.asOf())
	}
	return 0
}

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
