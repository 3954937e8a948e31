package product

import (
	"fmt"
	"slices"
	"strings"
)

// ValidateSet checks what concerns several products of one mesh: their names, that
// each input is somebody's output, and that no product feeds itself through others.
// known says whether a port of a product outside the set, or an earlier major of one in
// it, is offered, as a live catalog tells it (its PortID has no Domain); nil knows none.
// A product of the set that has problems of its own is taken to offer whatever is asked,
// so that one mistake is told once.
func ValidateSet(products []Loaded, known func(PortID) bool) Problems {
	s := set{byName: map[string]*Loaded{}, known: known}
	for i := range products {
		s.enter(&products[i])
	}
	for i := range products {
		s.checkInputs(&products[i])
	}
	s.checkCycles(products)
	return s.problems.limit()
}

// EarlierMajors are the inputs that read an earlier major of a port than its product in
// the set describes: no mistakes, for a product runs its earlier majors on beside the
// present one, but only where they have run before.
func EarlierMajors(products []Loaded) Problems {
	s := set{byName: map[string]*Loaded{}}
	for i := range products {
		if l := &products[i]; l.Product != nil && len(l.Problems) == 0 {
			s.byName[l.Product.Metadata.Name] = l
		}
	}
	for i := range products {
		l := &products[i]
		if l.Product == nil {
			continue
		}
		for n, in := range l.Product.Spec.Inputs {
			id, err := ParsePort(in.Port)
			offering := s.byName[id.Product]
			if err != nil || offering == nil || offering.Product.Output(id.Port) == nil {
				continue
			}
			if present := offering.Product.ID(id.Port); max(id.Major, 1) < present.Major {
				s.add(l, fmt.Sprintf("spec.inputs[%d].port", n),
					fmt.Sprintf("write %s to read the present one", present),
					"reads major %d of port %s.%s, which is at %d: that runs only where %s ran as major %d before",
					max(id.Major, 1), id.Product, id.Port, present.Major, id.Product, max(id.Major, 1))
			}
		}
	}
	return s.problems.limit()
}

// Ungranted are the inputs that read a port of a product in the set that does not grant
// it to them: it must be granted before anything comes.
func Ungranted(products []Loaded) Problems {
	s := set{byName: map[string]*Loaded{}}
	for i := range products {
		s.enter(&products[i])
	}
	s.problems = nil // two of one name are told elsewhere
	for i := range products {
		l := &products[i]
		if l.Product == nil {
			continue
		}
		for n, in := range l.Product.Spec.Inputs {
			id, err := ParsePort(in.Port)
			offering := s.byName[id.Product]
			if err != nil || offering == nil {
				continue
			}
			reader := l.Product.Metadata.Name
			if out := offering.Product.Output(id.Port); out != nil && !out.GrantedTo(reader) {
				s.add(l, fmt.Sprintf("spec.inputs[%d].port", n), fmt.Sprintf("meshctl grant %s.%s --to %s", id.Product, id.Port, reader),
					"product %s does not grant port %s to %s", id.Product, id.Port, reader)
			}
		}
	}
	return s.problems.limit()
}

type set struct {
	byName   map[string]*Loaded
	known    func(PortID) bool
	problems Problems
}

func (s *set) add(l *Loaded, path, hint, format string, args ...any) {
	at := l.marks.of(path)
	s.problems = append(s.problems, Problem{
		File: l.File, Line: at.line, Column: at.column, Path: path,
		Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

func (s *set) enter(l *Loaded) {
	if l.Product == nil || l.Product.Metadata.Name == "" {
		return
	}
	name := l.Product.Metadata.Name
	if other, ok := s.byName[name]; ok {
		s.add(l, "metadata.name", "rename one of them", "%s describes a product named %q too", other.File, name)
		return
	}
	s.byName[name] = l
}

func (s *set) checkInputs(l *Loaded) {
	if l.Product == nil {
		return
	}
	for i, in := range l.Product.Spec.Inputs {
		id, err := ParsePort(in.Port)
		if err != nil || id.Product == l.Product.Metadata.Name {
			continue // published records, or a rule complains of it
		}
		id.Major = max(id.Major, 1)
		if message, hint := s.missing(id); message != "" {
			s.add(l, fmt.Sprintf("spec.inputs[%d].port", i), hint, "%s", message)
		}
	}
}

// missing says why nobody offers the port, or nothing if the set does.
func (s *set) missing(id PortID) (message, hint string) {
	offering, ok := s.byName[id.Product]
	if !ok {
		if s.known != nil && s.known(id) {
			return "", ""
		}
		var names []string
		for name := range s.byName {
			names = append(names, name)
		}
		slices.Sort(names)
		if name := nearest(id.Product, names); name != "" {
			hint = fmt.Sprintf("did you mean product %q?", name)
		}
		return fmt.Sprintf("nobody offers port %s", id), hint
	}
	p := offering.Product
	if len(offering.Problems) > 0 {
		return "", ""
	}
	if p.Output(id.Port) == nil {
		var names []string
		for _, o := range p.Spec.Outputs {
			names = append(names, o.Name)
		}
		return fmt.Sprintf("product %s has no output %q", id.Product, id.Port), didYouMean(id.Port, names)
	}
	if id.Major < p.Major() && s.known != nil && s.known(id) {
		return "", "" // majors run side by side
	}
	if p.Major() != id.Major {
		return fmt.Sprintf("product %s offers major %d of port %s, not %d", id.Product, p.Major(), id.Port, id.Major),
			"write " + p.ID(id.Port).String()
	}
	return "", ""
}

// checkCycles reports each input that closes a circle of products.
func (s *set) checkCycles(products []Loaded) {
	const onPath, done = 1, 2
	state := map[string]int{}
	var path []string
	var visit func(name string)
	visit = func(name string) {
		state[name] = onPath
		path = append(path, name)
		l := s.byName[name]
		for i, in := range l.Product.Spec.Inputs {
			id, err := ParsePort(in.Port)
			if err != nil || s.byName[id.Product] == nil || id.Product == name {
				continue
			}
			switch state[id.Product] {
			case onPath:
				circle := append(slices.Clone(path[slices.Index(path, id.Product):]), id.Product)
				slices.Reverse(circle) // as the records flow
				s.add(l, fmt.Sprintf("spec.inputs[%d].port", i), "take one of these inputs away",
					"products feed each other in a circle: %s", strings.Join(circle, " → "))
			case 0:
				visit(id.Product)
			}
		}
		path = path[:len(path)-1]
		state[name] = done
	}
	for i := range products {
		if p := products[i].Product; p != nil && s.byName[p.Metadata.Name] == &products[i] && state[p.Metadata.Name] == 0 {
			visit(p.Metadata.Name)
		}
	}
}
