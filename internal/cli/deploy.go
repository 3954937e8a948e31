package cli

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/deploy"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kube"
	"github.com/meshctl/meshctl/internal/manifest"
	"github.com/meshctl/meshctl/internal/render"
)

// The values of --dry-run.
const (
	dryClient = "client" // nothing is asked of the cluster
	dryServer = "server" // the API server answers as if
)

// carryOpts say how a deploy is carried out.
type carryOpts struct {
	DryRun string
	Wait   bool
	Output output
}

func (o *carryOpts) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.DryRun, "dry-run", "", "change nothing: client lists what would be sent, server asks the API server")
	f.BoolVar(&o.Wait, "wait", true, "wait until everything runs, for --timeout or 5m")
	oneOf(cmd, "dry-run", dryClient, dryServer)
	o.Output.bind(cmd, render.Table, render.JSON, render.YAML)
}

func (o *carryOpts) check() error {
	switch o.DryRun {
	case "", dryClient, dryServer:
		return nil
	}
	return usageHint("use --dry-run=client or --dry-run=server", "%q is not a kind of dry run", o.DryRun)
}

const deployLong = `Bring products to a Kubernetes cluster. A DIR is a product's folder. The plan of what
changes is shown as "meshctl diff" shows it, carried out, and waited for.

Nothing is applied when a part of the plan cannot be done, when others manage a field
that would change, or when a product that runs would lose records by it. What a product no longer consists of is taken away; other products
stay unless --prune says that these are all. Volumes always stay. A deploy that was
interrupted is completed by the next; one that changes nothing exits with 0.

Waiting ends when every pod is of the new revision and ready. When that fails, the error
names the pod, its reason and one thing to do: at once where waiting cannot help, else
when --timeout is over, with exit code 4.`

const deployExample = `  meshctl deploy flights airports -n aviation --image example.org/meshctl:0.3.0
  meshctl deploy --dry-run=server
  meshctl deploy products/* --prune --timeout 10m`

func newDeploy(g *globals) *cobra.Command {
	var want wantFlags
	var o carryOpts
	var lose bool
	cmd := &cobra.Command{
		Use: "deploy [DIR]... [flags]", Short: "Bring products to a cluster, and wait until they run",
		Long: deployLong, Example: deployExample, Args: arguments("[DIR]..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			want.Dirs = args
			load := func(namespace string) ([]deploy.Unit, error) { return want.units(g, namespace) }
			return runDeploy(cmd.Context(), g, &want.clusterFlags, load, o, deploy.PlanOptions{Force: want.Force, Only: want.Prune, LoseData: lose})
		},
	}
	want.bind(cmd)
	cmd.Flags().BoolVar(&lose, "dangerous-lose-data", false, "let a retention that became shorter drop records of a log, this once")
	o.bind(cmd)
	return cmd
}

const hubDeployLong = `Bring the hub to a Kubernetes cluster: a single node, or three that go on while two of
them run. It is planned, carried out and waited for as "meshctl deploy" does with
products, which join the hub of their namespace by themselves.`

func newHubDeploy(g *globals) *cobra.Command {
	var o carryOpts
	var to clusterFlags
	var image imageFlags
	var size hubSize
	var force bool
	cmd := &cobra.Command{
		Use: "deploy [flags]", Short: "Bring the hub to a cluster, and wait until it runs",
		Long: hubDeployLong, Example: `  meshctl hub deploy -n aviation --image example.org/meshctl:0.3.0`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			load := func(namespace string) ([]deploy.Unit, error) {
				options := size.options()
				options.Namespace, options.Image, options.CreateNamespace = namespace, image.Image, image.CreateNamespace
				options.PullPolicy, options.PullSecrets, options.TLSSecret = image.PullPolicy, image.PullSecrets, image.TLSSecret
				hub, err := deploy.Hub(options)
				return []deploy.Unit{hub}, err
			}
			return runDeploy(cmd.Context(), g, &to, load, o, deploy.PlanOptions{Force: force})
		},
	}
	to.bind(cmd)
	image.bind(cmd, "the container `image`")
	size.bind(cmd)
	cmd.Flags().BoolVar(&force, "force-conflicts", false, "take over fields that others manage")
	o.bind(cmd)
	return cmd
}

// deployed is what deploy prints as data: the plan, and how far each product came.
type deployed struct {
	*deploy.Plan
	Products []deploy.Waited `json:"products"`
}

func runDeploy(ctx context.Context, g *globals, to *clusterFlags, load func(string) ([]deploy.Unit, error), o carryOpts, po deploy.PlanOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.DryRun == dryClient {
		return listObjects(g, to, load, o.Output.format)
	}
	c, err := to.connect(g)
	if err != nil {
		return err
	}
	units, err := load(c.Namespace)
	if err != nil {
		return err
	}
	within, cancel := g.within(ctx, deployLimit)
	defer cancel()
	p, err := makePlan(within, g, c, units, po)
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	table := o.Output.format == render.Table
	if table {
		if err := writePlan(g, render.Table, p); err != nil {
			return err
		}
	}
	answer := deployed{Plan: p, Products: []deploy.Waited{}}
	err = p.Err()
	if err == nil && o.DryRun == "" {
		answer.Products, err = carryOut(within, ctx, g, c, p, names(units), o)
	}
	if !table {
		if failed := render.Value(g.Out, o.Output.format, answer, nil); failed != nil {
			return failed
		}
	}
	return err
}

// carryOut carries a plan out, and waits for what runs then.
func carryOut(within, ctx context.Context, g *globals, c *kube.Cluster, p *deploy.Plan, units []string, o carryOpts) ([]deploy.Waited, error) {
	did := 0
	err := p.Carry(within, c, func(s *deploy.Step) {
		did++
		if g.Verbose {
			g.note("%s: %s", s.Unit, s)
		}
	})
	if err != nil {
		if did > 0 {
			g.note("%s done; run the command again to complete it", count(did, "change"))
		}
		return []deploy.Waited{}, err
	}
	if p.Changes() {
		g.note("%s done", count(did, "change"))
	}
	if !o.Wait {
		return []deploy.Waited{}, nil
	}
	got, err := deploy.Wait(ctx, c, units, deploy.WaitOptions{
		Timeout: cmp.Or(g.Timeout, deployLimit), Now: g.Now,
		Progress: func(product, state string) { g.note("%s: %s", product, state) },
	})
	if err == nil {
		g.note("%s: %s", few(units), map[bool]string{true: "runs", false: "all run"}[len(units) == 1])
	}
	return got, err
}

// listObjects is --dry-run=client: what would be sent, without asking the cluster.
func listObjects(g *globals, to *clusterFlags, load func(string) ([]deploy.Unit, error), format render.Format) error {
	namespace := to.Namespace
	if namespace == "" {
		if c, err := to.connect(g); err == nil {
			namespace = c.Namespace
		} else if fault.KindOf(err) != fault.Invalid {
			return err
		}
	}
	units, err := load(cmp.Or(namespace, "default"))
	if err != nil {
		return err
	}
	var objects []manifest.Object
	rows := [][]string{}
	for _, u := range units {
		for _, o := range u.Objects {
			objects = append(objects, o)
			rows = append(rows, []string{u.Name, o.Kind(), o.Name(), o.Namespace()})
		}
	}
	return render.Value(g.Out, format, objects, func() ([]string, [][]string) {
		return []string{"product", "kind", "name", "namespace"}, rows
	})
}
