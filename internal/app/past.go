package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/pipeline"
	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/serve"
)

// A table keeps of a key what is latest, so it cannot tell what was. The log can, and it is
// the truth: what a query asks as of earlier is made from the log anew, as a rebuild makes
// it, in a folder that goes with the answer. That is exact for events and for states, and
// takes as long as reading the log up to there.

// pastFolder is where tables as of earlier are, while somebody asks them.
const pastFolder = "past"

// past is the tables of one statement as of earlier.
type past struct {
	dir string
	db  *olap.DB
}

func (o *past) close() error {
	var err error
	if o.db != nil {
		err = o.db.Close()
	}
	return errors.Join(err, os.RemoveAll(o.dir))
}

// openPast makes the tables that the statement names as of what the request says.
func (p *Product) openPast(ctx context.Context, r serve.QueryRequest) (_ *past, err error) {
	refs, err := p.sql().TablesIn(ctx, r.SQL)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(p.data.sub(pastFolder), 0o755); err != nil {
		return nil, err
	}
	o := &past{}
	if o.dir, err = os.MkdirTemp(p.data.sub(pastFolder), ""); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.close())
		}
	}()
	if o.db, err = olap.Open(ctx, o.dir, olap.Options{MemoryLimit: p.memory / 4, Logger: p.log}); err != nil {
		return nil, err
	}
	for _, pt := range p.sortedPorts() {
		if !slices.ContainsFunc(refs, pt.isNamed) {
			continue
		}
		if err := pt.fillPast(ctx, o.db, asOf(r.AsOf, pt.id.Product, pt.id.Port)); err != nil {
			return nil, fmt.Errorf("query %s as of earlier: %w", pt.id, err)
		}
	}
	return o, nil
}

// asOf is what a request says of a port: of itself, of its product, or of all.
func asOf(all map[string]string, product, port string) string {
	for _, name := range []string{product + "." + port, product} {
		if text, ok := all[name]; ok {
			return text
		}
	}
	return all[""]
}

// isNamed says whether a statement's table is the port's.
func (pt *port) isNamed(ref olap.TableRef) bool {
	return (ref.Schema == "" || strings.EqualFold(ref.Schema, pt.id.Product)) &&
		slices.ContainsFunc(pt.id.Tables(pt.newest), func(name string) bool { return strings.EqualFold(name, ref.Name) })
}

// fillPast makes the port's table in db as of a moment.
func (pt *port) fillPast(ctx context.Context, db *olap.DB, moment string) error {
	at, err := parseMoment(moment)
	if err != nil {
		return err
	}
	nc := pt.p.leaf.Conn()
	state, err := mesh.State(ctx, nc, "", pt.id.Stream())
	if err != nil {
		return err
	}
	if err := at.within(pt, state); err != nil {
		return err
	}
	table, err := db.Table(ctx, pt.tableSpec())
	if err != nil || at.seq == 0 {
		return err
	}
	end, progress := make(chan record.Seq, 1), pipeline.NewProgress()
	m := &pipeline.Materialiser{
		Port: pt.id, Contract: pt.contract, Stores: []pipeline.Store{table}, Skip: true, Progress: progress, Logger: pt.logger(),
		Source: func(ctx context.Context, after record.Seq) (pipeline.Source, error) {
			src, err := openSource(nc, pt.id.Stream())(ctx, after)
			return &bounded{Source: src, moment: at, end: end}, err
		},
	}
	filled := errors.New("the table is filled")
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error { return m.Run(running) })
	g.Go(func() error {
		select {
		case seq := <-end:
			if err := progress.AwaitVisible(running, seq); err != nil {
				return err
			}
			return filled
		case <-running.Done():
			return running.Err()
		}
	})
	if err := g.Wait(); !errors.Is(err, filled) {
		return err
	}
	return nil
}

// moment is a point in a log: the last record that counts, by sequence or time.
type moment struct {
	seq    record.Seq // by time and by default, the last that there is
	time   time.Time  // zero: by sequence
	newest bool       // whatever there is
}

// parseMoment reads a sequence, a time or a date; an empty text is now.
func parseMoment(text string) (moment, error) {
	if text == "" {
		return moment{newest: true}, nil
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return moment{seq: record.Seq(n)}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return moment{time: t}, nil
		}
	}
	return moment{}, fault.New(fault.Invalid, "give a record's number, or a time such as 2026-03-01T12:00:00Z", "%q is neither a sequence nor a time", text)
}

// within refuses a moment that the log does not tell of, and completes it.
func (m *moment) within(pt *port, state mesh.StreamState) error {
	switch {
	case state.Last > 0 && (state.First > 1 || state.Msgs < uint64(state.Last)):
		return fault.New(fault.Rejected, "leave out the moment, or keep more in the port's retention",
			"the log of %s has dropped records, so what was earlier is not known", pt.id)
	case m.seq > state.Last:
		return fault.New(fault.Rejected, fmt.Sprintf("use %d, the last that there is", state.Last), "the log of %s has no record %d yet", pt.id, m.seq)
	case m.time.After(time.Now()):
		return fault.New(fault.Rejected, "use a time that is over", "what will be at %s is not known", m.time.Format(time.RFC3339))
	}
	if m.newest || !m.time.IsZero() {
		m.seq = state.Last
	}
	return nil
}

// bounded is a log up to a moment. At its end it tells which record was the last, and waits.
type bounded struct {
	pipeline.Source
	moment
	end   chan<- record.Seq
	given record.Seq
	over  bool
}

func (b *bounded) Next(ctx context.Context, limit int) ([]pipeline.Message, error) {
	for !b.over {
		msgs, err := b.Source.Next(ctx, limit)
		if err != nil {
			return nil, err
		}
		n := slices.IndexFunc(msgs, func(m pipeline.Message) bool {
			return m.Seq > b.seq || !b.time.IsZero() && m.Time.After(b.time)
		})
		if b.over = n >= 0; !b.over {
			n = len(msgs)
		}
		if n > 0 {
			b.given = msgs[n-1].Seq
		}
		if b.over = b.over || b.given >= b.seq; b.over {
			b.end <- b.given
		}
		if n > 0 {
			return msgs[:n], nil
		}
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// checkAsOf refuses moments that are said of what a statement does not read, and numbers of
// records that could be those of several logs.
func checkAsOf(all map[string]string, tables []routed) error {
	for name, text := range all {
		m, err := parseMoment(text)
		if err != nil {
			return err
		}
		meant := map[string]bool{}
		for _, t := range tables {
			if name == "" || name == t.id.Product || name == t.id.Product+"."+t.id.Port {
				meant[t.id.String()] = true
			}
		}
		switch {
		case len(meant) == 0 && name != "":
			return fault.New(fault.Invalid, "name a product or port that the statement reads", "the statement reads nothing of %q, so there is no as of", name)
		case len(meant) > 1 && m.time.IsZero():
			return fault.New(fault.Invalid, "say whose it is, as in flights=123, or give a time", "%d ports are read, and %s is a record's number in one log", len(meant), text)
		}
	}
	return nil
}
