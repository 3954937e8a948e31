package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"testing"

	"golang.org/x/sync/errgroup"
)

// hubCluster is a hub of three nodes in this process.
type hubCluster struct {
	options [3]HubOptions
	nodes   [3]*Hub
}

// startHubCluster starts the nodes and a client that knows all of them.
func startHubCluster(t *testing.T) (*hubCluster, *Client) {
	t.Helper()
	c := &hubCluster{}
	ports := make([]int, 9)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	state, keys := t.TempDir(), t.TempDir()+"/keys.json"
	g, ctx := errgroup.WithContext(t.Context())
	servers := ""
	for i := range c.nodes {
		c.options[i] = HubOptions{
			Data: t.TempDir(), Host: "127.0.0.1", ClientPort: ports[3+i], LeafPort: ports[6+i], StateDir: state, KeysFile: keys, Version: "test",
			Name: fmt.Sprintf("hub-%d", i), ClusterPort: ports[i], Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
		}
		for _, port := range ports[:3] {
			c.options[i].Routes = append(c.options[i].Routes, fmt.Sprintf("nats-route://127.0.0.1:%d", port))
		}
		if i > 0 {
			servers += ","
		}
		servers += fmt.Sprintf("nats://127.0.0.1:%d", ports[3+i])
		g.Go(func() (err error) {
			c.nodes[i], err = StartHub(ctx, c.options[i])
			return err
		})
	}
	closing(t, func(context.Context) error {
		return errors.Join(c.stop(0), c.stop(1), c.stop(2))
	})
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	running, err := RunningMeshes(state)
	if err != nil || len(running) != 3 {
		t.Fatalf("running = %v, %v", running, err)
	}
	client, err := Dial(t.Context(), ClientOptions{Server: servers, Creds: running[0].Creds, StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, client)
	return c, client
}

func (c *hubCluster) stop(i int) error {
	if c.nodes[i] == nil {
		return nil
	}
	h := c.nodes[i]
	c.nodes[i] = nil
	return h.Close(context.Background())
}
