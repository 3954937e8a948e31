package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/contract"
	"github.com/meshctl/meshctl/internal/durable"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/pipeline"
	"github.com/meshctl/meshctl/internal/product"
)

// input is one input of the logic: a mirror of another product's port, or an inbox of
// this product's own; for SQL also the table kept of it.
type input struct {
	spec     product.Input
	id       product.PortID // of the port that is read, or of the published input
	out      product.Output // its contract; no schema for a published input without one
	contract *contract.Contract
	stream   string
	table    *olap.Table // nil where the logic does not read it whole
	progress *pipeline.Progress
	steps    *group
}

// inputSchema is the SQL schema of the tables kept of inputs; it comes first when the
// product's own SQL looks up a name.
const inputSchema = "input"

// source is what an input remembers of the port it reads, so that the product starts
// while the hub is away.
type sourcePort struct {
	ID     product.PortID `json:"id"`
	Output product.Output `json:"output"`
}

// openInput waits until the input's contract is known and makes its stream. whole asks
// for a table of it.
func (p *Product) openInput(ctx context.Context, spec product.Input, whole bool) (*input, error) {
	in := &input{spec: spec, progress: pipeline.NewProgress(), steps: newGroup(p.steps.ctx)}
	if err := p.openInputStream(ctx, in); err != nil {
		return nil, fmt.Errorf("source input %s: %w", spec.Name, err)
	}
	if len(in.out.Schema) > 0 {
		c, err := contract.New(&in.out)
		if err != nil {
			return nil, err
		}
		in.contract = c
	}
	if whole {
		if err := p.openInputTable(ctx, in); err != nil {
			return nil, err
		}
	}
	return in, nil
}

func (p *Product) openInputStream(ctx context.Context, in *input) error {
	if in.spec.Port == "" {
		in.id = p.desc.ID(in.spec.Name)
		in.out = product.Output{Name: in.spec.Name, Type: product.Event, Schema: in.spec.Schema}
		in.stream = in.id.InboxStream()
		return mesh.EnsureStream(ctx, p.leaf.Conn(), inboxSpec(in.id, &product.Output{}))
	}
	src, err := p.findSource(ctx, in.spec)
	if err != nil {
		return err
	}
	in.id, in.out = src.ID, src.Output
	in.stream = in.id.MirrorStream()
	if in.out.Type == product.Object {
		if err := p.openMirror(ctx, in.id.Files(), &in.out); err != nil {
			return err
		}
	}
	return p.openMirror(ctx, in.id, &in.out)
}

func (p *Product) openInputTable(ctx context.Context, in *input) (err error) {
	if in.spec.Port == "" {
		return fault.New(fault.Invalid, "read it in batch mode, or make it a product of its own",
			"input %s is published to this product and cannot be read as a whole table", in.spec.Name)
	}
	in.table, err = p.tables.Table(ctx, olap.TableSpec{
		Schema: inputSchema, Name: in.spec.Name, Folder: "input-" + in.spec.Name,
		Columns: in.contract.Schema(), Key: in.out.Key, State: in.out.Latest(),
		SegmentRows: p.desc.Spec.Storage.SegmentRows,
		SegmentAge:  time.Duration(p.desc.Spec.Storage.SegmentAge),
	})
	if err != nil {
		return err
	}
	m := pipeline.Materialiser{
		Port: in.id, Contract: in.contract, Stores: []pipeline.Store{in.table},
		Source: openSource(p.leaf.Conn(), in.stream), Progress: in.progress,
		Skip: true, Logger: p.log,
	}
	log := p.log.With("input", in.spec.Name)
	faults := &p.ports[p.desc.ID(p.desc.Spec.Outputs[0].Name).Folder()].faults // of what is made of it
	in.steps.run(func(ctx context.Context) {
		pipeline.Supervise(ctx, log, "materialise input", faults.report("input "+in.spec.Name), m.Run)
	})
	in.steps.run(func(ctx context.Context) {
		maintain(ctx, in.table, p.o.MaintainEvery, log, faults.report("maintain input "+in.spec.Name))
	})
	return nil
}

// findSource asks the catalog for the contract of the port that an input reads, and
// keeps it for the next start. Until the port is there, it waits.
func (p *Product) findSource(ctx context.Context, spec product.Input) (sourcePort, error) {
	file := p.data.sub("inputs", spec.Name+".json")
	patience := newPatience()
	for {
		src, err := p.findPort(ctx, spec.Port)
		if err == nil {
			data, err := json.Marshal(src)
			if err != nil {
				return src, err
			}
			return src, durable.Write(file, data)
		}
		if kept, ok, err := keptSource(file, spec.Port); err != nil || ok {
			return kept, err
		}
		if patience.over(err) {
			p.log.Warn("an input is not there yet; waiting for it", "input", spec.Name, "port", spec.Port, "error", err)
		}
		select {
		case <-ctx.Done():
			return sourcePort{}, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (p *Product) findPort(ctx context.Context, address string) (sourcePort, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	want, err := product.ParsePort(address)
	if err != nil {
		return sourcePort{}, err
	}
	if err := p.mayAsk(want); err != nil {
		return sourcePort{}, err
	}
	kept, err := mesh.CatalogOfHub(p.leaf).Get(ctx, want.Product)
	if err != nil {
		return sourcePort{}, err
	}
	var e catalog.Entry
	if err := json.Unmarshal(kept.Value, &e); err != nil {
		return sourcePort{}, fmt.Errorf("read the catalog's entry of %s: %w", want.Product, err)
	}
	if want.Major == 0 {
		address += "@1"
	}
	entry, port, err := catalog.Catalog{e}.Port(address)
	if err != nil {
		return sourcePort{}, err
	}
	return sourcePort{ID: entry.ID(port), Output: port.Output}, nil
}

func keptSource(file, address string) (sourcePort, bool, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return sourcePort{}, false, nil
	}
	if err != nil {
		return sourcePort{}, false, err
	}
	var src sourcePort
	if err := json.Unmarshal(data, &src); err != nil {
		return src, false, fmt.Errorf("read %s: %w", file, err)
	}
	want, err := product.ParsePort(address)
	return src, err == nil && src.ID.Product == want.Product && src.ID.Port == want.Port, err
}

// logicInput is the input as the pipeline drives logic from it.
func (in *input) logicInput(p *Product, limit int) pipeline.LogicInput {
	li := pipeline.LogicInput{
		Name: in.spec.Name, Stream: in.stream, Limit: limit,
		Source: openSource(p.leaf.Conn(), in.stream),
	}
	if in.spec.Port == "" {
		li.Trim = trimInbox(p.leaf.Conn(), in.stream)
	}
	return li
}

func (p *Product) knownInput(name string) *input {
	p.inputsMu.Lock()
	defer p.inputsMu.Unlock()
	return p.inputs[name]
}

func (p *Product) keepInput(in *input) {
	p.inputsMu.Lock()
	defer p.inputsMu.Unlock()
	p.inputs[in.spec.Name] = in
}
