package app

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
)

// MeshOptions say what a mesh in one process consists of.
type MeshOptions struct {
	Hub     HubOptions
	Dirs    []string // folders of products
	Version string
	Env     []string
	Logger  *slog.Logger
	// LoseExpired and LoseData are as in ProductOptions, for every product.
	LoseExpired, LoseData bool
	Queries               QueryLimits // of every product
}

// Mesh is a hub and products in one process.
type Mesh struct {
	o       MeshOptions
	hub     *Hub
	service *mesh.Service
	watch   *group

	mu       sync.Mutex
	products map[string]*member // by name
}

// StartMesh starts the hub, then all products side by side, and returns when every one
// of them answers. Products that were added to the mesh earlier come back.
func StartMesh(ctx context.Context, o MeshOptions) (_ *Mesh, err error) {
	o.Hub.Version = o.Version
	hub, err := startHub(ctx, o.Hub, meshData)
	if err != nil {
		return nil, err
	}
	m := &Mesh{o: o, hub: hub, products: map[string]*member{}, watch: newGroup(context.WithoutCancel(ctx))}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close(context.WithoutCancel(ctx)))
		}
	}()
	m.watch.run(func(ctx context.Context) { keepHeap(ctx, o.Env, m.count) })
	dirs, err := m.rememberedDirs()
	if err != nil {
		return nil, err
	}
	for _, dir := range o.Dirs {
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	if _, err := product.ReadSet(dirs, m.keeps); err != nil {
		return nil, err
	}
	g, gctx := errgroup.WithContext(ctx)
	for _, dir := range dirs {
		g.Go(func() error {
			p, err := m.start(gctx, dir)
			if err != nil {
				return err
			}
			return awaitRegistered(gctx, p)
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if err := m.rememberDirs(); err != nil {
		return nil, err
	}
	m.service, err = mesh.Serve(hub.Conn(), mesh.ServiceSpec{
		Name: product.UpService, Version: "1.0.0", Description: "the mesh of one process",
		Endpoints: map[string]mesh.Handler{"add": answerJSON(m.add), "remove": answerJSON(m.remove), "cut": answerJSON(m.cut)},
	})
	if err != nil {
		return nil, err
	}
	m.watch.run(m.watchDescriptors)
	return m, nil
}

// keeps says whether a product of this mesh has the port, in an earlier major than its
// descriptor's: that one still runs beside the new one.
func (m *Mesh) keeps(id product.PortID) bool {
	_, err := os.Stat(m.hub.data.sub("products", id.Product, "contracts", id.Folder()+".port.json"))
	return err == nil
}

// count is how many products the mesh has, running or not.
func (m *Mesh) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.products)
}

// Hub is the mesh's hub.
func (m *Mesh) Hub() *Hub { return m.hub }

// Products are the running products by name.
func (m *Mesh) Products() []*Product {
	m.mu.Lock()
	defer m.mu.Unlock()
	var products []*Product
	for _, mem := range m.products {
		if mem.product != nil {
			products = append(products, mem.product)
		}
	}
	slices.SortFunc(products, func(a, b *Product) int { return strings.Compare(a.Name(), b.Name()) })
	return products
}

// Close drains the products side by side, then stops the hub.
func (m *Mesh) Close(ctx context.Context) error {
	m.watch.stop()
	m.mu.Lock()
	members := slices.Collect(maps.Values(m.products))
	m.mu.Unlock()
	for _, mem := range members {
		if mem.keeping != nil {
			mem.keeping.stop()
		}
	}
	var errs []error
	if m.service != nil {
		errs = append(errs, m.service.Close(ctx))
	}
	products := m.Products()
	closed := make([]error, len(products))
	var wg sync.WaitGroup
	for i, p := range products {
		wg.Go(func() { closed[i] = p.Close(ctx) })
	}
	wg.Wait()
	return errors.Join(append(append(errs, closed...), m.hub.Close(ctx))...)
}
