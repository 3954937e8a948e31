// Package manifest turns a product, or the hub, into Kubernetes objects: the same input
// gives the same bytes. It knows no cluster and talks to none.
//
// Objects are plain JSON values and not the types of k8s.io/api: those bring a module
// tree that the rest of meshctl does not need, and write fields such as
// "creationTimestamp: null" and "status: {}" that no person would. What the types would
// have checked is checked in the tests against the API's own schemas.
//
// A field is written only where it says something, so that server-side apply owns no
// more than it should. Names, labels and ports are those of package product.
package manifest

import (
	"maps"
	"regexp"
	"slices"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// Object is one Kubernetes object, of JSON values only (string, int64, float64, bool,
// []any, map[string]any), as unstructured.Unstructured takes it.
type Object map[string]any

// Kind is the object's kind.
func (o Object) Kind() string { s, _ := o["kind"].(string); return s }

// Name is the object's name.
func (o Object) Name() string { return o.metadata("name") }

// Namespace is the object's namespace, "" where it is not in one.
func (o Object) Namespace() string { return o.metadata("namespace") }

func (o Object) metadata(field string) string {
	meta, _ := o["metadata"].(map[string]any)
	s, _ := meta[field].(string)
	return s
}

// Options say where products run and with what image.
type Options struct {
	Namespace       string // required
	Image           string // runs the products whose descriptor names none
	CreateNamespace bool   // include the Namespace, with the labels of restricted Pod Security
	Hub             string // URL that leaves join the hub at; empty: the hub in the same namespace
	TLSSecret       string // a Secret whose ca.crt vouches for the hub; empty: the image's authorities do
	PullPolicy      string // of images; empty: IfNotPresent
	PullSecrets     []string
}

// HubOptions say where the hub runs and how large it is.
type HubOptions struct {
	Namespace       string // required
	Image           string // required
	Replicas        int    // 1, or 3 for a cluster that goes on with one node down; 0 is 1
	CreateNamespace bool
	TLSSecret       string // a Secret whose tls.crt and tls.key the hub shows; empty: nothing is encrypted
	StorageSize     string // of each node's volume; empty: 10Gi
	StorageClass    string // empty: the cluster's default
	CPU             string // of each node; empty: 500m
	Memory          string // of each node; empty: 512Mi
	PullPolicy      string
	PullSecrets     []string
}

// Product is every object of one product, in the order in which they can be created.
// files are those of the product's folder, by slash paths, that go with it; see
// ProductFiles.
func Product(p *product.Product, files map[string][]byte, o Options) ([]Object, error) {
	w, err := productWorkload(p, o)
	if err != nil {
		return nil, err
	}
	config, err := newConfig(w, files)
	if err != nil {
		return nil, err
	}
	w.annotations = map[string]string{product.AnnotationOwner: p.Metadata.Owner}
	w.config = config
	return w.objects(o.CreateNamespace), nil
}

// Hub is every object of the hub, in the order in which they can be created.
func Hub(o HubOptions) ([]Object, error) {
	w, err := hubWorkload(o)
	if err != nil {
		return nil, err
	}
	return w.objects(o.CreateNamespace), nil
}

// namespaceName is the grammar of a namespace: a DNS label.
var namespaceName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func checkNamespace(name string) error {
	if !namespaceName.MatchString(name) {
		return fault.New(fault.Invalid, "use at most 63 lower case letters, digits and dashes", "namespace %q is not a name", name)
	}
	return nil
}

// secretName is the grammar of a Secret's name: a DNS subdomain.
var secretName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)

func checkSecret(name string) error {
	if name != "" && !secretName.MatchString(name) {
		return fault.New(fault.Invalid, "use lower case letters, digits, dashes and dots", "secret %q is not a name", name)
	}
	return nil
}

func checkPullPolicy(policy string) error {
	if policy != "" && !slices.Contains([]string{"Always", "IfNotPresent", "Never"}, policy) {
		return fault.New(fault.Invalid, "write Always, IfNotPresent or Never", "pull policy %q is not known", policy)
	}
	return nil
}

// namespace is the Namespace that holds a mesh; it is the same whoever asks for it.
func namespace(name string) Object {
	const pss = "pod-security.kubernetes.io/"
	labels := map[string]string{product.LabelManagedBy: product.ManagedBy}
	for _, mode := range []string{"enforce", "audit", "warn"} {
		labels[pss+mode] = "restricted"
	}
	return Object{
		"apiVersion": "v1", "kind": "Namespace",
		"metadata": map[string]any{"name": name, "labels": texts(labels)},
	}
}

// texts is m as JSON values, nil if it is empty.
func texts(m map[string]string) map[string]any {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// list is values as a JSON list.
func list[T any](values ...T) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}

// sortedKeys are the keys of m in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
