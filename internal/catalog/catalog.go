// Package catalog is what a product tells the mesh about itself: its descriptor, where
// it answers and how it fares. The hub keeps one entry a product; this package gives
// them meaning, wherever they come from.
package catalog

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

// Entry is one product of the catalog.
type Entry struct {
	Product product.Product `json:"product"`
	HTTP    string          `json:"http,omitempty"` // base URL of its HTTP face
	Meshctl string          `json:"meshctl"`        // version of the binary that runs it
	Started time.Time       `json:"started"`
	Seen    time.Time       `json:"seen"`             // last heartbeat
	Silent  bool            `json:"silent,omitempty"` // it was asked just now and did not answer
	Ports   []Port          `json:"ports"`
	// SetAside are the folders of damaged stores, which were made again from the log.
	SetAside []string `json:"setAside,omitempty"`
	Inputs   []Input  `json:"inputs,omitempty"` // that read other products
}

// Input is how an input fares that reads another product's port.
type Input struct {
	Name  string     `json:"name"`
	Port  string     `json:"port"`            // as the descriptor says it
	Last  record.Seq `json:"last"`            // what has come over from there
	Lag   uint64     `json:"lag"`             // records behind, as of when the source was last heard of
	Error string     `json:"error,omitempty"` // why nothing comes over
	// Denied says that this is because the product that has the port does not grant it.
	Denied bool `json:"denied,omitempty"`
}

// Port is one major version of one port and its state at the last heartbeat.
type Port struct {
	Address  string         `json:"address"` // product.port or product.port@major
	Stream   string         `json:"stream"`
	Table    string         `json:"table"`  // name in SQL, with its schema
	Output   product.Output `json:"output"` // its contract
	Major    int            `json:"major"`
	Records  uint64         `json:"records"` // in the log
	Last     record.Seq     `json:"last"`    // of the log
	LastTime time.Time      `json:"lastTime,omitzero"`
	Visible  record.Seq     `json:"visible"` // in every store
	Dead     uint64         `json:"dead"`    // dead letters that wait
	Error    string         `json:"error,omitempty"`
}

// HeartbeatEvery is how often a product renews its entry. One that has not for three
// times as long is shown as gone.
const HeartbeatEvery = 5 * time.Second

// Gone says whether the product does not answer, or has been silent for too long at now.
func (e *Entry) Gone(now time.Time) bool { return e.Silent || now.Sub(e.Seen) > 3*HeartbeatEvery }

// ID is the port's identity.
func (e *Entry) ID(p *Port) product.PortID {
	return product.PortID{
		Product: e.Product.Metadata.Name, Domain: e.Product.Metadata.Domain,
		Port: p.Output.Name, Major: p.Major,
	}
}

// Catalog is all entries, by product name.
type Catalog []Entry

// Sort orders the entries by product.
func (c Catalog) Sort() {
	slices.SortFunc(c, func(a, b Entry) int { return cmp.Compare(a.Product.Metadata.Name, b.Product.Metadata.Name) })
}

// Product is the entry of that name, or nil.
func (c Catalog) Product(name string) *Entry {
	for i := range c {
		if c[i].Product.Metadata.Name == name {
			return &c[i]
		}
	}
	return nil
}

// Nearest is the product that a misspelt name was probably meant to be, or "".
func (c Catalog) Nearest(name string) string {
	names := make([]string, len(c))
	for i := range c {
		names[i] = c[i].Product.Metadata.Name
	}
	return product.Nearest(name, names)
}

// Port finds a port by its address: product.port, product.port@major, or a product's
// name for its port of the same name or its only port. Without a major it is the newest.
func (c Catalog) Port(address string) (*Entry, *Port, error) {
	want, err := product.ParsePort(address)
	if err != nil {
		return nil, nil, fault.New(fault.Invalid, "", "%w", err)
	}
	e := c.Product(want.Product)
	if e == nil {
		return nil, nil, fault.New(fault.NotFound, c.hint(want.Product), "there is no product %q in the catalog", want.Product)
	}
	if found := e.newest(want.Port, want.Major); found != nil {
		return e, found, nil
	}
	if only, ok := e.onlyPort(); ok && !strings.Contains(address, ".") {
		if found := e.newest(only, want.Major); found != nil {
			return e, found, nil
		}
	}
	return nil, nil, fault.New(fault.NotFound, e.portHint(), "product %s has no port %q", want.Product, address)
}

// newest is the port of that name and major, of the greatest major for 0; nil when
// there is none.
func (e *Entry) newest(name string, major int) *Port {
	var found *Port
	for i := range e.Ports {
		p := &e.Ports[i]
		if p.Output.Name == name && (major == p.Major || major == 0 && (found == nil || p.Major > found.Major)) {
			found = p
		}
	}
	return found
}

// onlyPort is the name that all of the entry's ports bear.
func (e *Entry) onlyPort() (name string, ok bool) {
	for i, p := range e.Ports {
		if i > 0 && p.Output.Name != name {
			return "", false
		}
		name = p.Output.Name
	}
	return name, name != ""
}

func (e *Entry) portHint() string {
	if len(e.Ports) == 0 {
		return "wait until the product has announced its ports"
	}
	addresses := make([]string, len(e.Ports))
	for i, p := range e.Ports {
		addresses[i] = p.Address
	}
	return "use one of " + strings.Join(addresses, ", ")
}

func (c Catalog) hint(wanted string) string {
	if len(c) == 0 {
		return "the catalog is empty: run meshctl up with a product's folder"
	}
	if near := c.Nearest(wanted); near != "" {
		return "did you mean " + near + "?"
	}
	return "run meshctl catalog ls to see what there is"
}

// Decode reads the entries that a hub keeps, by product, each as its product wrote it.
func Decode(kept map[string][]byte) (Catalog, error) {
	all := make(Catalog, 0, len(kept))
	for name, value := range kept {
		e, err := DecodeEntry(name, value)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	all.Sort()
	return all, nil
}

// DecodeEntry reads one entry.
func DecodeEntry(name string, value []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(value, &e); err != nil {
		return e, fmt.Errorf("read the catalog's entry of %s: %w", name, err)
	}
	return e, nil
}
