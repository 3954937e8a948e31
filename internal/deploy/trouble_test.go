package deploy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// recording is what a real cluster (Kubernetes 1.36, containerd 2) said of pods that
// were made to fail in every way there is.
type recording struct {
	Pods    []pod          `json:"pods"`
	Events  []event        `json:"events"`
	Claims  []claim        `json:"claims"`
	Classes []storageClass `json:"classes"`
}

func recorded(t *testing.T) recording {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "failing-pods.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r recording
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *recording) judge(t *testing.T, name string, seen int) Trouble {
	t.Helper()
	for i := range r.Pods {
		p := &r.Pods[i]
		if p.Metadata.Name != name {
			continue
		}
		e := &evidence{claims: r.Claims, classes: r.Classes, seen: seen, now: time.Now()}
		for _, ev := range r.Events {
			if ev.Regarding.UID == p.Metadata.UID || ev.Regarding.Kind == "PersistentVolumeClaim" {
				e.events = append(e.events, ev)
			}
		}
		return judge(p, e)
	}
	t.Fatalf("no pod %s was recorded", name)
	return Trouble{}
}

func TestJudge(t *testing.T) {
	r := recorded(t)
	for _, tc := range []struct {
		pod, reason, message, hint string
		final                      bool
	}{
		{"badname", "InvalidImageName", `"Localhost/UPPER::x" is not the name of an image`, "correct the image's name", true},
		{"neverpull", "ErrImageNeverPull", "not present with pull policy of Never", "load the image", true},
		{"nopull", "ImagePullBackOff", "connection refused", "push the image localhost/none:1", false},
		{"noexec", "StartError", "/usr/bin/meshctl", "meshctl build", true},
		{"crash", "CrashLoopBackOff", "exit code 1", "meshctl rollback p", true},
		{"probe", "Unhealthy", "Readiness probe failed", "meshctl logs p", false},
		{"nosecret", "FailedMount", `secret "missing" not found`, "make what the volume is of", false},
		{"noconfig", "CreateContainerConfigError", `secret "missing" not found`, "make what it names", false},
		{"root", "CreateContainerConfigError", "run as root", "make what it names", true},
		{"toobig", "Unschedulable", "Insufficient cpu", "lower spec.resources", false},
		{"noclass", "StorageClassMissing", `no storage class "fast"`, "one of local, standard", true},
	} {
		t.Run(tc.pod, func(t *testing.T) {
			got := r.judge(t, tc.pod, 0)
			if got.Product != "p" || got.Pod != tc.pod || got.Reason != tc.reason || got.Final != tc.final ||
				!strings.Contains(got.Message, tc.message) || !strings.Contains(got.Hint, tc.hint) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// Restarts from before do not count: the pod may have been failing when the cause was
// mended.
func TestJudgeForgivesThePast(t *testing.T) {
	r := recorded(t)
	if got := r.judge(t, "crash", 100); got.Final {
		t.Errorf("%+v", got)
	}
}

func TestJudgeShowsTheLog(t *testing.T) {
	r := recorded(t)
	got := r.judge(t, "crash", 0)
	if len(got.Log) == 0 || !strings.Contains(got.Log[len(got.Log)-1], "/none: no such file") || !strings.Contains(got.String(), "\n  | ") {
		t.Errorf("%+v", got)
	}
}

func TestReady(t *testing.T) {
	set := func(generation, observed, replicas, updated, ready int64, revision string) *statefulSet {
		s := &statefulSet{}
		s.Metadata.Generation, s.Status.ObservedGeneration = generation, observed
		s.Spec.Replicas = &replicas
		s.Status.Replicas, s.Status.UpdatedReplicas, s.Status.ReadyReplicas, s.Status.UpdateRevision = replicas, updated, ready, revision
		return s
	}
	made := func(revision, ready string) pod {
		p := pod{}
		p.Metadata.Labels = map[string]string{"controller-revision-hash": revision}
		p.Status.Conditions = []condition{{Type: "Ready", Status: ready}}
		return p
	}
	now := time.Now()
	ending := made("r2", "True")
	ending.Metadata.DeletionTimestamp = &now
	for _, tc := range []struct {
		name string
		set  *statefulSet
		pods []pod
		want bool
	}{
		{"all is well", set(2, 2, 1, 1, 1, "r2"), []pod{made("r2", "True")}, true},
		{"nothing is wanted", set(2, 2, 0, 0, 0, "r2"), nil, true},
		{"there is no StatefulSet", nil, nil, false},
		{"the change was not seen", set(3, 2, 1, 1, 1, "r2"), []pod{made("r2", "True")}, false},
		{"the pod is of the old revision", set(2, 2, 1, 1, 1, "r2"), []pod{made("r1", "True")}, false},
		{"the pod is not ready", set(2, 2, 1, 1, 1, "r2"), []pod{made("r2", "False")}, false},
		{"the pod is ending", set(2, 2, 1, 1, 1, "r2"), []pod{ending}, false},
		{"one of three is old", set(2, 2, 3, 2, 3, "r2"), []pod{made("r2", "True"), made("r2", "True"), made("r1", "True")}, false},
		{"the count lags behind", set(2, 2, 1, 0, 1, "r2"), []pod{made("r2", "True")}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := Waited{set: tc.set, pods: tc.pods}
			if p.judge(); p.Ready != tc.want {
				t.Errorf("ready is %v", p.Ready)
			}
		})
	}
}
