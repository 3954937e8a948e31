package app

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/trust"
)

// HubOptions say where a hub keeps its data and where it listens.
type HubOptions struct {
	Data       string
	Host       string
	ClientPort int // -1 for any free one
	LeafPort   int
	// MonitorPort is that of the server's own HTTP pages, /healthz among them; 0 is none.
	MonitorPort int
	// Name, ClusterPort and Routes make the hub one node of a cluster; see mesh.Cluster.
	Name        string
	ClusterPort int
	Routes      []string
	Certificate *mesh.Certificate // nil: links and clients are not encrypted
	KeysFile    string            // has the mesh's keys, or will; below Data when empty
	StateDir    string            // where this user's meshes are announced
	Version     string            // of this meshctl
	Logger      *slog.Logger
}

// Hub is a running hub.
type Hub struct {
	*mesh.Hub
	data    *dataDir
	keys    *trust.Keys
	service *mesh.Service
	note    announcement
	alive   *group
	version string
	events  *eventLog
	ending  context.Context // of those who follow the events
	end     context.CancelFunc
	started time.Time
}

// StartHub starts a hub on a data folder and announces it to this user's other
// commands. kind is what the folder holds: a hub alone, or a whole mesh.
func StartHub(ctx context.Context, o HubOptions) (*Hub, error) { return startHub(ctx, o, hubData) }

func startHub(ctx context.Context, o HubOptions, kind string) (_ *Hub, err error) {
	data, err := claimData(o.Data, kind, "")
	if err != nil {
		return nil, err
	}
	h := &Hub{data: data, version: o.Version, started: time.Now().UTC(), events: newEventLog(product.HubName)}
	h.ending, h.end = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close(context.WithoutCancel(ctx)))
		}
	}()
	if h.keys, err = trust.OpenKeys(cmp.Or(o.KeysFile, data.sub(trustFolder, "keys.json"))); err != nil {
		return nil, err
	}
	var cluster *mesh.Cluster
	if o.Name != "" || o.ClusterPort != 0 || len(o.Routes) > 0 {
		cluster = &mesh.Cluster{Name: o.Name, Port: o.ClusterPort, Routes: o.Routes}
	}
	h.Hub, err = mesh.StartHub(ctx, mesh.HubOptions{
		Dir: data.sub("hub"), TrustDir: data.sub(trustFolder, "accounts"), Keys: h.keys,
		Host: o.Host, ClientPort: o.ClientPort, LeafPort: o.LeafPort,
		MonitorPort: o.MonitorPort, Cluster: cluster, Certificate: o.Certificate, Logger: o.Logger,
	})
	if err != nil {
		return nil, err
	}
	if err = mesh.Advisories(h.Conn(), h.events.add); err != nil {
		return nil, err
	}
	if err = h.serve(); err != nil {
		return nil, err
	}
	if err = h.Handle("/metrics", http.HandlerFunc(h.metrics)); err != nil {
		return nil, err
	}
	creds, err := h.credsOfUser()
	if err != nil {
		return nil, err
	}
	h.note, err = announce(ctx, o.StateDir, Running{
		URL: h.ClientURL(), Leaf: h.LeafURL(), Creds: creds, Account: h.keys.MeshAccount(),
		Data: data.path, PID: os.Getpid(), Started: time.Now().UTC(),
	})
	if err != nil {
		return nil, err
	}
	h.alive = newGroup(context.WithoutCancel(ctx))
	h.alive.run(func(ctx context.Context) { h.keepAlive(ctx, o.Logger) })
	return h, nil
}

// Close stops the hub, as far as it has started.
func (h *Hub) Close(ctx context.Context) error {
	var errs []error
	h.end()
	if h.alive != nil {
		h.alive.stop()
	}
	if h.note.lock != nil {
		errs = append(errs, h.note.withdraw())
	}
	if h.service != nil {
		errs = append(errs, h.service.Close(ctx))
	}
	if h.Hub != nil {
		errs = append(errs, h.Hub.Close(ctx))
	}
	return errors.Join(append(errs, h.data.release())...)
}
