// Package kubetest gives a test a namespace of its own in a real cluster. There is no
// fake API server here: what meshctl relies on (server-side apply, dry-run, field
// managers, admission) is what a fake would get wrong. A control plane without nodes is
// enough; the tests play the kubelet where they need one.
package kubetest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/meshctl/meshctl/internal/kube"
)

// Variable names the kubeconfig of the cluster that tests may use. It is not KUBECONFIG,
// which may lead to a cluster that somebody needs.
const Variable = "MESHCTL_TEST_KUBECONFIG"

// Kubeconfig is the file that leads to the cluster. Where there is none the test is
// skipped: continuous integration always has one.
func Kubeconfig(t testing.TB) string {
	t.Helper()
	file, ok := os.LookupEnv(Variable)
	if !ok || file == "" {
		t.Skipf("set %s to the kubeconfig of a cluster for tests", Variable)
	}
	return file
}

// Cluster is a cluster and a new namespace in it, which goes when the test ends.
func Cluster(t testing.TB) *kube.Cluster {
	t.Helper()
	file := Kubeconfig(t)
	name := "meshctl-" + strings.ToLower(rand.Text()[:10])
	c, err := kube.Connect(kube.Options{
		Kubeconfig: file, Namespace: name, Env: func(string) string { return "" }, Warn: func(text string) { t.Log("warning: ", text) },
	})
	if err != nil {
		t.Fatal(err)
	}
	namespace := kube.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}}
	if _, err := c.Apply(t.Context(), namespace, kube.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := c.Delete(ctx, kube.RefOf(namespace), kube.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return c
}

// resources are the kinds that somebody else than meshctl changes in a test.
var resources = map[string]schema.GroupVersionResource{
	"Pod":                   {Version: "v1", Resource: "pods"},
	"PersistentVolumeClaim": {Version: "v1", Resource: "persistentvolumeclaims"},
	"PersistentVolume":      {Version: "v1", Resource: "persistentvolumes"},
	"ConfigMap":             {Version: "v1", Resource: "configmaps"},
	"Service":               {Version: "v1", Resource: "services"},
	"StatefulSet":           {Group: "apps", Version: "v1", Resource: "statefulsets"},
	"StorageClass":          {Group: "storage.k8s.io", Version: "v1", Resource: "storageclasses"},
}

func client(t testing.TB, c *kube.Cluster, kind string) dynamic.ResourceInterface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", Kubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	dyn, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	if whole(kind) {
		return dyn.Resource(resources[kind])
	}
	return dyn.Resource(resources[kind]).Namespace(c.Namespace)
}

// Patch changes an object as another field manager, as kubectl edit would; a subresource,
// such as status, may follow.
func Patch(t testing.TB, c *kube.Cluster, kind, name, manager string, patch kube.Object, subresource ...string) {
	t.Helper()
	data, err := json.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client(t, c, kind).Patch(t.Context(), name, types.MergePatchType, data, metav1.PatchOptions{FieldManager: manager}, subresource...)
	if err != nil {
		t.Fatal(err)
	}
}

// Ready plays the kubelet: it says of a pod that it runs and is ready.
func Ready(t testing.TB, c *kube.Cluster, pod string) {
	t.Helper()
	Patch(t, c, "Pod", pod, "kubelet", kube.Object{"status": map[string]any{
		"phase":      "Running",
		"conditions": []any{map[string]any{"type": "Ready", "status": "True"}, map[string]any{"type": "ContainersReady", "status": "True"}},
	}}, "status")
}

// Create makes an object as somebody who does not use server-side apply.
func Create(t testing.TB, c *kube.Cluster, kind string, obj kube.Object) {
	t.Helper()
	_, err := client(t, c, kind).Create(t.Context(), &unstructured.Unstructured{Object: obj}, metav1.CreateOptions{FieldManager: "somebody"})
	if err != nil {
		t.Fatal(err)
	}
}
