package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/meshctl/meshctl/internal/durable"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
)

// member is one product of a mesh and the folder it came from.
type member struct {
	dir     string
	product *Product
	applied time.Time // modification time of what runs
	refused time.Time // of what was refused, so that it is refused once
}

func (m *Mesh) start(ctx context.Context, dir string) (*Product, error) {
	desc, err := product.Load(dir)
	if err != nil {
		return nil, err
	}
	name := desc.Metadata.Name
	m.mu.Lock()
	if _, ok := m.products[name]; ok {
		m.mu.Unlock()
		return nil, fault.New(fault.Conflict, "run meshctl product remove "+name+" first", "product %s is in this mesh already", name)
	}
	mem := &member{dir: dir, applied: changedAt(dir)}
	m.products[name] = mem
	m.mu.Unlock()
	p, err := StartProduct(ctx, ProductOptions{
		Dir: dir, Data: m.hub.data.sub("products", name), HubLeaf: m.hub.LeafURL(), HTTP: "127.0.0.1:0",
		Version: m.o.Version, Env: m.o.Env, Logger: m.o.Logger,
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		delete(m.products, name)
		return nil, fmt.Errorf("start product %s: %w", name, err)
	}
	mem.product = p
	return p, nil
}

// awaitRegistered returns when others can find the product.
func awaitRegistered(ctx context.Context, p *Product) error {
	select {
	case <-p.Registered():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("register product %s: %w", p.Name(), ctx.Err())
	}
}

// addRequest names a product's folder on this machine.
type addRequest struct {
	Dir string `json:"dir"`
}

// AddAnswer says what was added, or what changed.
type AddAnswer struct {
	Name    string           `json:"name"`
	Changes []product.Change `json:"changes"` // of a product that ran before
}

func (m *Mesh) add(ctx context.Context, q addRequest) (AddAnswer, error) {
	desc, err := product.Load(q.Dir)
	if err != nil {
		return AddAnswer{}, fault.New(fault.Invalid, "run meshctl validate "+q.Dir, "%w", err)
	}
	a := AddAnswer{Name: desc.Metadata.Name, Changes: []product.Change{}}
	m.mu.Lock()
	mem := m.products[a.Name]
	m.mu.Unlock()
	if mem != nil && mem.dir == q.Dir && mem.product != nil {
		changes, err := mem.product.Apply(ctx, desc)
		a.Changes = append(a.Changes, changes...)
		if err != nil {
			return a, err
		}
		return a, mem.product.putEntry(ctx)
	}
	p, err := m.start(ctx, q.Dir)
	if err != nil {
		return a, err
	}
	if err := awaitRegistered(ctx, p); err != nil {
		return a, err
	}
	return a, m.rememberDirs()
}

type removeRequest struct {
	Name string `json:"name"`
}

// RemoveAnswer says what was removed.
type RemoveAnswer struct {
	Name string `json:"name"`
	Data string `json:"data"` // where its data stays
}

func (m *Mesh) remove(ctx context.Context, q removeRequest) (RemoveAnswer, error) {
	m.mu.Lock()
	mem := m.products[q.Name]
	if mem == nil || mem.product == nil {
		m.mu.Unlock()
		return RemoveAnswer{}, fault.New(fault.NotFound, "run meshctl catalog ls", "product %s is not in this mesh", q.Name)
	}
	delete(m.products, q.Name)
	m.mu.Unlock()
	if err := mem.product.Close(ctx); err != nil {
		return RemoveAnswer{}, err
	}
	bucket, err := mesh.Catalog(ctx, m.hub.Conn(), "")
	if err != nil {
		return RemoveAnswer{}, err
	}
	if err := bucket.Delete(ctx, q.Name); err != nil {
		return RemoveAnswer{}, err
	}
	return RemoveAnswer{Name: q.Name, Data: m.hub.data.sub("products", q.Name)}, m.rememberDirs()
}

const dirsFile = "products.json"

func (m *Mesh) rememberDirs() error {
	m.mu.Lock()
	dirs := []string{}
	for _, mem := range m.products {
		dirs = append(dirs, mem.dir)
	}
	m.mu.Unlock()
	slices.Sort(dirs)
	data, err := json.Marshal(dirs)
	if err != nil {
		return err
	}
	return durable.Write(m.hub.data.sub(dirsFile), data)
}

// rememberedDirs are the folders of the products that ran last and are still there.
func (m *Mesh) rememberedDirs() ([]string, error) {
	data, err := os.ReadFile(m.hub.data.sub(dirsFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var dirs []string
	if err := json.Unmarshal(data, &dirs); err != nil {
		return nil, fmt.Errorf("read %s: %w", m.hub.data.sub(dirsFile), err)
	}
	return slices.DeleteFunc(dirs, func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, product.FileName))
		if err != nil {
			m.o.Logger.Warn("a product of this mesh is no longer in its folder; its data stays", "folder", dir)
		}
		return err != nil
	}), nil
}
