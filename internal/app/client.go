package app

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/federate"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/serve"
	"github.com/meshctl/meshctl/internal/trust"
)

// ClientOptions say which mesh to talk to. Without Server and Context it is the one
// that runs on this machine.
type ClientOptions struct {
	Server   string       // URL of the hub
	Context  string       // a context of the nats command line
	Creds    string       // a credentials file; for a mesh of this machine its user's own when empty
	Held     *trust.Creds // or the credential itself
	CA       string       // file of the authorities that vouch for the hub; the system\'s when empty
	Host     string       // that the hub\'s certificate is for, where it is not the URL\'s
	StateDir string       // where this user's meshes are announced
}

// Client asks a running mesh.
type Client struct {
	nc     *mesh.Conn
	here   local
	limits federate.Limits // of queries over several products; zero for the usual ones
}

// Dial connects to a mesh.
func Dial(ctx context.Context, o ClientOptions) (*Client, error) {
	if o.Context == "" {
		if err := o.find(); err != nil {
			return nil, err
		}
	}
	nc, err := mesh.Connect(ctx, mesh.ConnectOptions{URL: o.Server, Context: o.Context, Creds: o.Creds, Held: o.Held, CA: o.CA, Host: o.Host, Name: "meshctl"})
	if err != nil {
		return nil, err
	}
	return &Client{nc: nc}, nil
}

// find completes the options from the meshes that run on this machine.
func (o *ClientOptions) find() error {
	running, err := RunningMeshes(o.StateDir)
	if err != nil {
		return err
	}
	if o.Server != "" {
		running = slices.DeleteFunc(running, func(r Running) bool { return !sameServer(r.URL, o.Server, "4222") })
		if len(running) == 0 {
			return nil
		}
	}
	if len(running) == 0 {
		return fault.New(fault.Unavailable, "run meshctl up, or name one with --server or --context", "no mesh runs on this machine")
	}
	if nodes, ok := oneMesh(running); ok {
		o.Server, o.Creds = cmp.Or(o.Server, nodes), cmp.Or(o.Creds, running[0].Creds)
		return nil
	}
	var where []string
	for _, r := range running {
		where = append(where, r.URL+" ("+r.Data+")")
	}
	return fault.New(fault.Invalid, "choose one with --server URL", "%d meshes run on this machine: %s", len(running), strings.Join(where, ", "))
}

// oneMesh is the addresses of hubs that are nodes of one mesh; ok is false where they are not.
func oneMesh(running []Running) (nodes string, ok bool) {
	urls := make([]string, len(running))
	for i, r := range running {
		if len(running) > 1 && (r.Account == "" || r.Account != running[0].Account) {
			return "", false
		}
		urls[i] = r.URL
	}
	return strings.Join(urls, ","), true
}

// Close ends the connection. No answer may be open any more.
func (c *Client) Close() error {
	c.nc.Close()
	return c.here.close()
}

// Catalog is every product that has registered, by name.
func (c *Client) Catalog(ctx context.Context) (catalog.Catalog, error) {
	kept, err := mesh.Catalog(c.nc).List(ctx)
	if err != nil {
		return nil, err
	}
	return decodeCatalog(kept)
}

func decodeCatalog(kept map[string]mesh.Entry) (catalog.Catalog, error) {
	values := make(map[string][]byte, len(kept))
	for name, k := range kept {
		values[name] = k.Value
	}
	return catalog.Decode(values)
}

// entryLimit is how long a product may take to tell how it fares.
const entryLimit = 2 * time.Second

// LiveCatalog is the catalog with each product as it is now, from itself, rather than as
// it was at its last heartbeat. One that does not answer stays as it was, and is silent.
func (c *Client) LiveCatalog(ctx context.Context) (catalog.Catalog, error) {
	all, err := c.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	asked, cancel := context.WithTimeout(ctx, entryLimit)
	defer cancel()
	var asking sync.WaitGroup
	for i := range all {
		asking.Go(func() {
			e, err := c.Entry(asked, all[i].Product.Metadata.Name)
			if err != nil {
				all[i].Silent = true
				return
			}
			all[i] = e
		})
	}
	asking.Wait()
	return all, ctx.Err()
}

// Port finds a port of the catalog by its address.
func (c *Client) Port(ctx context.Context, address string) (product.PortID, *catalog.Port, error) {
	all, err := c.Catalog(ctx)
	if err != nil {
		return product.PortID{}, nil, err
	}
	e, p, err := all.Port(address)
	if err != nil {
		return product.PortID{}, nil, err
	}
	return e.ID(p), p, nil
}

// Get is the latest record of each key.
func (c *Client) Get(ctx context.Context, address string, keys []string) (serve.GetAnswer, error) {
	id, err := c.address(ctx, address)
	if err != nil {
		return serve.GetAnswer{}, err
	}
	by := mesh.Call
	if len(keys) == 1 {
		by = mesh.Ask
	}
	return callBy[serve.GetAnswer](ctx, c, by, id.Product, "get", serve.GetRequest{Port: portName(id), Keys: keys})
}

// address reads a port's address. A full one needs no catalog: the product knows its ports.
func (c *Client) address(ctx context.Context, address string) (product.PortID, error) {
	if strings.Contains(address, ".") {
		id, err := product.ParsePort(address)
		if err != nil {
			return id, fault.New(fault.Invalid, "", "%w", err)
		}
		return id, nil
	}
	id, _, err := c.Port(ctx, address)
	return id, err
}

// portName is the port as its product is asked for it; without a major, the newest.
func portName(id product.PortID) string {
	if id.Major == 0 {
		return id.Port
	}
	return fmt.Sprintf("%s@%d", id.Port, id.Major)
}

// Scan gives the records of a range of keys to emit.
func (c *Client) Scan(ctx context.Context, address string, r serve.ScanRequest, emit func(serve.Record) error) (serve.ScanAnswer, error) {
	var a serve.ScanAnswer
	id, err := c.address(ctx, address)
	if err != nil {
		return a, err
	}
	r.Port = portName(id)
	final, err := callLines(ctx, c, id.Product, "scan", r, emit)
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(final, &a)
}

// DeadLetters are the letters of a port that wait, oldest first.
func (c *Client) DeadLetters(ctx context.Context, address string) ([]serve.Letter, error) {
	id, _, err := c.Port(ctx, address)
	if err != nil {
		return nil, err
	}
	letters := []serve.Letter{}
	_, err = callLines(ctx, c, id.Product, "letters", lettersRequest{portName(id)}, func(l serve.Letter) error {
		letters = append(letters, l)
		return nil
	})
	return letters, err
}

// ReplayDead publishes dead letters again.
func (c *Client) ReplayDead(ctx context.Context, address string, r DeadRequest) (DeadAnswer, error) {
	return c.dead(ctx, address, "replay", r)
}

// PurgeDead removes dead letters for good.
func (c *Client) PurgeDead(ctx context.Context, address string, r DeadRequest) (DeadAnswer, error) {
	return c.dead(ctx, address, "purge", r)
}

func (c *Client) dead(ctx context.Context, address, endpoint string, r DeadRequest) (DeadAnswer, error) {
	id, err := c.address(ctx, address)
	if err != nil {
		return DeadAnswer{}, err
	}
	r.Port = portName(id)
	return call[DeadAnswer](ctx, c, id.Product, endpoint, r)
}

// Rebuild makes stores of a product again from its log.
func (c *Client) Rebuild(ctx context.Context, name string, r RebuildRequest) (RebuildAnswer, error) {
	return call[RebuildAnswer](ctx, c, name, "rebuild", r)
}

// Entry is a product as it is now, from itself.
func (c *Client) Entry(ctx context.Context, name string) (catalog.Entry, error) {
	return call[catalog.Entry](ctx, c, name, "entry", struct{}{})
}

// AddProduct adds a folder's product to the mesh of one process, or applies its edited
// descriptor.
func (c *Client) AddProduct(ctx context.Context, dir string) (AddAnswer, error) {
	return call[AddAnswer](ctx, c, product.UpService, "add", addRequest{dir})
}

// RemoveProduct takes a product out of the mesh of one process; its data stays.
func (c *Client) RemoveProduct(ctx context.Context, name string) (RemoveAnswer, error) {
	return call[RemoveAnswer](ctx, c, product.UpService, "remove", removeRequest{name})
}
