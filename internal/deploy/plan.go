package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kube"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/trust"
)

// How much runs at once, and how many products are looked at in one go: that bounds
// what a plan keeps in memory, whatever the mesh's size.
const (
	requests  = 8
	chunkSize = 50
)

// PlanOptions say how a plan is made.
type PlanOptions struct {
	Force bool // take over fields that others manage
	Only  bool // the units are all there is: other products of the namespace go, the hub stays
	// Streams is what the products say that run already.
	Streams []Streams
	// LoseData insists on the records that go with the changes of streams, from Now on.
	LoseData bool
	Now      time.Time
}

// Plan is what has to be done so that a cluster holds the units as they are described.
type Plan struct {
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace"`
	Steps     []Step `json:"steps"`
	// Streams are those of products that run which their new pods change.
	Streams []Streams `json:"streams"`

	force bool
	units []string
}

// MakePlan compares the units with the cluster. It changes nothing: what applying would
// do the API server tells by a dry-run, so drift is seen, defaults are no differences,
// and what the server would refuse is refused here. Forbidden changes and conflicts are
// in the plan; see Err.
func MakePlan(ctx context.Context, c *kube.Cluster, units []Unit, o PlanOptions) (*Plan, error) {
	p := &Plan{Cluster: c.String(), Namespace: c.Namespace, Steps: []Step{}, force: o.Force}
	for _, u := range units {
		p.units = append(p.units, u.Name)
	}
	exists, err := namespaceExists(ctx, c, units)
	if err != nil {
		return nil, err
	}
	units = slices.Clone(units)
	if o.Only {
		gone, err := others(ctx, c, p.units)
		if err != nil {
			return nil, err
		}
		for _, name := range gone {
			units = append(units, Unit{Name: name})
		}
	}
	var keys *trust.Keys
	if exists {
		if keys, err = HubKeys(ctx, c); err != nil {
			return nil, err
		}
	}
	told, insist := slices.Clone(o.Streams), map[string]string{}
	if o.LoseData {
		insist = insistences(units, told, o.Now)
	}
	var steps [][]Step
	trials := newTrials(c)
	for chunk := range slices.Chunk(units, chunkSize) {
		s := &survey{cluster: c, force: o.Force, trials: trials, missing: !exists, keys: keys, insist: insist}
		if err := s.look(ctx, chunk); err != nil {
			return nil, err
		}
		got, err := s.steps(ctx, chunk)
		if err != nil {
			return nil, err
		}
		steps = append(steps, got...)
	}
	p.Steps = append(p.Steps, onlyFirst(slices.Concat(steps...))...)
	p.Streams = relevant(told, p.Steps)
	return p, nil
}

// onlyFirst leaves one step for an object that several units bring, as the namespace.
func onlyFirst(steps []Step) []Step {
	seen := map[kube.Ref]bool{}
	return slices.DeleteFunc(steps, func(s Step) bool {
		double := seen[s.Object]
		seen[s.Object] = true
		return double
	})
}

// namespaceExists says whether the cluster has the namespace; it must, or a unit must bring it.
func namespaceExists(ctx context.Context, c *kube.Cluster, units []Unit) (bool, error) {
	_, err := c.Get(ctx, kube.Ref{Kind: "Namespace", Name: c.Namespace})
	switch {
	case err == nil:
		return true, nil
	case fault.KindOf(err) == fault.Denied: // a team may have rights in its namespace alone
		return true, nil
	case fault.KindOf(err) != fault.NotFound:
		return false, err
	}
	for _, u := range units {
		for _, o := range u.Objects {
			if o.Kind() == "Namespace" && o.Name() == c.Namespace {
				return false, nil
			}
		}
	}
	return false, fault.New(fault.NotFound, "name another with -n, or make it with --create-namespace", "cluster %s has no namespace %q", c, c.Namespace)
}

// others are the products of the namespace that are not among names.
func others(ctx context.Context, c *kube.Cluster, names []string) ([]string, error) {
	stay := map[string]bool{"": true, product.HubName: true}
	for _, name := range names {
		stay[name] = true
	}
	var gone []string
	for _, kind := range kube.Pruned() {
		err := c.Each(ctx, kind, kube.Query{Labels: ours}, func(obj kube.Object) {
			if name := unitOf(obj); !stay[name] && kube.Owned(obj) {
				gone, stay[name] = append(gone, name), true
			}
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(gone)
	return gone, nil
}

// steps are those of the units, in their order. Each unit's requests run one after the
// other, several units at once.
func (s *survey) steps(ctx context.Context, units []Unit) ([][]Step, error) {
	all := make([][]Step, len(units))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requests)
	for i, u := range units {
		g.Go(func() error {
			got, err := s.unit(ctx, &u)
			all[i] = got
			return err
		})
	}
	return all, g.Wait()
}

// Count is how many steps there are of an action.
func (p *Plan) Count(a Action) int {
	n := 0
	for _, s := range p.Steps {
		if s.Action == a {
			n++
		}
	}
	return n
}

// Changes says whether carrying the plan out would change anything.
func (p *Plan) Changes() bool { return p.Count(Unchanged) < len(p.Steps) }

// Err says why the plan cannot be carried out; nil when it can.
func (p *Plan) Err() error {
	var refused, taken []string
	hint := ""
	for _, s := range p.Steps {
		if s.Class == Forbidden {
			refused = append(refused, fmt.Sprintf("%s: %s: %s", s.Unit, s.Object, s.Reason))
			if hint == "" {
				hint = s.Hint
			}
		}
		for _, c := range s.Conflicts {
			taken = append(taken, fmt.Sprintf("%s: %s: %s is managed by %s", s.Unit, s.Object, c.Field, c.Manager))
		}
	}
	for i := range p.Streams {
		lines, why := p.Streams[i].refused()
		refused, hint = append(refused, lines...), cmp.Or(hint, why)
	}
	if len(refused) > 0 {
		return fault.New(fault.Rejected, hint, "nothing was changed, for this cannot be done:\n%s", strings.Join(refused, "\n"))
	}
	if len(taken) > 0 && !p.force {
		return fault.New(fault.Conflict, "agree with who set them, or take them over with --force-conflicts",
			"nothing was changed, for others manage what would change:\n%s", strings.Join(taken, "\n"))
	}
	return nil
}

// conflictsIn are the fields over which an apply was refused; nil when err is something else.
func conflictsIn(err error) []kube.Conflict {
	var conflict *kube.ConflictError
	if errors.As(err, &conflict) {
		return conflict.Conflicts
	}
	return nil
}
