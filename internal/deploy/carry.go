package deploy

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kube"
)

// goneEvery is how often a deleted object is looked for.
const goneEvery = 100 * time.Millisecond

// Carry carries the plan out: the namespace first, then several products at once, each
// in the order of its objects, what goes at last. done is told of each step that changed
// something, one at a time. After an error some steps are done and some are not; a new
// plan tells which, and carrying that out completes the work.
func (p *Plan) Carry(ctx context.Context, c *kube.Cluster, done func(*Step)) error {
	if err := p.Err(); err != nil {
		return err
	}
	byUnit, order := map[string][]*Step{}, []string{}
	var first []*Step
	for i := range p.Steps {
		s := &p.Steps[i]
		switch {
		case s.Action == Unchanged:
		case s.Object.Kind == "Namespace":
			first = append(first, s)
		default:
			if byUnit[s.Unit] == nil {
				order = append(order, s.Unit)
			}
			byUnit[s.Unit] = append(byUnit[s.Unit], s)
		}
	}
	var mu sync.Mutex
	run := func(ctx context.Context, steps []*Step) error {
		for _, s := range steps {
			if err := s.carry(ctx, c, p.force); err != nil {
				return fmt.Errorf("deploy %s: %w", s.Unit, err)
			}
			mu.Lock()
			s.Done = true
			done(s)
			mu.Unlock()
		}
		return nil
	}
	if err := run(ctx, first); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requests)
	for _, unit := range order {
		steps := byUnit[unit]
		slices.SortStableFunc(steps, func(a, b *Step) int { return a.rank() - b.rank() })
		g.Go(func() error { return run(ctx, steps) })
	}
	return g.Wait()
}

// rank is the step's place among those of its unit: what goes, goes last and in the
// other direction, a StatefulSet before what its pods use.
func (s *Step) rank() int {
	if s.Action == Prune {
		return 1000 - kube.Order(s.Object.Kind)
	}
	return kube.Order(s.Object.Kind)
}

func (s *Step) carry(ctx context.Context, c *kube.Cluster, force bool) error {
	switch {
	case s.Action == Prune:
		return changedMeanwhile(c.Delete(ctx, s.Object, kube.DeleteOptions{UID: s.uid}))
	case s.size != "":
		_, err := c.Merge(ctx, s.Object, storageRequest(s.size), false)
		return err
	case s.Class == Recreate:
		if err := changedMeanwhile(c.Delete(ctx, s.Object, kube.DeleteOptions{UID: s.uid, Orphan: true})); err != nil {
			return err
		}
		if err := untilGone(ctx, c, s.Object, s.uid); err != nil {
			return err
		}
	}
	_, err := c.Apply(ctx, s.want, kube.ApplyOptions{Force: force})
	return err
}

// changedMeanwhile says what it means that an object is not the one that was planned with.
func changedMeanwhile(err error) error {
	if fault.KindOf(err) == fault.Conflict {
		return fault.New(fault.Conflict, "run the command again for a new plan", "somebody else made it anew meanwhile: %w", err)
	}
	return err
}

// untilGone waits until the object of that uid is not there any more.
func untilGone(ctx context.Context, c *kube.Cluster, r kube.Ref, uid string) error {
	for {
		obj, err := c.Get(ctx, r)
		if fault.KindOf(err) == fault.NotFound || err == nil && kube.Text(obj, "metadata", "uid") != uid {
			return nil
		}
		if err != nil {
			return err
		}
		if err := pause(ctx, goneEvery); err != nil {
			return fmt.Errorf("wait for the end of %s: %w", r, err)
		}
	}
}

// pause waits, at most until ctx is done.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
