package app

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kv"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/serve"
	"github.com/meshctl/meshctl/internal/trust"
)

// ProductOptions say where a product comes from and where it goes.
type ProductOptions struct {
	Dir     string // its folder, with the descriptor
	Data    string // its data folder
	HubLeaf string // URL that leaves join the hub at
	Creds   CredsSource
	CA      string // file of the authorities that vouch for the hub; the system's when empty
	HTTP    string // address to listen on, such as "127.0.0.1:0"; "" for no HTTP
	HTTPURL string // base URL that others reach that at; empty: the address itself
	Version string // of this meshctl, for the catalog
	Env     []string
	Logger  *slog.Logger
	// LoseExpired lets a damaged store be made again from a log that has dropped records.
	LoseExpired bool
	// LoseData lets a retention that became shorter drop records of a log.
	LoseData bool
	// LoseOnce is LoseData for one descriptor and one time, as product.LoseOnce says it.
	LoseOnce string
	// BucketKeys is the folder with the credentials of the product's bucket, a file each;
	// empty: they are in Env.
	BucketKeys string
	// MaintainEvery is how often a table is asked whether a roll or compaction is due; 5 s when 0.
	MaintainEvery time.Duration
	Queries       QueryLimits
}

// Product is a running product: a leaf, its stores, and the steps between them.
type Product struct {
	o          ProductOptions
	log        *slog.Logger
	data       *dataDir
	leaf       *mesh.Leaf
	kv         *kv.DB
	tables     *olap.DB
	memory     int64              // what the descriptor gave it at the start
	store      olap.BucketOptions // as it was at the start
	queries    *queries
	service    *mesh.Service
	admin      *mesh.Admin // of its streams
	events     *eventLog
	http       *serve.Server
	steps      *group
	ending     context.Context // of calls that would never end by themselves
	end        context.CancelFunc
	started    time.Time
	holder     atomic.Pointer[trust.Holder] // of the credential that it joins with
	creds      atomic.Pointer[trust.Creds]  // that it joined with last
	registered chan struct{}                // closed once the catalog has the product
	applied    chan struct{}                // has one when the catalog should be told at once
	failed     chan error                   // has one when the product cannot go on
	closing    sync.Once

	mu    sync.RWMutex // guards below
	desc  *product.Product
	ports map[string]*port // by folder

	proving sync.Mutex // one reading of all data at a time

	deadMu sync.Mutex // one removal of dead letters at a time

	uploads uploads // into its object ports

	inputsMu sync.Mutex // the logic's step opens inputs while it runs
	inputs   map[string]*input
	mirrors  map[string]*mirror // by stream; inputs that read one port share one
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
		ports: map[string]*port{}, inputs: map[string]*input{},
		mirrors: map[string]*mirror{}, registered: make(chan struct{}),
		applied: make(chan struct{}, 1), failed: make(chan error, 1), queries: newQueries(desc.Metadata.Name, o.Queries),
		events: newEventLog(desc.Metadata.Name),
	}
	if p.data, err = claimData(o.Data, productData, desc.Metadata.Name); err != nil {
		return nil, err
	}
	p.steps = newGroup(context.WithoutCancel(ctx))
	p.ending, p.end = context.WithCancel(p.steps.ctx)
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
	if err := p.applyMending(ctx, desc); err != nil {
		return nil, err
	}
	if err := p.startServing(ctx); err != nil {
		return nil, err
	}
	p.steps.run(p.register)
	p.steps.run(p.watchHealth)
	p.steps.run(p.watchCreds)
	return p, nil
}

func (p *Product) openStores(ctx context.Context, desc *product.Product) (err error) {
	if err := os.RemoveAll(p.data.sub(pastFolder)); err != nil { // of a process that was killed
		return err
	}
	for _, dir := range []string{"logic", "contracts", "inputs"} {
		if err := os.MkdirAll(p.data.sub(dir), 0o755); err != nil {
			return err
		}
	}
	holder := trust.HolderOf(desc)
	p.holder.Store(&holder)
	if p.memory, err = desc.Spec.Resources.Memory.Bytes(); err != nil {
		return err
	}
	if p.store, err = p.bucketStore(desc); err != nil {
		return err
	}
	p.leaf, err = mesh.StartLeaf(ctx, mesh.LeafOptions{
		Dir: p.data.sub("jetstream"), Domain: desc.Metadata.Name, HubLeafURL: p.o.HubLeaf, Logger: p.log,
		Creds: p.joinWith, CA: p.o.CA,
	})
	if err != nil {
		return err
	}
	p.leaf.LinkEvents(p.events.add)
	if err := mesh.Advisories(p.leaf.Conn(), p.events.add); err != nil {
		return err
	}
	if err := p.openKV(ctx); err != nil {
		return err
	}
	return p.openTables(ctx)
}

// joinWith is the credential that the leaf joins with now.
func (p *Product) joinWith() (*trust.Creds, error) {
	c, err := p.o.Creds.get(*p.holder.Load())
	if err == nil {
		p.creds.Store(c)
	}
	return c, err
}

// Close drains: steps finish their batch, calls their answer, stores their writes. A
// second Close does nothing.
func (p *Product) Close(ctx context.Context) (err error) {
	p.closing.Do(func() { err = p.close(ctx) })
	return err
}

func (p *Product) close(ctx context.Context) error {
	var errs []error
	p.end()
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

// Failed yields an error when the product cannot go on and must be started again.
func (p *Product) Failed() <-chan error { return p.failed }

// Registered is closed once the catalog has the product.
func (p *Product) Registered() <-chan struct{} { return p.registered }

// Name is the product's name.
func (p *Product) Name() string { return p.descriptor().Metadata.Name }

// HTTPURL is the base URL of the product's HTTP face, "" without one.
func (p *Product) HTTPURL() string {
	if p.http == nil {
		return ""
	}
	return cmp.Or(p.o.HTTPURL, p.http.Addr())
}

func (p *Product) descriptor() *product.Product {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.desc
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
