package app

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/meshctl/meshctl/internal/product"
)

var treeSize = flag.Int("tree", 16, "how many products the tree of sources has")

const treeYAML = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: node-%d, domain: shop, owner: shop@example.org, version: 1.0.0}
spec:
%s  outputs:
  - name: things
    type: event
    key: [id]
    schema:
    - {name: id, logicalType: integer}
`

// tree is products each of which reads another, three of them each, and a hub that can be
// stopped and started where it was.
type tree struct {
	t     *testing.T
	hub   *Hub
	opts  HubOptions
	nodes []*Product
	sent  int
}

// A tree of products that read each other converges: whatever was published while the hub
// was away is everywhere, once, and nobody is behind.
func TestTreeOfSourcesConverges(t *testing.T) {
	tr := startTree(t, *treeSize)
	tr.publish(300)
	tr.converge()
	if err := tr.hub.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	tr.publish(300)
	tr.begin()
	tr.publish(100)
	tr.converge()
}

func startTree(t *testing.T, n int) *tree {
	t.Helper()
	tr := &tree{t: t, nodes: make([]*Product, n)}
	tr.opts = HubOptions{
		Data: t.TempDir(), Host: "127.0.0.1", ClientPort: -1, LeafPort: -1, StateDir: t.TempDir(),
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	tr.begin()
	t.Cleanup(func() {
		if err := tr.hub.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	tr.opts.ClientPort, tr.opts.LeafPort = portOf(t, tr.hub.ClientURL()), portOf(t, tr.hub.LeafURL())
	tr.each(func(i int) (err error) {
		logic := ""
		if i > 0 {
			logic = fmt.Sprintf("  inputs:\n  - {name: up, port: node-%d.things}\n  logic:\n    sql: {query: SELECT id FROM up}\n", (i-1)/3)
		}
		at := childOptions{Data: t.TempDir(), State: tr.opts.StateDir, HubLeaf: tr.hub.LeafURL()}
		tr.nodes[i], err = StartProduct(t.Context(), ProductOptions{
			Dir: folder(t, fmt.Sprintf(treeYAML, i, logic)), Data: at.Data, HubLeaf: at.HubLeaf, Creds: at.creds(),
			Version: "test", Logger: tr.opts.Logger,
		})
		if err == nil {
			closing(t, tr.nodes[i].Close)
		}
		return err
	})
	return tr
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// begin starts the hub, where it was.
func (tr *tree) begin() {
	tr.t.Helper()
	var err error
	if tr.hub, err = StartHub(tr.t.Context(), tr.opts); err != nil {
		tr.t.Fatal(err)
	}
}

// each does something with every node, some at once.
func (tr *tree) each(do func(i int) error) {
	tr.t.Helper()
	var g errgroup.Group
	g.SetLimit(8)
	for i := range tr.nodes {
		g.Go(func() error {
			if err := do(i); err != nil {
				return fmt.Errorf("node %d: %w", i, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		tr.t.Fatal(err)
	}
}

// publish publishes records at the root's own leaf, which needs no hub.
func (tr *tree) publish(n int) {
	tr.t.Helper()
	client := &Client{nc: tr.nodes[0].leaf.Conn()}
	id := product.PortID{Domain: "shop", Product: "node-0", Port: "things", Major: 1}
	end := tr.sent + n
	s := &session{nc: client.nc, id: id, token: fmt.Sprintf("local-%d", end)}
	sent, err := client.send(tr.t.Context(), s, id, func() ([]byte, error) {
		if tr.sent == end {
			return nil, io.EOF
		}
		tr.sent++
		return fmt.Appendf(nil, `{"id":%d}`, tr.sent), nil
	}, 0, PublishOptions{})
	if err != nil || sent.Dead > 0 {
		tr.t.Fatalf("publish: %+v, %v", sent, err)
	}
}

// converge waits until every node has all records, and wants each once and nobody behind.
func (tr *tree) converge() {
	tr.t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(tr.t.Context(), time.Minute+time.Duration(len(tr.nodes))*time.Second)
	defer cancel()
	want := fmt.Sprintf("log %d, table %d, key-value %d, behind 0", tr.sent, tr.sent, tr.sent)
	tr.each(func(i int) error {
		for {
			got, err := tr.nodes[i].caughtUp(ctx)
			if err == nil && got == want {
				return nil
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("it has %s, %v; want %s", got, err, want)
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	tr.t.Logf("%d products have %d records after %s", len(tr.nodes), tr.sent, time.Since(began).Round(time.Millisecond))
}

// caughtUp is what a node has, and how far it is behind.
func (p *Product) caughtUp(ctx context.Context) (string, error) {
	has, err := holds(ctx, p)
	if err != nil {
		return "", err
	}
	behind := uint64(0)
	for _, in := range p.inputEntries(p.descriptor()) {
		behind += in.Lag
	}
	return fmt.Sprintf("%s, behind %d", has, behind), nil
}
