package app

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
)

// withStreams adds to endpoints those by which the streams of a domain are looked after,
// beside them: a link carries nobody's request to JetStream's own API.
func withStreams(a *mesh.Admin, endpoints map[string]mesh.Handler) map[string]mesh.Handler {
	if endpoints[product.EndpointStreams] == nil {
		endpoints[product.EndpointStreams] = answerJSON(a.Streams)
	}
	endpoints[product.EndpointAlter] = answerJSON(a.Change)
	archives(a, endpoints)
	endpoints[product.EndpointMessage] = answerJSON(a.Message)
	endpoints[product.EndpointSubjects] = func(ctx context.Context, req []byte, send func([]byte) error) ([]byte, error) {
		q, err := decodeRequest[mesh.SubjectsQuery](req)
		if err != nil {
			return nil, err
		}
		return nil, a.Subjects(ctx, q, func(page []mesh.SubjectCount) error {
			data, err := json.Marshal(page)
			if err != nil {
				return err
			}
			return send(append(data, '\n'))
		})
	}
	return endpoints
}

// streams are the product's streams. Of its mirrors it knows better than the server why
// they stand still.
func (p *Product) streams(ctx context.Context, q mesh.StreamQuery) ([]mesh.Stream, error) {
	all, err := p.admin.Streams(ctx, q)
	if err != nil {
		return nil, err
	}
	p.inputsMu.Lock()
	defer p.inputsMu.Unlock()
	for i := range all {
		m := p.mirrors[all[i].Name]
		if m == nil || all[i].Mirror == nil {
			continue
		}
		var in catalog.Input
		m.fill(&in)
		all[i].Mirror.Error, all[i].Mirror.Lag = cmp.Or(in.Error, all[i].Mirror.Error), max(in.Lag, all[i].Mirror.Lag)
	}
	return all, nil
}

// StreamHome is whose streams: those of a product, or the hub, by its name.
type StreamHome struct {
	Name string
	// Plain is a domain that may be of a NATS server that is not meshctl's. Where no service
	// answers, its own API is asked, which takes a credential that reaches it.
	Plain bool
}

// NamelessDomain stands for the JetStream of a server that gives it no domain.
const NamelessDomain = "-"

// ask asks a home's service, or does the same from here.
func askHome[A any](ctx context.Context, c *Client, h StreamHome, served func() (A, error), direct func(*mesh.Admin) (A, error)) (A, error) {
	if h.Plain && h.Name == NamelessDomain {
		return direct(mesh.NewAdmin(c.nc, ""))
	}
	a, err := served()
	if kind := fault.KindOf(err); h.Plain && (kind == fault.Unavailable || kind == fault.Denied) {
		return direct(mesh.NewAdmin(c.nc, h.Name))
	}
	return a, err
}

// StreamsOf are the streams of one home.
func (c *Client) StreamsOf(ctx context.Context, h StreamHome, q mesh.StreamQuery) ([]mesh.Stream, error) {
	return askHome(ctx, c, h, func() ([]mesh.Stream, error) {
		return call[[]mesh.Stream](ctx, c, h.Name, product.EndpointStreams, q)
	}, func(a *mesh.Admin) ([]mesh.Stream, error) { return a.Streams(ctx, q) })
}

// StreamMessage is one message of a stream.
func (c *Client) StreamMessage(ctx context.Context, h StreamHome, q mesh.MessageQuery) (mesh.StreamMessage, error) {
	return askHome(ctx, c, h, func() (mesh.StreamMessage, error) {
		return call[mesh.StreamMessage](ctx, c, h.Name, product.EndpointMessage, q)
	}, func(a *mesh.Admin) (mesh.StreamMessage, error) { return a.Message(ctx, q) })
}

// StreamSubjects are the subjects of a stream, in their order.
func (c *Client) StreamSubjects(ctx context.Context, h StreamHome, q mesh.SubjectsQuery) ([]mesh.SubjectCount, error) {
	all := []mesh.SubjectCount{}
	collect := func(page []mesh.SubjectCount) error {
		all = append(all, page...)
		return nil
	}
	_, err := askHome(ctx, c, h, func() (struct{}, error) {
		_, err := callLines(ctx, c, h.Name, product.EndpointSubjects, q, collect)
		return struct{}{}, err
	}, func(a *mesh.Admin) (struct{}, error) { return struct{}{}, a.Subjects(ctx, q, collect) })
	slices.SortFunc(all, func(a, b mesh.SubjectCount) int { return cmp.Compare(a.Subject, b.Subject) })
	return all, err
}

// ChangeStream changes a stream, or says why not.
func (c *Client) ChangeStream(ctx context.Context, h StreamHome, q mesh.StreamChange) (*mesh.StreamPlan, error) {
	return askHome(ctx, c, h, func() (*mesh.StreamPlan, error) {
		return call[*mesh.StreamPlan](ctx, c, h.Name, product.EndpointAlter, q)
	}, func(a *mesh.Admin) (*mesh.StreamPlan, error) { return a.Change(ctx, q) })
}

// MeshStreams are the streams of several homes.
type MeshStreams struct {
	Streams []mesh.Stream `json:"streams"`
	// Silent are those of the catalog that did not answer in time.
	Silent []string `json:"silent"`
}

const (
	streamsLimit  = 2 * time.Second // that one of many has to answer in
	homesAtOnce   = 64              // their answers compete for the same link
	streamsPerAsk = 4               // streams of a product, about
)

// AllStreams are the streams of these homes; without any, of the hub and every product
// of the catalog, where one that does not answer is listed as silent.
func (c *Client) AllStreams(ctx context.Context, homes []StreamHome, q mesh.StreamQuery) (*MeshStreams, error) {
	named := len(homes) > 0
	if !named {
		all, err := c.Catalog(ctx)
		if err != nil {
			return nil, err
		}
		homes = append(homes, StreamHome{Name: product.HubName})
		for i := range all {
			homes = append(homes, StreamHome{Name: all[i].Product.Metadata.Name})
		}
	}
	answers, errs := make([][]mesh.Stream, len(homes)), make([]error, len(homes))
	var asking sync.WaitGroup
	turns := make(chan struct{}, homesAtOnce)
	for i, h := range homes {
		turns <- struct{}{}
		asking.Go(func() {
			defer func() { <-turns }()
			mine, cancel := ctx, context.CancelFunc(func() {})
			if !named {
				mine, cancel = context.WithTimeout(ctx, streamsLimit)
			}
			defer cancel()
			answers[i], errs[i] = c.StreamsOf(mine, h, q)
		})
	}
	asking.Wait()
	m := &MeshStreams{Streams: make([]mesh.Stream, 0, len(homes)*streamsPerAsk), Silent: []string{}}
	for i, h := range homes {
		switch kind := fault.KindOf(errs[i]); {
		case errs[i] == nil:
			m.Streams = append(m.Streams, answers[i]...)
		case named || kind != fault.Unavailable && kind != fault.Timeout || ctx.Err() != nil:
			return nil, errs[i]
		default:
			m.Silent = append(m.Silent, h.Name)
		}
	}
	slices.SortFunc(m.Streams, func(a, b mesh.Stream) int {
		return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Name, b.Name))
	})
	slices.Sort(m.Silent)
	return m, nil
}

// StreamAddress is where a stream is, and its name.
type StreamAddress struct {
	Home   StreamHome
	Stream string
}

// String is the address as it is written.
func (a StreamAddress) String() string { return a.Home.Name + "/" + a.Stream }

// ResolveStream reads the address of a stream: HOME/STREAM, or a port, which means its
// log. With a domain it is the name of a stream there.
func (c *Client) ResolveStream(ctx context.Context, address, domain string) (StreamAddress, error) {
	home, stream, slash := strings.Cut(address, "/")
	switch {
	case domain != "" && slash && home == domain:
		return StreamAddress{StreamHome{domain, true}, stream}, nil
	case domain != "" && slash:
		return StreamAddress{}, fault.New(fault.Invalid, "leave out --domain, or what stands before the slash", "stream %s is not in domain %s", address, domain)
	case domain != "":
		return StreamAddress{StreamHome{domain, true}, address}, nil
	case slash && home != "" && stream != "":
		return StreamAddress{StreamHome{Name: home}, stream}, nil
	case slash:
		return StreamAddress{}, fault.New(fault.Invalid, "write it as PRODUCT/STREAM, such as flights/flights-v1", "%q is no address of a stream", address)
	}
	id, _, err := c.Port(ctx, address)
	if err != nil {
		return StreamAddress{}, err
	}
	return StreamAddress{StreamHome{Name: id.Product}, id.Stream()}, nil
}
