// Package kube is a Kubernetes cluster as meshctl needs it: server-side apply by one
// field manager, dry-run, lists by label, deletion that never touches a claim unless
// asked, logs and port-forwarding. It alone knows client-go; what it gives and takes
// are objects as decoded JSON.
//
// Decided here:
//   - client-go's dynamic client, not its typed one, and not fluxcd/pkg/ssa: that
//     package's manager sends every apply with force, so a field that somebody else
//     manages is taken from them in silence, which meshctl refuses to do. What else it
//     brings (controller-runtime, kubectl, kustomize) would be weight alone.
//   - The kinds are a table, not discovery: meshctl makes few kinds, and a plan costs no
//     round trips to find out what it knows.
//   - No limit of requests a second on this side. The API server has its own (priority
//     and fairness), and callers bound how many requests run at once.
package kube

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/meshctl/meshctl/internal/fault"
)

// Manager is the field manager that meshctl applies as.
const Manager = "meshctl"

// Options say which cluster is meant.
type Options struct {
	Kubeconfig string              // a file; empty for $KUBECONFIG, ~/.kube/config, or the pod that meshctl runs in
	Context    string              // empty for the file's current one
	Namespace  string              // empty for the context's
	Env        func(string) string // as os.Getenv
	Warn       func(string)        // is told what the API server warns of, from any goroutine; may be nil
}

// Cluster is a connection to one cluster and one namespace of it. It is for any number
// of goroutines.
type Cluster struct {
	Server    string // URL of the API server
	Context   string // of the kubeconfig; empty inside a cluster
	Namespace string

	config   *rest.Config
	dynamic  dynamic.Interface
	metadata metadata.Interface
}

// Connect finds the cluster. It sends nothing yet: whether the cluster answers shows
// with the first request.
func Connect(o Options) (*Cluster, error) {
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: o.Kubeconfig, Precedence: configFiles(o.Env)}
	if o.Kubeconfig != "" {
		if _, err := os.Stat(o.Kubeconfig); err != nil {
			return nil, fault.New(fault.NotFound, "name the file that your cluster's access stands in", "read kubeconfig: %w", err)
		}
	}
	over := &clientcmd.ConfigOverrides{CurrentContext: o.Context, Context: api.Context{Namespace: o.Namespace}}
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, over)
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, configFault(o, err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, configFault(o, err)
	}
	config.UserAgent = Manager
	config.QPS = -1
	config.WarningHandler = warnings{o.Warn}
	dyn, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, configFault(o, err)
	}
	meta, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, configFault(o, err)
	}
	c := &Cluster{Server: config.Host, Context: o.Context, Namespace: namespace, config: config, dynamic: dyn, metadata: meta}
	if raw, err := loader.RawConfig(); err == nil && c.Context == "" {
		c.Context = raw.CurrentContext
	}
	return c, nil
}

// configFiles are the files that kubectl reads when none is named.
func configFiles(env func(string) string) []string {
	if list := env("KUBECONFIG"); list != "" {
		return filepath.SplitList(list)
	}
	if home := env("HOME"); home != "" {
		return []string{filepath.Join(home, ".kube", "config")}
	}
	return nil
}

func configFault(o Options, err error) error {
	if clientcmd.IsEmptyConfig(err) || errors.Is(err, rest.ErrNotInCluster) {
		return fault.New(fault.Invalid, "set KUBECONFIG, or name a file with --kubeconfig", "find a cluster: there is no kubeconfig")
	}
	if clientcmd.IsContextNotFound(err) || strings.Contains(err.Error(), "does not exist") {
		return fault.New(fault.NotFound, "run kubectl config get-contexts to see what there is", "find a cluster: %w", err)
	}
	return fault.New(fault.Invalid, "correct the kubeconfig", "find a cluster: %w", err)
}

// warnings passes on what the API server warns of.
type warnings struct{ tell func(string) }

// HandleWarningHeader is called by client-go for each warning of an answer.
func (w warnings) HandleWarningHeader(code int, _, text string) {
	if code == 299 && w.tell != nil {
		w.tell(text)
	}
}

// String is how errors and plans name the cluster.
func (c *Cluster) String() string {
	if c.Context != "" {
		return fmt.Sprintf("context %s (%s)", c.Context, c.Server)
	}
	return c.Server
}

// In is the same cluster with another namespace.
func (c *Cluster) In(namespace string) *Cluster {
	other := *c
	other.Namespace = namespace
	return &other
}

// Reach says whether the cluster answers and lets this user in.
func (c *Cluster) Reach(ctx context.Context) error {
	_, err := c.Get(ctx, Ref{Kind: "Namespace", Name: c.Namespace})
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return err
}
