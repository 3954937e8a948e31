package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/pipeline"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

// A lone record is tried this often before it is blamed, with this pause that doubles.
const (
	isolateTries = 4
	isolatePause = 250 * time.Millisecond
)

// openLogic is the step that drives the product's logic. Inputs of other products are
// waited for within the step, so that the product itself is up meanwhile.
func (p *Product) openLogic(ctx context.Context) (func(context.Context) error, error) {
	desc := p.desc
	if err := p.openAgain(ctx, desc); err != nil {
		return nil, err
	}
	pt := p.ports[desc.ID(desc.Spec.Outputs[0].Name).Folder()]
	for _, spec := range desc.Spec.Inputs {
		if spec.Port == "" { // publishers must find the inbox from the start
			in, err := p.openInput(ctx, spec, false)
			if err != nil {
				return nil, err
			}
			p.inputs[spec.Name] = in
		}
	}
	switch logic := desc.Spec.Logic; {
	case logic.Command != nil:
		return p.driveCommand(desc, pt), nil
	case logic.SQL.Mode == "table":
		return p.driveTable(desc, pt)
	default:
		return p.driveBatch(desc, pt)
	}
}

// openInputs opens the inputs that are not open yet and remembers them.
func (p *Product) openInputs(ctx context.Context, desc *product.Product, whole func(product.Input) bool) ([]*input, error) {
	var inputs []*input
	for _, spec := range desc.Spec.Inputs {
		in := p.knownInput(spec.Name)
		if in == nil {
			var err error
			if in, err = p.openInput(ctx, spec, whole(spec)); err != nil {
				return nil, err
			}
			p.keepInput(in)
		}
		inputs = append(inputs, in)
	}
	return inputs, nil
}

func (p *Product) driveCommand(desc *product.Product, pt *port) func(context.Context) error {
	spec, emitter := *desc.Spec.Logic.Command, pt.emitter()
	return func(ctx context.Context) error {
		command := &pipeline.Command{Spec: spec, Dir: p.o.Dir, Env: p.o.Env, Logger: pt.logger()}
		if err := command.Find(); err != nil { // now, and not only when a first record comes
			return err
		}
		inputs, err := p.openInputs(ctx, desc, func(product.Input) bool { return false })
		if err != nil {
			return err
		}
		logic := batchLogic(pt, emitter, command)
		for _, in := range inputs {
			logic.Inputs = append(logic.Inputs, in.logicInput(p, spec.BatchSize))
		}
		logic.Inputs = append(logic.Inputs, pt.againInputs(inputs, spec.BatchSize)...)
		err = logic.Run(ctx)
		if closing := command.Close(); closing != nil {
			pt.logger().Warn("the program ended badly", "error", closing)
		}
		return err
	}
}

func batchLogic(pt *port, e pipeline.Emitter, t pipeline.Transform) *pipeline.Logic {
	return &pipeline.Logic{
		Transform: &pipeline.Isolate{Inner: t, Tries: isolateTries, Pause: isolatePause, Logger: pt.logger()},
		Emitter:   e, Logger: pt.logger(),
	}
}

// statement is the SQL of the product, from the descriptor or its file.
func (p *Product) statement(sql *product.SQLLogic) (string, error) {
	if sql.File == "" {
		return sql.Query, nil
	}
	text, err := os.ReadFile(filepath.Join(p.o.Dir, sql.File))
	if err != nil {
		return "", fault.New(fault.Invalid, "correct spec.logic.sql.file", "read the SQL of %s: %w", p.desc.Metadata.Name, err)
	}
	return string(text), nil
}

func (p *Product) driveBatch(desc *product.Product, pt *port) (func(context.Context) error, error) {
	sql := desc.Spec.Logic.SQL
	text, err := p.statement(sql)
	if err != nil {
		return nil, err
	}
	emitter := pt.emitter()
	return func(ctx context.Context) error {
		inputs, err := p.openInputs(ctx, desc, func(in product.Input) bool { return in.Name != sql.Over })
		if err != nil {
			return err
		}
		for _, in := range inputs {
			if in.spec.Name != sql.Over {
				continue
			}
			if err := p.awaitLookups(ctx, inputs); err != nil {
				return err
			}
			logic := batchLogic(pt, emitter, &pipeline.SQLBatch{
				Input: in.contract,
				Query: func(ctx context.Context, batch arrow.RecordBatch) (pipeline.Rows, error) {
					return p.tables.Transform(ctx, olap.Transform{SQL: text, Schema: inputSchema, Table: in.spec.Name, Batch: batch})
				},
			})
			logic.Inputs = append(pt.againInputs([]*input{in}, 0), in.logicInput(p, 0))
			return logic.Run(ctx)
		}
		return fmt.Errorf("input %s is not declared", sql.Over)
	}, nil
}

// awaitLookups returns when the tables of inputs hold what their streams held. Tables that
// are made again would let a batch find less than it would have before.
func (p *Product) awaitLookups(ctx context.Context, inputs []*input) error {
	for _, in := range inputs {
		if in.table == nil {
			continue
		}
		state, err := mesh.State(ctx, p.leaf.Conn(), "", in.stream)
		if err != nil {
			return fmt.Errorf("input %s: %w", in.spec.Name, err)
		}
		if err := in.progress.AwaitVisible(ctx, state.Last); err != nil {
			return err
		}
	}
	return nil
}

func (p *Product) driveTable(desc *product.Product, pt *port) (func(context.Context) error, error) {
	sql := desc.Spec.Logic.SQL
	text, err := p.statement(sql)
	if err != nil {
		return nil, err
	}
	emitter := pt.emitter()
	return func(ctx context.Context) error {
		inputs, err := p.openInputs(ctx, desc, func(product.Input) bool { return true })
		if err != nil {
			return err
		}
		tables := map[string]*olap.Table{}
		for _, in := range inputs {
			tables[in.spec.Name] = in.table
		}
		logic := pipeline.SQLTable{
			Diff: func(ctx context.Context) (pipeline.Diff, error) {
				d, err := p.tables.Diff(ctx, olap.DiffSpec{SQL: text, Schema: inputSchema, Output: pt.table, Inputs: tables})
				if err != nil {
					return pipeline.Diff{}, err
				}
				return pipeline.Diff{Changed: d.Changed, Deleted: d.Deleted, Inputs: d.Inputs}, nil
			},
			Changed: func(ctx context.Context, than map[string]record.Seq) error {
				return anyBeyond(ctx, inputs, than)
			},
			Interval: time.Duration(sql.Interval), Emitter: emitter, Logger: pt.logger(),
		}
		return logic.Run(ctx)
	}, nil
}

// anyBeyond returns when the table of one input holds more than the sequence given for it.
func anyBeyond(ctx context.Context, inputs []*input, than map[string]record.Seq) error {
	ctx, cancel := context.WithCancel(ctx)
	g := newGroup(ctx)
	defer g.stop()
	defer cancel()
	moved := make(chan struct{}, len(inputs))
	for _, in := range inputs {
		g.run(func(ctx context.Context) {
			if in.progress.AwaitVisible(ctx, than[in.spec.Name]+1) == nil {
				moved <- struct{}{}
			}
		})
	}
	select {
	case <-moved:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
