package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
)

// HubOptions say where a hub keeps its data and where it listens.
type HubOptions struct {
	Data       string
	Host       string
	ClientPort int // -1 for any free one
	LeafPort   int
	StateDir   string // where this user's meshes are announced
	Logger     *slog.Logger
}

// Hub is a running hub.
type Hub struct {
	*mesh.Hub
	data *dataDir
	note announcement
}

// StartHub starts a hub on a data folder and announces it to this user's other
// commands. kind is what the folder holds: a hub alone, or a whole mesh.
func StartHub(ctx context.Context, o HubOptions) (*Hub, error) { return startHub(ctx, o, hubData) }

func startHub(ctx context.Context, o HubOptions, kind string) (*Hub, error) {
	data, err := claimData(o.Data, kind, "")
	if err != nil {
		return nil, err
	}
	h := &Hub{data: data}
	h.Hub, err = mesh.StartHub(ctx, mesh.HubOptions{
		Dir: data.sub("hub"), Host: o.Host, ClientPort: o.ClientPort, LeafPort: o.LeafPort, Logger: o.Logger,
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
	return h, nil
}

// Close stops the hub.
func (h *Hub) Close(ctx context.Context) error {
	return errors.Join(h.note.withdraw(), h.Hub.Close(ctx), h.data.release())
}

// MeshOptions say what a mesh in one process consists of.
type MeshOptions struct {
	Hub     HubOptions
	Dirs    []string // folders of products
	Version string
	Env     []string
	Logger  *slog.Logger
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

// member is one product of a mesh and the folder it came from.
type member struct {
	dir     string
	product *Product
	applied time.Time // modification time of what runs
	refused time.Time // of what was refused, so that it is refused once
}

// StartMesh starts the hub, then all products side by side, and returns when every one
// of them answers. Products that were added to the mesh earlier come back.
func StartMesh(ctx context.Context, o MeshOptions) (_ *Mesh, err error) {
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
		Name: controlService, Version: "1.0.0", Description: "the mesh of one process",
		Endpoints: map[string]mesh.Handler{"add": answerJSON(m.add), "remove": answerJSON(m.remove)},
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

// controlService is the name under which a mesh of one process takes products; no
// product can bear it.
const controlService = "up_"

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
	return writeFile(m.hub.data.sub(dirsFile), data)
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

// watchDescriptors applies a descriptor, or SQL file beside it, that was edited. It
// looks at modification times, which works on every file system and editor.
func (m *Mesh) watchDescriptors(ctx context.Context) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		m.mu.Lock()
		members := make([]*member, 0, len(m.products))
		for _, mem := range m.products {
			if mem.product != nil {
				members = append(members, mem)
			}
		}
		m.mu.Unlock()
		for _, mem := range members {
			m.applyEdited(ctx, mem)
		}
	}
}

func (m *Mesh) applyEdited(ctx context.Context, mem *member) {
	changed := changedAt(mem.dir)
	if changed.IsZero() || changed.Equal(mem.applied) || changed.Equal(mem.refused) {
		return
	}
	log := m.o.Logger.With("product", mem.product.Name())
	desc, err := product.Load(mem.dir)
	var changes []product.Change
	if err == nil && desc.Metadata.Name != mem.product.Name() {
		err = fault.New(fault.Conflict, "run meshctl product add on it", "the descriptor now names product %s", desc.Metadata.Name)
	}
	if err == nil {
		changes, err = mem.product.Apply(ctx, desc)
	}
	if err != nil {
		mem.refused = changed
		log.Error("the edited descriptor was refused; the product runs on as before", "error", err, "hint", fault.HintOf(err))
		return
	}
	mem.applied = changed
	if err := mem.product.putEntry(ctx); err != nil { // the next heartbeat tells it
		log.Warn("the catalog was not told of the edited descriptor yet", "error", err)
	}
	log.Info("the edited descriptor was applied", "changes", len(changes))
}

// changedAt is the latest modification of the descriptor and the SQL beside it.
func changedAt(dir string) time.Time {
	files, err := filepath.Glob(filepath.Join(dir, "*.sql"))
	if err != nil {
		return time.Time{}
	}
	var latest time.Time
	for _, file := range append(files, filepath.Join(dir, product.FileName)) {
		if info, err := os.Stat(file); err == nil && info.ModTime().After(latest) {
			latest = info.ModTime()
		}
	}
	return latest
}
