package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/serve"
)

// ClientOptions say which mesh to talk to. Without Server and Context it is the one
// that runs on this machine.
type ClientOptions struct {
	Server   string // URL of the hub
	Context  string // a context of the nats command line
	Creds    string
	StateDir string // where this user's meshes are announced
}

// Client asks a running mesh.
type Client struct {
	nc *mesh.Conn
}

// Dial connects to a mesh.
func Dial(ctx context.Context, o ClientOptions) (*Client, error) {
	if o.Server == "" && o.Context == "" {
		running, err := RunningMeshes(o.StateDir)
		if err != nil {
			return nil, err
		}
		switch len(running) {
		case 0:
			return nil, fault.New(fault.Unavailable, "run meshctl up, or name one with --server or --context", "no mesh runs on this machine")
		case 1:
			o.Server = running[0].URL
		default:
			var where []string
			for _, r := range running {
				where = append(where, r.URL+" ("+r.Data+")")
			}
			return nil, fault.New(fault.Invalid, "choose one with --server URL", "%d meshes run on this machine: %s", len(running), strings.Join(where, ", "))
		}
	}
	nc, err := mesh.Connect(ctx, mesh.ConnectOptions{URL: o.Server, Context: o.Context, Creds: o.Creds, Name: "meshctl"})
	if err != nil {
		return nil, err
	}
	return &Client{nc: nc}, nil
}

// Close ends the connection.
func (c *Client) Close() { c.nc.Close() }

// Catalog is every product that has registered, by name.
func (c *Client) Catalog(ctx context.Context) (catalog.Catalog, error) {
	bucket, err := mesh.Catalog(ctx, c.nc, "")
	if err != nil {
		return nil, err
	}
	kept, err := bucket.List(ctx)
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
	return call[serve.GetAnswer](ctx, c, id.Product, "get", serve.GetRequest{Port: portName(id), Keys: keys})
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
	req, err := json.Marshal(r)
	if err != nil {
		return a, err
	}
	var buf bytes.Buffer
	lines := func() error {
		for {
			i := bytes.IndexByte(buf.Bytes(), '\n')
			if i < 0 {
				return nil
			}
			var rec serve.Record
			if err := json.Unmarshal(buf.Next(i+1), &rec); err != nil {
				return fmt.Errorf("read a record of %s: %w", id, err)
			}
			if err := emit(rec); err != nil {
				return err
			}
		}
	}
	final, err := mesh.CallStream(ctx, c.nc, product.ServiceSubject(id.Product, "scan"), req, func(chunk []byte) error {
		buf.Write(chunk)
		return lines()
	})
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(final, &a)
}

// Tailed is one record of a log as it is shown.
type Tailed struct {
	Seq     record.Seq      `json:"seq"`
	Time    time.Time       `json:"time"`
	Key     string          `json:"key,omitempty"`
	Value   json.RawMessage `json:"value"` // null for a delete
	Deleted bool            `json:"deleted,omitempty"`
}

// TailOptions say where a tail begins and whether it ends.
type TailOptions struct {
	From   record.Seq // first sequence; 0 for Last
	Since  time.Time  // or the first record stored at or after this
	Last   int        // or the newest so many
	Follow bool       // go on when the end is reached
	Limit  int        // most records; 0 is all
}

// Tail gives the records of a port's log to emit, in order.
func (c *Client) Tail(ctx context.Context, address string, o TailOptions, emit func(Tailed) error) error {
	id, _, err := c.Port(ctx, address)
	if err != nil {
		return err
	}
	state, err := mesh.State(ctx, c.nc, id.Product, id.Stream())
	if err != nil {
		return err
	}
	after := record.Seq(0)
	switch {
	case !o.Since.IsZero():
		first, err := mesh.SeqAt(ctx, c.nc, id.Product, id.Stream(), o.Since)
		if err != nil {
			return err
		}
		after = max(first, 1) - 1
	case o.From > 0:
		after = o.From - 1
	case o.Last > 0:
		after = state.Last - min(state.Last, record.Seq(o.Last))
	}
	if !o.Follow && (state.Msgs == 0 || after >= state.Last) {
		return nil
	}
	r, err := mesh.NewReader(ctx, c.nc, id.Product, id.Stream(), after, "")
	if err != nil {
		return err
	}
	defer r.Close()
	for given := 0; ; {
		msgs, err := r.Next(ctx, 1000, readBytes, 0)
		if err != nil {
			return err
		}
		for _, m := range msgs {
			if !o.Follow && m.Seq > state.Last {
				return nil
			}
			given++
			if err := emit(tailed(id, m)); err != nil {
				return err
			}
			if !o.Follow && m.Seq >= state.Last || given == o.Limit { // given is never 0 here
				return nil
			}
		}
	}
}

func tailed(id product.PortID, m mesh.Message) Tailed {
	t := Tailed{Seq: m.Seq, Time: m.Time, Value: m.Data}
	if m.Header.Get(product.HeaderDelete) != "" {
		t.Deleted, t.Value = true, nil
	}
	if !json.Valid(t.Value) && !t.Deleted {
		quoted, _ := json.Marshal(string(m.Data)) // a string always marshals
		t.Value = quoted
	}
	var texts []string
	if kept := m.Header.Get(product.HeaderKey); kept != "" {
		if json.Unmarshal([]byte(kept), &texts) == nil {
			t.Key = record.JoinTexts(texts)
		}
	} else if tokens := strings.TrimPrefix(m.Subject, id.Subject()+"."); tokens != m.Subject {
		if texts, err := product.ParseKeyTokens(tokens); err == nil {
			t.Key = record.JoinTexts(texts)
		}
	}
	return t
}

// DeadLetters are the letters of a port that wait, oldest first.
func (c *Client) DeadLetters(ctx context.Context, address string) ([]serve.Letter, error) {
	id, _, err := c.Port(ctx, address)
	if err != nil {
		return nil, err
	}
	msgs, err := deadLetters(ctx, c.nc, id.Product, id)
	if err != nil {
		return nil, err
	}
	letters := make([]serve.Letter, len(msgs))
	for i, m := range msgs {
		letters[i] = asLetter(id, m)
	}
	return letters, nil
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
	return call[AddAnswer](ctx, c, controlService, "add", addRequest{dir})
}

// RemoveProduct takes a product out of the mesh of one process; its data stays.
func (c *Client) RemoveProduct(ctx context.Context, name string) (RemoveAnswer, error) {
	return call[RemoveAnswer](ctx, c, controlService, "remove", removeRequest{name})
}
