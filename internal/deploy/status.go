package deploy

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/meshctl/meshctl/internal/kube"
	"github.com/meshctl/meshctl/internal/product"
)

// Status is how one product, or the hub, fares in a cluster.
type Status struct {
	Product  string    `json:"product"`
	Kind     string    `json:"kind"` // data-product or hub
	Version  string    `json:"version,omitempty"`
	Image    string    `json:"image,omitempty"`
	Revision string    `json:"revision,omitempty"`
	Replicas int64     `json:"replicas"`
	Ready    int64     `json:"ready"`
	Restarts int       `json:"restarts"`
	Since    time.Time `json:"since,omitzero"` // when the youngest pod was made
	Managed  bool      `json:"managed"`        // meshctl applied it, nobody else
	State    string    `json:"state"`          // running, rolling, starting, failing, or deleted with volumes kept
	Trouble  *Trouble  `json:"trouble,omitempty"`
	Pods     []Pod     `json:"pods"`
	Volumes  []Volume  `json:"volumes"`
}

// Pod is one pod of a product.
type Pod struct {
	Name     string    `json:"name"`
	Phase    string    `json:"phase"`
	Ready    bool      `json:"ready"`
	Restarts int       `json:"restarts"`
	Revision string    `json:"revision"`
	Node     string    `json:"node,omitempty"`
	Created  time.Time `json:"created"`
}

// Volume is one claim of a product.
type Volume struct {
	Name     string `json:"name"`
	Phase    string `json:"phase"`
	Asked    string `json:"asked"`
	Capacity string `json:"capacity,omitempty"`
	Class    string `json:"class,omitempty"`
	Note     string `json:"note,omitempty"` // what its growth waits for
}

// The values of Status.State.
const (
	Running  = "running"
	RollsOut = "rolling"
	Starting = "starting"
	Failing  = "failing"
	Deleted  = "deleted"
)

// Look tells how products fare; no names means all of the namespace. A product that is
// deleted and whose volumes are kept is among them.
func Look(ctx context.Context, c *kube.Cluster, names []string, now func() time.Time) ([]Status, error) {
	labels := selector(names)
	claims, err := list[claim](ctx, c, "PersistentVolumeClaim", labels)
	if err != nil {
		return nil, err
	}
	raw, err := c.List(ctx, "StatefulSet", kube.Query{Labels: labels})
	if err != nil {
		return nil, err
	}
	found := map[string]*Status{}
	var units []string
	for _, obj := range raw {
		name := unitOf(obj)
		found[name] = &Status{
			Product: name, Kind: kube.Text(obj, "metadata", "labels", product.LabelComponent), Managed: kube.Owned(obj),
			Version: kube.Text(obj, "metadata", "labels", product.LabelVersion), Pods: []Pod{}, Volumes: []Volume{},
		}
		units = append(units, name)
	}
	if err := fill(ctx, c, found, units, now); err != nil {
		return nil, err
	}
	for i := range claims {
		name := claims[i].Metadata.unit()
		if found[name] == nil {
			found[name] = &Status{
				Product: name, Kind: claims[i].Metadata.Labels[product.LabelComponent],
				State: Deleted, Pods: []Pod{}, Volumes: []Volume{},
			}
		}
		found[name].Volumes = append(found[name].Volumes, volumeOf(&claims[i]))
	}
	for _, name := range names {
		if found[name] == nil {
			return nil, notDeployed(c, name)
		}
	}
	all := []Status{}
	for _, s := range found {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b Status) int {
		return cmp.Or(-cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Product, b.Product)) // the hub first
	})
	return all, nil
}

// fill adds pods, revisions and troubles.
func fill(ctx context.Context, c *kube.Cluster, found map[string]*Status, units []string, now func() time.Time) error {
	w := &waiter{cluster: c, o: WaitOptions{Now: now}, restarts: map[string]int{}, final: map[string]int{}}
	for _, name := range units {
		w.products = append(w.products, Waited{Product: name})
	}
	for chunk := range slices.Chunk(units, chunkSize) {
		if err := w.look(ctx, chunk); err != nil {
			return err
		}
	}
	if err := w.examineAll(ctx, true); err != nil {
		return err
	}
	for i := range w.products {
		found[w.products[i].Product].describe(&w.products[i])
	}
	return nil
}

func (s *Status) describe(p *Waited) {
	s.Replicas, s.Ready, s.Revision, s.Trouble = p.Replicas, p.Running, p.Revision, p.Trouble
	if p.set != nil && len(p.set.Spec.Template.Spec.Containers) > 0 {
		s.Image = p.set.Spec.Template.Spec.Containers[0].Image
	}
	for i := range p.pods {
		q := &p.pods[i]
		s.Restarts += q.restarts()
		if q.Metadata.CreationTimestamp.After(s.Since) {
			s.Since = q.Metadata.CreationTimestamp
		}
		s.Pods = append(s.Pods, Pod{
			Name: q.Metadata.Name, Phase: q.Status.Phase, Ready: q.ready(), Restarts: q.restarts(),
			Revision: q.Metadata.revision(), Node: q.Spec.NodeName, Created: q.Metadata.CreationTimestamp,
		})
	}
	slices.SortFunc(s.Pods, func(a, b Pod) int { return cmp.Compare(a.Name, b.Name) })
	switch {
	case p.Ready:
		s.State = Running
	case p.Trouble != nil && p.Trouble.Reason != "Starting" && p.Trouble.Reason != "NotReady":
		s.State = Failing
	case p.Running > 0:
		s.State = RollsOut
	default:
		s.State = Starting
	}
}

func volumeOf(c *claim) Volume {
	v := Volume{
		Name: c.Metadata.Name, Phase: c.Status.Phase,
		Asked: c.Spec.Resources.Requests["storage"], Capacity: c.Status.Capacity["storage"],
	}
	if c.Spec.StorageClassName != nil {
		v.Class = *c.Spec.StorageClassName
	}
	for _, cond := range c.Status.Conditions {
		if cond.Status == "True" {
			v.Note = cmp.Or(cond.Message, cond.Type)
		}
	}
	if v.Note == "" && v.Capacity != "" {
		if before, after, err := sizes(v.Capacity, v.Asked); err == nil && after > before {
			v.Note = "waits to grow"
		}
	}
	return v
}

// Pods are the names of a product's pods.
func Pods(ctx context.Context, c *kube.Cluster, name string) ([]string, error) {
	pods, err := list[pod](ctx, c, "Pod", selector([]string{name}))
	if err != nil {
		return nil, err
	}
	if len(pods) == 0 {
		return nil, notDeployed(c, name)
	}
	var all []string
	for _, p := range pods {
		all = append(all, p.Metadata.Name)
	}
	slices.Sort(all)
	return all, nil
}

// HubPod is a pod of the namespace's hub that answers; "" when there is none.
func HubPod(ctx context.Context, c *kube.Cluster) (string, error) {
	pods, err := list[pod](ctx, c, "Pod", selector([]string{product.HubName}))
	for _, p := range pods {
		if p.ready() {
			return p.Metadata.Name, err
		}
	}
	return "", err
}
