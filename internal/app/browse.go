package app

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/olap"
	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/serve"
)

// Browser asks a mesh for as long as somebody looks at it, through hubs that go away and
// come back, even at another address. Its calls may run side by side.
type Browser struct {
	o     ClientOptions
	mu    sync.Mutex
	c     *Client
	where string    // of the hub, as it was last reached
	spent []*Client // whose calls may still run
}

// Browse connects to a mesh.
func Browse(ctx context.Context, o ClientOptions) (*Browser, error) {
	c, err := Dial(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Browser{o: o, c: c}, nil
}

// Close ends every connection.
func (b *Browser) Close() (err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range append(b.spent, b.c) {
		err = errors.Join(err, c.Close())
	}
	b.spent = nil
	return err
}

func (b *Browser) client() *Client {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.c
}

// Where is the address of the hub, as it was last reached.
func (b *Browser) Where() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := b.c.nc.ConnectedUrlRedacted(); now != "" {
		b.where = now
	}
	return b.where
}

// Reach says why the hub cannot be reached. It looks for the mesh anew where the
// connection is lost, for a hub may come back at another address.
func (b *Browser) Reach(ctx context.Context) error {
	if b.client().nc.IsConnected() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	fresh, err := Dial(ctx, b.o)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spent = append(b.spent, b.c)
	b.c = fresh
	return nil
}

// Watch gives the whole catalog to all, then to each every entry that changes, or nil for
// one that is no more, until ctx ends or a call back fails.
func (b *Browser) Watch(ctx context.Context, all func(catalog.Catalog) error, each func(name string, e *catalog.Entry) error) error {
	return mesh.Catalog(b.client().nc).Watch(ctx, func(kept map[string]mesh.Entry) error {
		entries, err := decodeCatalog(kept)
		if err != nil {
			return err
		}
		return all(entries)
	}, func(k mesh.Entry) error {
		if k.Deleted {
			return each(k.Key, nil)
		}
		e, err := catalog.DecodeEntry(k.Key, k.Value)
		if err != nil {
			return err
		}
		return each(k.Key, &e)
	})
}

// Entries are the products as they are now, from themselves, and the names of those that
// do not answer.
func (b *Browser) Entries(ctx context.Context, names []string) (answered []catalog.Entry, silent []string) {
	ctx, cancel := context.WithTimeout(ctx, entryLimit)
	defer cancel()
	c := b.client()
	entries := make([]catalog.Entry, len(names))
	errs := make([]error, len(names))
	var asking sync.WaitGroup
	for i, name := range names {
		asking.Go(func() { entries[i], errs[i] = c.Entry(ctx, name) })
	}
	asking.Wait()
	for i, err := range errs {
		switch {
		case err == nil:
			answered = append(answered, entries[i])
		case fault.KindOf(err) == fault.Unavailable && c.nc.IsConnected(): // nobody is there; a slow one is not gone
			silent = append(silent, names[i])
		}
	}
	return answered, silent
}

// Follow gives the newest records of a port's log and then each as it comes.
func (b *Browser) Follow(ctx context.Context, address string, last int, emit func(serve.Record) error) error {
	return b.client().Tail(ctx, address, TailOptions{Last: last, Follow: true}, func(t Tailed) error {
		return emit(serve.Record{Key: t.Key, Seq: t.Seq, Time: t.Time, Value: t.Value, Deleted: t.Deleted})
	})
}

// DeadLetters are the letters of a port that wait, oldest first.
func (b *Browser) DeadLetters(ctx context.Context, address string) ([]serve.Letter, error) {
	return b.client().DeadLetters(ctx, address)
}

// Replay publishes a dead letter again.
func (b *Browser) Replay(ctx context.Context, address string, letter record.Seq) error {
	a, err := b.client().ReplayDead(ctx, address, DeadRequest{Seqs: []record.Seq{letter}})
	switch {
	case err != nil:
		return err
	case slices.Contains(a.Missing, letter):
		return fault.New(fault.NotFound, "list what waits", "there is no such letter any more")
	case len(a.Kept) > 0:
		return fault.New(fault.Invalid, a.Kept[0].Hint, "%s", a.Kept[0].Reason)
	}
	return nil
}

// Query runs one SELECT over the mesh.
func (b *Browser) Query(ctx context.Context, r serve.QueryRequest) (*Answer, error) {
	return b.client().Query(ctx, r)
}

// WriteParquet writes rows to a Parquet file, which is there whole or not at all.
func (b *Browser) WriteParquet(ctx context.Context, path string, rows olap.Batches) error {
	return olap.WriteParquet(ctx, path, rows)
}
