package catalog

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
)

// Lineage is what a port is made of and what is made of it, at any distance.
type Lineage struct {
	Of    []string `json:"of"`    // the ports that were asked for
	Ports []Linked `json:"ports"` // those and all that are upstream and downstream, by address
	Links []Link   `json:"links"` // who reads whom
}

// Linked is a port of a lineage.
type Linked struct {
	Address string `json:"address"`
	Domain  string `json:"domain,omitempty"`
	Owner   string `json:"owner,omitempty"`
	State   string `json:"state"` // "not in the catalog" for one that is read but never registered
}

// Missing is the state of a port that is read, but not in the catalog.
const Missing = "not in the catalog"

// Link says that a product makes the port To by reading the port From.
type Link struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Input string `json:"input"` // what the reading product calls it
}

// Links are who reads whom in the whole catalog, by To, then in the order of the inputs.
// Every port of a product that reads is made of all that it reads.
func (c Catalog) Links() []Link {
	links := []Link{}
	for i := range c {
		e := &c[i]
		for _, p := range e.Ports {
			for _, in := range e.Product.Spec.Inputs {
				if in.Port != "" {
					links = append(links, Link{From: c.addressOf(in.Port), To: p.Address, Input: in.Name})
				}
			}
		}
	}
	slices.SortStableFunc(links, func(a, b Link) int { return cmp.Compare(a.To, b.To) })
	return links
}

// addressOf is the full address of what an input names, which is major 1 by default.
func (c Catalog) addressOf(port string) string {
	if !strings.Contains(port, "@") {
		port += "@1"
	}
	if _, p, err := c.Port(port); err == nil {
		return p.Address
	}
	return strings.TrimSuffix(port, "@1")
}

// Lineage is the lineage of a port, or of all ports of a product, at now.
func (c Catalog) Lineage(address string, now time.Time) (Lineage, error) {
	l := Lineage{Of: []string{}, Ports: []Linked{}, Links: []Link{}}
	if e := c.Product(address); e != nil && len(e.Ports) > 0 {
		for _, p := range e.Ports {
			l.Of = append(l.Of, p.Address)
		}
	} else {
		_, p, err := c.Port(address)
		if err != nil {
			return l, err
		}
		l.Of = append(l.Of, p.Address)
	}
	all := c.Links()
	reached := map[string]bool{}
	for _, up := range []bool{true, false} {
		seen := map[string]bool{}
		for next := slices.Clone(l.Of); len(next) > 0; next = next[1:] {
			if seen[next[0]] {
				continue
			}
			seen[next[0]], reached[next[0]] = true, true
			for _, link := range all {
				near, far := link.From, link.To
				if up {
					near, far = far, near
				}
				if near == next[0] {
					next = append(next, far)
				}
			}
		}
		for _, link := range all {
			if seen[link.From] && seen[link.To] && !slices.Contains(l.Links, link) {
				l.Links = append(l.Links, link)
			}
		}
	}
	for a := range reached {
		l.Ports = append(l.Ports, c.linked(a, now))
	}
	slices.SortFunc(l.Ports, func(a, b Linked) int { return cmp.Compare(a.Address, b.Address) })
	return l, nil
}

func (c Catalog) linked(address string, now time.Time) Linked {
	e, p, err := c.Port(address)
	if err != nil {
		return Linked{Address: address, State: Missing}
	}
	return Linked{Address: address, Domain: e.Product.Metadata.Domain, Owner: e.Product.Metadata.Owner, State: e.State(p, now)}
}

// Port is the lineage's port of that address.
func (l *Lineage) Port(address string) Linked {
	for _, p := range l.Ports {
		if p.Address == address {
			return p
		}
	}
	return Linked{Address: address, State: Missing}
}

// Reader is who reads a port, and how far.
type Reader struct {
	Product string `json:"product"`
	Owner   string `json:"owner"`
	Input
	Gone bool `json:"gone"`
}

// Readers are the products that read a port, by name. What they tell of their inputs is
// as of when they were last heard of.
func (c Catalog) Readers(address string, now time.Time) []Reader {
	readers := []Reader{}
	for i := range c {
		e := &c[i]
		for _, in := range e.Product.Spec.Inputs {
			if in.Port == "" || c.addressOf(in.Port) != address {
				continue
			}
			r := Reader{Product: e.Product.Metadata.Name, Owner: e.Product.Metadata.Owner, Gone: e.Gone(now), Input: Input{Name: in.Name, Port: in.Port}}
			for _, told := range e.Inputs {
				if told.Name == in.Name {
					r.Input = told
				}
			}
			readers = append(readers, r)
		}
	}
	return readers
}

// Known is the entry of that name; without it, the error that says so.
func (c Catalog) Known(name string) (*Entry, error) {
	if e := c.Product(name); e != nil {
		return e, nil
	}
	return nil, fault.New(fault.NotFound, c.hint(name), "there is no product %q in the catalog", name)
}
