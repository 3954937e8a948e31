package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kube"
	"github.com/meshctl/meshctl/internal/kubetest"
	"github.com/meshctl/meshctl/internal/manifest"
	"github.com/meshctl/meshctl/internal/product"
)

const descriptor = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: %s, domain: test, owner: me, version: 1.0.0, description: %q}
spec:
  outputs:
  - name: %[1]s
    type: event
    schema: [{name: a, logicalType: string}]
`

// unit is a product's, as its descriptor and edit make it.
func unit(t testing.TB, c *kube.Cluster, name, description string, edit func(*product.Product)) Unit {
	t.Helper()
	return written(t, c, fmt.Sprintf(descriptor, name, description), edit)
}

// written is the unit of a descriptor's text.
func written(t testing.TB, c *kube.Cluster, text string, edit func(*product.Product)) Unit {
	t.Helper()
	p, problems := product.Parse("x", []byte(text))
	if problems != nil {
		t.Fatal(problems)
	}
	if edit != nil {
		edit(p)
	}
	objects, err := manifest.Product(p, map[string][]byte{product.FileName: []byte(text)}, manifest.Options{Namespace: c.Namespace, Image: "localhost/meshctl:test"})
	if err != nil {
		t.Fatal(err)
	}
	return Unit{Name: p.Metadata.Name, Objects: objects}
}

func plan(t testing.TB, c *kube.Cluster, o PlanOptions, units ...Unit) *Plan {
	t.Helper()
	p, err := MakePlan(t.Context(), c, units, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func carry(t testing.TB, c *kube.Cluster, p *Plan) {
	t.Helper()
	if err := p.Carry(t.Context(), c, func(*Step) {}); err != nil {
		t.Fatal(err)
	}
}

func deployed(t testing.TB, c *kube.Cluster, units ...Unit) {
	t.Helper()
	carry(t, c, plan(t, c, PlanOptions{}, units...))
}

// changes are the plan's steps that change something, one line each.
func changes(p *Plan) string {
	var lines []string
	for _, s := range p.Steps {
		if s.Action != Unchanged {
			lines = append(lines, s.String())
		}
	}
	return strings.Join(lines, "\n")
}

func want(t *testing.T, p *Plan, lines ...string) {
	t.Helper()
	if got := changes(p); got != strings.Join(lines, "\n") {
		t.Errorf("the plan is\n%s\nand not\n%s", got, strings.Join(lines, "\n"))
	}
}

// find is the step about an object, by its name such as "statefulset/a".
func find(t *testing.T, p *Plan, object string) *Step {
	t.Helper()
	for i := range p.Steps {
		if p.Steps[i].Object.String() == object {
			return &p.Steps[i]
		}
	}
	t.Fatalf("no step about %s in\n%s", object, changes(p))
	return nil
}

func fieldsOf(s *Step) string {
	var all []string
	for _, f := range s.Fields {
		all = append(all, fmt.Sprintf("%s: %v -> %v", f.Field, f.Old, f.New))
	}
	return strings.Join(all, "\n")
}

func exists(t *testing.T, c *kube.Cluster, kind, name string) bool {
	t.Helper()
	_, err := c.Get(t.Context(), kube.Ref{Kind: kind, Name: name})
	if err != nil && fault.KindOf(err) != fault.NotFound {
		t.Fatal(err)
	}
	return err == nil
}

func TestDeployTwiceChangesNothing(t *testing.T) {
	c := kubetest.Cluster(t)
	a, b := unit(t, c, "a", "", nil), unit(t, c, "b", "", nil)
	first := plan(t, c, PlanOptions{}, a, b)
	if n := first.Count(Create); n != len(first.Steps) || n < 14 {
		t.Errorf("creates %d of %d:\n%s", n, len(first.Steps), changes(first))
	}
	if exists(t, c, "StatefulSet", "a") {
		t.Fatal("the plan made something")
	}
	carry(t, c, first)
	if again := plan(t, c, PlanOptions{}, a, b); again.Changes() {
		t.Errorf("the second deploy changes\n%s\n%s", changes(again), fieldsOf(&again.Steps[0]))
	}
	for _, obj := range a.objects() {
		live, err := c.Get(t.Context(), kube.RefOf(obj))
		if err != nil {
			t.Fatal(err)
		}
		if kube.RefOf(obj).Kind != "PodDisruptionBudget" && !kube.AppliedAlready(live, obj) {
			t.Errorf("%s needs a dry-run to be seen as applied", kube.RefOf(obj))
		}
	}
}

func TestClassesOfChanges(t *testing.T) {
	c := kubetest.Cluster(t)
	deployed(t, c, unit(t, c, "a", "", nil))
	for _, tc := range []struct {
		name, object, fields string
		class                Class
		edit                 func(*product.Product)
		kind                 fault.Kind
		reason               string
	}{
		{
			"owner", "statefulset/a", "metadata.annotations[meshctl.dev/owner]: me -> you", InPlace,
			func(p *product.Product) { p.Metadata.Owner = "you" }, 0, "",
		},
		{
			"memory", "statefulset/a", "limits.memory: 1Gi -> 2Gi", Rolling,
			func(p *product.Product) { p.Spec.Resources.Memory = "2Gi" }, 0, "",
		},
		{
			"the same size otherwise written", "statefulset/a", "", "",
			func(p *product.Product) { p.Spec.Storage.Size = "10240Mi" }, 0, "",
		},
		{
			"shrinking", "statefulset/a", "", Forbidden,
			func(p *product.Product) { p.Spec.Storage.Size = "5Gi" }, fault.Rejected, "cannot shrink from 10Gi to 5Gi",
		},
		{
			"storage class", "statefulset/a", "", Forbidden,
			func(p *product.Product) { p.Spec.Storage.Class = "fast" }, fault.Rejected, "from storage class the default to fast",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := plan(t, c, PlanOptions{}, unit(t, c, "a", "", tc.edit))
			s := find(t, p, tc.object)
			if s.Class != tc.class || !strings.Contains(fieldsOf(s), tc.fields) || !strings.Contains(s.Reason, tc.reason) {
				t.Errorf("%s, reason %q, fields\n%s", s, s.Reason, fieldsOf(s))
			}
			err := p.Err()
			if (err != nil) != (tc.kind != 0) || err != nil && (fault.KindOf(err) != tc.kind || fault.HintOf(err) == "" || !strings.Contains(err.Error(), tc.reason)) {
				t.Errorf("the plan's error is %v, hint %q", err, fault.HintOf(err))
			}
			if err != nil && p.Carry(t.Context(), c, func(s *Step) { t.Errorf("carried out %s", s) }) == nil {
				t.Error("a forbidden plan was carried out")
			}
		})
	}
}

// A field that Kubernetes does not let change is refused before anything is applied,
// though other objects of the plan could be.
func TestForbiddenStopsEverything(t *testing.T) {
	c := kubetest.Cluster(t)
	deployed(t, c, unit(t, c, "a", "", nil))
	other := unit(t, c, "a", "", nil)
	for _, o := range other.Objects {
		if o.Kind() == "StatefulSet" {
			o["spec"].(map[string]any)["podManagementPolicy"] = "OrderedReady"
		}
	}
	p := plan(t, c, PlanOptions{}, other, unit(t, c, "b", "", nil))
	if s := find(t, p, "statefulset/a"); s.Class != Forbidden || !strings.Contains(s.Reason, "podManagementPolicy") {
		t.Errorf("%s: %s", s, s.Reason)
	}
	if err := p.Carry(t.Context(), c, func(*Step) {}); fault.KindOf(err) != fault.Rejected {
		t.Errorf("got %v", err)
	}
	if exists(t, c, "StatefulSet", "b") {
		t.Error("a part of a forbidden plan was carried out")
	}
}

func TestDriftIsSeenAndConflictsStop(t *testing.T) {
	c := kubetest.Cluster(t)
	a := unit(t, c, "a", "", nil)
	deployed(t, c, a)
	kubetest.Patch(t, c, "StatefulSet", "a", "kubectl-edit", kube.Object{"spec": map[string]any{"replicas": 3}})
	p := plan(t, c, PlanOptions{}, a)
	s := find(t, p, "statefulset/a")
	if got := fieldsOf(s); got != "spec.replicas: 3 -> 1" {
		t.Errorf("fields\n%s", got)
	}
	if len(s.Conflicts) != 1 || s.Conflicts[0].Manager != "kubectl-edit" {
		t.Errorf("conflicts %+v", s.Conflicts)
	}
	err := p.Carry(t.Context(), c, func(*Step) {})
	if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "spec.replicas is managed by kubectl-edit") {
		t.Errorf("got %v", err)
	}
	carry(t, c, plan(t, c, PlanOptions{Force: true}, a))
	if p := plan(t, c, PlanOptions{}, a); p.Changes() {
		t.Errorf("still\n%s", changes(p))
	}
}

// What somebody else deleted comes back.
func TestDeletedByHandComesBack(t *testing.T) {
	c := kubetest.Cluster(t)
	a := unit(t, c, "a", "", nil)
	deployed(t, c, a)
	if err := c.Delete(t.Context(), kube.Ref{Kind: "Service", Name: "a"}, kube.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	p := plan(t, c, PlanOptions{}, a)
	want(t, p, "create service/a")
	carry(t, c, p)
}

// An object of the name that somebody made with other tools is taken over, and the
// plan says what changes.
func TestForeignObjectIsShown(t *testing.T) {
	c := kubetest.Cluster(t)
	kubetest.Create(t, c, "Service", kube.Object{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "b"},
		"spec": map[string]any{
			"selector": map[string]any{"app": "theirs"},
			"ports":    []any{map[string]any{"name": "http", "port": int64(80), "protocol": "TCP", "targetPort": "http"}},
		},
	})
	p := plan(t, c, PlanOptions{}, unit(t, c, "a", "", nil), unit(t, c, "b", "", nil))
	s := find(t, p, "service/b")
	if s.Action != Change || !strings.Contains(fieldsOf(s), "spec.selector.app: theirs -> <nil>") {
		t.Errorf("%s\n%s", s, fieldsOf(s))
	}
	if err := p.Err(); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "spec.selector is managed by somebody") {
		t.Errorf("got %v", err)
	}
}

// What the API server would refuse of any product's own words is refused in the plan.
func TestEachProductsWordsAreTried(t *testing.T) {
	c := kubetest.Cluster(t)
	bad := unit(t, c, "b", "", nil)
	for _, o := range bad.Objects {
		if o.Kind() == "ConfigMap" {
			o["data"].(map[string]any)["not/a/key"] = "x"
		}
	}
	p := plan(t, c, PlanOptions{}, unit(t, c, "a", "", nil), bad)
	if err := p.Err(); fault.KindOf(err) != fault.Rejected || !strings.Contains(err.Error(), "b: configmap/b") {
		t.Errorf("got %v", err)
	}
}

// The quick trial of a change gives what applying it would.
func TestTrialIsWhatApplyDoes(t *testing.T) {
	c := kubetest.Cluster(t)
	deployed(t, c, unit(t, c, "a", "", nil))
	ref := kube.Ref{Kind: "StatefulSet", Name: "a"}
	live, err := c.Get(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(spec, container map[string]any){
		"image":     func(_, container map[string]any) { container["image"] = "localhost/other:2" },
		"replicas":  func(spec, _ map[string]any) { spec["replicas"] = int64(0) },
		"arguments": func(_, container map[string]any) { container["args"] = []any{"run", "elsewhere"} },
		"one more":  func(_, container map[string]any) { container["workingDir"] = "/x" },
		"first in it": func(_, container map[string]any) {
			container["env"] = slices.Concat([]any{map[string]any{"name": "A", "value": "1"}}, items(container["env"]))
		},
		"last in it": func(_, container map[string]any) {
			container["env"] = append(slices.Clone(items(container["env"])), map[string]any{"name": "Z", "value": "1"})
		},
		"one less": func(_, container map[string]any) {
			delete(container, "livenessProbe")
			delete(container, "startupProbe")
		},
		"a port less": func(_, container map[string]any) { container["ports"] = items(container["ports"])[1:] },
		"annotated": func(spec, _ map[string]any) {
			spec["template"].(map[string]any)["metadata"].(map[string]any)["annotations"] = map[string]any{"a": "b"}
		},
	} {
		u := unit(t, c, "a", "", nil)
		all := u.objects()
		set := all[slices.IndexFunc(all, func(o kube.Object) bool { return kube.RefOf(o).Kind == "StatefulSet" })]
		spec := kube.Field(set, "spec").(map[string]any)
		edit(spec, kube.Field(set, "spec", "template", "spec", "containers").([]any)[0].(map[string]any))
		got, err := c.TryApply(t.Context(), live, set, false)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want, err := c.Apply(t.Context(), set, kube.ApplyOptions{DryRun: true})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(kube.Diff(live, want)) == 0 {
			t.Errorf("%s: changes nothing", name)
		}
		if diff := kube.Diff(want, got); len(diff) > 0 {
			t.Errorf("%s: differs in %v", name, diff)
		}
	}
}

func items(v any) []any {
	all, _ := v.([]any) // none is an empty one
	return all
}

func TestPruneWithinAProduct(t *testing.T) {
	c := kubetest.Cluster(t)
	a := unit(t, c, "a", "", nil)
	more := kube.Clone(kube.Object(a.Objects[0]))
	more["metadata"].(map[string]any)["name"] = "a-more"
	deployed(t, c, Unit{Name: "a", Objects: append(slices.Clone(a.Objects), manifest.Object(more))}, unit(t, c, "b", "", nil))
	kubetest.Create(t, c, "ConfigMap", kube.Object{ // bears the labels and is somebody else's
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": "copy", "labels": kube.Field(more, "metadata", "labels")},
	})
	p := plan(t, c, PlanOptions{}, a)
	want(t, p, "prune serviceaccount/a-more")
	carry(t, c, p)
	if exists(t, c, "ServiceAccount", "a-more") || !exists(t, c, "ConfigMap", "copy") || !exists(t, c, "StatefulSet", "b") {
		t.Error("pruned too little or too much")
	}
}

func TestPruneProductsThatAreGone(t *testing.T) {
	c := kubetest.Cluster(t)
	a, b := unit(t, c, "a", "", nil), unit(t, c, "b", "", nil)
	hub, err := Hub(manifest.HubOptions{Namespace: c.Namespace, Image: "localhost/meshctl:test"})
	if err != nil {
		t.Fatal(err)
	}
	deployed(t, c, a, b, hub)
	waitFor(t, "the claim of b", func() bool { return exists(t, c, "PersistentVolumeClaim", "data-b-0") })
	p := plan(t, c, PlanOptions{Only: true}, a)
	if n := p.Count(Prune); n < 7 || strings.Contains(changes(p), "/a") || strings.Contains(changes(p), "persistentvolumeclaim") {
		t.Errorf("the plan is\n%s", changes(p))
	}
	carry(t, c, p)
	if exists(t, c, "StatefulSet", "b") || exists(t, c, "Service", "b") || !exists(t, c, "StatefulSet", "a") || !exists(t, c, "StatefulSet", "hub") {
		t.Error("pruned too little or too much")
	}
	if !exists(t, c, "PersistentVolumeClaim", "data-b-0") {
		t.Error("the data of b is gone")
	}
	if p := plan(t, c, PlanOptions{Only: true}, a); p.Changes() {
		t.Errorf("still\n%s", changes(p))
	}
}

// Deploys that end anywhere are completed by the next one.
func TestInterruptedAnywhere(t *testing.T) {
	c := kubetest.Cluster(t)
	old := unit(t, c, "a", "old", nil)
	more := kube.Clone(kube.Object(old.Objects[0]))
	more["metadata"].(map[string]any)["name"] = "a-more"
	old.Objects = append(old.Objects, manifest.Object(more))
	next := unit(t, c, "a", "new", func(p *product.Product) { p.Spec.Resources.Memory = "2Gi" })
	for stop := 1; ; stop++ {
		carry(t, c, plan(t, c, PlanOptions{}, old))
		ctx, cancel := context.WithCancel(t.Context())
		steps := 0
		err := plan(t, c, PlanOptions{}, next).Carry(ctx, c, func(*Step) {
			if steps++; steps == stop {
				cancel()
			}
		})
		cancel()
		carry(t, c, plan(t, c, PlanOptions{}, next))
		if p := plan(t, c, PlanOptions{}, next); p.Changes() {
			t.Fatalf("interrupted after %d steps, then deployed: still\n%s", stop, changes(p))
		}
		if exists(t, c, "ServiceAccount", "a-more") {
			t.Fatalf("interrupted after %d steps, then deployed: what should go is there", stop)
		}
		if err == nil {
			if stop < 3 {
				t.Errorf("only %d steps", stop)
			}
			return
		}
	}
}

func TestNamespaceMissing(t *testing.T) {
	c := kubetest.Cluster(t).In("meshctl-never-made")
	a := unit(t, c, "a", "", nil)
	if _, err := MakePlan(t.Context(), c, []Unit{a}, PlanOptions{}); fault.KindOf(err) != fault.NotFound || fault.HintOf(err) == "" {
		t.Errorf("got %v", err)
	}
	a.Objects = append([]manifest.Object{{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": c.Namespace}}}, a.Objects...)
	p := plan(t, c, PlanOptions{}, a, a)
	if first := p.Steps[0].String(); first != "create namespace/meshctl-never-made" {
		t.Errorf("begins with %s", first)
	}
	if n := p.Count(Create); n != len(p.Steps) || n != len(a.Objects)+1 {
		t.Errorf("creates %d of %d", n, len(p.Steps))
	}
}
