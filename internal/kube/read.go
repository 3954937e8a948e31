package kube

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshctl/meshctl/internal/fault"
)

// pageSize is how many objects one answer of the API server may hold.
const pageSize = 500

// Get is one object; a fault of kind NotFound when there is none.
func (c *Cluster) Get(ctx context.Context, r Ref) (Object, error) {
	in, err := c.resource(r)
	if err != nil {
		return nil, err
	}
	got, err := in.Get(ctx, r.Name, metav1.GetOptions{})
	if err != nil {
		return nil, c.failure(err, "get %s", r)
	}
	return got.Object, nil
}

// Query chooses objects; an empty one chooses all of the namespace.
type Query struct {
	Labels string // a label selector
	Fields string // a field selector
}

// List is all objects of a kind in the namespace that q chooses.
func (c *Cluster) List(ctx context.Context, kind string, q Query) ([]Object, error) {
	var all []Object
	err := c.Each(ctx, kind, q, func(obj Object) { all = append(all, obj) })
	return all, err
}

// Each gives visit what List would return, one by one, and keeps no more of it than a page.
func (c *Cluster) Each(ctx context.Context, kind string, q Query, visit func(Object)) error {
	in, err := c.resource(Ref{Kind: kind})
	if err != nil {
		return err
	}
	options := metav1.ListOptions{LabelSelector: q.Labels, FieldSelector: q.Fields, Limit: pageSize}
	for {
		page, err := in.List(ctx, options)
		if err != nil {
			return c.failure(err, "list %ss", kind)
		}
		for _, item := range page.Items {
			visit(item.Object)
		}
		if options.Continue = page.GetContinue(); options.Continue == "" {
			return nil
		}
	}
}

// Names are the names of all objects of a kind in the namespace, whoever made them. What
// is in the objects stays at the API server.
func (c *Cluster) Names(ctx context.Context, kind string) (map[string]bool, error) {
	k, err := kindOf(kind)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	options := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := c.metadata.Resource(k.gvr()).Namespace(c.Namespace).List(ctx, options)
		if err != nil {
			return nil, c.failure(err, "list the names of %ss", kind)
		}
		for _, item := range page.Items {
			names[item.Name] = true
		}
		if options.Continue = page.GetContinue(); options.Continue == "" {
			return names, nil
		}
	}
}

// Decode reads obj into a struct by its json tags.
func Decode(obj Object, into any) error {
	data, err := json.Marshal(obj)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", RefOf(obj), err)
	}
	return nil
}

func ignoreGone(err error) error {
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return err
}
