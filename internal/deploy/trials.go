package deploy

import (
	"context"
	"strings"
	"sync"

	"github.com/meshctl/meshctl/internal/kube"
)

// trials are what one plan asks the API server about objects that are to be made.
type trials struct {
	cluster *kube.Cluster

	mu    sync.Mutex
	names map[string]map[string]bool // by kind: what there is
	tried map[[2]string]bool         // kind, and what its name adds to its unit's
}

func newTrials(c *kube.Cluster) *trials {
	return &trials{cluster: c, names: map[string]map[string]bool{}, tried: map[[2]string]bool{}}
}

// taken says whether there is an object of the name, whoever made it.
func (t *trials) taken(ctx context.Context, r kube.Ref) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	names := t.names[r.Kind]
	if names == nil {
		var err error
		if names, err = t.cluster.Names(ctx, r.Kind); err != nil {
			return false, err
		}
		t.names[r.Kind] = names
	}
	return names[r.Name], nil
}

// create says whether the API server would make the object. The objects in which a
// product's own words stand are all tried. The others are alike in all products: the
// first one speaks for the rest.
func (t *trials) create(ctx context.Context, unit string, obj kube.Object) error {
	r := kube.RefOf(obj)
	if r.Kind != "StatefulSet" && r.Kind != "ConfigMap" && !t.first(r.Kind, strings.TrimPrefix(r.Name, unit)) {
		return nil
	}
	return t.cluster.TryCreate(ctx, obj)
}

func (t *trials) first(kind, role string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.tried[[2]string{kind, role}]
	t.tried[[2]string{kind, role}] = true
	return !before
}
