package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"github.com/meshctl/meshctl/internal/contract"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

// Materialiser keeps stores from one log. The log is read once for all of them; each
// store has its own position, so one that was dropped catches up while the others
// skip what they have.
type Materialiser struct {
	Port     product.PortID
	Contract *contract.Contract
	Source   OpenSource
	Stores   []Store
	Dead     Log       // for messages in the log that are no record of the contract
	Skip     bool      // pass over such messages: the log is another product's, which buries them
	Progress *Progress // nil when nobody waits
	Logger   *slog.Logger
}

// decoded is one batch between the reading and the committing half.
type decoded struct {
	batch   record.Batch
	upTo    record.Seq
	foreign int // messages that are no record of the contract
	letters []letter
}

// Run works until ctx is done or a step fails. Run it again to resume.
func (m *Materialiser) Run(ctx context.Context) error {
	at := make([]record.Seq, len(m.Stores))
	for i, s := range m.Stores {
		var err error
		if at[i], err = s.Position(ctx); err != nil {
			return fmt.Errorf("read the position of a store of %s: %w", m.Port, err)
		}
	}
	m.visible(at)
	src, err := m.Source(ctx, lowest(at))
	if err != nil {
		return fmt.Errorf("read the log of %s: %w", m.Port, err)
	}
	defer src.Close()

	// Decoding the next batch and committing this one go on side by side.
	batches := make(chan decoded, 1)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(batches)
		return m.read(ctx, src, batches)
	})
	g.Go(func() error {
		for d := range batches {
			if err := m.commit(ctx, d, at); err != nil {
				return err
			}
		}
		return nil
	})
	err = g.Wait()
	for d := range batches { // what was decoded and not committed
		d.batch.Columns.Release()
	}
	return err
}

func (m *Materialiser) read(ctx context.Context, src Source, batches chan<- decoded) error {
	reader := newRowReader(m.Contract)
	for {
		msgs, err := src.Next(ctx, batchLimit)
		if err != nil {
			return fmt.Errorf("read the log of %s: %w", m.Port, err)
		}
		d, err := m.decode(reader, msgs)
		if err != nil {
			return fmt.Errorf("read the log of %s: %w", m.Port, err)
		}
		select {
		case batches <- d:
		case <-ctx.Done():
			d.batch.Columns.Release()
			return ctx.Err()
		}
	}
}

func (m *Materialiser) decode(reader *rowReader, msgs []Message) (decoded, error) {
	d := decoded{upTo: msgs[len(msgs)-1].Seq}
	d.batch.Records = make([]record.Record, 0, len(msgs))
	for i := range msgs {
		rec, err := reader.read(&msgs[i])
		switch {
		case err == nil:
			d.batch.Records = append(d.batch.Records, rec)
		case errors.Is(err, contract.ErrFull):
			return d, err
		default:
			d.foreign++
			if !m.Skip {
				d.letters = append(d.letters, m.letter(&msgs[i], err))
			}
		}
	}
	d.batch.Columns = reader.rows.Flush()
	return d, nil
}

// letter is the dead letter of a message that did not come through this product's own
// pipeline. Its position is the log's sequence, under a source of its own, so that it
// does not disturb the door's.
func (m *Materialiser) letter(msg *Message, why error) letter {
	origin := fmt.Sprintf("%s:%d:1", m.Port.Stream(), msg.Seq)
	return newLetter(m.Port, LogSource, origin, why.Error(), msg.Data, Position{Major: uint64(msg.Seq), Index: 1})
}

// LogSource is the source of dead letters that were found in the log itself, put there
// past the product's pipeline.
const LogSource = "log.foreign"

func (m *Materialiser) commit(ctx context.Context, d decoded, at []record.Seq) error {
	defer d.batch.Columns.Release()
	if err := m.bury(ctx, d); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	for i, s := range m.Stores {
		if at[i] >= d.upTo {
			continue
		}
		g.Go(func() error {
			if err := s.Commit(gctx, d.batch, d.upTo); err != nil {
				return fmt.Errorf("commit %s up to %d: %w", m.Port, d.upTo, err)
			}
			at[i] = d.upTo
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	m.visible(at)
	return nil
}

// bury appends the letters that are not there yet, before any store passes them.
func (m *Materialiser) bury(ctx context.Context, d decoded) error {
	if d.foreign == 0 {
		return nil
	}
	m.Logger.Warn("messages in the log are no records of its contract", "port", m.Port.String(),
		"messages", d.foreign, "up_to", d.upTo, "passed_over", m.Skip)
	if m.Skip {
		return nil
	}
	buried, err := bury(ctx, m.Dead, m.Port, d.letters)
	if err == nil && m.Progress != nil {
		m.Progress.count(0, buried)
	}
	return err
}

func (m *Materialiser) visible(at []record.Seq) {
	if m.Progress != nil {
		m.Progress.setVisible(lowest(at))
	}
}

func lowest(at []record.Seq) record.Seq {
	if len(at) == 0 {
		return 0
	}
	low := at[0]
	for _, seq := range at[1:] {
		low = min(low, seq)
	}
	return low
}
