package kube

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Object is one Kubernetes object as decoded JSON: maps, slices, strings, bools, int64
// and float64.
type Object = map[string]any

// kind is what the API server must be told about one kind.
type kind struct {
	group, version, name, resource string
	cluster                        bool // has no namespace
	prune                          bool // objects that meshctl applied go when they are no longer wanted
}

// kinds are the kinds that meshctl touches, in the order in which they are applied: what
// others need comes before them. Claims and credentials are not pruned, nor is the
// namespace, for everything in it would go too.
var kinds = [...]kind{
	{"", "v1", "Namespace", "namespaces", true, false},
	{"", "v1", "ServiceAccount", "serviceaccounts", false, true},
	{"", "v1", "Secret", "secrets", false, false},
	{"", "v1", "ConfigMap", "configmaps", false, true},
	{"", "v1", "Service", "services", false, true},
	{"networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", false, true},
	{"policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", false, true},
	{"", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", false, false},
	{"apps", "v1", "StatefulSet", "statefulsets", false, true},

	{"", "v1", "Pod", "pods", false, false},
	{"", "v1", "Event", "events", false, false},
	{"apps", "v1", "ControllerRevision", "controllerrevisions", false, false},
	{"storage.k8s.io", "v1", "StorageClass", "storageclasses", true, false},
}

func kindOf(name string) (kind, error) {
	for _, k := range kinds {
		if k.name == name {
			return k, nil
		}
	}
	return kind{}, fmt.Errorf("meshctl does not know the kind %q", name)
}

func (k kind) gvr() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: k.group, Version: k.version, Resource: k.resource}
}

// Pruned are the kinds of which meshctl deletes what it applied and no longer wants.
func Pruned() []string {
	var names []string
	for _, k := range kinds {
		if k.prune {
			names = append(names, k.name)
		}
	}
	return names
}

// Order is the place of a kind in the order of applying; pruning goes the other way.
func Order(name string) int {
	return slices.IndexFunc(kinds[:], func(k kind) bool { return k.name == name })
}

// Ref names one object; Namespace is empty for what belongs to the whole cluster.
type Ref struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
}

// RefOf is the name of obj.
func RefOf(obj Object) Ref {
	r := Ref{Kind: Text(obj, "kind"), Name: Text(obj, "metadata", "name"), Namespace: Text(obj, "metadata", "namespace")}
	if k, err := kindOf(r.Kind); err == nil && k.cluster {
		r.Namespace = ""
	}
	return r
}

// String is the object as kubectl calls it, such as "statefulset/flights".
func (r Ref) String() string { return strings.ToLower(r.Kind) + "/" + r.Name }

// Clone is a copy of obj that shares nothing with it.
func Clone(obj Object) Object { return runtime.DeepCopyJSON(obj) }

// Field is what stands in obj below path, nil when nothing does.
func Field(obj Object, path ...string) any {
	var v any = obj
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

// Text is the text that stands in obj below path, or nothing.
func Text(obj Object, path ...string) string {
	s, _ := Field(obj, path...).(string) // anything else is no text
	return s
}
