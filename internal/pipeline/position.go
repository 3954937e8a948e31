package pipeline

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/meshctl/meshctl/internal/record"
)

// Position says how far a pipeline came. Behind a door, Major is a sequence of the
// inbox and Index a line of that message; behind logic, Major counts batches and
// Index the messages of one, and Inputs tells the sequence of each input that the
// batch reached. Positions are ordered by Major, then Index; both count from 1, so the
// zero Position is before all. Positions of a door and of logic cannot be compared.
type Position struct {
	Major  uint64
	Index  int
	Inputs map[string]record.Seq
}

// After says whether p comes after q.
func (p Position) After(q Position) bool {
	if c := cmp.Compare(p.Major, q.Major); c != 0 {
		return c > 0
	}
	return p.Index > q.Index
}

// ofLogic says whether logic wrote the position, not a door.
func (p Position) ofLogic() bool { return len(p.Inputs) > 0 }

// String is the position as the header carries it: "17:3", or with inputs
// "17:3 airports=88 flights=120".
func (p Position) String() string {
	b := strconv.AppendUint(make([]byte, 0, 24), p.Major, 10)
	b = append(b, ':')
	b = strconv.AppendInt(b, int64(p.Index), 10)
	for _, name := range slices.Sorted(maps.Keys(p.Inputs)) {
		b = append(append(append(b, ' '), name...), '=')
		b = strconv.AppendUint(b, uint64(p.Inputs[name]), 10)
	}
	return string(b)
}

// ParsePosition is the inverse of String; "" and Emptied are the zero Position.
func ParsePosition(s string) (Position, error) {
	var p Position
	if s == "" || s == Emptied {
		return p, nil
	}
	fields := strings.Split(s, " ")
	major, index, ok := strings.Cut(fields[0], ":")
	var err error
	if p.Major, err = strconv.ParseUint(major, 10, 64); err != nil || !ok {
		return Position{}, fmt.Errorf("parse position %q: the first field must be number:number", s)
	}
	if p.Index, err = strconv.Atoi(index); err != nil || p.Index < 0 {
		return Position{}, fmt.Errorf("parse position %q: the first field must be number:number", s)
	}
	for _, f := range fields[1:] {
		name, seq, _ := strings.Cut(f, "=")
		n, err := strconv.ParseUint(seq, 10, 64)
		if err != nil || name == "" {
			return Position{}, fmt.Errorf("parse position %q: %q must be input=number", s, f)
		}
		if p.Inputs == nil {
			p.Inputs = map[string]record.Seq{}
		}
		p.Inputs[name] = record.Seq(n)
	}
	return p, nil
}
