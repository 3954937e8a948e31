package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/binary"
	"github.com/meshctl/meshctl/internal/manifest"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
)

// drainLimit is how long a process that was told to stop may take.
const drainLimit = 30 * time.Second

// The ports that a hub listens on unless told otherwise: those of every nats-server.
const (
	defaultClientPort = 4222
	defaultLeafPort   = 7422
)

type upOpts struct {
	Dirs           []string
	Data           string
	Port, LeafPort int
	lose           loseOpts
}

const upLong = `Run a hub and products in one process, on this machine's loopback only. Each product is
a leafnode of its own with its own data, as it will be in production.

Other commands find this mesh by themselves. An edited descriptor is applied while it
runs; products join with "meshctl product add". Products that ran here last come
back without being named. Ctrl-C drains and stops; kill -9 loses nothing.`

const upExample = `  meshctl up flights airports    # two products and a hub
  meshctl up                     # this folder's product, or what ran here last
  meshctl up --data /var/tmp/mesh flights`

func newUp(g *globals) *cobra.Command {
	var o upOpts
	cmd := &cobra.Command{
		Use: "up [DIR]... [flags]", Short: "Run a whole mesh on this machine",
		Long: upLong, Example: upExample, Args: arguments("[DIR]..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Dirs = args
			return runUp(cmd.Context(), g, o)
		},
	}
	cmd.Flags().StringVar(&o.Data, "data", ".meshctl", "keep all data in this `folder`")
	cmd.Flags().IntVar(&o.Port, "port", defaultClientPort, "port for clients; -1 for any free one")
	cmd.Flags().IntVar(&o.LeafPort, "leaf-port", defaultLeafPort, "port for leaves; -1 for any free one")
	o.lose.bind(cmd)
	return cmd
}

// loseOpts are what a product may lose when it is started, because somebody insists.
type loseOpts struct{ expired, data bool }

func (o *loseOpts) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.expired, "dangerous-lose-expired", false, "make a damaged store again though the log's retention has dropped records of it")
	f.BoolVar(&o.data, "dangerous-lose-data", false, "let a retention that became shorter drop records of a log")
}

func runUp(ctx context.Context, g *globals, o upOpts) error {
	began := time.Now()
	if len(o.Dirs) == 0 {
		if _, err := os.Stat(g.Abs(product.FileName)); err == nil {
			o.Dirs = []string{"."}
		}
	}
	dirs := make([]string, len(o.Dirs))
	for i, dir := range o.Dirs {
		dirs[i] = g.Abs(dir)
	}
	log := g.logger()
	m, err := app.StartMesh(ctx, app.MeshOptions{
		Hub: app.HubOptions{
			Data: g.Abs(o.Data), Host: "127.0.0.1", ClientPort: o.Port, LeafPort: o.LeafPort,
			StateDir: g.StateDir(), Logger: log,
		},
		Dirs: dirs, Version: binary.Running().Version, Env: g.Environ(), Logger: log, LoseExpired: o.lose.expired, LoseData: o.lose.data,
	})
	if err != nil {
		return err
	}
	printUp(g.Out, m, time.Since(began))
	g.note("Press Ctrl-C to stop. Try: meshctl catalog ls")
	<-ctx.Done()
	g.note("draining")
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainLimit)
	defer cancel()
	if err := m.Close(drain); err != nil {
		return fmt.Errorf("stop the mesh: %w", err)
	}
	return nil
}

func printUp(w io.Writer, m *app.Mesh, took time.Duration) {
	products := m.Products()
	fmt.Fprintf(w, "mesh of %s ready in %.2f s at %s\n", count(len(products), "product"), took.Seconds(), m.Hub().ClientURL())
	for _, p := range products {
		fmt.Fprintf(w, "  %-20s %s\n", p.Name(), p.HTTPURL())
	}
}

// logger writes what long-running commands tell to Err: warnings, with -v more, with -q
// errors only.
func (g *globals) logger() *slog.Logger {
	level := slog.LevelWarn
	switch {
	case g.Verbose:
		level = slog.LevelInfo
	case g.Quiet:
		level = slog.LevelError
	}
	return slog.New(slog.NewTextHandler(g.Err, &slog.HandlerOptions{Level: level}))
}

type hubOpts struct {
	Data           string
	Host           string
	Port, LeafPort int
	MonitorPort    int
	Name           string
	ClusterPort    int
	Routes         []string
	Keys           string
	TLS            mesh.Certificate
}

const hubLong = `Run the hub alone: the server that products join as leaves and that holds the catalog.
"meshctl run" then runs each product, here or elsewhere.

Only who has credentials of the mesh gets in; see "meshctl creds". The keys that sign them
are made at the first start.

Three nodes make a hub that goes on while two of them run: start each with a --name of
its own, a --cluster-port, the --routes of all three, and the same --keys.`

const hubExample = `  meshctl hub --data /var/lib/meshctl/hub
  meshctl run flights --hub nats-leaf://127.0.0.1:7422`

func newHub(g *globals) *cobra.Command {
	var o hubOpts
	cmd := &cobra.Command{
		Use: "hub [flags]", Short: "Run the hub alone", Long: hubLong, Example: hubExample, Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runHub(cmd.Context(), g, o) },
	}
	cmd.Flags().StringVar(&o.Data, "data", ".meshctl-hub", "keep the hub's data in this `folder`")
	cmd.Flags().StringVar(&o.Host, "host", "127.0.0.1", "listen on this `address`")
	cmd.Flags().IntVar(&o.Port, "port", defaultClientPort, "port for clients; -1 for any free one")
	cmd.Flags().IntVar(&o.LeafPort, "leaf-port", defaultLeafPort, "port for leaves; -1 for any free one")
	cmd.Flags().IntVar(&o.MonitorPort, "monitor-port", 0, "port of the server's own HTTP pages, such as /healthz; 0 for none")
	cmd.Flags().StringVar(&o.Name, "name", "", "this node of a cluster, the same at every start")
	cmd.Flags().IntVar(&o.ClusterPort, "cluster-port", 0, "port for the other nodes of a cluster")
	cmd.Flags().StringSliceVar(&o.Routes, "routes", nil, "`URLs` of all nodes of a cluster, as nats-route://HOST:PORT")
	cmd.Flags().StringVar(&o.Keys, "keys", "", "the mesh's keys are in this `file`, made at the first start (default in the data folder)")
	cmd.Flags().StringVar(&o.TLS.Cert, "tls-cert", "", "show clients and leaves the certificate in this `file`")
	cmd.Flags().StringVar(&o.TLS.Key, "tls-key", "", "the certificate's key is in this `file`")
	cmd.MarkFlagsRequiredTogether("tls-cert", "tls-key")
	cmd.MarkFlagsRequiredTogether("name", "cluster-port", "routes")
	cmd.AddCommand(newHubGenerate(g), newHubDeploy(g), newHubKeys(g))
	return cmd
}

// certificate is what the hub shows; nil when none was named.
func (g *globals) certificate(c mesh.Certificate) *mesh.Certificate {
	if c.Cert == "" {
		return nil
	}
	return &mesh.Certificate{Cert: g.Abs(c.Cert), Key: g.Abs(c.Key)}
}

// hubKeys is the file with the mesh's keys; "" for one in the hub's data.
func (g *globals) hubKeys(o hubOpts) (string, error) {
	if o.Keys != "" {
		return g.Abs(o.Keys), nil
	}
	if _, err := os.Stat(mountedKeys); err == nil {
		return mountedKeys, nil
	}
	if o.Name != "" {
		return "", usageHint("name a file that all nodes have with --keys; in a cluster, meshctl hub deploy makes the Secret",
			"the nodes of a hub share the keys of their mesh, and node %s has none", o.Name)
	}
	return "", nil
}

func runHub(ctx context.Context, g *globals, o hubOpts) error {
	keys, err := g.hubKeys(o)
	if err != nil {
		return err
	}
	h, err := app.StartHub(ctx, app.HubOptions{
		Version: binary.Running().Version,
		Data:    g.Abs(o.Data), KeysFile: keys, Host: o.Host, ClientPort: o.Port, LeafPort: o.LeafPort,
		Certificate: g.certificate(o.TLS), MonitorPort: o.MonitorPort, Name: o.Name, ClusterPort: o.ClusterPort, Routes: o.Routes,
		StateDir: g.StateDir(), Logger: g.logger(),
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(g.Out, "hub ready: clients %s, leaves %s\n", h.ClientURL(), h.LeafURL())
	<-ctx.Done()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainLimit)
	defer cancel()
	return h.Close(drain)
}

type runOpts struct {
	Dir, Data, Hub, HTTP, HTTPURL string
	BucketKeys                    string
	lose                          loseOpts
}

// Where a pod finds its product's credential, and the hub's pod the keys of its mesh.
const (
	mountedCreds = manifest.CredsPath + "/" + product.CredsKey
	mountedKeys  = manifest.CredsPath + "/" + product.KeysKey
)

const runLong = `Run one product as a process of its own, as a pod does. It works and answers whether or
not the hub can be reached, and joins it by itself when it can.

It joins with the credentials in the file that --creds names, else with those that are
mounted into a pod. A hub that you run on this machine issues some by itself.`

const runExample = `  meshctl run flights
  meshctl run flights --hub nats-leaf://hub.example.org --data /data`

func newRun(g *globals) *cobra.Command {
	var o runOpts
	cmd := &cobra.Command{
		Use: "run DIR [flags]", Short: "Run one product", Long: runLong, Example: runExample, Args: arguments("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Dir = args[0]
			return runRun(cmd.Context(), g, o)
		},
	}
	cmd.Flags().StringVar(&o.Data, "data", "", "keep the product's data in this `folder` (default DIR/.meshctl)")
	cmd.Flags().StringVar(&o.Hub, "hub", fmt.Sprintf("nats-leaf://127.0.0.1:%d", defaultLeafPort), "join the hub at this `URL`; several with commas, of its nodes")
	cmd.Flags().StringVar(&o.HTTP, "http", "127.0.0.1:0", "answer HTTP on this `address`; empty for none")
	cmd.Flags().StringVar(&o.HTTPURL, "http-url", "", "tell the catalog this `URL` instead of that address")
	cmd.Flags().StringVar(&o.BucketKeys, "bucket-keys", "", "read the bucket's credentials from the files of this `folder`\ninstead of the environment")
	o.lose.bind(cmd)
	return cmd
}

// leafCreds are those that the product joins with.
func (g *globals) leafCreds(o runOpts) app.CredsSource {
	if g.Creds != "" {
		return app.CredsFile(g.Abs(g.Creds))
	}
	if _, err := os.Stat(mountedCreds); err == nil {
		return app.CredsFile(mountedCreds)
	}
	return app.CredsOfThisMachine(g.StateDir(), o.Hub, filepath.Join(o.Data, "leaf.creds"))
}

func runRun(ctx context.Context, g *globals, o runOpts) error {
	dir := g.Abs(o.Dir)
	if o.Data == "" {
		o.Data = dir + "/.meshctl"
	}
	o.Data = g.Abs(o.Data)
	k, err := app.KeepProduct(ctx, app.ProductOptions{
		Dir: dir, Data: o.Data, HubLeaf: o.Hub, Creds: g.leafCreds(o), CA: g.absUnlessEmpty(g.TLSCA), HTTP: o.HTTP, HTTPURL: o.HTTPURL,
		Version: binary.Running().Version, Env: g.Environ(), Logger: g.logger(), LoseExpired: o.lose.expired, LoseData: o.lose.data,
		LoseOnce:   g.Env(product.VariableLoseData),
		BucketKeys: o.BucketKeys,
	})
	if err != nil {
		return err
	}
	p := k.Product()
	fmt.Fprintf(g.Out, "product %s ready %s\n", p.Name(), p.HTTPURL())
	var clash error
	select {
	case <-ctx.Done():
	case clash = <-k.Ended():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainLimit)
	defer cancel()
	return errors.Join(clash, k.Close(drain))
}
