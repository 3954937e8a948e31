package deploy

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/meshctl/meshctl/internal/kube"
)

// Removal is what deleting products does: objects that go, and volumes that stay unless
// their data is to go too.
type Removal struct {
	Namespace string   `json:"namespace"`
	Products  []string `json:"products"`
	Deleted   []Gone   `json:"deleted"`
	Kept      []Gone   `json:"kept"` // volumes and credentials

	foreign map[string]bool // products whose StatefulSet somebody else applied
}

// Gone is one object of a Removal.
type Gone struct {
	Product string   `json:"product"`
	Object  kube.Ref `json:"object"`
	Size    string   `json:"size,omitempty"` // of a volume

	uid string
}

// PlanRemoval finds what deleting products would do; no names means all of the
// namespace. data says that volumes go too.
func PlanRemoval(ctx context.Context, c *kube.Cluster, names []string, data bool) (*Removal, error) {
	r := &Removal{Namespace: c.Namespace, Products: []string{}, Deleted: []Gone{}, Kept: []Gone{}}
	r.foreign = map[string]bool{}
	kinds := append(kube.Pruned(), "PersistentVolumeClaim", "Secret")
	slices.SortFunc(kinds, func(a, b string) int { return kube.Order(b) - kube.Order(a) })
	for _, kind := range kinds {
		all, err := c.List(ctx, kind, kube.Query{Labels: selector(names)})
		if kind == "Secret" {
			err = unlessDenied(err)
		}
		if err != nil {
			return nil, err
		}
		for _, obj := range all {
			obj["kind"] = kind
			g := Gone{Product: unitOf(obj), Object: kube.RefOf(obj), uid: kube.Text(obj, "metadata", "uid")}
			if !r.take(obj, g, data) {
				continue
			}
			if !slices.Contains(r.Products, g.Product) {
				r.Products = append(r.Products, g.Product)
			}
		}
	}
	slices.Sort(r.Products)
	for _, name := range names {
		if !slices.Contains(r.Products, name) {
			return nil, notDeployed(c, name)
		}
	}
	return r, nil
}

// take puts an object where it belongs; false for one that is not meshctl's or goes already.
// Volumes are not applied by anybody, so they are their StatefulSet's.
func (r *Removal) take(obj kube.Object, g Gone, data bool) bool {
	volume := g.Object.Kind == "PersistentVolumeClaim"
	if volume {
		g.Size = kube.Text(obj, "spec", "resources", "requests", "storage")
	}
	switch {
	case kube.Field(obj, "metadata", "deletionTimestamp") != nil:
		return false
	case !volume && !kube.Owned(obj):
		r.foreign[g.Product] = r.foreign[g.Product] || g.Object.Kind == "StatefulSet"
		return false
	case volume && r.foreign[g.Product]:
		return false
	case g.Object.Kind == "Secret", volume && !data:
		r.Kept = append(r.Kept, g)
	default:
		r.Deleted = append(r.Deleted, g)
	}
	return true
}

// Remove deletes what the removal names, StatefulSets first. A volume goes when the pod
// that uses it has ended. done is told of each.
func (r *Removal) Remove(ctx context.Context, c *kube.Cluster, done func(Gone)) error {
	for _, kind := range slices.Backward(slices.Clone(kindsOf(r.Deleted))) {
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(requests)
		told := make(chan Gone, len(r.Deleted))
		for _, gone := range r.Deleted {
			if gone.Object.Kind != kind {
				continue
			}
			g.Go(func() error {
				err := changedMeanwhile(c.Delete(ctx, gone.Object, kube.DeleteOptions{UID: gone.uid}))
				if err != nil {
					return fmt.Errorf("delete %s: %w", gone.Product, err)
				}
				told <- gone
				return nil
			})
		}
		err := g.Wait()
		close(told)
		for gone := range told {
			done(gone)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// kindsOf are the kinds of the objects, in the order of applying.
func kindsOf(all []Gone) []string {
	var kinds []string
	for _, g := range all {
		if !slices.Contains(kinds, g.Object.Kind) {
			kinds = append(kinds, g.Object.Kind)
		}
	}
	slices.SortFunc(kinds, func(a, b string) int { return kube.Order(a) - kube.Order(b) })
	return kinds
}
