package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/deploy"
	"github.com/meshctl/meshctl/internal/kube"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/render"
	"github.com/meshctl/meshctl/internal/trust"
)

// meshLimit is how long status waits for the mesh, which is the smaller part of its answer.
const meshLimit = 5 * time.Second

type statusOpts struct {
	Names  []string
	Output output
	clusterFlags
}

const statusLong = `Show how products fare in a cluster: pods, volumes, revision and restarts, and why one
does not run. Without names it is all products of the namespace, and the hub.

Where the hub can be reached, the mesh's side is shown too: whether the leaf has joined,
how far each port's stores are behind its log, and dead letters. It is reached through
the API server, or as --server or --context say.

Exit code 0 says that all run, 1 that some do not.`

const statusExample = `  meshctl status -n aviation
  meshctl status flights -o wide
  meshctl status -o json | jq '.[] | select(.state != "running")'`

func newStatus(g *globals) *cobra.Command {
	var o statusOpts
	cmd := &cobra.Command{
		Use: "status [PRODUCT]... [flags]", Short: "Show how products fare in a cluster",
		Long: statusLong, Example: statusExample, Args: arguments("[PRODUCT]..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Names = args
			return runStatus(cmd.Context(), g, o)
		},
	}
	o.clusterFlags.bind(cmd)
	o.Output.bind(cmd, render.Table, render.Wide, render.JSON, render.YAML, render.JSONL, render.CSV)
	return cmd
}

// fared is a product's state in the cluster and in the mesh.
type fared struct {
	deploy.Status
	Mesh *inMesh `json:"mesh,omitempty"` // of a product, where the hub could be asked
}

// inMesh is what the mesh knows of a product.
type inMesh struct {
	Joined bool       `json:"joined"`
	Seen   time.Time  `json:"seen,omitzero"`
	Ports  []portFare `json:"ports"`
	// Inputs are those that read other products.
	Inputs []catalog.Input `json:"inputs,omitempty"`
}

type portFare struct {
	Address string `json:"address"`
	Records uint64 `json:"records"`
	Last    uint64 `json:"last"`    // of the log
	Visible uint64 `json:"visible"` // in every store
	Lag     uint64 `json:"lag"`
	Dead    uint64 `json:"dead"`
	Error   string `json:"error,omitempty"`
}

func runStatus(ctx context.Context, g *globals, o statusOpts) error {
	c, err := o.connect(g)
	if err != nil {
		return err
	}
	ctx, cancel := g.within(ctx, callLimit)
	defer cancel()
	found, err := deploy.Look(ctx, c, o.Names, g.Now)
	if err != nil {
		return err
	}
	all := make([]fared, len(found))
	for i, s := range found {
		all[i].Status = s
	}
	if err := joinMesh(ctx, g, c, all); err != nil {
		return err
	}
	err = render.Value(g.Out, o.Output.format, all, func() ([]string, [][]string) {
		return statusRows(g, all, o.Output.format == render.Wide)
	})
	if err != nil {
		return err
	}
	well := true
	for _, f := range all {
		if f.Trouble != nil && f.State != deploy.Running {
			g.note("%s: %s", f.Product, f.Trouble)
			if f.Trouble.Hint != "" {
				g.note("  hint: %s", f.Trouble.Hint)
			}
		}
		if f.Mesh != nil {
			for _, in := range f.Mesh.Inputs {
				if in.Error != "" {
					g.note("%s: input %s: %s", f.Product, in.Name, in.Error)
				}
			}
		}
		well = well && (f.State == deploy.Running || f.State == deploy.Deleted)
	}
	if !well {
		return errReported
	}
	return nil
}

// joinMesh adds what the mesh knows. That the hub cannot be asked is told and is no
// failure: what the cluster knows is an answer too.
func joinMesh(ctx context.Context, g *globals, c *kube.Cluster, all []fared) error {
	limited, cancel := context.WithTimeout(ctx, meshLimit)
	defer cancel()
	entries, err := meshEntries(limited, g, c)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		g.note("the mesh could not be asked: %s", firstLine(err.Error()))
		return nil
	}
	if entries == nil {
		return nil
	}
	for i := range all {
		if all[i].Kind == product.ComponentProduct && all[i].State != deploy.Deleted {
			all[i].Mesh = fareOf(entries.Product(all[i].Product), g.Now())
		}
	}
	return nil
}

// meshEntries is the catalog of the namespace's mesh; nil when it has no hub that answers.
func meshEntries(ctx context.Context, g *globals, c *kube.Cluster) (catalog.Catalog, error) {
	client, end, err := clusterMesh(ctx, g, c)
	if err != nil || client == nil {
		return nil, err
	}
	defer end()
	all, err := client.LiveCatalog(ctx)
	if all == nil {
		all = catalog.Catalog{}
	}
	return all, err
}

// clusterMesh connects to the mesh that the flags name, else to that of the cluster's
// namespace; nil when that has no hub that answers.
func clusterMesh(ctx context.Context, g *globals, c *kube.Cluster) (client *app.Client, end func(), err error) {
	o := g.mesh()
	o.Server, o.Context = g.Server, g.Context // the environment's is not the cluster's
	unforward := func() {}
	if o.Server == "" && o.Context == "" {
		forwarded, err := g.forwardHub(ctx, c, trust.ReadOnly, &o)
		if err != nil || forwarded == nil {
			return nil, nil, err
		}
		unforward = forwarded
	}
	if client, err = app.Dial(ctx, o); err != nil {
		unforward()
		return nil, nil, err
	}
	return client, func() {
		client.Close()
		unforward()
	}, nil
}

func fareOf(e *catalog.Entry, now time.Time) *inMesh {
	m := &inMesh{Ports: []portFare{}}
	if e == nil {
		return m
	}
	m.Inputs = e.Inputs
	m.Joined, m.Seen = !e.Gone(now), e.Seen
	for _, p := range e.Ports {
		m.Ports = append(m.Ports, portFare{
			Address: p.Address, Records: p.Records, Last: uint64(p.Last), Visible: uint64(p.Visible),
			Lag: p.Lag(), Dead: p.Dead, Error: p.Error,
		})
	}
	return m
}

func statusRows(g *globals, all []fared, wide bool) (header []string, rows [][]string) {
	header = []string{"product", "state", "ready", "version", "restarts", "age", "volume", "mesh", "lag", "dead"}
	if wide {
		header = append(header, "revision", "image", "nodes", "class", "managed")
	}
	for _, f := range all {
		joined, lag, dead := meshCells(f.Mesh)
		row := []string{
			f.Product, f.State, fmt.Sprintf("%d/%d", f.Ready, f.Replicas), f.Version, fmt.Sprint(f.Restarts),
			catalog.Ago(g.Now(), f.Since), volumeCell(f.Volumes), joined, lag, dead,
		}
		if wide {
			var nodes, classes []string
			for _, p := range f.Pods {
				nodes = append(nodes, p.Node)
			}
			for _, v := range f.Volumes {
				classes = append(classes, v.Class)
			}
			managed := "others"
			if f.Managed {
				managed = "meshctl"
			}
			row = append(row, f.Revision, f.Image, strings.Join(nodes, " "), strings.Join(classes, " "), managed)
		}
		rows = append(rows, row)
	}
	return header, rows
}

func meshCells(m *inMesh) (joined, lag, dead string) {
	if m == nil {
		return "", "", ""
	}
	if joined = "joined"; !m.Joined {
		joined = "not joined"
	}
	var behind, letters uint64
	for _, p := range m.Ports {
		behind, letters = behind+p.Lag, letters+p.Dead
	}
	return joined, fmt.Sprint(behind), fmt.Sprint(letters)
}

func volumeCell(all []deploy.Volume) string {
	var cells []string
	for _, v := range all {
		cell := v.Asked
		if v.Capacity != "" {
			cell = v.Capacity
		}
		if v.Phase != "Bound" {
			cell += " " + strings.ToLower(v.Phase)
		}
		if v.Note != "" {
			cell += " (" + v.Note + ")"
		}
		cells = append(cells, cell)
	}
	return strings.Join(cells, ", ")
}
