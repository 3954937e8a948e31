package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/contract"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/kv"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/pipeline"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

// maintainEvery is, unless ProductOptions say otherwise, how often a table is asked whether a roll or compaction is due.
const maintainEvery = 5 * time.Second

// longestMaintainPause is the longest that a table's maintenance waits after an error.
const longestMaintainPause = time.Minute

// port is one major version of one output at work: its streams, its stores and the
// steps between them.
type port struct {
	id       product.PortID
	out      product.Output
	contract *contract.Contract
	kv       *kv.Store // nil for a port without key
	table    *olap.Table
	version  string // of the contract
	newest   bool   // of the majors that the product offers
	progress *pipeline.Progress
	drive    func(context.Context) error // what makes records for the log; may be nil
	steps    *group                      // nil while stopped
	faults   faults
	damage   faults       // what reading log and stores found, last time that somebody asked
	logs     []*appendLog // that its steps append to

	p *Product
}

// faults is the last error of each step, nil while it runs.
type faults struct {
	mu     sync.Mutex
	byStep map[string]error
}

func (f *faults) report(step string) func(error) {
	return func(err error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.byStep == nil {
			f.byStep = map[string]error{}
		}
		f.byStep[step] = err
	}
}

func (f *faults) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	for step, err := range f.byStep {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", step, err))
		}
	}
	return errors.Join(errs...)
}

// trouble is what is wrong with the port, nil when nothing is known to be.
func (pt *port) trouble() error {
	err := errors.Join(pt.faults.err(), pt.damage.err())
	if errors.Is(err, olap.ErrDamaged) { // a step tells already
		return err
	}
	return errors.Join(err, pt.table.Damage())
}

// openPort makes the port's streams and opens its stores.
func (p *Product) openPort(ctx context.Context, saved savedContract, newest bool) (*port, error) {
	id, out := saved.ID, saved.Output
	c, err := contract.New(&out)
	if err != nil {
		return nil, err
	}
	pt := &port{id: id, version: saved.Version, newest: newest, out: out, contract: c, progress: pipeline.NewProgress(), p: p}
	if err := pt.openStreams(ctx); err != nil {
		return nil, err
	}
	if c.Keyed() {
		pt.kv = p.kv.Store(id.Folder())
	}
	table := pt.tableSpec()
	table.SegmentRows, table.SegmentAge = p.desc.Spec.Storage.SegmentRows, time.Duration(p.desc.Spec.Storage.SegmentAge)
	pt.table, err = p.tables.Table(ctx, table)
	if err == nil && p.store.Bucket != nil {
		err = pt.followTable(ctx, p.leaf.Conn())
	}
	if err != nil {
		return nil, err
	}
	return pt, nil
}

// tableSpec is the port's table, whenever it rolls.
func (pt *port) tableSpec() olap.TableSpec {
	return olap.TableSpec{
		Schema: pt.id.Product, Name: pt.id.Table(), Views: pt.id.Tables(pt.newest), Folder: pt.id.Folder(),
		Columns: pt.contract.Schema(), Key: pt.out.Key, State: pt.out.Latest(),
	}
}

// start begins the port's steps. drive makes records for the log; nil where nothing
// does any more, as for an older major of a product with logic.
func (pt *port) start(drive func(context.Context) error) {
	pt.drive = drive
	pt.steps = newGroup(pt.p.steps.ctx)
	pt.step("materialise", pt.materialiser(pt.stores()).Run)
	pt.steps.run(func(ctx context.Context) {
		maintain(ctx, pt.table, pt.p.o.MaintainEvery, pt.logger(), pt.faults.report("maintain"))
	})
	if drive != nil {
		pt.step("write", drive)
	}
	if pt.out.Type == product.Object {
		pt.steps.run(func(ctx context.Context) {
			sweeping(ctx, pt.p.o.MaintainEvery, pt.logger(), pt.faults.report("sweep"), pt.sweep)
		})
	}
}

// tableName is the name that watermarks know the port's table by.
func (pt *port) tableName() string { return pt.id.Product + "." + pt.id.Tables(pt.newest)[0] }

func (pt *port) stop() {
	if pt.steps != nil {
		pt.steps.stop()
		pt.steps = nil
	}
	for _, l := range pt.logs {
		l.publisher.Close()
	}
}

// pausing does something while no step of the port runs. It is a Conflict when the
// descriptor was applied anew meanwhile.
func (pt *port) pausing(do func() error) error {
	pt.p.mu.Lock()
	defer pt.p.mu.Unlock()
	if pt.p.ports[pt.id.Folder()] != pt || pt.steps == nil {
		return fault.New(fault.Conflict, "do it again", "the descriptor of %s was just applied", pt.id)
	}
	pt.stop()
	pt.progress.Restart()
	err := do()
	pt.start(pt.drive)
	return err
}

func (pt *port) step(name string, run func(context.Context) error) {
	log := pt.logger()
	report := pt.faults.report(name)
	pt.steps.run(func(ctx context.Context) { pipeline.Supervise(ctx, log, name, report, run) })
}

func (pt *port) logger() *slog.Logger { return pt.p.log.With("port", pt.id.String()) }

func (pt *port) stores() []pipeline.Store {
	stores := []pipeline.Store{pt.table}
	if pt.kv != nil {
		stores = append(stores, pt.kv)
	}
	return stores
}

func (pt *port) materialiser(stores []pipeline.Store) *pipeline.Materialiser {
	nc := pt.p.leaf.Conn()
	return &pipeline.Materialiser{
		Port: pt.id, Contract: pt.contract, Stores: stores,
		Source:   openSource(nc, pt.id.Stream()),
		Dead:     pt.appending(pt.deadLog(pipeline.LogSource)),
		Progress: pt.progress, Logger: pt.logger(),
	}
}

// maintain rolls and compacts a table when it is due, until ctx is done. While that does
// not work, it is tried again after a pause that doubles, and reported all the while: a
// bucket may be away for long, and a roll is work.
func maintain(ctx context.Context, t *olap.Table, every time.Duration, log *slog.Logger, report func(error)) {
	pause := every
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		err := t.Maintain(ctx, time.Now())
		if ctx.Err() != nil {
			return
		}
		report(err)
		switch {
		case err != nil && pause == every:
			log.Warn("a table is not maintained; trying on", "error", err, "hint", fault.HintOf(err))
			pause = 2 * every
		case err != nil:
			pause = min(2*pause, longestMaintainPause)
		case pause != every:
			log.Warn("the table is maintained again")
			pause = every
		}
	}
}

// pipelineSource matches the sources of the letters that the door or the logic writes.
const pipelineSource = "*"

// deadLog is the port's part of the product's dead letters, from one kind of source.
func (pt *port) deadLog(source string) *appendLog {
	l := newLog(pt.p.leaf.Conn(), product.DeadStream, pt.id.DeadSubject(source))
	name := pt.id.Folder() + ".dead"
	if source == pipeline.LogSource {
		name += "-foreign"
	}
	l.floor = pipeline.Checkpoint{Path: pt.p.data.sub("logic", name)}
	return l
}

// appending is a log that a step of the port appends to.
func (pt *port) appending(l *appendLog) *appendLog {
	pt.logs = append(pt.logs, l)
	return l
}

// checkpoint is where the door remembers its position when the log does not tell it.
func (pt *port) checkpoint() pipeline.Checkpoint {
	return pipeline.Checkpoint{Path: pt.p.data.sub("logic", pt.id.Folder()+".position")}
}

// door is the step of a port that takes published records as they are.
func (pt *port) door() *pipeline.Door {
	nc := pt.p.leaf.Conn()
	d := &pipeline.Door{
		Port: pt.id, Contract: pt.contract, Output: pt.out,
		Inbox:      openSource(nc, pt.id.InboxStream()),
		Stream:     pt.id.InboxStream(),
		Log:        pt.appending(newLog(nc, pt.id.Stream(), "")),
		Dead:       pt.appending(pt.deadLog(pipelineSource)),
		Checkpoint: pt.checkpoint(),
		Progress:   pt.progress,
		Trim:       trimInbox(nc, pt.id.InboxStream()),
	}
	if pt.out.Type == product.Object {
		d.Inbox, d.Stream = pt.openListing, pt.files().Stream()
		d.Trim = func(context.Context, string, record.Seq) error { return nil } // it is what is known of the files
	}
	return d
}

func (pt *port) emitter() pipeline.Emitter {
	nc := pt.p.leaf.Conn()
	return pipeline.Emitter{
		Port: pt.id, Contract: pt.contract,
		Log:      pt.appending(newLog(nc, pt.id.Stream(), "")),
		Dead:     pt.appending(pt.deadLog(pipelineSource)),
		Outbox:   pipeline.Outbox{Path: pt.p.data.sub("logic", pt.id.Folder()+".outbox")},
		Progress: pt.progress,
	}
}

// entry is the port as the catalog shows it.
func (pt *port) entry(ctx context.Context) (catalog.Port, error) {
	nc := pt.p.leaf.Conn()
	e := catalog.Port{
		Address: pt.id.String(), Stream: pt.id.Stream(), Table: pt.tableName(),
		Output: pt.out, Major: pt.id.Major, Visible: pt.progress.State().Visible,
	}
	state, err := mesh.State(ctx, nc, "", pt.id.Stream())
	if err != nil {
		return e, err
	}
	e.Records, e.Last, e.LastTime = state.Msgs, state.Last, state.LastTime
	if e.Dead, err = pt.dead(ctx); err != nil {
		return e, err
	}
	if err := pt.trouble(); err != nil {
		e.Error = err.Error()
	}
	return e, nil
}

// dead is how many dead letters of the port wait.
func (pt *port) dead(ctx context.Context) (n uint64, err error) {
	bySubject, err := mesh.SubjectCounts(ctx, pt.p.leaf.Conn(), "", product.DeadStream, pt.id.DeadSubject(">"))
	for _, count := range bySubject {
		n += count
	}
	return n, err
}
