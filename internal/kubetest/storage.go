package kubetest

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshctl/meshctl/internal/kube"
)

// StorageClass makes a storage class for the test and returns its name. Nobody makes
// volumes for it; see Volume.
func StorageClass(t testing.TB, c *kube.Cluster, growing bool) string {
	t.Helper()
	Create(t, c, "StorageClass", kube.Object{
		"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": map[string]any{"name": c.Namespace},
		"provisioner": "meshctl.dev/nobody", "allowVolumeExpansion": growing,
	})
	remove(t, c, "StorageClass", c.Namespace)
	return c.Namespace
}

// Volume makes a volume of that class, which the claim of that name will have.
func Volume(t testing.TB, c *kube.Cluster, class, claim string) {
	t.Helper()
	name := c.Namespace + "-" + claim
	Create(t, c, "PersistentVolume", kube.Object{
		"apiVersion": "v1", "kind": "PersistentVolume", "metadata": map[string]any{"name": name},
		"spec": map[string]any{
			"capacity": map[string]any{"storage": "1Gi"}, "accessModes": []any{"ReadWriteOnce"},
			"storageClassName": class, "persistentVolumeReclaimPolicy": "Retain",
			"hostPath": map[string]any{"path": "/var/empty"},
			"claimRef": map[string]any{"namespace": c.Namespace, "name": claim},
		},
	})
	remove(t, c, "PersistentVolume", name)
}

// remove deletes what belongs to the whole cluster when the test ends.
func remove(t testing.TB, c *kube.Cluster, kind, name string) {
	in := client(t, c, kind)
	t.Cleanup(func() {
		if err := in.Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
}

// whole are the kinds that have no namespace.
func whole(kind string) bool { return kind == "StorageClass" || kind == "PersistentVolume" }
