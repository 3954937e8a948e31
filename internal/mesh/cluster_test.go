package mesh

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/trust"
)

// testCluster is a hub of three nodes, each of which can be stopped and started.
type testCluster struct {
	options [3]HubOptions
	nodes   [3]*Hub
}

// freePorts are ports that nobody listens on, now.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		defer func() { must(t, l.Close()) }()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func startCluster(t *testing.T) *testCluster {
	t.Helper()
	c := &testCluster{}
	ports := freePorts(t, 6)
	var routes []string
	for _, port := range ports[:3] {
		routes = append(routes, fmt.Sprintf("nats-route://127.0.0.1:%d", port))
	}
	g, ctx := errgroup.WithContext(t.Context())
	for i := range c.nodes {
		c.options[i] = hubOptions(t)
		c.options[i].LeafPort, c.options[i].MonitorPort = ports[3+i], -1
		c.options[i].Cluster = &Cluster{Name: product.Pod(product.HubName, i), Port: ports[i], Routes: routes}
		g.Go(func() (err error) {
			c.nodes[i], err = StartHub(ctx, c.options[i])
			return err
		})
	}
	t.Cleanup(func() {
		for _, h := range c.nodes {
			if h != nil {
				must(t, h.Close(context.Background()))
			}
		}
	})
	must(t, g.Wait())
	return c
}

func (c *testCluster) stop(t *testing.T, i int) {
	t.Helper()
	must(t, c.nodes[i].Close(t.Context()))
	c.nodes[i] = nil
}

func (c *testCluster) start(t *testing.T, i int) {
	t.Helper()
	var err error
	c.nodes[i], err = StartHub(t.Context(), c.options[i])
	must(t, err)
}

// leader is the node that leads the catalog's stream, and how many others keep up.
func (c *testCluster) leader(t *testing.T, through int) (leader, current int) {
	t.Helper()
	js, err := jetstream.New(c.nodes[through].Conn().Conn)
	must(t, err)
	s, err := js.Stream(t.Context(), "KV_"+product.CatalogBucket)
	must(t, err)
	info, err := s.Info(t.Context())
	must(t, err)
	for _, r := range info.Cluster.Replicas {
		if r.Current && !r.Offline {
			current++
		}
	}
	for i := range c.nodes {
		if c.options[i].Cluster.Name == info.Cluster.Leader {
			return i, current
		}
	}
	return -1, current
}

func TestClusterGoesOnWithOneNodeDown(t *testing.T) {
	c := startCluster(t)
	eventually(t, "a copy of the catalog on each node", func() bool {
		leader, current := c.leader(t, 0)
		return leader >= 0 && current == 2
	})
	down, _ := c.leader(t, 0)
	through, other := (down+1)%3, (down+2)%3
	a := joinLeaf(t, c.nodes[through], "a")
	b := joinLeaf(t, c.nodes[other], "b")
	putEventually(t, a, "before")

	c.stop(t, down)
	putEventually(t, a, "while")
	for _, key := range []string{"before", "while"} {
		eventually(t, key+" is read through another node", func() bool { // while a new leader is elected, calls go unanswered
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			e, err := CatalogOfHub(b).Get(ctx, key)
			return err == nil && string(e.Value) == key
		})
	}

	c.start(t, down)
	eventually(t, "the node has caught up", func() bool {
		leader, current := c.leader(t, through)
		return leader >= 0 && current == 2
	})
	c.stop(t, other) // what came while it was away is on the node that came back
	eventually(t, "the node that came back knows all", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		all, err := Catalog(c.nodes[down].Conn()).List(ctx)
		return err == nil && len(all) == 2
	})
}

// What is revoked through one node is out at every one, also at one that was away.
func TestRevocationReachesEveryNode(t *testing.T) {
	c := startCluster(t)
	leaf := joinLeaf(t, c.nodes[1], "a")
	stays := joinLeaf(t, c.nodes[1], "b")
	c.stop(t, 2)
	must(t, c.nodes[0].Revoke(t.Context(), leaf.held(t).Key))
	eventually(t, "the leaf is out", func() bool { return c.nodes[1].Leaves() == 1 })
	if !stays.Connected() {
		t.Error("another leaf is out too")
	}
	c.start(t, 2)
	eventually(t, "the node that was away does not let it in", func() bool {
		l, err := joinRaw(c.nodes[2].LeafURL(), leaf.held(t))
		if err == nil {
			l.close(t)
		}
		return err != nil
	})
}

// A node that does not know the keys is none of the hub.
func TestClusterRefusesAStranger(t *testing.T) {
	c := startCluster(t)
	stranger, err := trust.NewKeys()
	must(t, err)
	o := hubOptions(t)
	o.Keys = stranger
	o.Cluster = &Cluster{Name: "hub-3", Port: freePorts(t, 1)[0], Routes: c.options[0].Cluster.Routes}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	h, err := StartHub(ctx, o)
	if err == nil {
		closed(t, h)
		t.Error("a node of other keys joins")
	}
	for i, node := range c.nodes {
		if n := node.srv.NumRoutes(); n == 0 || len(node.srv.ActivePeers()) > 3 {
			t.Errorf("node %d has %d routes and the peers %v", i, n, node.srv.ActivePeers())
		}
	}
}

// joinLeaf starts a leaf that joins one node.
func joinLeaf(t *testing.T, h *Hub, domain string) *Leaf {
	t.Helper()
	l := startLeaf(t, domain, h.LeafURL())
	eventually(t, "leaf "+domain+" joins", l.Connected)
	return l
}

// putEventually puts a key into the catalog as a product does: again, until it is there.
func putEventually(t *testing.T, l *Leaf, key string) {
	t.Helper()
	eventually(t, "put "+key, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		return CatalogOfHub(l).Put(ctx, key, []byte(key)) == nil
	})
}

func TestClusterWaitsForAMajority(t *testing.T) {
	ports := freePorts(t, 3)
	var routes []string
	for _, port := range ports {
		routes = append(routes, fmt.Sprintf("nats-route://127.0.0.1:%d", port))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	o := hubOptions(t)
	o.Cluster = &Cluster{Name: "hub-0", Port: ports[0], Routes: routes}
	h, err := StartHub(ctx, o)
	if err == nil {
		closed(t, h)
		t.Fatal("one node of three says that it is ready")
	}
	wantKind(t, err, fault.Timeout)
}

func TestClusterRefusesHalfAConfiguration(t *testing.T) {
	three := []string{"nats-route://a:1", "nats-route://b:1", "nats-route://c:1"}
	for name, c := range map[string]Cluster{
		"no name":       {Port: 1, Routes: three},
		"no port":       {Name: "a", Routes: three},
		"two nodes":     {Name: "a", Port: 1, Routes: three[:2]},
		"no URL":        {Name: "a", Port: 1, Routes: []string{"a", "b", "c"}},
		"one node":      {Name: "a", Port: 1, Routes: three[:1]},
		"an even count": {Name: "a", Port: 1, Routes: append(three, "nats-route://d:1")},
	} {
		t.Run(name, func(t *testing.T) {
			o := hubOptions(t)
			o.Cluster = &c
			_, err := StartHub(t.Context(), o)
			wantKind(t, err, fault.Invalid)
		})
	}
}

func TestHubMonitors(t *testing.T) {
	o := hubOptions(t)
	o.MonitorPort = -1
	h, err := StartHub(t.Context(), o)
	must(t, err)
	defer closed(t, h)
	for _, path := range []string{"/healthz", "/healthz?js-enabled-only=true", "/healthz?js-server-only=true"} {
		res, err := http.Get(h.MonitorURL() + path)
		must(t, err)
		body, err := io.ReadAll(res.Body)
		must(t, err)
		must(t, res.Body.Close())
		if res.StatusCode != http.StatusOK {
			t.Errorf("GET %s = %d %s", path, res.StatusCode, body)
		}
	}
}
