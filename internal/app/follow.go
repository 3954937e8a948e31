package app

import (
	"context"
	"errors"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/serve"
)

// followPause is the least time between two answers of one that follows.
const followPause = 250 * time.Millisecond

// errMoved ends the waiting for other products once one has moved.
var errMoved = errors.New("a product has moved")

// Follow answers a query, and again each time that a table it reads has moved, until ctx
// is done or each returns an error. The products tell of their moves; nothing is asked in
// between. each gets an answer that it may read and must not close.
func (c *Client) Follow(ctx context.Context, r serve.QueryRequest, each func(*Answer) (serve.QueryAnswer, error)) error {
	for {
		a, err := c.Query(ctx, r)
		if err != nil {
			return err
		}
		f, err := each(a)
		if err = errors.Join(err, a.Close()); err != nil {
			return err
		}
		if len(f.Watermarks) == 0 {
			return fault.New(fault.Invalid, "leave --watch out", "the statement reads no table, so its answer never changes")
		}
		pause := time.After(followPause)
		if err := c.awaitMove(ctx, f.Watermarks); err != nil {
			return err
		}
		select {
		case <-pause:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// awaitMove returns when a table holds more than it did as of its mark.
func (c *Client) awaitMove(ctx context.Context, marks map[string]record.Watermark) error {
	owners := map[string]map[string]record.Seq{}
	for table, m := range marks {
		owner, _, _ := strings.Cut(table, ".")
		if owners[owner] == nil {
			owners[owner] = map[string]record.Seq{}
		}
		owners[owner][table] = m.Seq
	}
	g, asked := errgroup.WithContext(ctx)
	for owner, tables := range owners {
		g.Go(func() error {
			if _, err := call[awaitAnswer](asked, c, owner, "await", awaitRequest{Beyond: tables}); err != nil {
				return err
			}
			return errMoved
		})
	}
	if err := g.Wait(); !errors.Is(err, errMoved) {
		return err
	}
	return nil
}

// awaitMove returns when one of the tables holds more than up to its sequence.
func (p *Product) awaitMove(ctx context.Context, beyond map[string]record.Seq) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(p.ending, func() {
		cancel(fault.New(fault.Unavailable, "try again when it is back", "product %s is stopping", p.Name()))
	})()
	g, waiting := errgroup.WithContext(ctx)
	known := 0
	for _, pt := range p.sortedPorts() {
		seq, ok := beyond[pt.tableName()]
		if !ok {
			continue
		}
		known++
		g.Go(func() error {
			if err := pt.progress.AwaitVisible(waiting, seq+1); err != nil {
				return err
			}
			return errMoved
		})
	}
	if known < len(beyond) {
		cancel(fault.New(fault.NotFound, "ask again", "product %s has not all of the tables %v", p.Name(), beyond))
	}
	err := g.Wait()
	if why := context.Cause(ctx); why != nil {
		return why
	}
	if errors.Is(err, errMoved) {
		return nil
	}
	return err
}
