package kube

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// ApplyOptions say how an object is applied.
type ApplyOptions struct {
	DryRun bool // the API server answers as if, and changes nothing
	Force  bool // take over fields that others manage
}

// Apply makes the object as obj says, by server-side apply, and returns it as it is
// then. An object without a namespace belongs to the cluster's. A field that another
// manager set otherwise is a *ConflictError unless o.Force says to take it.
func (c *Cluster) Apply(ctx context.Context, obj Object, o ApplyOptions) (Object, error) {
	r := RefOf(obj)
	in, err := c.resource(r)
	if err != nil {
		return nil, err
	}
	options := metav1.ApplyOptions{FieldManager: Manager, Force: o.Force}
	if o.DryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	got, err := in.Apply(ctx, r.Name, &unstructured.Unstructured{Object: obj}, options)
	if err != nil {
		return nil, c.failure(err, "apply %s", r)
	}
	return got.Object, nil
}

// TryApply is what Apply would make of live, which is the object as it was read; nothing
// changes. Where want only sets values of a StatefulSet that nobody else manages, the API
// server is asked to merge them: the same for half the work.
func (c *Cluster) TryApply(ctx context.Context, live, want Object, force bool) (Object, error) {
	r := RefOf(want)
	if r.Kind == "StatefulSet" && setsOnly(live, want) {
		return c.patch(ctx, r, types.StrategicMergePatchType, want, true)
	}
	return c.Apply(ctx, want, ApplyOptions{DryRun: true, Force: force})
}

// TryCreate asks the API server whether the object could be made, and makes nothing: nil
// says yes, a fault.Conflict that there is one of its name. For the server it is half of
// the work of a dry-run of Apply.
func (c *Cluster) TryCreate(ctx context.Context, obj Object) error {
	r := RefOf(obj)
	in, err := c.resource(r)
	if err != nil {
		return err
	}
	_, err = in.Create(ctx, &unstructured.Unstructured{Object: obj}, metav1.CreateOptions{
		FieldManager: Manager, DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict,
	})
	return c.failure(err, "create %s", r)
}

// Merge changes the fields that patch names, as a JSON merge patch, and returns the
// object as it is then.
func (c *Cluster) Merge(ctx context.Context, r Ref, patch Object, dryRun bool) (Object, error) {
	return c.patch(ctx, r, types.MergePatchType, patch, dryRun)
}

func (c *Cluster) patch(ctx context.Context, r Ref, form types.PatchType, patch Object, dryRun bool) (Object, error) {
	in, err := c.resource(r)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(patch)
	if err != nil {
		return nil, fmt.Errorf("change %s: %w", r, err)
	}
	options := metav1.PatchOptions{FieldManager: Manager}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	got, err := in.Patch(ctx, r.Name, form, data, options)
	if err != nil {
		return nil, c.failure(err, "change %s", r)
	}
	return got.Object, nil
}

// DeleteOptions say how an object is deleted.
type DeleteOptions struct {
	UID    string // delete only the object that bears this; empty for whichever has the name
	Orphan bool   // leave what the object owns, such as a StatefulSet's pods
	DryRun bool
}

// Delete deletes an object. One that is gone already is no error.
func (c *Cluster) Delete(ctx context.Context, r Ref, o DeleteOptions) error {
	in, err := c.resource(r)
	if err != nil {
		return err
	}
	policy := metav1.DeletePropagationBackground
	if o.Orphan {
		policy = metav1.DeletePropagationOrphan
	}
	options := metav1.DeleteOptions{PropagationPolicy: &policy}
	if o.UID != "" {
		uid := types.UID(o.UID)
		options.Preconditions = &metav1.Preconditions{UID: &uid}
	}
	if o.DryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	return ignoreGone(c.failure(in.Delete(ctx, r.Name, options), "delete %s", r))
}

// resource is where requests about r go.
func (c *Cluster) resource(r Ref) (dynamic.ResourceInterface, error) {
	k, err := kindOf(r.Kind)
	if err != nil {
		return nil, err
	}
	all := c.dynamic.Resource(k.gvr())
	switch {
	case k.cluster:
		return all, nil
	case r.Namespace != "":
		return all.Namespace(r.Namespace), nil
	}
	return all.Namespace(c.Namespace), nil
}
