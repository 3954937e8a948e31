package deploy

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kube"
	"github.com/meshctl/meshctl/internal/product"
)

// classOf says what changing these fields of an object does.
func classOf(kind string, fields []kube.Change) Class {
	for _, f := range fields {
		if kind == "StatefulSet" && strings.HasPrefix(f.Field, "spec.template") {
			return Rolling
		}
	}
	return InPlace
}

// mutable are the fields of a StatefulSet's spec that Kubernetes lets change.
var mutable = [...]string{
	"replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
	"persistentVolumeClaimRetentionPolicy", "minReadySeconds", "volumeClaimTemplates",
}

// fixed looks at what Kubernetes does not let change in a StatefulSet. Growth of its
// volumes makes the step one of class Recreate and anything else a forbidden one. It
// returns what a dry-run can be asked about: the StatefulSet with its present claims.
func (s *survey) fixed(live kube.Object, step *Step) kube.Object {
	want := step.want
	spec, _ := want["spec"].(map[string]any)
	for name, v := range spec {
		have := kube.Field(live, "spec", name)
		if !slices.Contains(mutable[:], name) && !reflect.DeepEqual(restricted(have, v), v) {
			step.refuse("give the product another name, or delete it first: its volumes stay", "spec.%s of a StatefulSet cannot change", name)
			return want
		}
	}
	changes := claimChanges(live, want)
	if len(changes) == 0 {
		return want
	}
	for _, c := range changes {
		if !c.growth {
			step.refuse(c.hint, "%s", c.reason)
			return want
		}
		step.Fields = append(step.Fields, c.Change)
	}
	step.Class, step.uid = Recreate, kube.Text(live, "metadata", "uid")
	step.Reason = "its volumes grow; the StatefulSet is made again around its pods, which run on"
	try := kube.Clone(want)
	if spec, ok := try["spec"].(map[string]any); ok {
		spec["volumeClaimTemplates"] = kube.Field(live, "spec", "volumeClaimTemplates")
	}
	return try
}

// claimChange is one difference between two states of a StatefulSet's claim templates.
type claimChange struct {
	kube.Change
	growth       bool
	reason, hint string
}

// claimChanges are the differences that are ones of meaning.
func claimChanges(live, want kube.Object) []claimChange {
	old, _ := kube.Field(live, "spec", "volumeClaimTemplates").([]any)
	now, _ := kube.Field(want, "spec", "volumeClaimTemplates").([]any)
	if len(old) != len(now) {
		return []claimChange{{reason: "a StatefulSet's number of volumes cannot change", hint: "give the product another name"}}
	}
	var all []claimChange
	for i := range now {
		was, _ := old[i].(map[string]any)
		will, _ := now[i].(map[string]any)
		fields := kube.Diff(restrict(was, will), will)
		if class := kube.Field(was, "spec", "storageClassName"); class != nil && kube.Field(will, "spec", "storageClassName") == nil {
			fields = append(fields, kube.Change{Field: "spec.storageClassName", Old: class})
		}
		for _, f := range fields {
			all = append(all, claimField(fmt.Sprintf("spec.volumeClaimTemplates[%s].", kube.Text(will, "metadata", "name")), f)...)
		}
	}
	return all
}

func claimField(path string, f kube.Change) []claimChange {
	c := claimChange{Change: f, hint: "give the product another name and import its data there"}
	c.Field = path + f.Field
	switch f.Field {
	case "spec.resources.requests.storage":
		before, after, err := sizes(f.Old, f.New)
		switch {
		case err != nil:
			c.reason, c.hint = err.Error(), "correct the size"
		case before == after:
			return nil
		case after > before:
			c.growth = true
		default:
			c.reason, c.hint = fmt.Sprintf("a volume cannot shrink from %v to %v", f.Old, f.New), fmt.Sprintf("set spec.storage.size to %v or more", f.Old)
		}
	case "spec.storageClassName":
		c.reason = fmt.Sprintf("a volume cannot move from storage class %v to %v", orDefault(f.Old), orDefault(f.New))
	default:
		c.reason = fmt.Sprintf("%s of a volume cannot change", f.Field)
	}
	return []claimChange{c}
}

func orDefault(class any) any {
	if class == nil || class == "" {
		return "the default"
	}
	return class
}

// sizes are two amounts of storage in bytes.
func sizes(a, b any) (before, after int64, err error) {
	if before, err = product.Quantity(fmt.Sprint(a)).Bytes(); err != nil {
		return 0, 0, fmt.Errorf("size %v: %w", a, err)
	}
	if after, err = product.Quantity(fmt.Sprint(b)).Bytes(); err != nil {
		return 0, 0, fmt.Errorf("size %v: %w", b, err)
	}
	return before, after, nil
}

// grow plans the claims that are smaller than the StatefulSet's template. They grow
// before the StatefulSet is made again, so that an interruption leaves nothing undone
// that the next plan would not see.
func (s *survey) grow(ctx context.Context, unit string, set kube.Object, of *Step) ([]Step, error) {
	if of.Class == Forbidden {
		return nil, nil
	}
	templates, _ := kube.Field(set, "spec", "volumeClaimTemplates").([]any)
	var steps []Step
	for _, t := range templates {
		template, _ := t.(map[string]any)
		size := kube.Text(template, "spec", "resources", "requests", "storage")
		prefix := kube.Text(template, "metadata", "name") + "-" + of.Object.Name + "-"
		for _, claim := range s.claims[unit] {
			ref := kube.RefOf(claim)
			have := kube.Text(claim, "spec", "resources", "requests", "storage")
			before, after, err := sizes(have, size)
			if err != nil || after <= before || !strings.HasPrefix(ref.Name, prefix) {
				continue // an unreadable size is of another's claim: ours are checked in the descriptor
			}
			step := Step{
				Unit: unit, Action: Change, Class: InPlace, Object: ref, size: size,
				Fields: []kube.Change{{Field: "spec.resources.requests.storage", Old: have, New: size}},
			}
			if err := s.tryGrowth(ctx, claim, &step); err != nil {
				return nil, err
			}
			steps = append(steps, step)
		}
	}
	return steps, nil
}

// tryGrowth asks whether the claim may grow.
func (s *survey) tryGrowth(ctx context.Context, claim kube.Object, step *Step) error {
	if phase := kube.Text(claim, "status", "phase"); phase != "Bound" {
		step.refuse("wait until "+step.Unit+" runs, or begin anew: meshctl delete "+step.Unit+" --dangerous-delete-data",
			"the volume is %s, and its size can change only once it is Bound", orText(phase, "new"))
		return nil
	}
	_, err := s.cluster.Merge(ctx, step.Object, storageRequest(step.size), true)
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Denied:
		step.refuse("let the cluster's administrator set allowVolumeExpansion on the storage class", "its storage class does not let volumes grow (%v)", err)
		return nil
	}
	return err
}

// storageRequest is the patch that lets a claim grow.
func storageRequest(size string) kube.Object {
	return kube.Object{"spec": map[string]any{"resources": map[string]any{"requests": map[string]any{"storage": size}}}}
}

// restrict is what live has of the fields that want names.
func restrict(live, want kube.Object) kube.Object {
	m, _ := restricted(live, want).(map[string]any) // both are maps
	return m
}

func restricted(live, want any) any {
	switch w := want.(type) {
	case map[string]any:
		l, ok := live.(map[string]any)
		if !ok {
			return live
		}
		out := map[string]any{}
		for name, v := range w {
			if have, ok := l[name]; ok {
				out[name] = restricted(have, v)
			}
		}
		return out
	case []any:
		l, ok := live.([]any)
		if !ok || len(l) != len(w) {
			return live
		}
		out := make([]any, len(l))
		for i := range w {
			out[i] = restricted(l[i], w[i])
		}
		return out
	}
	return live
}
