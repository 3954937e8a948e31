package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
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
	After record.Seq `json:"after"` // what the mirror has already
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
		return mesh.Deliver(ctx, p.leaf.Conn(), pt.id, reader, q.After)
	}
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
	m.steps.run(func(ctx context.Context) {
		pipeline.Supervise(ctx, m.log, "mirror", m.failed, func(ctx context.Context) error {
			return p.leaf.KeepMirror(ctx, spec, p.askSourceOf(id), func(s mesh.MirrorState) { m.look(s, patience) })
		})
	})
	return nil
}

// askSourceOf asks the product that has the port for what follows.
func (p *Product) askSourceOf(id product.PortID) mesh.AskOrigin {
	return func(ctx context.Context, after record.Seq) ([]byte, error) {
		req, err := json.Marshal(subscribeRequest{Port: id.Port, Major: id.Major, After: after})
		if err != nil {
			return nil, err
		}
		return mesh.CallOrigin(ctx, p.leaf.Conn(), id.Product, p.leaf.Domain(), req)
	}
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
	switch since := m.since.Format(time.RFC3339); fault.KindOf(m.state.Err) {
	case fault.Denied:
		return fault.New(fault.Denied, fault.HintOf(m.state.Err), "%s is not granted: %w", m.id, m.state.Err)
	case fault.Conflict, fault.NotFound, fault.Invalid:
		return fault.New(fault.KindOf(m.state.Err), fault.HintOf(m.state.Err), "%s: %w", m.id, m.state.Err)
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
		} else {
			e.Error = spec.Port + " is not in the catalog yet, or cannot be reached"
		}
		all = append(all, e)
	}
	return all
}

func (m *mirror) fill(e *catalog.Input) {
	if err := m.trouble(); err != nil {
		e.Error = err.Error()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e.Last, e.Lag = m.state.Last, m.state.Lag
}
