package deploy

import (
	"fmt"

	"github.com/meshctl/meshctl/internal/kube"
)

// Action is what a plan does with an object.
type Action string

// The actions.
const (
	Create    Action = "create"
	Change    Action = "change"
	Unchanged Action = "unchanged"
	Prune     Action = "prune"
)

// Class says what a change does to what runs.
type Class string

// The classes, from the lightest.
const (
	InPlace   Class = "in place"  // nothing restarts
	Rolling   Class = "rolling"   // pods are replaced, one after the other
	Recreate  Class = "recreate"  // volumes grow; the StatefulSet is made again around its running pods, which are replaced only if their template changes too
	Forbidden Class = "forbidden" // Kubernetes does not let it happen, or data would go
)

// Step is what a plan does with one object.
type Step struct {
	Unit      string          `json:"product"`
	Action    Action          `json:"action"`
	Class     Class           `json:"class,omitempty"` // of a change
	Object    kube.Ref        `json:"object"`
	Fields    []kube.Change   `json:"fields,omitempty"`    // of a change
	Conflicts []kube.Conflict `json:"conflicts,omitempty"` // fields that others manage
	Reason    string          `json:"reason,omitempty"`    // why it is forbidden, or what it means
	Hint      string          `json:"hint,omitempty"`
	Done      bool            `json:"done,omitempty"` // it has been carried out

	want kube.Object // what is applied
	uid  string      // of what is pruned or made again
	size string      // of a claim: what it grows to
}

// refuse makes the step a forbidden one.
func (s *Step) refuse(hint, format string, args ...any) {
	s.Class, s.Reason, s.Hint = Forbidden, fmt.Sprintf(format, args...), hint
}

// String is the step on one line.
func (s *Step) String() string {
	text := string(s.Action)
	if s.Class != "" {
		text += " (" + string(s.Class) + ")"
	}
	return text + " " + s.Object.String()
}
