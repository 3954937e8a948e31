package deploy

import (
	"context"
	"io"
	"slices"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kube"
)

// examine finds out why a product is not ready; nil when nothing is wrong with what
// there is. What it may not see it does without.
func (w *waiter) examine(ctx context.Context, p *Waited) (*Trouble, error) {
	if p.set == nil {
		return &Trouble{Product: p.Product, Reason: "Missing", Message: "it has no StatefulSet", Hint: "run meshctl deploy again"}, nil
	}
	q := blocking(p)
	if q == nil && int64(len(p.pods)) >= p.Replicas {
		return nil, nil // pods of an old revision are being replaced
	}
	e, err := w.evidence(ctx, p, q)
	if err != nil {
		return nil, err
	}
	if q == nil {
		t := podless(p.set, e)
		return &t, nil
	}
	t := judge(q, e)
	if t.crashed && len(t.Log) == 0 {
		t.Log = w.lastWords(ctx, q)
	}
	return &t, nil
}

// blocking is the pod that holds the product up: one of the newest revision that is not
// ready, else any that is not; nil when all are ready.
func blocking(p *Waited) *pod {
	var other *pod
	for i := range p.pods {
		q := &p.pods[i]
		switch {
		case q.ready():
		case q.Metadata.revision() == p.Revision:
			return q
		case other == nil:
			other = q
		}
	}
	return other
}

// evidence gathers what is known about a pod, or about pods that are not made.
func (w *waiter) evidence(ctx context.Context, p *Waited, q *pod) (*evidence, error) {
	e := &evidence{now: w.o.Now()}
	about := []string{p.set.Metadata.Name}
	if q != nil {
		about = []string{q.Metadata.Name}
		e.seen = w.restarts[q.Metadata.UID]
		for _, v := range q.Spec.Volumes {
			if v.Claim != nil {
				about = append(about, v.Claim.Name)
			}
		}
	}
	for _, name := range about {
		events, err := query[event](ctx, w.cluster, "Event", kube.Query{Fields: "involvedObject.name=" + name})
		if err = unlessDenied(err); err != nil {
			return nil, err
		}
		for _, ev := range events {
			// Events outlive what they are about.
			if ev.Regarding.Kind == "PersistentVolumeClaim" || ev.Regarding.UID == p.set.Metadata.UID || q != nil && ev.Regarding.UID == q.Metadata.UID {
				e.events = append(e.events, ev)
			}
		}
	}
	if q == nil || q.condition("PodScheduled").Status != "False" {
		return e, nil
	}
	var err error
	if e.claims, err = list[claim](ctx, w.cluster, "PersistentVolumeClaim", selector([]string{p.Product})); unlessDenied(err) != nil {
		return nil, err
	}
	if e.classes, err = list[storageClass](ctx, w.cluster, "StorageClass", ""); unlessDenied(err) != nil {
		return nil, err
	}
	return e, nil
}

func unlessDenied(err error) error {
	if fault.KindOf(err) == fault.Denied {
		return nil
	}
	return err
}

// lastWords are the last lines that a pod wrote before it ended; none where they cannot
// be read, which is not what the person waits for.
func (w *waiter) lastWords(ctx context.Context, q *pod) []string {
	for _, previous := range []bool{true, false} {
		i := slices.IndexFunc(q.Status.Containers, func(c container) bool { return !c.Ready })
		if i < 0 {
			return nil
		}
		stream, err := w.cluster.Logs(ctx, q.Metadata.Name, kube.LogOptions{Container: q.Status.Containers[i].Name, Previous: previous, Tail: logLines})
		if err != nil {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(stream, 64<<10))
		if closing := stream.Close(); err == nil {
			err = closing
		}
		if err == nil && len(text) > 0 {
			return lastLines(string(text))
		}
	}
	return nil
}
