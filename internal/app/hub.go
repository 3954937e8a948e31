package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/meshctl/meshctl/internal/mesh"
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
	StateDir    string // where this user's meshes are announced
	Logger      *slog.Logger
}

// Hub is a running hub.
type Hub struct {
	*mesh.Hub
	data  *dataDir
	note  announcement
	alive *group
}

// StartHub starts a hub on a data folder and announces it to this user's other
// commands. kind is what the folder holds: a hub alone, or a whole mesh.
func StartHub(ctx context.Context, o HubOptions) (*Hub, error) { return startHub(ctx, o, hubData) }

func startHub(ctx context.Context, o HubOptions, kind string) (*Hub, error) {
	data, err := claimData(o.Data, kind, "")
	if err != nil {
		return nil, err
	}
	var cluster *mesh.Cluster
	if o.Name != "" || o.ClusterPort != 0 || len(o.Routes) > 0 {
		cluster = &mesh.Cluster{Name: o.Name, Port: o.ClusterPort, Routes: o.Routes}
	}
	h := &Hub{data: data}
	h.Hub, err = mesh.StartHub(ctx, mesh.HubOptions{
		Dir: data.sub("hub"), Host: o.Host, ClientPort: o.ClientPort, LeafPort: o.LeafPort,
		MonitorPort: o.MonitorPort, Cluster: cluster, Logger: o.Logger,
	})
	if err != nil {
		return nil, errors.Join(err, data.release())
	}
	if _, err := mesh.Catalog(ctx, h.Conn(), ""); err != nil {
		return nil, errors.Join(err, h.Hub.Close(ctx), data.release())
	}
	h.note, err = announce(ctx, o.StateDir, Running{
		URL: h.ClientURL(), Leaf: h.LeafURL(), Data: data.path, PID: os.Getpid(), Started: time.Now().UTC(),
	})
	if err != nil {
		return nil, errors.Join(err, h.Hub.Close(ctx), data.release())
	}
	h.alive = newGroup(context.WithoutCancel(ctx))
	h.alive.run(func(ctx context.Context) { h.keepAlive(ctx, o.Logger) })
	return h, nil
}

// Close stops the hub.
func (h *Hub) Close(ctx context.Context) error {
	h.alive.stop()
	return errors.Join(h.note.withdraw(), h.Hub.Close(ctx), h.data.release())
}
