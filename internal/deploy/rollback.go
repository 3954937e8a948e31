package deploy

import (
	"context"
	"fmt"
	"slices"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kube"
	"github.com/meshctl/meshctl/internal/product"
)

// Revision is one template that a product's pods were made from.
type Revision struct {
	Number  int64  `json:"revision"`
	Name    string `json:"name"`
	Image   string `json:"image"`
	Version string `json:"version,omitempty"` // of the product
	Config  string `json:"config,omitempty"`  // digest of the product's files
	Current bool   `json:"current"`

	template map[string]any
}

func configDigestOfRevision(obj kube.Object) string {
	return kube.Text(obj, "data", "spec", "template", "metadata", "annotations", product.AnnotationConfig)
}

// Revisions are those that the cluster keeps of a product, the newest first.
func Revisions(ctx context.Context, c *kube.Cluster, name string) ([]Revision, error) {
	set, err := c.Get(ctx, kube.Ref{Kind: "StatefulSet", Name: name})
	if fault.KindOf(err) == fault.NotFound {
		return nil, notDeployed(c, name)
	}
	if err != nil {
		return nil, err
	}
	current := kube.Text(set, "status", "updateRevision")
	all, err := c.List(ctx, "ControllerRevision", kube.Query{Labels: selector([]string{name})})
	if err != nil {
		return nil, err
	}
	var revisions []Revision
	for _, obj := range all {
		template, _ := kube.Field(obj, "data", "spec", "template").(map[string]any)
		r := Revision{
			Name: kube.Text(obj, "metadata", "name"), Config: configDigestOfRevision(obj),
			Version:  kube.Text(template, "metadata", "labels", product.LabelVersion),
			template: template,
		}
		r.Current = r.Name == current
		r.Number, _ = kube.Field(obj, "revision").(int64) // always there
		if containers, _ := kube.Field(template, "spec", "containers").([]any); len(containers) > 0 {
			first, _ := containers[0].(map[string]any)
			r.Image = kube.Text(first, "image")
		}
		revisions = append(revisions, r)
	}
	slices.SortFunc(revisions, func(a, b Revision) int { return int(b.Number - a.Number) })
	return revisions, nil
}

func notDeployed(c *kube.Cluster, name string) error {
	return fault.New(fault.NotFound, "run meshctl status to see what is there", "namespace %s has no product %q", c.Namespace, name)
}

// Rollback brings a product back to a revision, with the files that it ran with; number
// 0 is the one before the present. The objects that are no part of a revision, such as
// Services, stay as they are.
func Rollback(ctx context.Context, c *kube.Cluster, name string, number int64, dryRun bool) (from, to Revision, err error) {
	revisions, err := Revisions(ctx, c, name)
	if err != nil {
		return from, to, err
	}
	i := slices.IndexFunc(revisions, func(r Revision) bool { return r.Current })
	if i < 0 {
		return from, to, fault.New(fault.Unavailable, "try again in a moment", "product %s: the cluster has not seen its last change yet", name)
	}
	from = revisions[i]
	j := slices.IndexFunc(revisions, func(r Revision) bool {
		return !r.Current && (number == 0 && r.Number < from.Number || r.Number == number)
	})
	switch {
	case number == from.Number:
		return from, from, nil
	case j < 0 && number == 0:
		return from, to, fault.New(fault.NotFound, "deploy the version that you want", "product %s: the cluster keeps no revision before %d", name, from.Number)
	case j < 0:
		return from, to, fault.New(fault.NotFound, "run meshctl rollback "+name+" --list to see what there is", "product %s: the cluster keeps no revision %d", name, number)
	}
	to = revisions[j]
	if err := wouldBreak(ctx, c, &from, &to, name); err != nil {
		return from, to, err
	}
	return from, to, to.restore(ctx, c, name, dryRun)
}

// wouldBreak says why the product would refuse the revision's descriptor: what its
// readers rely on by now is not in it. Only where the product runs is it known that it
// follows the present descriptor; one that does not run may go back to anything.
func wouldBreak(ctx context.Context, c *kube.Cluster, from, to *Revision, name string) error {
	pods, err := list[pod](ctx, c, "Pod", selector([]string{name}))
	if err != nil {
		return err
	}
	runs := slices.ContainsFunc(pods, func(p pod) bool { return p.ready() && p.Metadata.revision() == from.Name })
	if !runs || from.Config == "" || to.Config == "" {
		return nil
	}
	var both [2]*product.Product
	for i, r := range []*Revision{from, to} {
		config, err := c.Get(ctx, kube.Ref{Kind: "ConfigMap", Name: copyName(name, r.Config)})
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
		var problems []product.Problem
		if both[i], problems = product.Parse(product.FileName, []byte(kube.Text(config, "data", product.FileName))); problems != nil {
			return nil // another release of meshctl wrote it; the product will tell
		}
	}
	for _, change := range product.Compare(both[0], both[1]) {
		if change.Breaking {
			return fault.New(fault.Rejected, "deploy a new version that keeps it", "roll back %s to revision %d: its readers may rely on what that lacks: %s: %s",
				name, to.Number, change.Path, change.Message)
		}
	}
	return nil
}

// restore makes the revision's files and then its template those of the product.
func (r *Revision) restore(ctx context.Context, c *kube.Cluster, name string, dryRun bool) error {
	if r.Config != "" {
		if err := r.restoreFiles(ctx, c, name, dryRun); err != nil {
			return err
		}
	}
	set, err := c.Get(ctx, kube.Ref{Kind: "StatefulSet", Name: name})
	if err != nil {
		return err
	}
	spec, _ := kube.Clone(set)["spec"].(map[string]any)
	template := kube.Clone(r.template)
	delete(template, "$patch")
	spec["template"] = template
	_, err = c.Apply(ctx, kube.Object{
		"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": spec,
		"metadata": ownMeta(set),
	}, kube.ApplyOptions{DryRun: dryRun, Force: true})
	if err != nil {
		return fmt.Errorf("roll back %s: %w", name, err)
	}
	return nil
}

// restoreFiles makes the product's ConfigMap what it was at the revision.
func (r *Revision) restoreFiles(ctx context.Context, c *kube.Cluster, name string, dryRun bool) error {
	config, err := c.Get(ctx, kube.Ref{Kind: "ConfigMap", Name: copyName(name, r.Config)})
	if fault.KindOf(err) == fault.NotFound {
		return fault.New(fault.NotFound, "deploy the version that you want from its folder",
			"roll back %s: the files of revision %d are not kept in the cluster", name, r.Number)
	}
	if err != nil {
		return err
	}
	old, err := c.Get(ctx, kube.Ref{Kind: "ConfigMap", Name: name})
	if err != nil {
		return err
	}
	obj := kube.Object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": ownMeta(old)}
	for _, field := range []string{"data", "binaryData"} {
		if v := config[field]; v != nil {
			obj[field] = v
		}
	}
	_, err = c.Apply(ctx, obj, kube.ApplyOptions{DryRun: dryRun, Force: true})
	return err
}

// ownMeta is as much of an object's metadata as an apply may name.
func ownMeta(obj kube.Object) map[string]any {
	out := map[string]any{}
	for _, field := range []string{"name", "namespace", "labels", "annotations"} {
		if v := kube.Field(obj, "metadata", field); v != nil {
			out[field] = v
		}
	}
	return out
}
