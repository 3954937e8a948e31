package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/pipeline"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

// sourceQuiet is how long nothing may be heard of a source, which gives a sign of life
// every second, before that is said.
const sourceQuiet = 3 * time.Second

// subscribeRequest asks a product to send a port's records to a reader's mirror.
type subscribeRequest struct {
	Port  string     `json:"port"`
	Major int        `json:"major"`
	After record.Seq `json:"after"`          // what the mirror has already
	Only  bool       `json:"only,omitempty"` // say whether it may be asked for; send nothing
	// Objects asks for the files of an object port instead of its log.
	Objects bool `json:"objects,omitempty"`
}

// serveSubscribe lets a reader's mirror go on from where it is. That the reader is who it
// says is certain: nobody else's credential lets it ask so.
func (p *Product) serveSubscribe(reader string) mesh.Handler {
	return func(ctx context.Context, req []byte, _ func([]byte) error) ([]byte, error) {
		q, err := decodeRequest[subscribeRequest](req)
		if err != nil {
			return nil, err
		}
		pt, err := p.port(fmt.Sprintf("%s@%d", q.Port, q.Major))
		if err != nil {
			return nil, err
		}
		if !p.granted(pt, reader) {
			return nil, fault.New(fault.Denied,
				fmt.Sprintf("ask %s to run meshctl grant %s.%s --to %s", p.descriptor().Metadata.Owner, p.Name(), pt.id.Port, reader),
				"product %s does not let %s read it", p.Name(), reader)
		}
		if q.Only {
			return nil, nil
		}
		id := pt.id
		if q.Objects {
			if err := notFiles(id, &pt.out); err != nil {
				return nil, err
			}
			id = id.Files()
		}
		return mesh.Deliver(ctx, p.leaf.Conn(), id, reader, q.After)
	}
}

// granted says whether a port may be read by a product. For an earlier major it is what
// the descriptor says of the port now, as long as it says anything.
func (p *Product) granted(pt *port, reader string) bool {
	if now := p.descriptor().Output(pt.id.Port); now != nil {
		return now.GrantedTo(reader)
	}
	return pt.out.GrantedTo(reader)
}

// withdraw stops sending ports to those whose grant was taken back.
func (p *Product) withdraw(ctx context.Context) error {
	for _, pt := range p.sortedPorts() {
		ids := []product.PortID{pt.id}
		if pt.out.Type == product.Object {
			ids = append(ids, pt.id.Files())
		}
		for _, id := range ids {
			gone, err := mesh.StopDelivering(ctx, p.leaf.Conn(), id, func(reader string) bool { return p.granted(pt, reader) })
			for _, reader := range gone {
				p.log.Info("a grant was taken back", "port", pt.id.String(), "reader", reader)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// mirror is the copy of another product's port in this leaf, kept moving.
type mirror struct {
	id    product.PortID
	log   *slog.Logger
	steps *group

	mu    sync.Mutex
	state mesh.MirrorState
	since time.Time // when nothing was heard of the source any more; zero while it is heard
	told  error     // step's own error
	taken error     // why the source sends nothing any more, asked while it is not heard
}

// openMirror makes the mirror of a port and keeps it moving until the inputs are closed.
func (p *Product) openMirror(ctx context.Context, id product.PortID, out *product.Output) error {
	spec := mirrorSpec(id, out, p.leaf.Domain())
	if err := mesh.EnsureMirror(ctx, p.leaf.Conn(), spec); err != nil {
		return err
	}
	p.inputsMu.Lock()
	defer p.inputsMu.Unlock()
	if p.mirrors[spec.Name] != nil {
		return nil
	}
	m := &mirror{id: id, log: p.log.With("source", id.String()), steps: newGroup(p.steps.ctx)}
	p.mirrors[spec.Name] = m
	patience := newPatience()
	m.steps.run(func(ctx context.Context) { m.askWhy(ctx, p) })
	if id.Objects {
		m.steps.run(func(ctx context.Context) {
			sweeping(ctx, p.o.MaintainEvery, m.log, func(error) {}, func(ctx context.Context) error {
				return sweepReplica(ctx, p.leaf.Conn(), mesh.FilesOf(p.leaf.Conn(), id), replicaGrace)
			})
		})
	}
	m.steps.run(func(ctx context.Context) {
		pipeline.Supervise(ctx, m.log, "mirror", m.failed, func(ctx context.Context) error {
			return p.leaf.KeepMirror(ctx, spec, p.askSourceOf(id), func(s mesh.MirrorState) { m.look(s, patience) })
		})
	})
	return nil
}

// askWhy asks a source that is not heard of any more whether it has taken its grant back.
// The mirror itself would wait for a while before it asks again.
func (m *mirror) askWhy(ctx context.Context, p *Product) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		m.mu.Lock()
		quiet := !m.since.IsZero() && m.state.Err == nil
		m.mu.Unlock()
		var why error
		if quiet {
			asked, cancel := context.WithTimeout(ctx, sourceQuiet)
			_, why = p.askSource(asked, subscribeRequest{Port: m.id.Port, Major: m.id.Major, Only: true, Objects: m.id.Objects}, m.id)
			cancel()
		}
		m.mu.Lock()
		if m.taken = nil; fault.KindOf(why) == fault.Denied {
			m.taken = why
		}
		m.mu.Unlock()
	}
}

// askSourceOf asks the product that has the port for what follows.
func (p *Product) askSourceOf(id product.PortID) mesh.AskOrigin {
	return func(ctx context.Context, after record.Seq) ([]byte, error) {
		return p.askSource(ctx, subscribeRequest{Port: id.Port, Major: id.Major, After: after, Objects: id.Objects}, id)
	}
}

func (p *Product) askSource(ctx context.Context, q subscribeRequest, id product.PortID) ([]byte, error) {
	if err := p.mayAsk(id); err != nil {
		return nil, err
	}
	req, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	return mesh.CallOrigin(ctx, p.leaf.Conn(), id.Product, p.leaf.Domain(), req)
}

// mayAsk says why the leaf cannot even ask for a port: its credential is of another time.
func (p *Product) mayAsk(id product.PortID) error {
	c := p.creds.Load()
	id.Domain, id.Major, id.Objects = "", max(id.Major, 1), false
	if c == nil || c.Role == "" || slices.Contains(c.Reads, id) {
		return nil
	}
	return fault.New(fault.Denied, "issue a new one with meshctl creds issue --product, or meshctl deploy",
		"the credential of %s is not for reading %s, which was added later", p.leaf.Domain(), id)
}

func (m *mirror) failed(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told = err
}

func (m *mirror) look(s mesh.MirrorState, patience *patience) {
	m.mu.Lock()
	m.state = s
	switch heard := s.Quiet >= 0 && s.Quiet < sourceQuiet && s.Err == nil; {
	case heard:
		m.since = time.Time{}
	case m.since.IsZero():
		m.since = time.Now().Add(-max(s.Quiet, 0)).UTC()
	}
	m.mu.Unlock()
	if err := m.trouble(); patience.over(err) {
		m.log.Warn("an input does not move", "error", err, "hint", fault.HintOf(err))
	}
}

// trouble says why the mirror may be behind its source; nil when it is not.
func (m *mirror) trouble() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.told != nil:
		return m.told
	case m.since.IsZero():
		return nil
	}
	why := m.state.Err
	if m.taken != nil {
		why = m.taken
	}
	switch since := m.since.Format(time.RFC3339); fault.KindOf(why) {
	case fault.Denied:
		return fault.New(fault.Denied, fault.HintOf(why), "%s is not granted: %w; %s", m.id, why, fault.HintOf(why))
	case fault.Conflict, fault.NotFound, fault.Invalid:
		return fault.New(fault.KindOf(why), fault.HintOf(why), "%s: %w", m.id, why)
	default:
		return fault.New(fault.Unavailable, "see with meshctl catalog ls whether it runs", "%s is not reachable since %s", m.id, since)
	}
}

// inputEntries are the inputs that read other products, as the catalog shows them.
func (p *Product) inputEntries(desc *product.Product) []catalog.Input {
	p.inputsMu.Lock()
	defer p.inputsMu.Unlock()
	var all []catalog.Input
	for _, spec := range desc.Spec.Inputs {
		if spec.Port == "" {
			continue
		}
		e := catalog.Input{Name: spec.Name, Port: spec.Port}
		if in := p.inputs[spec.Name]; in != nil && p.mirrors[in.stream] != nil {
			p.mirrors[in.stream].fill(&e)
			if files := p.mirrors[in.id.Files().MirrorStream()]; files != nil && e.Error == "" {
				if err := files.trouble(); err != nil {
					e.Error, e.Denied = err.Error(), fault.KindOf(err) == fault.Denied
				}
			}
		} else {
			e.Error = spec.Port + " is not in the catalog yet, or cannot be reached"
			if id, err := product.ParsePort(spec.Port); err == nil {
				if err := p.mayAsk(id); err != nil {
					e.Error = err.Error()
				}
			}
		}
		all = append(all, e)
	}
	return all
}

func (m *mirror) fill(e *catalog.Input) {
	if err := m.trouble(); err != nil {
		e.Error, e.Denied = err.Error(), fault.KindOf(err) == fault.Denied
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e.Last, e.Lag = m.state.Last, m.state.Lag
}
