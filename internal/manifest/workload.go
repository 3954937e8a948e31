package manifest

import (
	"cmp"
	"maps"

	"github.com/meshctl/meshctl/internal/product"
)

// workload is what a product and the hub have in common: one StatefulSet and what
// belongs to it.
type workload struct {
	name, namespace, component string
	labels                     map[string]string // beside those of all objects
	annotations                map[string]string
	replicas                   int
	image                      string
	pullPolicy                 string
	pullSecrets                []string
	args                       []string
	env                        []any
	ports                      []port
	startup, live, ready       map[string]any
	cpu, memory                string
	storageSize, storageClass  string
	config                     *config  // nil: no ConfigMap
	bucketSecret               string   // empty: no bucket
	ingress, egress            []any    // of the NetworkPolicy
	tlsSecret                  string   // "": none
	tlsFiles                   []string // of that Secret
}

// port is one that the pod listens on.
type port struct {
	name    string
	number  int64
	service int64 // of the client Service; 0: pods use it among themselves
}

// objects are the workload's, in the order in which they can be created.
func (w *workload) objects(withNamespace bool) []Object {
	var all []Object
	if withNamespace {
		all = append(all, namespace(w.namespace))
	}
	all = append(all, w.serviceAccount())
	if w.config != nil {
		all = append(all, w.configMap())
	}
	return append(all, w.networkPolicy(), w.headlessService(), w.clientService(), w.disruptionBudget(), w.statefulSet())
}

// selector tells the workload's pods from all others; it never changes.
func (w *workload) selector() map[string]any {
	return texts(product.SelectorLabels(w.name, w.component))
}

// allLabels are those of every object and of the pods.
func (w *workload) allLabels() map[string]any {
	labels := product.SelectorLabels(w.name, w.component)
	labels[product.LabelManagedBy] = product.ManagedBy
	maps.Copy(labels, w.labels)
	return texts(labels)
}

// object is one of the workload's, with its labels.
func (w *workload) object(apiVersion, kind, name string, fields map[string]any) Object {
	meta := map[string]any{"name": name, "namespace": w.namespace, "labels": w.allLabels()}
	if a := texts(w.annotations); a != nil {
		meta["annotations"] = a
	}
	o := Object{"apiVersion": apiVersion, "kind": kind, "metadata": meta}
	maps.Copy(o, fields)
	return o
}

func (w *workload) serviceAccount() Object {
	return w.object("v1", "ServiceAccount", w.name, map[string]any{"automountServiceAccountToken": false})
}

// headlessService gives each pod a name of its own. Nodes of a cluster find each other
// by it before any of them is ready.
func (w *workload) headlessService() Object {
	var ports []any
	for _, p := range w.ports {
		ports = append(ports, map[string]any{
			"name": p.name, "port": p.number, "targetPort": p.name, "protocol": "TCP",
		})
	}
	return w.object("v1", "Service", product.HeadlessService(w.name), map[string]any{"spec": map[string]any{
		"type": "ClusterIP", "clusterIP": "None", "publishNotReadyAddresses": true,
		"selector": w.selector(), "ports": ports,
	}})
}

func (w *workload) clientService() Object {
	var ports []any
	for _, p := range w.ports {
		if p.service != 0 {
			ports = append(ports, map[string]any{
				"name": p.name, "port": p.service, "targetPort": p.name, "protocol": "TCP",
			})
		}
	}
	return w.object("v1", "Service", w.name, map[string]any{"spec": map[string]any{
		"type": "ClusterIP", "selector": w.selector(), "ports": ports,
	}})
}

// disruptionBudget lets a node be drained one pod at a time, and at once where a pod
// does not work anyhow.
func (w *workload) disruptionBudget() Object {
	return w.object("policy/v1", "PodDisruptionBudget", w.name, map[string]any{"spec": map[string]any{
		"maxUnavailable": int64(1), "unhealthyPodEvictionPolicy": "AlwaysAllow",
		"selector": map[string]any{"matchLabels": w.selector()},
	}})
}

// ignoreScore is the annotation that names the checks of kube-score that do not apply.
const ignoreScore = "kube-score/ignore"

func (w *workload) statefulSet() Object {
	o := w.object("apps/v1", "StatefulSet", w.name, map[string]any{"spec": map[string]any{
		"replicas":             int64(w.replicas),
		"serviceName":          product.HeadlessService(w.name),
		"podManagementPolicy":  "Parallel",
		"updateStrategy":       map[string]any{"type": "RollingUpdate"},
		"revisionHistoryLimit": int64(10),
		"persistentVolumeClaimRetentionPolicy": map[string]any{
			"whenDeleted": "Retain", "whenScaled": "Retain",
		},
		"selector":             map[string]any{"matchLabels": w.selector()},
		"template":             w.pod(),
		"volumeClaimTemplates": []any{w.claim()},
	}})
	if w.pullPolicy != "Always" {
		// It wants Always, so that pull secrets are checked at each start; then no pod
		// starts while the registry is away. Tags name versions here, never latest.
		meta := o["metadata"].(map[string]any)
		ignored := map[string]any{ignoreScore: "container-image-pull-policy"}
		if a, ok := meta["annotations"].(map[string]any); ok {
			maps.Copy(ignored, a)
		}
		meta["annotations"] = ignored
	}
	return o
}

// claim is the pod's volume. Its labels are those that never change: Kubernetes refuses
// another claim template.
func (w *workload) claim() map[string]any {
	labels := w.selector()
	labels[product.LabelManagedBy] = product.ManagedBy
	spec := map[string]any{
		"accessModes": list("ReadWriteOnce"),
		"resources":   map[string]any{"requests": map[string]any{"storage": w.storageSize}},
	}
	if w.storageClass != "" {
		spec["storageClassName"] = w.storageClass
	}
	return map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim",
		"metadata": map[string]any{"name": product.DataVolume, "labels": labels},
		"spec":     spec,
	}
}

// pullPolicyOr is IfNotPresent where nothing else was asked for: a tag names a version
// here, never latest, and a pod starts again while the registry is away.
func pullPolicyOr(policy string) string { return cmp.Or(policy, "IfNotPresent") }
