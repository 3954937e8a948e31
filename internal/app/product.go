package app

import (
	"cmp"
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

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kv"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/serve"
)

// ProductOptions say where a product comes from and where it goes.
type ProductOptions struct {
	Dir     string // its folder, with the descriptor
	Data    string // its data folder
	HubLeaf string // URL that leaves join the hub at
	HTTP    string // address to listen on, such as "127.0.0.1:0"; "" for no HTTP
	Version string // of this meshctl, for the catalog
	Env     []string
	Logger  *slog.Logger
	// MaintainEvery is how often a table is asked whether a roll or compaction is due; 5 s when 0.
	MaintainEvery time.Duration
}

// Product is a running product: a leaf, its stores, and the steps between them.
type Product struct {
	o          ProductOptions
	log        *slog.Logger
	data       *dataDir
	leaf       *mesh.Leaf
	kv         *kv.DB
	tables     *olap.DB
	service    *mesh.Service
	http       *serve.Server
	steps      *group
	started    time.Time
	registered chan struct{} // closed once the catalog has the product
	applied    chan struct{} // has one when the catalog should be told at once
	closing    sync.Once

	mu    sync.RWMutex // guards below
	desc  *product.Product
	ports map[string]*port // by folder

	deadMu sync.Mutex // one removal of dead letters at a time

	inputsMu sync.Mutex // the logic's step opens inputs while it runs
	inputs   map[string]*input
}

// StartProduct opens the product's data, applies its descriptor and begins to work. It
// returns when the product answers; the hub need not be there.
func StartProduct(ctx context.Context, o ProductOptions) (_ *Product, err error) {
	desc, err := product.Load(o.Dir)
	if err != nil {
		return nil, err
	}
	o.MaintainEvery = cmp.Or(o.MaintainEvery, maintainEvery)
	p := &Product{
		o: o, log: o.Logger.With("product", desc.Metadata.Name), started: time.Now().UTC(),
		ports: map[string]*port{}, inputs: map[string]*input{}, registered: make(chan struct{}),
		applied: make(chan struct{}, 1),
	}
	if p.data, err = claimData(o.Data, productData, desc.Metadata.Name); err != nil {
		return nil, err
	}
	p.steps = newGroup(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close(context.WithoutCancel(ctx)))
		}
	}()
	if err := p.openStores(ctx, desc); err != nil {
		return nil, err
	}
	if err := mesh.EnsureStream(ctx, p.leaf.Conn(), deadSpec(desc)); err != nil {
		return nil, err
	}
	if _, err := p.Apply(ctx, desc); err != nil {
		return nil, err
	}
	if err := p.startServing(ctx); err != nil {
		return nil, err
	}
	p.steps.run(p.register)
	return p, nil
}

func (p *Product) openStores(ctx context.Context, desc *product.Product) (err error) {
	for _, dir := range []string{"logic", "contracts", "inputs"} {
		if err := os.MkdirAll(p.data.sub(dir), 0o755); err != nil {
			return err
		}
	}
	memory, err := desc.Spec.Resources.Memory.Bytes()
	if err != nil {
		return err
	}
	p.leaf, err = mesh.StartLeaf(ctx, mesh.LeafOptions{
		Dir: p.data.sub("jetstream"), Domain: desc.Metadata.Name, HubLeafURL: p.o.HubLeaf, Logger: p.log,
	})
	if err != nil {
		return err
	}
	if p.kv, err = kv.Open(p.data.sub("kv"), kv.Options{Logger: p.log}); err != nil {
		return err
	}
	p.tables, err = olap.Open(ctx, p.data.sub("table"), olap.Options{MemoryLimit: memory / 2, Logger: p.log})
	return err
}

// Close drains: steps finish their batch, calls their answer, stores their writes. A
// second Close does nothing.
func (p *Product) Close(ctx context.Context) (err error) {
	p.closing.Do(func() { err = p.close(ctx) })
	return err
}

func (p *Product) close(ctx context.Context) error {
	var errs []error
	if p.http != nil {
		errs = append(errs, p.http.Close(ctx))
	}
	if p.service != nil {
		errs = append(errs, p.service.Close(ctx))
	}
	p.steps.stop()
	p.mu.Lock()
	p.stopPorts()
	p.mu.Unlock()
	if p.tables != nil {
		errs = append(errs, p.tables.Close())
	}
	if p.kv != nil {
		errs = append(errs, p.kv.Close())
	}
	if p.leaf != nil {
		errs = append(errs, p.leaf.Close(ctx))
	}
	return errors.Join(append(errs, p.data.release())...)
}

// Conflict yields an error when another process runs the same product in the mesh.
func (p *Product) Conflict() <-chan error { return p.leaf.Conflict() }

// Registered is closed once the catalog has the product.
func (p *Product) Registered() <-chan struct{} { return p.registered }

// Name is the product's name.
func (p *Product) Name() string { return p.descriptor().Metadata.Name }

// HTTPURL is the base URL of the product's HTTP face, "" without one.
func (p *Product) HTTPURL() string {
	if p.http == nil {
		return ""
	}
	return p.http.Addr()
}

func (p *Product) descriptor() *product.Product {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.desc
}

// Apply makes the running product follow a descriptor and returns what changed. A
// change that breaks a contract under the same major version is refused whole, and one
// that fails leaves the product running as before.
// Contracts of earlier majors keep running beside the new ones.
func (p *Product) Apply(ctx context.Context, desc *product.Product) ([]product.Change, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old, err := p.savedDescriptor()
	if err != nil {
		return nil, err
	}
	var changes []product.Change
	if old != nil {
		changes = product.Compare(old, desc)
		if err := refuseBreaking(desc, changes); err != nil {
			return changes, err
		}
	}
	before, ports := p.desc, p.ports
	p.stopPorts()
	if err := p.follow(ctx, desc); err != nil {
		p.stopPorts()
		p.desc, p.ports = before, ports
		if before != nil {
			err = errors.Join(err, p.startPorts(ctx))
		}
		return changes, err
	}
	select {
	case p.applied <- struct{}{}:
	default: // it is to be told already
	}
	return changes, nil
}

// follow opens and starts what a descriptor says, and remembers it once that runs.
func (p *Product) follow(ctx context.Context, desc *product.Product) error {
	p.desc = desc
	if err := p.openPorts(ctx); err != nil {
		return err
	}
	if err := p.startPorts(ctx); err != nil {
		return err
	}
	return p.saveContracts()
}

func refuseBreaking(desc *product.Product, changes []product.Change) error {
	var broken []string
	hint := ""
	for _, c := range changes {
		if c.Breaking {
			broken = append(broken, c.Path+": "+c.Message)
			hint = cmp.Or(hint, c.Hint)
		}
	}
	if broken == nil {
		return nil
	}
	return fault.New(fault.Conflict, cmp.Or(hint, fmt.Sprintf("raise metadata.version to %d.0.0, which runs beside the present one", desc.Major()+1)),
		"apply the descriptor of %s: %s", desc.Metadata.Name, strings.Join(broken, "; "))
}

func (p *Product) stopPorts() {
	for _, pt := range p.ports {
		pt.stop()
	}
	for name, in := range p.inputs {
		in.steps.stop()
		delete(p.inputs, name)
	}
}

// savedContract is a contract that the product has offered, kept so that its port
// goes on when the descriptor has moved to a newer major version.
type savedContract struct {
	ID      product.PortID `json:"id"`
	Version string         `json:"version"`
	Output  product.Output `json:"output"`
}

func (p *Product) openPorts(ctx context.Context) error {
	contracts, err := p.savedContracts()
	if err != nil {
		return err
	}
	for _, out := range p.desc.Spec.Outputs {
		id := p.desc.ID(out.Name)
		contracts[id.Folder()] = savedContract{ID: id, Version: p.desc.Metadata.Version, Output: out}
	}
	ports := map[string]*port{}
	for folder, c := range contracts {
		pt, err := p.openPort(ctx, c.ID, c.Output, c.Version)
		if err != nil {
			return fmt.Errorf("open port %s: %w", c.ID, err)
		}
		pt.version = c.Version
		if old := p.ports[folder]; old != nil { // those who wait for it wait on
			pt.progress = old.progress
			pt.progress.Restart()
		}
		ports[folder] = pt
	}
	p.ports = ports
	return nil
}

// startPorts begins the steps: logic feeds the present major of the only output, doors
// feed every port of a product without logic.
func (p *Product) startPorts(ctx context.Context) error {
	if p.desc.Spec.Logic != nil {
		drive, err := p.openLogic(ctx)
		if err != nil {
			return err
		}
		present := p.desc.ID(p.desc.Spec.Outputs[0].Name).Folder()
		for folder, pt := range p.ports {
			if folder == present {
				pt.start(drive)
			} else {
				pt.start(nil)
			}
		}
		return nil
	}
	for _, pt := range p.ports {
		pt.start(pt.door().Run)
	}
	return nil
}

func (p *Product) savedDescriptor() (*product.Product, error) {
	data, err := os.ReadFile(p.data.sub("contracts", "descriptor.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var old product.Product
	if err := json.Unmarshal(data, &old); err != nil {
		return nil, fmt.Errorf("read the descriptor that ran last: %w", err)
	}
	return &old, nil
}

func (p *Product) savedContracts() (map[string]savedContract, error) {
	files, err := filepath.Glob(p.data.sub("contracts", "*.port.json"))
	if err != nil {
		return nil, err
	}
	contracts := map[string]savedContract{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var c savedContract
		if err := json.Unmarshal(data, &c); err != nil {
			return nil, fmt.Errorf("read contract %s: %w", file, err)
		}
		contracts[c.ID.Folder()] = c
	}
	return contracts, nil
}

func (p *Product) saveContracts() error {
	for _, pt := range p.ports {
		c := savedContract{ID: pt.id, Version: pt.version, Output: pt.out}
		if err := p.saveJSON(c, "contracts", pt.id.Folder()+".port.json"); err != nil {
			return err
		}
	}
	return p.saveJSON(p.desc, "contracts", "descriptor.json")
}

func (p *Product) saveJSON(v any, path ...string) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(p.data.sub(path...), data)
}

// port finds a port by name or name@major; without a major it is the newest.
func (p *Product) port(name string) (*port, error) {
	desc := p.descriptor()
	id, err := product.ParsePort(desc.Metadata.Name + "." + strings.TrimPrefix(name, desc.Metadata.Name+"."))
	if err != nil {
		return nil, fault.New(fault.Invalid, "", "%w", err)
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	var found *port
	for _, pt := range p.ports {
		if pt.id.Port == id.Port && (pt.id.Major == id.Major || id.Major == 0 && (found == nil || pt.id.Major > found.id.Major)) {
			found = pt
		}
	}
	if found == nil {
		return nil, fault.New(fault.NotFound, "run meshctl catalog show "+desc.Metadata.Name, "product %s has no port %s", desc.Metadata.Name, name)
	}
	return found, nil
}

// sortedPorts are the ports by name, newest major first.
func (p *Product) sortedPorts() []*port {
	p.mu.RLock()
	defer p.mu.RUnlock()
	ports := make([]*port, 0, len(p.ports))
	for _, pt := range p.ports {
		ports = append(ports, pt)
	}
	slices.SortFunc(ports, func(a, b *port) int {
		return cmp.Or(cmp.Compare(a.id.Port, b.id.Port), cmp.Compare(b.id.Major, a.id.Major))
	})
	return ports
}

// Entry is the product as the catalog shows it, with its present state.
func (p *Product) Entry(ctx context.Context) (catalog.Entry, error) {
	e := catalog.Entry{
		Product: *p.descriptor(), HTTP: p.HTTPURL(), Meshctl: p.o.Version,
		Started: p.started, Seen: time.Now().UTC(), Ports: []catalog.Port{},
	}
	for _, pt := range p.sortedPorts() {
		port, err := pt.entry(ctx)
		if err != nil {
			return e, err
		}
		e.Ports = append(e.Ports, port)
	}
	return e, nil
}

// register keeps the product's entry in the catalog fresh until ctx is done. While the
// hub cannot be reached it goes on trying.
func (p *Product) register(ctx context.Context) {
	var once sync.Once
	patience := newPatience()
	for {
		pause := catalog.HeartbeatEvery
		err := p.putEntry(ctx)
		if err == nil {
			once.Do(func() { close(p.registered) })
		} else {
			pause = 200 * time.Millisecond
		}
		if patience.over(err) && ctx.Err() == nil {
			p.log.Warn("the catalog cannot be reached; trying on", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-p.applied:
		case <-time.After(pause):
		}
	}
}

func (p *Product) putEntry(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, catalog.HeartbeatEvery)
	defer cancel()
	e, err := p.Entry(ctx)
	if err != nil {
		return err
	}
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	bucket, err := mesh.Catalog(ctx, p.leaf.Conn(), product.HubDomain)
	if err != nil {
		return err
	}
	return bucket.Put(ctx, e.Product.Metadata.Name, data)
}
