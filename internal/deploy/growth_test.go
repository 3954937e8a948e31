package deploy

import (
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kube"
	"github.com/meshctl/meshctl/internal/kubetest"
	"github.com/meshctl/meshctl/internal/product"
)

func sized(size, class string) func(*product.Product) {
	return func(p *product.Product) { p.Spec.Storage.Size, p.Spec.Storage.Class = product.Quantity(size), class }
}

func bound(t *testing.T, c *kube.Cluster, name string) func() bool {
	return func() bool {
		claim, err := c.Get(t.Context(), kube.Ref{Kind: "PersistentVolumeClaim", Name: name})
		return err == nil && kube.Text(claim, "status", "phase") == "Bound"
	}
}

// Volumes grow, the StatefulSet is made again, and the pod that runs does not notice.
func TestVolumesGrow(t *testing.T) {
	c := kubetest.Cluster(t)
	class := kubetest.StorageClass(t, c, true)
	kubetest.Volume(t, c, class, "data-a-0")
	deployed(t, c, unit(t, c, "a", "", sized("1Gi", class)))
	waitFor(t, "the volume", bound(t, c, "data-a-0"))
	waitFor(t, "the pod", func() bool { return exists(t, c, "Pod", "a-0") })
	pod, err := c.Get(t.Context(), kube.Ref{Kind: "Pod", Name: "a-0"})
	if err != nil {
		t.Fatal(err)
	}

	next := unit(t, c, "a", "", sized("2Gi", class))
	p := plan(t, c, PlanOptions{}, next)
	want(t, p, "change (in place) persistentvolumeclaim/data-a-0", "change (recreate) statefulset/a")
	if s := find(t, p, "statefulset/a"); fieldsOf(s) != "spec.volumeClaimTemplates[data].spec.resources.requests.storage: 1Gi -> 2Gi" || !strings.Contains(s.Reason, "which run on") {
		t.Errorf("reason %q, fields\n%s", s.Reason, fieldsOf(s))
	}
	carry(t, c, p)
	claim, err := c.Get(t.Context(), kube.Ref{Kind: "PersistentVolumeClaim", Name: "data-a-0"})
	if err != nil || kube.Text(claim, "spec", "resources", "requests", "storage") != "2Gi" {
		t.Errorf("the claim asks for %v, %v", kube.Field(claim, "spec", "resources"), err)
	}
	set, err := c.Get(t.Context(), kube.Ref{Kind: "StatefulSet", Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the adoption of the pod", func() bool {
		got, err := c.Get(t.Context(), kube.Ref{Kind: "Pod", Name: "a-0"})
		if err != nil || kube.Text(got, "metadata", "uid") != kube.Text(pod, "metadata", "uid") {
			t.Fatalf("the pod is another one: %v", err)
		}
		owners, _ := kube.Field(got, "metadata", "ownerReferences").([]any)
		return len(owners) == 1 && owners[0].(map[string]any)["uid"] == kube.Text(set, "metadata", "uid")
	})
	if p := plan(t, c, PlanOptions{}, next); p.Changes() {
		t.Errorf("still\n%s", changes(p))
	}
}

// An interruption after each of the parts of a growth is completed by the next deploy.
func TestGrowthInterrupted(t *testing.T) {
	c := kubetest.Cluster(t)
	class := kubetest.StorageClass(t, c, true)
	kubetest.Volume(t, c, class, "data-a-0")
	deployed(t, c, unit(t, c, "a", "", sized("1Gi", class)))
	waitFor(t, "the volume", bound(t, c, "data-a-0"))
	next := unit(t, c, "a", "", sized("2Gi", class))

	if _, err := c.Merge(t.Context(), kube.Ref{Kind: "PersistentVolumeClaim", Name: "data-a-0"}, storageRequest("2Gi"), false); err != nil {
		t.Fatal(err)
	}
	p := plan(t, c, PlanOptions{}, next)
	want(t, p, "change (recreate) statefulset/a")
	s := find(t, p, "statefulset/a")
	if err := c.Delete(t.Context(), s.Object, kube.DeleteOptions{Orphan: true}); err != nil {
		t.Fatal(err)
	}
	if err := untilGone(t.Context(), c, s.Object, s.uid); err != nil {
		t.Fatal(err)
	}
	p = plan(t, c, PlanOptions{}, next)
	want(t, p, "create statefulset/a")
	carry(t, c, p)
	if p := plan(t, c, PlanOptions{}, next); p.Changes() {
		t.Errorf("still\n%s", changes(p))
	}
}

func TestVolumesThatCannotGrow(t *testing.T) {
	c := kubetest.Cluster(t)
	class := kubetest.StorageClass(t, c, false)
	kubetest.Volume(t, c, class, "data-a-0")
	deployed(t, c, unit(t, c, "a", "", sized("1Gi", class)), unit(t, c, "b", "", sized("1Gi", class)))
	waitFor(t, "the volume of a", bound(t, c, "data-a-0"))
	waitFor(t, "the claim of b", func() bool { return exists(t, c, "PersistentVolumeClaim", "data-b-0") })
	for name, reason := range map[string]string{"a": "does not let volumes grow", "b": "only once it is Bound"} {
		p := plan(t, c, PlanOptions{}, unit(t, c, name, "", sized("2Gi", class)))
		s := find(t, p, "persistentvolumeclaim/data-"+name+"-0")
		if s.Class != Forbidden || !strings.Contains(s.Reason, reason) || s.Hint == "" {
			t.Errorf("%s: %s", s, s.Reason)
		}
		if err := p.Err(); fault.KindOf(err) != fault.Rejected {
			t.Errorf("got %v", err)
		}
	}
}
