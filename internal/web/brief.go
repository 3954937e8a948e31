package web

import (
	"time"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

// brief is what lists show of a product.
type brief struct {
	Name        string        `json:"name"`
	Domain      string        `json:"domain"`
	Owner       string        `json:"owner"`
	Description string        `json:"description"`
	Version     string        `json:"version"`
	Tags        []string      `json:"tags"`
	Health      browse.Health `json:"health"`
	Ports       []briefPort   `json:"ports"`
}

// briefPort is what lists show of a port.
type briefPort struct {
	Address  string        `json:"address"`
	Type     string        `json:"type"`
	Health   browse.Health `json:"health"`
	Records  uint64        `json:"records"`
	Lag      uint64        `json:"lag"`
	Rate     float64       `json:"rate"` // records a second
	Dead     uint64        `json:"dead"`
	LastTime time.Time     `json:"lastTime,omitzero"`
}

func briefOf(s *browse.State, e *catalog.Entry) brief {
	m := &e.Product.Metadata
	b := brief{
		Name: m.Name, Domain: m.Domain, Owner: m.Owner, Description: m.Description, Version: m.Version, Tags: m.Tags,
		Health: s.Health(e), Ports: []briefPort{},
	}
	for i := range e.Ports {
		p := &e.Ports[i]
		b.Ports = append(b.Ports, briefPort{
			Address: p.Address, Type: p.Output.Type, Health: s.PortHealth(e, p), Records: p.Records, Lag: p.Lag(),
			Rate: s.Rate(p.Address), Dead: p.Dead, LastTime: p.LastTime,
		})
	}
	return b
}

// detail is all there is to know of a product.
type detail struct {
	brief
	Status  string        `json:"status"`
	HTTP    string        `json:"http,omitempty"`
	NATS    string        `json:"nats"`
	Meshctl string        `json:"meshctl"`
	Started time.Time     `json:"started"`
	Seen    time.Time     `json:"seen"`
	Inputs  []detailInput `json:"inputs"`
	Ports   []detailPort  `json:"ports"`
}

type detailInput struct {
	Name  string     `json:"name"`
	Port  string     `json:"port,omitempty"` // "" for records that are published to it
	Last  record.Seq `json:"last"`
	Lag   uint64     `json:"lag"`
	Error string     `json:"error,omitempty"`
}

type detailPort struct {
	briefPort
	Description string              `json:"description,omitempty"`
	Key         []string            `json:"key,omitempty"`
	SQL         string              `json:"sql"` // its table
	Stream      string              `json:"stream"`
	Subject     string              `json:"subject"`
	Visible     record.Seq          `json:"visible"`
	Last        record.Seq          `json:"last"`
	Fresh       string              `json:"fresh,omitempty"` // how old its newest record may be
	Stale       bool                `json:"stale,omitempty"`
	Error       string              `json:"error,omitempty"`
	Rates       []float64           `json:"rates"`
	Columns     []catalog.ColumnRow `json:"columns"`
	Promises    []catalog.Promise   `json:"promises"`
	Quality     []catalog.Promise   `json:"quality"`
	Readers     []catalog.Reader    `json:"readers"`
}

// detailOf is the detail of a product.
func detailOf(s *browse.State, e *catalog.Entry) detail {
	m := &e.Product.Metadata
	d := detail{
		brief: briefOf(s, e), Status: m.Status, NATS: product.ServiceSubject(m.Name, "*"),
		Meshctl: e.Meshctl, Started: e.Started, Seen: e.Seen, Inputs: []detailInput{}, Ports: []detailPort{},
	}
	if e.HTTP != "" {
		d.HTTP = e.HTTP + "/v1"
	}
	for _, in := range e.Product.Spec.Inputs {
		di := detailInput{Name: in.Name, Port: in.Port}
		for _, told := range e.Inputs {
			if told.Name == in.Name {
				di.Last, di.Lag, di.Error = told.Last, told.Lag, told.Error
			}
		}
		d.Inputs = append(d.Inputs, di)
	}
	for i := range e.Ports {
		d.Ports = append(d.Ports, portOf(s, e, &e.Ports[i], d.brief.Ports[i]))
	}
	return d
}

func portOf(s *browse.State, e *catalog.Entry, p *catalog.Port, b briefPort) detailPort {
	o := &p.Output
	d := detailPort{
		briefPort: b, Description: o.Description, Key: o.Key, SQL: browse.SQLName(e, p), Stream: p.Stream,
		Subject: e.ID(p).Subject() + ".>", Visible: p.Visible, Last: p.Last, Stale: p.Stale(s.AsOf()), Error: p.Error,
		Rates: append([]float64{}, s.Rates(p.Address)...), Columns: catalog.Columns(o), Promises: catalog.Promises(o), Quality: catalog.Quality(o),
		Readers: s.All.Readers(p.Address, s.AsOf()),
	}
	if limit, ok := o.Promised("freshness"); ok {
		d.Fresh = product.Duration(limit).String()
	}
	return d
}
