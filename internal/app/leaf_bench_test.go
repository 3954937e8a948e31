package app

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/doctor"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/trust"
)

// BenchmarkLeaves asks a mesh of BENCH_LEAVES leaves, 200 by default, with five streams
// each how it fares: what meshctl leaf ls and meshctl doctor --live ask, from the
// connection on.
func BenchmarkLeaves(b *testing.B) {
	leaves := 200
	if n, err := strconv.Atoi(os.Getenv("BENCH_LEAVES")); err == nil {
		leaves = n
	}
	state := b.TempDir()
	hub, err := StartHub(b.Context(), HubOptions{Data: b.TempDir(), Host: "127.0.0.1", ClientPort: -1, LeafPort: -1, StateDir: state})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := hub.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	g, _ := errgroup.WithContext(b.Context())
	g.SetLimit(8)
	for i := range leaves {
		g.Go(func() error { return benchLeaf(b, hub, fmt.Sprintf("product-%03d", i)) })
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	for _, bench := range []struct {
		name string
		ask  func(context.Context, *Client) (int, error)
	}{
		{"ls", func(ctx context.Context, c *Client) (int, error) {
			m, err := c.MeshVitals(ctx, false)
			if err != nil {
				return 0, err
			}
			return len(m.Leaves()) - len(m.Silent), nil
		}},
		{"doctor", func(ctx context.Context, c *Client) (int, error) {
			l, err := c.Examine(ctx, time.Now(), doctor.Usual(), false)
			if err != nil {
				return 0, err
			}
			for _, f := range doctor.OfMesh(l).Findings() {
				b.Errorf("%+v", f)
			}
			return len(l.Mesh.Products), nil
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			for b.Loop() {
				c, err := Dial(b.Context(), ClientOptions{StateDir: state})
				if err != nil {
					b.Fatal(err)
				}
				n, err := bench.ask(b.Context(), c)
				c.Close()
				if err != nil || n != leaves {
					b.Fatalf("%d of %d leaves answered, %v", n, leaves, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms")
		})
	}
}

// benchLeaf is a leaf with five streams that tells how it fares, as a product does.
func benchLeaf(b *testing.B, hub *Hub, name string) error {
	creds, err := hub.keys.Issue(trust.Holder{Name: name, Role: trust.Product}, time.Time{})
	if err != nil {
		return err
	}
	l, err := mesh.StartLeaf(b.Context(), mesh.LeafOptions{
		Dir: b.TempDir(), Domain: name, HubLeafURL: hub.LeafURL(), Creds: func() (*trust.Creds, error) { return creds, nil },
	})
	if err != nil {
		return err
	}
	b.Cleanup(func() {
		if err := l.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	for i := range 5 {
		spec := mesh.StreamSpec{Name: fmt.Sprintf("stream-%d", i), Subjects: []string{fmt.Sprintf("shop.%s.stream-%d.>", name, i)}}
		if err := mesh.EnsureStream(b.Context(), l.Conn(), spec); err != nil {
			return err
		}
	}
	s, err := mesh.Serve(l.Conn(), mesh.ServiceSpec{Name: name, Version: "1.0.0", Endpoints: map[string]mesh.Handler{
		product.EndpointVitals: answerJSON(func(_ context.Context, q vitalsRequest) (catalog.Vitals, error) {
			v, err := l.Vitals(q.Deep)
			v.Now = time.Now()
			return v, err
		}),
	}})
	if err != nil {
		return err
	}
	b.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	e := catalog.Entry{Product: product.Product{Metadata: product.Metadata{Name: name, Domain: "shop"}}, Seen: time.Now()}
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	for !l.Connected() {
		<-time.After(10 * time.Millisecond)
	}
	return mesh.Catalog(hub.Conn()).Put(b.Context(), name, text)
}
