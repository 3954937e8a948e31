package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kube"
)

// How often the cluster is asked: for how far all products are, and why one is not
// ready, which takes more requests.
const (
	askEvery     = 500 * time.Millisecond
	examineEvery = 3 * time.Second
	examineLast  = 20 * time.Second // for the reasons when time is up
)

// WaitOptions say how long one waits and who is told meanwhile.
type WaitOptions struct {
	Timeout  time.Duration
	Now      func() time.Time
	Progress func(product, state string) // is told when a product's state changes; may be nil
}

// Waited is how far a product came.
type Waited struct {
	Product  string   `json:"product"`
	Ready    bool     `json:"ready"`
	Replicas int64    `json:"replicas"`
	Running  int64    `json:"readyReplicas"` // ready, and of the newest revision
	Revision string   `json:"revision,omitempty"`
	Trouble  *Trouble `json:"trouble,omitempty"`

	state    string
	pods     []pod
	set      *statefulSet
	examined time.Time
}

// Wait waits until every product runs as it was applied: the cluster has seen the newest
// generation, and all its pods are of the newest revision and ready. It ends early when
// each product is ready or in trouble that cannot heal by itself. The answer has every
// product; the error says what is wrong with those that are not ready.
func Wait(ctx context.Context, c *kube.Cluster, names []string, o WaitOptions) ([]Waited, error) {
	w := &waiter{cluster: c, o: o, products: make([]Waited, len(names)), restarts: map[string]int{}, final: map[string]int{}}
	for i, name := range names {
		w.products[i] = Waited{Product: name}
	}
	begin := o.Now()
	for {
		now := o.Now()
		err := w.ask(ctx)
		switch kind := fault.KindOf(err); {
		case err == nil && w.all(func(p *Waited) bool { return p.Ready }):
			return w.products, nil
		case err == nil && w.all(func(p *Waited) bool { return p.Ready || p.Trouble != nil && p.Trouble.Final }):
			return w.products, w.failure(fault.Rejected, "")
		case ctx.Err() != nil:
			return w.products, fmt.Errorf("wait: %w", ctx.Err())
		case err != nil && kind != fault.Unavailable:
			return w.products, fmt.Errorf("wait: %w", err)
		case now.Sub(begin) >= o.Timeout:
			w.last(ctx)
			return w.products, w.failure(fault.Timeout, fmt.Sprintf(" after %s", o.Timeout))
		}
		if err := pause(ctx, askEvery); err != nil {
			return w.products, fmt.Errorf("wait: %w", err)
		}
	}
}

// waiter is one wait for many products.
type waiter struct {
	cluster  *kube.Cluster
	o        WaitOptions
	products []Waited
	restarts map[string]int // of each pod when it was first seen, by its uid
	final    map[string]int // how often in a row a pod was found in final trouble
}

func (w *waiter) all(is func(*Waited) bool) bool {
	for i := range w.products {
		if !is(&w.products[i]) {
			return false
		}
	}
	return true
}

// ask looks how far each product is, and examines those that have not been for a while.
func (w *waiter) ask(ctx context.Context) error {
	names := make([]string, len(w.products))
	for i := range w.products {
		names[i] = w.products[i].Product
	}
	for chunk := range slices.Chunk(names, chunkSize) {
		if err := w.look(ctx, chunk); err != nil {
			return err
		}
	}
	return w.examineAll(ctx, false)
}

// look reads the StatefulSets and pods of some products.
func (w *waiter) look(ctx context.Context, names []string) error {
	sets, err := list[statefulSet](ctx, w.cluster, "StatefulSet", selector(names))
	if err != nil {
		return err
	}
	pods, err := list[pod](ctx, w.cluster, "Pod", selector(names))
	if err != nil {
		return err
	}
	for i := range w.products {
		p := &w.products[i]
		if !slices.Contains(names, p.Product) {
			continue
		}
		p.set, p.pods = nil, nil
		for j := range sets {
			if sets[j].Metadata.unit() == p.Product {
				p.set = &sets[j]
			}
		}
		for _, q := range pods {
			if q.Metadata.unit() == p.Product {
				p.pods = append(p.pods, q)
				if _, seen := w.restarts[q.Metadata.UID]; !seen {
					w.restarts[q.Metadata.UID] = q.restarts()
				}
			}
		}
		p.judge()
		if p.Ready {
			p.Trouble = nil
		}
		w.tell(p)
	}
	return nil
}

// judge says whether the product runs as it was applied.
func (p *Waited) judge() {
	p.Ready, p.Running = false, 0
	if p.set == nil {
		return
	}
	s := &p.set.Status
	p.Replicas, p.Revision = p.set.replicas(), s.UpdateRevision
	if s.ObservedGeneration < p.set.Metadata.Generation {
		return
	}
	for _, q := range p.pods {
		if q.ready() && q.Metadata.revision() == s.UpdateRevision {
			p.Running++
		}
	}
	p.Ready = p.Running == p.Replicas && s.UpdatedReplicas == p.Replicas &&
		s.ReadyReplicas == p.Replicas && s.Replicas == p.Replicas
}

// tell reports the product's state where it has changed.
func (w *waiter) tell(p *Waited) {
	state := fmt.Sprintf("%d of %d ready", p.Running, p.Replicas)
	if p.Trouble != nil && p.Trouble.Reason != "Starting" {
		state += ": " + p.Trouble.Reason
	}
	if state != p.state && w.o.Progress != nil {
		w.o.Progress(p.Product, state)
	}
	p.state = state
}

// examineAll finds out why products are not ready, a few at once; now also those that
// were examined a moment ago.
func (w *waiter) examineAll(ctx context.Context, now bool) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requests / 2)
	at := w.o.Now()
	found := make([]*Trouble, len(w.products))
	for i := range w.products {
		p := &w.products[i]
		if p.examined.IsZero() {
			p.examined = at // it has just begun
		}
		if p.Ready || !now && at.Sub(p.examined) < examineEvery {
			continue
		}
		p.examined = at
		g.Go(func() error {
			t, err := w.examine(ctx, p)
			found[i] = t
			return err
		})
	}
	err := g.Wait()
	for i, t := range found {
		if t != nil {
			w.settle(&w.products[i], t)
		}
	}
	return err
}

// settle takes over what was found. Trouble counts as final when it is found twice in a
// row, for a pod may just be about to be replaced.
func (w *waiter) settle(p *Waited, t *Trouble) {
	key := t.Product + "/" + t.Pod + "/" + t.Reason
	if !t.Final {
		delete(w.final, key)
	} else {
		w.final[key]++
		t.Final = w.final[key] > 1
	}
	p.Trouble = t
	w.tell(p)
}

// last finds the reasons when time is up.
func (w *waiter) last(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, examineLast)
	defer cancel()
	err := w.examineAll(ctx, true)
	for i := range w.products {
		p := &w.products[i]
		if !p.Ready && p.Trouble == nil {
			p.Trouble = &Trouble{Product: p.Product, Reason: "NotReady", Message: fmt.Sprintf("%d of %d pods are ready", p.Running, p.Replicas)}
			if err != nil {
				p.Trouble.Reason, p.Trouble.Message = "Unknown", err.Error()
			}
		}
	}
}

// failure is the error about all products that are not ready.
func (w *waiter) failure(kind fault.Kind, after string) error {
	var stuck []*Trouble
	for i := range w.products {
		if p := &w.products[i]; !p.Ready {
			t := p.Trouble
			if t == nil {
				t = &Trouble{Product: p.Product, Reason: "NotReady", Message: "not ready"}
			}
			stuck = append(stuck, t)
		}
	}
	if len(stuck) == 1 {
		return fault.New(kind, stuck[0].Hint, "wait: not ready%s: %s: %s", after, stuck[0].Product, stuck[0])
	}
	var lines []string
	for _, t := range stuck {
		line := t.Product + ": " + t.String()
		if t.Hint != "" {
			line += "\n  hint: " + t.Hint
		}
		lines = append(lines, line)
	}
	return fault.New(kind, "", "wait: %d of %d products are not ready%s:\n%s", len(lines), len(w.products), after, strings.Join(lines, "\n"))
}

// list reads objects of a kind into structs.
func list[T any](ctx context.Context, c *kube.Cluster, kind, labels string) ([]T, error) {
	return query[T](ctx, c, kind, kube.Query{Labels: labels})
}

func query[T any](ctx context.Context, c *kube.Cluster, kind string, q kube.Query) ([]T, error) {
	all, err := c.List(ctx, kind, q)
	if err != nil {
		return nil, err
	}
	out := make([]T, len(all))
	for i, obj := range all {
		if err := kube.Decode(obj, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}
