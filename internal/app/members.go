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
	product *Product  // nil until it runs, and while it is started again
	keeping *group    // starts it again when it cannot go on
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
		Dir: dir, Data: m.hub.data.sub("products", name), HubLeaf: m.hub.LeafURL(), Creds: m.hub.signer(), HTTP: "127.0.0.1:0",
		Version: m.o.Version, Env: m.o.Env, Logger: m.o.Logger, LoseExpired: m.o.LoseExpired, LoseData: m.o.LoseData, Queries: m.o.Queries,
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		delete(m.products, name)
		return nil, fmt.Errorf("start product %s: %w", name, err)
	}
	mem.product, mem.keeping = p, newGroup(m.watch.ctx)
	mem.keeping.run(func(ctx context.Context) { m.keep(ctx, mem, p) })
	return p, nil
}

// keep starts a member again when it cannot go on; the others are not touched.
func (m *Mesh) keep(ctx context.Context, mem *member, p *Product) {
	clash := keep(ctx, p, func(p *Product) {
		m.mu.Lock()
		defer m.mu.Unlock()
		mem.product = p
	})
	if clash != nil {
		m.o.Logger.Error("another process runs a product of this mesh", "error", clash, "hint", fault.HintOf(clash))
	}
}

// running is a member's product, nil while it is started again.
func (m *Mesh) running(mem *member) *Product {
	m.mu.Lock()
	defer m.mu.Unlock()
	return mem.product
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
	var old *Product
	if mem := m.products[a.Name]; mem != nil && mem.dir == q.Dir {
		old = mem.product
	}
	m.mu.Unlock()
	if old != nil {
		changes, err := old.Apply(ctx, desc)
		a.Changes = append(a.Changes, changes...)
		if err != nil {
			return a, err
		}
		return a, old.putEntry(ctx)
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
	if mem == nil || mem.keeping == nil {
		m.mu.Unlock()
		return RemoveAnswer{}, notHere(q.Name)
	}
	delete(m.products, q.Name)
	m.mu.Unlock()
	mem.keeping.stop()
	if p := m.running(mem); p != nil {
		if err := p.Close(ctx); err != nil {
			return RemoveAnswer{}, err
		}
	}
	if err := mesh.Catalog(m.hub.Conn()).Delete(ctx, q.Name); err != nil {
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

// notHere is the fault of a product that runs elsewhere, or nowhere.
func notHere(name string) error {
	return fault.New(fault.NotFound, "run meshctl catalog ls", "product %s is not in this mesh", name)
}
