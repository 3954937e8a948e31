package product

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/meshctl/meshctl/internal/fault"
)

// Problem is one thing wrong with a descriptor, and where.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`   // from 1
	Column  int    `json:"column"` // from 1, in characters
	Path    string `json:"path"`   // such as spec.outputs[0].schema[2].logicalType; empty for the file as a whole
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// String is file:line:column: message (hint).
func (p Problem) String() string {
	s := fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return s
}

// Problems is everything wrong with one or several descriptors. It is an error only
// when it is not empty: return Err, not the value.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Err is nil for no problems, otherwise a fault of kind Invalid that wraps ps.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Invalid, Err: ps}
}

// most problems reported of one file
const maxProblems = 100

// limit sorts ps by place and cuts it at maxProblems, saying how many were left out.
func (ps Problems) limit() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column,
			strings.Compare(a.Path, b.Path), strings.Compare(a.Message, b.Message))
	})
	if len(ps) <= maxProblems {
		return ps
	}
	last := ps[maxProblems-1]
	last.Path, last.Hint = "", "correct those above first"
	last.Message = fmt.Sprintf("%d more problems are not listed", len(ps)-maxProblems+1)
	return append(ps[:maxProblems-1:maxProblems-1], last)
}

// mark is a place in a file.
type mark struct {
	line, column int
	null         bool // the field is written, but has no value
}

// marks tells where each path of a descriptor stands.
type marks map[string]mark

// of is the place of path or, where it was left out, of the nearest thing around it.
func (m marks) of(path string) mark {
	for path != "" {
		if at, ok := m[path]; ok {
			return at
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	if at, ok := m[""]; ok {
		return at
	}
	return mark{line: 1, column: 1}
}

// has says whether path is written and has a value.
func (m marks) has(path string) bool {
	at, ok := m[path]
	return ok && !at.null
}
