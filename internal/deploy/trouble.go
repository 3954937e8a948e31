package deploy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/meshctl/meshctl/internal/render"
)

// Trouble is why a product does not run, and one thing to do about it.
type Trouble struct {
	Product string   `json:"product"`
	Pod     string   `json:"pod,omitempty"`
	Reason  string   `json:"reason"` // one word, mostly Kubernetes' own
	Message string   `json:"message"`
	Log     []string `json:"log,omitempty"` // the last lines before a crash
	Hint    string   `json:"hint,omitempty"`
	Final   bool     `json:"final"` // waiting will not heal it

	crashed bool // its log tells more
}

func (t *Trouble) String() string {
	where := ""
	if t.Pod != "" {
		where = "pod " + t.Pod + ": "
	}
	text := where + t.Reason + ": " + render.Text(strings.TrimSpace(t.Message))
	for _, line := range t.Log {
		text += "\n  | " + render.Text(line)
	}
	return text
}

// evidence is what else is known about a pod.
type evidence struct {
	events  []event // of the pod, its StatefulSet and its claims
	claims  []claim
	classes []storageClass // nil when it may not see them
	seen    int            // restarts when waiting began
	now     time.Time
}

// crashes is how many restarts while one waits are enough to give up.
const crashes = 3

// judge says why a pod is not ready.
func judge(p *pod, e *evidence) Trouble {
	t := Trouble{Product: p.Metadata.unit(), Pod: p.Metadata.Name}
	scheduled := p.condition("PodScheduled")
	switch {
	case p.Metadata.DeletionTimestamp != nil:
		t.Reason, t.Message = "Terminating", "the pod before it is still ending"
		if e.now.Sub(*p.Metadata.DeletionTimestamp) > time.Minute {
			t.Hint = fmt.Sprintf("look after node %s: it does not end the pod", p.Spec.NodeName)
		}
	case p.Status.Phase == "Failed":
		t.Reason, t.Message = orText(p.Status.Reason, "Failed"), orText(p.Status.Message, "the pod has ended")
		t.Hint = "read why with kubectl describe pod " + p.Metadata.Name
	case scheduled.Status == "False":
		unscheduled(p, scheduled, e, &t)
	default:
		contained(p, e, &t)
	}
	return t
}

func orText(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// unscheduled is about a pod that no node has taken.
func unscheduled(p *pod, why condition, e *evidence, t *Trouble) {
	for _, v := range p.Spec.Volumes {
		if v.Claim == nil {
			continue
		}
		i := slices.IndexFunc(e.claims, func(c claim) bool { return c.Metadata.Name == v.Claim.Name })
		if i >= 0 && e.claims[i].Status.Phase != "Bound" && unbound(&e.claims[i], e, t) {
			return
		}
	}
	t.Reason, t.Message = orText(why.Reason, "Unschedulable"), why.Message
	switch {
	case strings.Contains(why.Message, "Insufficient"):
		t.Hint = "lower spec.resources of the product, or add a node"
	case strings.Contains(why.Message, "volume node affinity"), strings.Contains(why.Message, "unbound"), strings.Contains(why.Message, "persistent volumes to bind"):
		t.Hint = "look at the volume with kubectl describe pvc, and give the cluster one that fits"
	default:
		t.Hint = "make a node fit for it: kubectl describe pod " + t.Pod + " names what each node lacks"
	}
}

// unbound is about a claim that has no volume; false when it waits for the pod.
func unbound(c *claim, e *evidence, t *Trouble) bool {
	class := c.Spec.StorageClassName
	known := func(name string) bool {
		return slices.ContainsFunc(e.classes, func(s storageClass) bool { return s.Metadata.Name == name })
	}
	switch {
	case e.classes == nil:
	case class != nil && *class != "" && !known(*class):
		t.classMissing(e.classes, fmt.Sprintf("volume %s: the cluster has no storage class %q", c.Metadata.Name, *class))
		return true
	case class == nil && !slices.ContainsFunc(e.classes, func(s storageClass) bool { return s.isDefault() }):
		t.classMissing(e.classes, fmt.Sprintf("volume %s: the product names no storage class and the cluster has no default one", c.Metadata.Name))
		return true
	}
	ev := newest(e.events, func(ev *event) bool { return ev.Regarding.Name == c.Metadata.Name && ev.Type == "Warning" })
	if ev == nil {
		return false
	}
	t.Reason, t.Message = ev.Reason, fmt.Sprintf("volume %s of %s: %s", c.Metadata.Name, c.Spec.Resources.Requests["storage"], ev.Message)
	t.Hint = "look at the volume with kubectl describe pvc " + c.Metadata.Name
	return true
}

// classMissing is about a volume that no storage class makes. A StatefulSet does not let
// its class change, so the way out leads over deleting what holds nothing yet.
func (t *Trouble) classMissing(there []storageClass, message string) {
	t.Reason, t.Message, t.Final = "StorageClassMissing", message, true
	var names []string
	for _, c := range there {
		names = append(names, c.Metadata.Name)
	}
	t.Hint = "make a storage class, or ask the cluster's administrator for one"
	if len(names) > 0 {
		t.Hint = fmt.Sprintf("set spec.storage.class to one of %s, and deploy after meshctl delete %s --dangerous-delete-data: nothing is stored yet",
			strings.Join(names, ", "), t.Product)
	}
}

// contained is about a pod on a node.
func contained(p *pod, e *evidence, t *Trouble) {
	for _, c := range slices.Concat(p.Status.InitContainers, p.Status.Containers) {
		switch {
		case c.Ready, c.State.Terminated != nil && c.State.Terminated.ExitCode == 0 && len(p.Status.InitContainers) > 0:
			continue
		case c.State.Waiting != nil && c.State.Waiting.Reason == "CrashLoopBackOff", c.State.Terminated != nil:
			crash(&c, e, t)
		case c.State.Waiting != nil:
			waits(&c, e, t)
		default:
			probed(&c, e, t)
		}
		return
	}
	t.Reason, t.Message = "Starting", "its node has not begun"
	warned(e, t)
}

// crash is about a container that ended.
func crash(c *container, e *evidence, t *Trouble) {
	last := c.State.Terminated
	if last == nil {
		last = c.LastState.Terminated
	}
	t.Reason, t.crashed = "CrashLoopBackOff", true
	t.Message = "it ended"
	if last != nil {
		t.Message = fmt.Sprintf("it ended with exit code %d", last.ExitCode)
		if last.Reason == "OOMKilled" {
			t.Message = "it used more memory than it may"
		}
		if last.Message != "" {
			t.Log = lastLines(last.Message)
		}
	}
	t.Message += fmt.Sprintf(", %d restarts so far", c.RestartCount)
	t.Hint = "correct what its log says and deploy again, or go back with meshctl rollback " + t.Product
	if last != nil && last.Reason == "OOMKilled" {
		t.Hint = "raise spec.resources.memory"
	}
	t.Final = c.RestartCount >= crashes && c.RestartCount > e.seen
	if last != nil && last.Reason == "StartError" {
		t.Reason, t.Message, t.Log = last.Reason, last.Message, nil
		t.cannotStart(last.Message)
	}
}

// cannotStart is about a container whose program cannot be run.
func (t *Trouble) cannotStart(why string) {
	t.Hint = "name an image that holds /usr/bin/meshctl; meshctl build makes one"
	t.Final = strings.Contains(why, "no such file") || strings.Contains(why, "not found") || strings.Contains(why, "exec format error")
	t.crashed = false
}

// logLines is how much of a log an answer shows.
const logLines = 8

func lastLines(text string) []string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return lines[max(0, len(lines)-logLines):]
}

// Messages of a registry that will not change its mind.
var noSuchImage = regexp.MustCompile(`(?i)not found|manifest unknown|unauthorized|denied|authentication required`)

// waits is about a container that has not started.
func waits(c *container, e *evidence, t *Trouble) {
	w := c.State.Waiting
	t.Reason, t.Message = w.Reason, orText(w.Message, "waiting")
	switch w.Reason {
	case "InvalidImageName":
		t.Message, t.Hint, t.Final = fmt.Sprintf("%q is not the name of an image", c.Image), "correct the image's name", true
	case "ErrImageNeverPull":
		t.Hint, t.Final = "load the image onto the node, or let it be pulled with another pull policy", true
	case "ErrImagePull", "ImagePullBackOff":
		if ev := newest(e.events, func(ev *event) bool { return ev.Reason == "Failed" && strings.HasPrefix(ev.Message, "Failed to pull") }); ev != nil {
			t.Message = ev.Message
		}
		t.Hint = "push the image " + c.Image + ", or name one that is there with --image"
		t.Final = w.Reason == "ImagePullBackOff" && noSuchImage.MatchString(t.Message)
	case "CreateContainerConfigError":
		t.Hint = "make what it names, or correct the name"
		t.Final = strings.Contains(w.Message, "runAsNonRoot") || strings.Contains(w.Message, "run as root")
	case "CreateContainerError", "RunContainerError", "StartError":
		t.cannotStart(w.Message)
	default: // ContainerCreating, PodInitializing
		warned(e, t)
	}
}

// warned puts the newest warning about the pod in place of what says nothing.
func warned(e *evidence, t *Trouble) {
	ev := newest(e.events, func(ev *event) bool {
		return ev.Type == "Warning" && ev.Regarding.Kind == "Pod" && ev.Reason != "FailedScheduling"
	})
	if ev == nil {
		return
	}
	t.Reason, t.Message = ev.Reason, ev.Message
	t.Hint = "look at kubectl describe pod " + t.Pod
	if ev.Reason == "FailedMount" {
		t.Hint = "make what the volume is of, or correct its name"
	}
}

// probed is about a container that runs and is not ready.
func probed(c *container, e *evidence, t *Trouble) {
	t.Reason, t.Message = "NotReady", "it runs and has not said that it is ready"
	if c.Started != nil && !*c.Started {
		t.Message = "it runs and has not finished starting"
	}
	if ev := newest(e.events, func(ev *event) bool { return ev.Reason == "Unhealthy" }); ev != nil {
		t.Reason, t.Message = ev.Reason, strings.TrimSpace(ev.Message)
	}
	t.Hint = "read its log with meshctl logs " + t.Product
	t.crashed = true
}

// newest is the latest event of which is is true.
func newest(events []event, is func(*event) bool) *event {
	var found *event
	for i := range events {
		if ev := &events[i]; is(ev) && (found == nil || ev.at().After(found.at())) {
			found = ev
		}
	}
	return found
}

// podless is about a StatefulSet that has too few pods.
func podless(s *statefulSet, e *evidence) Trouble {
	t := Trouble{Product: s.Metadata.unit(), Reason: "Starting", Message: "its pods are not made yet"}
	ev := newest(e.events, func(ev *event) bool { return ev.Type == "Warning" && ev.Regarding.Kind == "StatefulSet" })
	if ev == nil {
		return t
	}
	t.Reason, t.Message, t.Hint = ev.Reason, ev.Message, "ask who set this rule for the namespace, or change what it refuses"
	t.Final = strings.Contains(ev.Message, "forbidden")
	return t
}
