package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/deploy"
	"github.com/meshctl/meshctl/internal/kube"
	"github.com/meshctl/meshctl/internal/manifest"
)

// deployLimit is how long a deploy may take unless --timeout says otherwise.
const deployLimit = 5 * time.Minute

// clusterFlags say which cluster and namespace a command is about.
type clusterFlags struct {
	Kubeconfig, Context, Namespace string
}

func (c *clusterFlags) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.Kubeconfig, "kubeconfig", "", "find the cluster in this `file` (default $KUBECONFIG, ~/.kube/config, or the pod's own)")
	f.StringVar(&c.Context, "kube-context", "", "use this `context` of the kubeconfig")
	f.StringVarP(&c.Namespace, "namespace", "n", "", "the namespace (default the context's)")
}

// connect finds the cluster; what its API server warns of is told.
func (c *clusterFlags) connect(g *globals) (*kube.Cluster, error) {
	return kube.Connect(kube.Options{
		Kubeconfig: g.absUnlessEmpty(c.Kubeconfig), Context: c.Context, Namespace: c.Namespace, Env: g.Env,
		Warn: func(text string) { g.note("warning: %s", text) },
	})
}

func (g *globals) absUnlessEmpty(path string) string {
	if path == "" {
		return ""
	}
	return g.Abs(path)
}

// imageFlags say what runs and how it comes to the nodes.
type imageFlags struct {
	Image           string
	CreateNamespace bool
	PullPolicy      string
	PullSecrets     []string
	TLSSecret       string
}

func (i *imageFlags) bind(cmd *cobra.Command, image string) {
	f := cmd.Flags()
	f.StringVar(&i.Image, "image", "", image)
	f.BoolVar(&i.CreateNamespace, "create-namespace", false, "make the namespace too, with restricted Pod Security")
	f.StringVar(&i.PullPolicy, "image-pull-policy", "IfNotPresent", "Always, IfNotPresent or Never")
	f.StringSliceVar(&i.PullSecrets, "image-pull-secret", nil, "pull images with these `secrets`")
	bindTLSSecret(cmd, &i.TLSSecret)
	oneOf(cmd, "image-pull-policy", "Always", "IfNotPresent", "Never")
}

// bindTLSSecret binds the flag that encrypts what passes between hub and products.
func bindTLSSecret(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVar(name, "tls-secret", "", "encrypt links with this `secret`: the hub needs its tls.crt and tls.key, products its ca.crt")
}

// wantFlags are what diff and deploy have in common: what there should be, and where.
type wantFlags struct {
	Dirs  []string
	Hub   string
	Prune bool
	Force bool
	clusterFlags
	imageFlags
}

func (w *wantFlags) bind(cmd *cobra.Command) {
	w.clusterFlags.bind(cmd)
	w.imageFlags.bind(cmd, "the container `image`, for products whose descriptor names none")
	f := cmd.Flags()
	f.StringVar(&w.Hub, "hub", "", "join the hub at this `URL` (default that of the namespace)")
	f.BoolVar(&w.Prune, "prune", false, "these products are all there is: take others of the namespace away; volumes stay")
	f.BoolVar(&w.Force, "force-conflicts", false, "take over fields that others manage")
}

// units are the products' objects for a namespace.
func (w *wantFlags) units(g *globals, namespace string) ([]deploy.Unit, error) {
	dirs := w.Dirs
	if len(dirs) == 0 {
		dirs = []string{"."}
	}
	loaded, err := g.readProducts(dirs)
	if err != nil {
		return nil, err
	}
	return deploy.Products(loaded, manifest.Options{
		Namespace: namespace, Image: w.Image, CreateNamespace: w.CreateNamespace,
		Hub: w.Hub, PullPolicy: w.PullPolicy, PullSecrets: w.PullSecrets, TLSSecret: w.TLSSecret,
	})
}

// names are the units' names.
func names(units []deploy.Unit) []string {
	out := make([]string, len(units))
	for i, u := range units {
		out[i] = u.Name
	}
	return out
}

// few is a list of names that fits on a line.
func few(all []string) string {
	if len(all) > 6 {
		return strings.Join(all[:5], ", ") + " and " + count(len(all)-5, "other")
	}
	return strings.Join(all, ", ")
}
