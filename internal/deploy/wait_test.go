package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kube"
	"github.com/meshctl/meshctl/internal/kubetest"
	"github.com/meshctl/meshctl/internal/product"
)

// nobodys is a unit whose pods no scheduler takes, so that a test can play the kubelet
// also where there is one.
func nobodys(t *testing.T, c *kube.Cluster, name, description string) Unit {
	t.Helper()
	u := unit(t, c, name, description, nil)
	podSpec(t, u)["schedulerName"] = "nobody"
	return u
}

func podSpec(t *testing.T, u Unit) map[string]any {
	t.Helper()
	for _, o := range u.Objects {
		if o.Kind() == "StatefulSet" {
			return kube.Field(kube.Object(o), "spec", "template", "spec").(map[string]any)
		}
	}
	t.Fatal("no StatefulSet")
	return nil
}

func wait(ctx context.Context, c *kube.Cluster, limit time.Duration, names ...string) ([]Waited, error) {
	return Wait(ctx, c, names, WaitOptions{Timeout: limit, Now: time.Now})
}

// Waiting does not take the old pods for the new ones.
func TestWaitForTheNewRevision(t *testing.T) {
	c := kubetest.Cluster(t)
	deployed(t, c, nobodys(t, c, "a", "one"))
	waitFor(t, "the pod", func() bool { return exists(t, c, "Pod", "a-0") })
	kubetest.Ready(t, c, "a-0")
	got, err := wait(t.Context(), c, time.Minute, "a")
	if err != nil || !got[0].Ready || got[0].Running != 1 {
		t.Fatalf("%+v, %v", got[0], err)
	}
	first := got[0].Revision

	deployed(t, c, nobodys(t, c, "a", "two"))
	got, err = wait(t.Context(), c, 2*time.Second, "a")
	if fault.KindOf(err) != fault.Timeout || got[0].Ready {
		t.Fatalf("nobody made the new pod ready, and waiting ended with %+v, %v", got[0], err)
	}
	waitFor(t, "the new pod", func() bool {
		pods, err := list[pod](t.Context(), c, "Pod", selector([]string{"a"}))
		return err == nil && len(pods) == 1 && pods[0].Metadata.revision() != first
	})
	kubetest.Ready(t, c, "a-0")
	got, err = wait(t.Context(), c, time.Minute, "a")
	if err != nil || got[0].Revision == first {
		t.Fatalf("%+v, %v", got[0], err)
	}
}

func TestWaitSaysWhatIsWrong(t *testing.T) {
	c := kubetest.Cluster(t)
	kubetest.StorageClass(t, c, false) // so that there is one to name
	deployed(t, c, unit(t, c, "a", "", sized("1Gi", "no-such-class")))
	got, err := wait(t.Context(), c, time.Minute, "a")
	if fault.KindOf(err) != fault.Rejected { // early, though there was time
		t.Fatalf("got %v", err)
	}
	trouble := got[0].Trouble
	if trouble.Reason != "StorageClassMissing" || trouble.Pod != "a-0" || !strings.Contains(trouble.Message, `"no-such-class"`) || !strings.Contains(trouble.Hint, c.Namespace) {
		t.Errorf("%+v", trouble)
	}
	if !strings.Contains(err.Error(), "pod a-0") || fault.HintOf(err) != trouble.Hint {
		t.Errorf("%v, hint %q", err, fault.HintOf(err))
	}
}

// A pod that a rule of the namespace refuses never comes to be.
func TestWaitSaysWhatRefusesThePod(t *testing.T) {
	c := kubetest.Cluster(t)
	enforce := kube.Object{"metadata": map[string]any{"labels": map[string]any{"pod-security.kubernetes.io/enforce": "restricted"}}}
	if _, err := c.Merge(t.Context(), kube.Ref{Kind: "Namespace", Name: c.Namespace}, enforce, false); err != nil {
		t.Fatal(err)
	}
	bad, good := nobodys(t, c, "bad", ""), nobodys(t, c, "good", "")
	podSpec(t, bad)["hostNetwork"] = true
	deployed(t, c, bad, good)
	waitFor(t, "the good pod", func() bool { return exists(t, c, "Pod", "good-0") })
	kubetest.Ready(t, c, "good-0")
	got, err := wait(t.Context(), c, time.Minute, "bad", "good")
	if fault.KindOf(err) != fault.Rejected || !strings.Contains(err.Error(), "bad: FailedCreate") || got[0].Ready || !got[1].Ready {
		t.Fatalf("%v, %v, %v", got[0].Ready, got[1].Ready, err)
	}
	if trouble := got[0].Trouble; trouble.Reason != "FailedCreate" || !strings.Contains(trouble.Message, "PodSecurity") || trouble.Hint == "" {
		t.Errorf("%+v", trouble)
	}
}

func TestWaitEnds(t *testing.T) {
	c := kubetest.Cluster(t)
	u := nobodys(t, c, "a", "")
	deployed(t, c, u)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := wait(ctx, c, time.Minute, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := wait(t.Context(), c, time.Second, "a"); fault.KindOf(err) != fault.Timeout || !strings.Contains(err.Error(), "1s") {
		t.Errorf("nobody schedules it: %v", err)
	}
	if got, err := wait(t.Context(), c, time.Second, "gone"); fault.KindOf(err) != fault.Timeout || got[0].Trouble.Reason != "Missing" {
		t.Errorf("never deployed: %v", err)
	}
}

func TestStatus(t *testing.T) {
	c := kubetest.Cluster(t)
	deployed(t, c, nobodys(t, c, "a", ""), nobodys(t, c, "b", ""))
	waitFor(t, "the claim", func() bool { return exists(t, c, "PersistentVolumeClaim", "data-b-0") })
	waitFor(t, "the pod", func() bool { return exists(t, c, "Pod", "a-0") })
	kubetest.Ready(t, c, "a-0")
	if _, err := wait(t.Context(), c, time.Minute, "a"); err != nil {
		t.Fatal(err)
	}
	r, err := PlanRemoval(t.Context(), c, []string{"b"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Remove(t.Context(), c, func(Gone) {}); err != nil {
		t.Fatal(err)
	}
	all, err := Look(t.Context(), c, nil, time.Now)
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	a, b := all[0], all[1]
	if a.Product != "a" || a.State != Running || a.Version != "1.0.0" || !a.Managed || len(a.Pods) != 1 || !a.Pods[0].Ready || len(a.Volumes) != 1 {
		t.Errorf("a: %+v", a)
	}
	if b.Product != "b" || b.State != Deleted || len(b.Volumes) != 1 || b.Volumes[0].Asked != "10Gi" {
		t.Errorf("b: %+v", b)
	}
	if _, err := Look(t.Context(), c, []string{"nobody"}, time.Now); fault.KindOf(err) != fault.NotFound {
		t.Errorf("got %v", err)
	}
}

func TestDeleteKeepsData(t *testing.T) {
	c := kubetest.Cluster(t)
	deployed(t, c, unit(t, c, "a", "", nil), unit(t, c, "b", "", nil))
	waitFor(t, "the claim", func() bool { return exists(t, c, "PersistentVolumeClaim", "data-a-0") })
	kubetest.Create(t, c, "ConfigMap", kube.Object{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": "theirs", "labels": map[string]any{product.LabelName: "a", product.LabelManagedBy: product.ManagedBy}},
	})
	remove := func(data bool) *Removal {
		r, err := PlanRemoval(t.Context(), c, []string{"a"}, data)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Remove(t.Context(), c, func(Gone) {}); err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := remove(false); len(r.Deleted) < 8 || len(r.Kept) != 1 || r.Kept[0].Object.Name != "data-a-0" {
		t.Errorf("%+v", r)
	}
	if exists(t, c, "StatefulSet", "a") || exists(t, c, "Service", "a") || !exists(t, c, "PersistentVolumeClaim", "data-a-0") || !exists(t, c, "ConfigMap", "theirs") || !exists(t, c, "StatefulSet", "b") {
		t.Error("deleted too little or too much")
	}
	remove(true)
	waitFor(t, "the end of the claim", func() bool { return !exists(t, c, "PersistentVolumeClaim", "data-a-0") })
	if !exists(t, c, "PersistentVolumeClaim", "data-b-0") {
		t.Error("the data of b is gone")
	}
	if _, err := PlanRemoval(t.Context(), c, []string{"never"}, false); fault.KindOf(err) != fault.NotFound {
		t.Errorf("got %v", err)
	}
}

// A rollback brings image and files back; the next deploy rolls forward, and what was
// kept for a rollback goes when no revision refers to it.
func TestRollback(t *testing.T) {
	c := kubetest.Cluster(t)
	one := nobodys(t, c, "a", "one")
	podSpec(t, one)["containers"].([]any)[0].(map[string]any)["image"] = "localhost/meshctl:one"
	two := nobodys(t, c, "a", "two")
	deployed(t, c, one)
	waitFor(t, "the first revision", func() bool {
		all, err := Revisions(t.Context(), c, "a")
		return err == nil && len(all) == 1 && all[0].Current
	})
	if _, _, err := Rollback(t.Context(), c, "a", 0, false); fault.KindOf(err) != fault.NotFound {
		t.Fatalf("there is nothing before it: %v", err)
	}
	deployed(t, c, two)
	waitFor(t, "the second revision", func() bool {
		all, err := Revisions(t.Context(), c, "a")
		return err == nil && len(all) == 2 && all[0].Current
	})
	from, to, err := Rollback(t.Context(), c, "a", 0, false)
	if err != nil || from.Image != "localhost/meshctl:test" || to.Image != "localhost/meshctl:one" {
		t.Fatalf("from %+v to %+v: %v", from, to, err)
	}
	config, err := c.Get(t.Context(), kube.Ref{Kind: "ConfigMap", Name: "a"})
	if err != nil || !strings.Contains(kube.Text(config, "data", product.FileName), "one") {
		t.Errorf("the files are %v, %v", config["data"], err)
	}
	if p := plan(t, c, PlanOptions{}, one); p.Changes() {
		t.Errorf("after the rollback the first version would change\n%s\n%s", changes(p), fieldsOf(find(t, p, "statefulset/a")))
	}
	p := plan(t, c, PlanOptions{}, two)
	want(t, p, "change (in place) configmap/a", "change (rolling) statefulset/a")
	carry(t, c, p)
	if p := plan(t, c, PlanOptions{}, two); p.Changes() {
		t.Errorf("still\n%s", changes(p))
	}
	if _, _, err := Rollback(t.Context(), c, "a", 77, false); fault.KindOf(err) != fault.NotFound {
		t.Errorf("got %v", err)
	}
	if _, _, err := Rollback(t.Context(), c, "never", 0, false); fault.KindOf(err) != fault.NotFound {
		t.Errorf("got %v", err)
	}
}

// A product that runs is not rolled back to a contract that it would refuse; one that
// does not run may go back to any.
func TestRollbackKeepsWhatReadersRelyOn(t *testing.T) {
	c := kubetest.Cluster(t)
	one := nobodys(t, c, "a", "one")
	two := written(t, c, strings.Replace(fmt.Sprintf(descriptor, "a", "two"), "schema: [", "schema: [{name: b, logicalType: string}, ", 1), nil)
	podSpec(t, two)["schedulerName"] = "nobody"
	deployed(t, c, one)
	waitFor(t, "the first pod", func() bool { return exists(t, c, "Pod", "a-0") })
	kubetest.Ready(t, c, "a-0") // or it would not be replaced
	deployed(t, c, two)
	waitFor(t, "the second pod", func() bool {
		all, err := Revisions(t.Context(), c, "a")
		if err != nil || len(all) != 2 || !all[0].Current {
			return false
		}
		pods, err := list[pod](t.Context(), c, "Pod", selector([]string{"a"}))
		return err == nil && len(pods) == 1 && pods[0].Metadata.revision() == all[0].Name
	})
	if _, _, err := Rollback(t.Context(), c, "a", 0, true); err != nil {
		t.Errorf("the pod does not run, and yet: %v", err)
	}
	kubetest.Ready(t, c, "a-0")
	_, _, err := Rollback(t.Context(), c, "a", 0, false)
	if fault.KindOf(err) != fault.Rejected || !strings.Contains(err.Error(), "column b is removed") {
		t.Errorf("got %v", err)
	}
	if p := plan(t, c, PlanOptions{}, two); p.Changes() {
		t.Errorf("it was refused and did\n%s", changes(p))
	}
}
