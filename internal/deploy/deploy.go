// Package deploy brings products to a cluster: it plans what has to change, carries the
// plan out, and waits until the products run. It joins what a product is made of
// (manifest) with the cluster that it goes to (kube).
//
// Decided here:
//   - What meshctl owns is written on the objects themselves: the label
//     app.kubernetes.io/managed-by and the product's name, and that the API server names
//     meshctl as the manager that applied them. There is no list beside the objects that
//     could disagree with them, so a deploy that was interrupted anywhere is finished by
//     the next. A copy of an object bears the labels too, but not the manager.
//   - Pruning is per product: what a product no longer consists of goes with its next
//     deploy. Products that a command does not name stay, unless it says that those it
//     names are all there is.
//   - Each content of a product's ConfigMap is kept once more under its digest while a
//     revision of the StatefulSet refers to it, so that a rollback brings the files of
//     that revision back and not only its image.
package deploy

import (
	"maps"
	"slices"

	"github.com/meshctl/meshctl/internal/kube"
	"github.com/meshctl/meshctl/internal/manifest"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/trust"
)

// Unit is what is deployed as one: a product or the hub, and all its objects.
type Unit struct {
	Name    string
	Objects []manifest.Object
	Product *product.Product // nil for the hub
	Holder  *trust.Holder    // of the product's credential; nil for the hub
}

// objects are the unit's as the cluster takes them, in the order of applying, with the
// copy of its files that a rollback needs.
func (u *Unit) objects() []kube.Object {
	all := make([]kube.Object, 0, len(u.Objects)+1)
	digest := ""
	for _, o := range u.Objects {
		all = append(all, kube.Object(o))
		if o.Kind() == "StatefulSet" {
			digest = configDigest(kube.Object(o))
		}
	}
	for _, o := range u.Objects {
		if o.Kind() == "ConfigMap" && digest != "" {
			all = append(all, configCopy(kube.Object(o), digest))
		}
	}
	slices.SortStableFunc(all, func(a, b kube.Object) int {
		return kube.Order(kube.Text(a, "kind")) - kube.Order(kube.Text(b, "kind"))
	})
	return all
}

// configDigest is the digest of the files that the StatefulSet's pods run with.
func configDigest(set kube.Object) string {
	return kube.Text(set, "spec", "template", "metadata", "annotations", product.AnnotationConfig)
}

// copyName is the name of the copy of a ConfigMap with that digest.
func copyName(name, digest string) string { return name + "-" + digest[:min(len(digest), 12)] }

// configCopy is a ConfigMap under the name of its digest, which never changes.
func configCopy(config kube.Object, digest string) kube.Object {
	out := maps.Clone(config)
	meta, _ := config["metadata"].(map[string]any) // every object has it
	meta = maps.Clone(meta)
	name, _ := meta["name"].(string)
	meta["name"] = copyName(name, digest)
	out["metadata"], out["immutable"] = meta, true
	return out
}

// ours is the label selector of everything that meshctl applied.
const ours = product.LabelManagedBy + "=" + product.ManagedBy

// selector chooses what belongs to any of these.
func selector(names []string) string {
	if len(names) == 0 {
		return ours
	}
	list := ""
	for i, name := range names {
		if i > 0 {
			list += ","
		}
		list += name
	}
	return ours + "," + product.LabelName + " in (" + list + ")"
}

// unitOf is the product, or the hub, that obj belongs to.
func unitOf(obj kube.Object) string {
	return kube.Text(obj, "metadata", "labels", product.LabelName)
}
