package deploy

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kube"
	"github.com/meshctl/meshctl/internal/trust"
)

// survey is what a cluster holds of some units.
type survey struct {
	cluster *kube.Cluster
	force   bool
	trials  *trials           // of the whole plan
	missing bool              // the namespace is not there yet
	keys    *trust.Keys       // of the namespace's mesh; nil when it has no hub
	insist  map[string]string // what the pods of a unit are told that they may lose

	live   map[kube.Ref]kube.Object
	byUnit map[string][]kube.Object // what could be pruned
	claims map[string][]kube.Object
	keep   map[string]bool // names of the copies of files that a revision refers to
}

// look reads what the cluster holds of the units: one list a kind.
func (s *survey) look(ctx context.Context, units []Unit) error {
	s.live, s.byUnit, s.claims = map[kube.Ref]kube.Object{}, map[string][]kube.Object{}, map[string][]kube.Object{}
	s.keep = map[string]bool{}
	if s.missing {
		return nil
	}
	names := make([]string, len(units))
	for i, u := range units {
		names[i] = u.Name
	}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requests)
	for _, kind := range append(kube.Pruned(), "PersistentVolumeClaim", "ControllerRevision") {
		g.Go(func() error {
			all, err := s.cluster.List(ctx, kind, kube.Query{Labels: selector(names)})
			mu.Lock()
			defer mu.Unlock()
			for _, obj := range all {
				s.note(kind, obj)
			}
			return err
		})
	}
	return g.Wait()
}

func (s *survey) note(kind string, obj kube.Object) {
	unit := unitOf(obj)
	// Items of a list do not say what they are.
	obj["kind"] = kind
	switch kind {
	case "PersistentVolumeClaim":
		s.claims[unit] = append(s.claims[unit], obj)
	case "ControllerRevision":
		s.keep[copyName(unit, configDigestOfRevision(obj))] = true
	default:
		s.live[kube.RefOf(obj)] = obj
		s.byUnit[unit] = append(s.byUnit[unit], obj)
	}
}

// unit plans one unit: its objects in the order of applying, then what goes.
func (s *survey) unit(ctx context.Context, u *Unit) ([]Step, error) {
	steps, err := s.credentials(ctx, u)
	if err != nil {
		return nil, err
	}
	wanted := map[kube.Ref]bool{}
	for _, want := range u.objects() {
		if kube.Text(want, "kind") == "StatefulSet" {
			want = s.insisting(u, want)
		}
		step, err := s.step(ctx, u.Name, want)
		if err != nil {
			return nil, err
		}
		wanted[step.Object] = true
		if step.Object.Kind == "StatefulSet" {
			grown, err := s.grow(ctx, u.Name, want, &step)
			if err != nil {
				return nil, err
			}
			steps = append(steps, grown...)
		}
		steps = append(steps, step)
	}
	for _, obj := range s.byUnit[u.Name] {
		ref := kube.RefOf(obj)
		if wanted[ref] || !kube.Owned(obj) || kube.Field(obj, "metadata", "deletionTimestamp") != nil {
			continue
		}
		if len(u.Objects) > 0 && ref.Kind == "ConfigMap" && s.keep[ref.Name] {
			continue
		}
		steps = append(steps, Step{Unit: u.Name, Action: Prune, Object: ref, uid: kube.Text(obj, "metadata", "uid")})
	}
	return steps, nil
}

// step plans one object.
func (s *survey) step(ctx context.Context, unit string, want kube.Object) (Step, error) {
	step := Step{Unit: unit, Object: kube.RefOf(want), want: want}
	live := s.live[step.Object]
	if live != nil && kube.AppliedAlready(live, want) {
		step.Action, step.want = Unchanged, nil
		return step, nil
	}
	if s.missing {
		step.Action = Create
		return step, nil
	}
	if step.Object.Kind == "Namespace" {
		return s.namespace(ctx, step)
	}
	try := want
	if live != nil && step.Object.Kind == "StatefulSet" {
		try = s.fixed(live, &step)
	}
	if step.Class == Forbidden {
		step.Action, step.Fields = Change, kube.Diff(restrict(live, want), want)
		return step, nil
	}
	return s.dryRun(ctx, live, try, step)
}

// dryRun asks the API server what applying would do.
func (s *survey) dryRun(ctx context.Context, live, try kube.Object, step Step) (Step, error) {
	if live == nil {
		taken, err := s.trials.taken(ctx, step.Object)
		if err != nil {
			return step, err
		}
		if !taken {
			step.Action = Create
			return step.unless(s.trials.create(ctx, step.Unit, try))
		}
		// It bears none of meshctl's labels.
		if live, err = s.cluster.Get(ctx, step.Object); err != nil {
			return step, err
		}
	}
	got, err := s.cluster.TryApply(ctx, live, try, s.force)
	if step.Conflicts = conflictsIn(err); step.Conflicts != nil {
		got, err = s.cluster.Apply(ctx, try, kube.ApplyOptions{DryRun: true, Force: true})
	}
	if err != nil {
		step.Action, step.Fields = Change, kube.Diff(restrict(live, try), try)
		return step.unless(err)
	}
	step.compare(live, got)
	return step, nil
}

// unless is the step, refused where err says that the API server finds it invalid.
func (s Step) unless(err error) (Step, error) {
	if fault.KindOf(err) == fault.Invalid {
		s.refuse(fault.HintOf(err), "%v", err)
		return s, nil
	}
	return s, err
}

// compare makes of an object as it is, and as it would be, what the step does.
func (s *Step) compare(live, got kube.Object) {
	fields := kube.Diff(live, got)
	switch {
	case len(fields) == 0 && s.Class == "" && kube.Owned(live):
		s.Action, s.want = Unchanged, nil
		return
	case len(fields) == 0 && s.Class == "":
		s.Reason = "meshctl becomes a manager of its fields"
	}
	s.Action, s.Fields = Change, append(s.Fields, fields...)
	switch class := classOf(s.Object.Kind, fields); {
	case s.Class == "":
		s.Class = class
	case class == Rolling:
		s.Reason = "its volumes grow; the StatefulSet is made again around its pods, which are then replaced, for their template changes too"
	}
}

// namespace plans the namespace itself, which is there. A team that may not see it
// leaves it as it is.
func (s *survey) namespace(ctx context.Context, step Step) (Step, error) {
	live, err := s.cluster.Get(ctx, step.Object)
	if fault.KindOf(err) == fault.Denied {
		step.Action, step.want = Unchanged, nil
		return step, nil
	}
	if err != nil {
		return step, err
	}
	if kube.AppliedAlready(live, step.want) {
		step.Action, step.want = Unchanged, nil
		return step, nil
	}
	return s.dryRun(ctx, live, step.want, step)
}
