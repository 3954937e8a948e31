package deploy

import (
	"cmp"
	"fmt"
	"time"

	"github.com/meshctl/meshctl/internal/kube"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
)

// Streams is what a product that runs says that its new descriptor changes of its streams.
type Streams struct {
	Unit    string             `json:"product"`
	Plans   []*mesh.StreamPlan `json:"plans"`             // those that change something
	Insist  bool               `json:"insist,omitempty"`  // somebody insists on the records that go
	Unknown string             `json:"unknown,omitempty"` // why nobody can tell
}

// loses says whether records would go.
func (s *Streams) loses() bool {
	for _, p := range s.Plans {
		for _, r := range p.Refused {
			if r.Danger == mesh.LosesData {
				return true
			}
		}
	}
	return false
}

// insistences are what the pods of the units are told that they may lose once: where records
// would go, or nobody can tell.
func insistences(units []Unit, told []Streams, now time.Time) map[string]string {
	all := map[string]string{}
	for i := range told {
		s := &told[i]
		s.Insist = s.Unknown != "" || s.loses()
		for _, u := range units {
			if s.Insist && u.Name == s.Unit && u.Product != nil {
				all[u.Name] = u.Product.LoseOnce(now.UTC().Format(time.RFC3339))
			}
		}
	}
	return all
}

// relevant are those of the products whose pods are new with the plan.
func relevant(told []Streams, steps []Step) []Streams {
	action := map[string]Action{}
	for i := range steps {
		if steps[i].Object.Kind == "StatefulSet" {
			action[steps[i].Unit] = steps[i].Action
		}
	}
	all := []Streams{}
	for _, s := range told {
		if s.Unknown != "" && action[s.Unit] == Create {
			s.Unknown = "it does not run yet"
		}
		changes := []*mesh.StreamPlan{}
		for _, p := range s.Plans {
			if p.Action != mesh.Unchanged {
				changes = append(changes, p)
			}
		}
		s.Plans = changes
		if action[s.Unit] != Unchanged && (len(changes) > 0 || s.Unknown != "") {
			all = append(all, s)
		}
	}
	return all
}

// refused are the changes of streams that the product would not make, and the hint for the first.
func (s *Streams) refused() (lines []string, hint string) {
	for _, p := range s.Plans {
		for _, r := range p.Refused {
			if r.Danger == mesh.LosesData && s.Insist {
				continue
			}
			lines = append(lines, fmt.Sprintf("%s: stream %s: %s", s.Unit, p.Stream, r.Text))
			hint = cmp.Or(hint, r.Hint)
		}
	}
	return lines, hint
}

// insisting is a StatefulSet whose pods are told what they may lose. What they were told
// stays while it is about the same retention, for taking it back would make new pods.
func (s *survey) insisting(u *Unit, set kube.Object) kube.Object {
	said := s.insist[u.Name]
	if had := saidOf(s.live[kube.RefOf(set)]); said == "" && u.Product != nil && u.Product.LoseOnceIsFor(had) {
		said = had
	}
	if said == "" {
		return set
	}
	set = kube.Clone(set)
	for _, c := range containersOf(set) {
		env, _ := c["env"].([]any)
		c["env"] = append(env, map[string]any{"name": product.VariableLoseData, "value": said})
	}
	return set
}

// saidOf is what the pods of a StatefulSet are told that they may lose.
func saidOf(set kube.Object) string {
	for _, c := range containersOf(set) {
		env, _ := c["env"].([]any)
		for _, e := range env {
			if v, _ := e.(map[string]any); v["name"] == product.VariableLoseData {
				said, _ := v["value"].(string)
				return said
			}
		}
	}
	return ""
}

func containersOf(set kube.Object) (all []map[string]any) {
	list, _ := kube.Field(set, "spec", "template", "spec", "containers").([]any)
	for _, c := range list {
		if m, ok := c.(map[string]any); ok {
			all = append(all, m)
		}
	}
	return all
}
