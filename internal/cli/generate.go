package cli

import (
	"cmp"
	"errors"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/manifest"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/render"
)

// placed are the flags that say where objects go and how their image comes.
type placed struct {
	Namespace       string
	Image           string
	CreateNamespace bool
	PullPolicy      string
	PullSecrets     []string
	TLSSecret       string
	To              string // a folder, or - for stdout
}

func (p *placed) bind(cmd *cobra.Command, image string) {
	f := cmd.Flags()
	f.StringVarP(&p.Namespace, "namespace", "n", "default", "put everything into this namespace")
	f.StringVar(&p.Image, "image", "", image)
	f.BoolVar(&p.CreateNamespace, "create-namespace", false, "make the namespace too, with restricted Pod Security")
	f.StringVar(&p.PullPolicy, "image-pull-policy", "IfNotPresent", "Always, IfNotPresent or Never")
	f.StringSliceVar(&p.PullSecrets, "image-pull-secret", nil, "pull images with these `secrets`")
	bindTLSSecret(cmd, &p.TLSSecret)
	f.StringVarP(&p.To, "output", "o", "-", "write a file for each object into this `folder`; - writes all to stdout")
	oneOf(cmd, "image-pull-policy", "Always", "IfNotPresent", "Never")
	if err := cmd.MarkFlagDirname("output"); err != nil {
		panic(err) // no such flag: a defect
	}
}

type generateOpts struct {
	Dirs []string
	Hub  string
	placed
}

const generateLong = `Write the Kubernetes objects of products as plain YAML, the same bytes each time: what
kubectl, kustomize, Argo CD and Flux take as it is. A DIR is a product's folder.

Each product is a StatefulSet with a volume, its Services, a ConfigMap with its files,
a ServiceAccount, a NetworkPolicy and a PodDisruptionBudget. It joins the hub of its
namespace, which "meshctl hub generate" makes, or the one that --hub names.

With -o FOLDER there is one file an object, and a kustomization.yaml. Files that
meshctl did not generate are never written over.`

const generateExample = `  meshctl generate --image example.org/meshctl:0.3.0 | kubectl apply -f -
  meshctl generate flights airports -n aviation -o deploy`

func newGenerate(g *globals) *cobra.Command {
	var o generateOpts
	cmd := &cobra.Command{
		Use: "generate [DIR]... [flags]", Short: "Write the Kubernetes objects of products",
		Long: generateLong, Example: generateExample, Args: arguments("[DIR]..."),
		RunE: func(_ *cobra.Command, args []string) error {
			if o.Dirs = args; len(args) == 0 {
				o.Dirs = []string{"."}
			}
			return runGenerate(g, o)
		},
	}
	o.bind(cmd, "the container `image`, for products whose descriptor names none")
	cmd.Flags().StringVar(&o.Hub, "hub", "", "join the hub at this `URL` (default that of the namespace)")
	return cmd
}

func runGenerate(g *globals, o generateOpts) error {
	products, err := g.readProducts(o.Dirs)
	if err != nil {
		return err
	}
	options := manifest.Options{
		Namespace: o.Namespace, Image: o.Image, CreateNamespace: o.CreateNamespace,
		Hub: o.Hub, PullPolicy: o.PullPolicy, PullSecrets: o.PullSecrets, TLSSecret: o.TLSSecret,
	}
	var all []manifest.Object
	var errs []error
	for i := range products {
		files, err := manifest.ProductFiles(&products[i])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		objects, err := manifest.Product(products[i].Product, files, options)
		errs = append(errs, err)
		all = append(all, objects...)
		options.CreateNamespace = false // one is enough
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return g.writeManifests(all, o.To)
}

// readProducts reads products that are valid by themselves and together; ports of
// products that are not among them are taken on trust. What is wrong goes to Err as
// validate would print it.
func (g *globals) readProducts(dirs []string) ([]product.Loaded, error) {
	abs := make([]string, len(dirs))
	for i, dir := range dirs {
		abs[i] = g.Abs(dir)
	}
	all, problems, _, err := g.check(abs, true)
	if err != nil || len(problems) == 0 {
		return all, err
	}
	onErr := *g
	host := *g.Host
	host.Out = g.Err
	onErr.Host = &host
	var findings []finding
	for _, p := range problems {
		findings = append(findings, finding{"error", p})
	}
	if err := writeFindings(&onErr, render.Table, findings); err != nil {
		return nil, err
	}
	return nil, errReported
}

// hubSize are the flags that say how large the hub is.
type hubSize struct {
	Replicas              int
	Storage, StorageClass string
	CPU, Memory           string
}

func (s *hubSize) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&s.Replicas, "replicas", 1, "nodes: 1, or 3 for a cluster")
	f.StringVar(&s.Storage, "storage", "10Gi", "`size` of each node's volume")
	f.StringVar(&s.StorageClass, "storage-class", "", "storage `class` (default the cluster's)")
	f.StringVar(&s.CPU, "cpu", "500m", "processor time of each node")
	f.StringVar(&s.Memory, "memory", "512Mi", "memory of each node")
}

// options are the hub's; what was asked for and is nothing is as wrong as anything else.
func (s *hubSize) options() manifest.HubOptions {
	o := manifest.HubOptions{
		Replicas: s.Replicas, StorageSize: cmp.Or(s.Storage, "0"), StorageClass: s.StorageClass,
		CPU: cmp.Or(s.CPU, "0"), Memory: cmp.Or(s.Memory, "0"),
	}
	if o.Replicas == 0 {
		o.Replicas = -1
	}
	return o
}

type hubGenerateOpts struct {
	hubSize
	placed
}

const hubGenerateLong = `Write the Kubernetes objects of the hub as plain YAML: of a single node, or of three that
go on while two of them run. Changing from one to three makes a new catalog, which the
products fill again by themselves.`

const hubGenerateExample = `  meshctl hub generate --image registry.example.org/meshctl:0.3.0 -n aviation
  meshctl hub generate --image registry.example.org/meshctl:0.3.0 --replicas 3`

func newHubGenerate(g *globals) *cobra.Command {
	var o hubGenerateOpts
	cmd := &cobra.Command{
		Use: "generate [flags]", Short: "Write the Kubernetes objects of the hub",
		Long: hubGenerateLong, Example: hubGenerateExample, Args: arguments(),
		RunE: func(*cobra.Command, []string) error { return runHubGenerate(g, o) },
	}
	o.placed.bind(cmd, "the container `image`")
	o.hubSize.bind(cmd)
	return cmd
}

func runHubGenerate(g *globals, o hubGenerateOpts) error {
	options := o.options()
	options.Namespace, options.Image, options.CreateNamespace = o.Namespace, o.Image, o.CreateNamespace
	options.PullPolicy, options.PullSecrets, options.TLSSecret = o.PullPolicy, o.PullSecrets, o.TLSSecret
	objects, err := manifest.Hub(options)
	if err != nil {
		return err
	}
	return g.writeManifests(objects, o.To)
}
