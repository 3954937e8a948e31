package kube_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kube"
	"github.com/meshctl/meshctl/internal/kubetest"
)

func config(name string, data map[string]any) kube.Object {
	return kube.Object{
		"apiVersion": "v1", "kind": "ConfigMap", "data": data,
		"metadata": map[string]any{"name": name, "labels": map[string]any{"app": "x"}},
	}
}

func apply(t *testing.T, c *kube.Cluster, obj kube.Object, o kube.ApplyOptions) kube.Object {
	t.Helper()
	got, err := c.Apply(t.Context(), obj, o)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestApplyAndDryRun(t *testing.T) {
	c := kubetest.Cluster(t)
	want := config("a", map[string]any{"k": "1"})
	ref := kube.Ref{Kind: "ConfigMap", Name: "a"}
	apply(t, c, want, kube.ApplyOptions{DryRun: true})
	if _, err := c.Get(t.Context(), ref); fault.KindOf(err) != fault.NotFound {
		t.Fatalf("a dry-run made it: %v", err)
	}
	live := apply(t, c, want, kube.ApplyOptions{})
	if !kube.Owned(live) {
		t.Error("what was applied is not owned")
	}
	if !kube.AppliedAlready(live, want) {
		t.Error("what was applied is not seen as applied")
	}
	for name, other := range map[string]kube.Object{
		"another value": config("a", map[string]any{"k": "2"}),
		"one more":      config("a", map[string]any{"k": "1", "l": "2"}),
		"one less":      config("a", map[string]any{}),
	} {
		if kube.AppliedAlready(live, other) {
			t.Errorf("%s is seen as applied", name)
		}
	}
}

func TestConflicts(t *testing.T) {
	c := kubetest.Cluster(t)
	apply(t, c, config("a", map[string]any{"k": "1", "l": "1"}), kube.ApplyOptions{})
	kubetest.Patch(t, c, "ConfigMap", "a", "kubectl-edit", kube.Object{"data": map[string]any{"k": "theirs"}})
	want := config("a", map[string]any{"k": "2", "l": "1"})
	_, err := c.Apply(t.Context(), want, kube.ApplyOptions{})
	var conflict *kube.ConflictError
	if !errors.As(err, &conflict) || fault.KindOf(err) != fault.Conflict {
		t.Fatalf("got %v", err)
	}
	if len(conflict.Conflicts) != 1 || conflict.Conflicts[0] != (kube.Conflict{Field: "data.k", Manager: "kubectl-edit"}) {
		t.Errorf("conflicts %+v", conflict.Conflicts)
	}
	if !strings.Contains(fault.HintOf(err), "--force-conflicts") {
		t.Errorf("hint %q", fault.HintOf(err))
	}
	live := apply(t, c, want, kube.ApplyOptions{Force: true})
	if got := kube.Text(live, "data", "k"); got != "2" {
		t.Errorf("k is %q", got)
	}
}

// A copy that somebody makes of an object bears its labels and is not ours.
func TestCopiesAreNotOwned(t *testing.T) {
	c := kubetest.Cluster(t)
	apply(t, c, config("a", map[string]any{"k": "1"}), kube.ApplyOptions{})
	other, err := kube.Connect(kube.Options{Kubeconfig: kubetest.Kubeconfig(t), Namespace: c.Namespace, Env: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	kubetest.Create(t, other, "ConfigMap", config("b", map[string]any{"k": "1"}))
	all, err := c.List(t.Context(), "ConfigMap", kube.Query{Labels: "app=x"})
	if err != nil || len(all) != 2 {
		t.Fatalf("%d objects, %v", len(all), err)
	}
	for _, obj := range all {
		name := kube.Text(obj, "metadata", "name")
		if got, want := kube.Owned(obj), name == "a"; got != want {
			t.Errorf("%s: owned is %v", name, got)
		}
	}
}

func TestListReadsEveryPage(t *testing.T) {
	c := kubetest.Cluster(t)
	const n = 501
	for i := range n {
		kubetest.Create(t, c, "ConfigMap", config("many-"+strings.Repeat("a", i%20)+string(rune('a'+i/20)), nil))
	}
	all, err := c.List(t.Context(), "ConfigMap", kube.Query{Labels: "app=x"})
	if err != nil || len(all) != n {
		t.Errorf("%d objects, %v; want %d", len(all), err, n)
	}
}

func TestRefusals(t *testing.T) {
	c := kubetest.Cluster(t)
	_, err := c.Apply(t.Context(), kube.Object{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "s"},
		"spec": map[string]any{"ports": []any{map[string]any{"port": int64(99999)}}},
	}, kube.ApplyOptions{DryRun: true})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "spec.ports[0].port") {
		t.Errorf("an impossible port: %v", err)
	}
	if _, err := c.In("no-such-namespace").Apply(t.Context(), config("a", nil), kube.ApplyOptions{}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a missing namespace: %v", err)
	}
	if err := c.Delete(t.Context(), kube.Ref{Kind: "ConfigMap", Name: "gone"}, kube.DeleteOptions{}); err != nil {
		t.Errorf("deleting what is gone: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Get(ctx, kube.Ref{Kind: "Pod", Name: "x"}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestDeleteOnlyThisOne(t *testing.T) {
	c := kubetest.Cluster(t)
	live := apply(t, c, config("a", nil), kube.ApplyOptions{})
	ref := kube.RefOf(live)
	if err := c.Delete(t.Context(), ref, kube.DeleteOptions{UID: "00000000-0000-0000-0000-000000000000"}); fault.KindOf(err) != fault.Conflict {
		t.Fatalf("another's uid: %v", err)
	}
	if err := c.Delete(t.Context(), ref, kube.DeleteOptions{UID: kube.Text(live, "metadata", "uid"), DryRun: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), ref); err != nil {
		t.Fatalf("a dry-run deleted it: %v", err)
	}
}

func TestLogsOfNoPod(t *testing.T) {
	c := kubetest.Cluster(t)
	if _, err := c.Logs(t.Context(), "nobody-0", kube.LogOptions{Tail: -1}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("got %v", err)
	}
}

func TestConnect(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "config")
	text := `apiVersion: v1
kind: Config
current-context: near
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
contexts:
- {name: near, context: {cluster: c, namespace: team}}
- {name: far, context: {cluster: c}}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(name string) string { return map[string]string{"KUBECONFIG": file}[name] }
	for _, tc := range []struct {
		name               string
		o                  kube.Options
		context, namespace string
		kind               fault.Kind
	}{
		{"as it stands", kube.Options{Env: env}, "near", "team", 0},
		{"another context", kube.Options{Env: env, Context: "far"}, "far", "default", 0},
		{"another namespace", kube.Options{Env: env, Namespace: "other"}, "near", "other", 0},
		{"by flag", kube.Options{Env: func(string) string { return "" }, Kubeconfig: file}, "near", "team", 0},
		{"no such context", kube.Options{Env: env, Context: "nowhere"}, "", "", fault.NotFound},
		{"no such file", kube.Options{Env: env, Kubeconfig: filepath.Join(dir, "none")}, "", "", fault.NotFound},
		{"nothing", kube.Options{Env: func(string) string { return "" }}, "", "", fault.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := kube.Connect(tc.o)
			if err != nil {
				if fault.KindOf(err) != tc.kind || fault.HintOf(err) == "" {
					t.Errorf("%v, hint %q", err, fault.HintOf(err))
				}
				return
			}
			if c.Context != tc.context || c.Namespace != tc.namespace {
				t.Errorf("context %q, namespace %q", c.Context, c.Namespace)
			}
			if _, err := c.Get(t.Context(), kube.Ref{Kind: "Pod", Name: "x"}); fault.KindOf(err) != fault.Unavailable {
				t.Errorf("nobody listens, and got %v", err)
			}
		})
	}
}
