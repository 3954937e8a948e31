package browse

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
)

// State is what is known of a mesh that somebody looks at: the catalog, and what was seen
// of it over time. One goroutine at a time may use it.
type State struct {
	All    catalog.Catalog // by name
	Loaded bool            // the catalog has been read
	Now    time.Time       // of the last call of Tick
	Down   error           // why the hub cannot be reached
	Since  time.Time       // when that began
	Events []Event         // oldest first

	gauges map[string]*gauge // of ports, by address
	judged map[string]Rank   // products, as they were last told to be: Well, Error or Gone
	silent map[string]silence
}

// silence is that of a product which did not answer when it was asked.
type silence struct {
	beats int  // signs of life since
	mute  bool // it was asked again after one, and did not answer
}

// mostEvents bounds what is remembered of them.
const mostEvents = 1000

// Event is something that happened while somebody looked.
type Event struct {
	At   time.Time `json:"at"`
	Rank Rank      `json:"rank"` // Quiet for what is neither good nor bad
	What string    `json:"what"` // a product, a port or the hub
	Text string    `json:"text"`
}

// NewState knows nothing yet.
func NewState(now time.Time) *State {
	return &State{Now: now, gauges: map[string]*gauge{}, judged: map[string]Rank{}, silent: map[string]silence{}}
}

// AsOf is the time as of which states hold: while the hub is away, nothing is heard of
// anybody, which does not mean that they are gone.
func (s *State) AsOf() time.Time {
	if s.Down != nil {
		return s.Since
	}
	return s.Now
}

func (s *State) tell(rank Rank, what, format string, args ...any) {
	s.Events = append(s.Events, Event{s.Now, rank, what, fmt.Sprintf(format, args...)})
	if over := len(s.Events) - mostEvents; over > 0 {
		s.Events = slices.Delete(s.Events, 0, over)
	}
}

// Reset takes a whole catalog in.
func (s *State) Reset(all catalog.Catalog) {
	first := !s.Loaded
	s.Loaded = true
	if first {
		s.All = slices.Clone(all)
		for i := range all {
			s.observe(&all[i])
			s.judged[all[i].Product.Metadata.Name] = s.judge(&all[i])
		}
		return
	}
	for _, e := range slices.Clone(s.All) {
		if all.Product(e.Product.Metadata.Name) == nil {
			s.Remove(e.Product.Metadata.Name)
		}
	}
	for i := range all {
		s.Put(all[i])
	}
}

// Put takes in an entry as the hub has it, which may be new.
func (s *State) Put(e catalog.Entry) {
	name := e.Product.Metadata.Name
	i, found := slices.BinarySearchFunc(s.All, name, func(a catalog.Entry, name string) int {
		return cmp.Compare(a.Product.Metadata.Name, name)
	})
	if !found {
		s.All = slices.Insert(s.All, i, e)
		s.tell(Well, name, "joined the mesh")
		s.observe(&e)
		return
	}
	old := &s.All[i]
	if e.Seen.Before(old.Seen) {
		return // an answer that was overtaken
	}
	if quiet, ok := s.silent[name]; ok && e.Seen.After(old.Seen) {
		quiet.beats++
		s.silent[name] = quiet
		e.Silent = old.Silent && quiet.beats == 1 // until it is asked again, see Doubtful
	}
	s.compare(old, &e)
	s.All[i] = e
	s.observe(&e)
}

// Answered takes in what a product said of itself just now.
func (s *State) Answered(e catalog.Entry) {
	delete(s.silent, e.Product.Metadata.Name)
	s.Put(e)
}

// Hush marks a product that did not answer just now: it is gone, unless it gives signs of
// life.
func (s *State) Hush(name string) {
	e := s.All.Product(name)
	if e == nil {
		return
	}
	quiet := s.silent[name]
	quiet.mute = quiet.beats > 0
	s.silent[name] = quiet
	e.Silent = !quiet.mute
}

// Mute says whether a product gives signs of life and yet does not answer.
func (s *State) Mute(e *catalog.Entry) bool { return s.silent[e.Product.Metadata.Name].mute }

// Doubtful are the products that should be asked again, for they did not answer and have
// given a sign of life since.
func (s *State) Doubtful() []string {
	var names []string
	for name, quiet := range s.silent {
		if quiet.beats > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (s *State) compare(old, e *catalog.Entry) {
	if o, n := old.Product.Metadata.Version, e.Product.Metadata.Version; o != n {
		s.tell(Quiet, e.Product.Metadata.Name, "version %s took the place of %s", n, o)
	}
	for i := range e.Ports {
		p := &e.Ports[i]
		for j := range old.Ports {
			if old.Ports[j].Address == p.Address {
				s.comparePort(&old.Ports[j], p)
			}
		}
	}
}

func (s *State) comparePort(old, p *catalog.Port) {
	switch {
	case p.Dead > old.Dead:
		letters := "dead letters"
		if p.Dead-old.Dead == 1 {
			letters = "dead letter"
		}
		s.tell(Warn, p.Address, "%d %s more, %d in all", p.Dead-old.Dead, letters, p.Dead)
	case p.Error != "" && p.Error != old.Error:
		s.tell(Error, p.Address, "%s", p.Error)
	case p.Error == "" && old.Error != "":
		s.tell(Well, p.Address, "works again")
	}
}

// Remove forgets a product that the catalog has no more.
func (s *State) Remove(name string) {
	s.All = slices.DeleteFunc(s.All, func(e catalog.Entry) bool { return e.Product.Metadata.Name == name })
	delete(s.judged, name)
	delete(s.silent, name)
	for address := range s.gauges {
		if strings.HasPrefix(address, name+".") {
			delete(s.gauges, address)
		}
	}
	s.tell(Warn, name, "was taken out of the catalog")
}

// Tick judges who is gone at now.
func (s *State) Tick(now time.Time) {
	s.Now = now
	if s.Down != nil {
		return
	}
	for i := range s.All {
		e := &s.All[i]
		name := e.Product.Metadata.Name
		is, was := s.judge(e), s.judged[name]
		s.judged[name] = is
		switch {
		case is == was:
		case is == Gone:
			s.tell(Gone, name, "is gone: last heard of %s ago", catalog.Ago(now, e.Seen))
		case is == Error:
			s.tell(Error, name, "gives signs of life, but does not answer")
		case was == Gone:
			s.tell(Well, name, "is back")
		default:
			s.tell(Well, name, "answers again")
		}
	}
}

func (s *State) judge(e *catalog.Entry) Rank {
	switch {
	case e.Gone(s.AsOf()):
		return Gone
	case s.Mute(e):
		return Error
	}
	return Well
}

// Reached takes in whether the hub can be reached, and says whether it has come back.
func (s *State) Reached(err error) (back bool) {
	switch {
	case err != nil && s.Down == nil:
		s.Down, s.Since = err, s.Now
		s.tell(Error, "hub", "%s", err)
	case err == nil && s.Down != nil:
		s.tell(Well, "hub", "can be reached again after %s", catalog.Ago(s.Now, s.Since))
		s.Down = nil
		return true
	}
	return false
}
