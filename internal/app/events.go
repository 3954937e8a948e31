package app

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
)

// eventsKept is how many events a process remembers for those who ask later.
const eventsKept = 500

// eventLog is what has happened lately at one leaf, or at the hub.
type eventLog struct {
	name string

	mu      sync.Mutex
	last    uint64
	kept    []catalog.Event
	changed chan struct{} // closed when there is more
}

func newEventLog(name string) *eventLog {
	return &eventLog{name: name, changed: make(chan struct{})}
}

func (l *eventLog) add(e catalog.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	e.Seq, e.Product = l.last, l.name
	if l.kept = append(l.kept, e); len(l.kept) > eventsKept {
		l.kept = slices.Clone(l.kept[1:])
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// after are the kept events behind seq, and what tells that there are more.
func (l *eventLog) after(seq uint64) ([]catalog.Event, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, _ := slices.BinarySearchFunc(l.kept, seq+1, func(e catalog.Event, want uint64) int { return cmp.Compare(e.Seq, want) })
	return slices.Clone(l.kept[i:]), l.changed
}

// eventsRequest asks for events behind After of the process that began at Started; of
// another one's, for all that it has.
type eventsRequest struct {
	Started time.Time `json:"started,omitzero"`
	After   uint64    `json:"after,omitempty"`
	Follow  bool      `json:"follow,omitempty"`
}

// eventLine is one event on its way; the first line has none.
type eventLine struct {
	Started time.Time      `json:"started,omitzero"`
	Event   *catalog.Event `json:"event,omitempty"`
}

// serveEvents answers with events as NDJSON, in pieces, for as long as somebody follows.
func serveEvents(l *eventLog, started time.Time, ending context.Context) mesh.Handler {
	return func(ctx context.Context, req []byte, send func([]byte) error) ([]byte, error) {
		q, err := decodeRequest[eventsRequest](req)
		if err != nil {
			return nil, err
		}
		if !q.Started.Equal(started) {
			q.After = 0
		}
		write := func(line eventLine) error {
			text, err := json.Marshal(line)
			if err != nil {
				return err
			}
			return send(append(text, '\n'))
		}
		if err := write(eventLine{Started: started}); err != nil {
			return nil, err
		}
		for {
			events, changed := l.after(q.After)
			for i := range events {
				if err := write(eventLine{Event: &events[i]}); err != nil {
					return nil, err
				}
				q.After = events[i].Seq
			}
			if !q.Follow {
				return nil, nil
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-ending.Done():
				return nil, fault.New(fault.Unavailable, "try again when it is back", "%s is stopping", l.name)
			}
		}
	}
}

// Events gives what has happened lately at the hub and at every product, in the order of
// its time; then, to those who follow, what happens, also at products that join later.
func (c *Client) Events(ctx context.Context, follow bool, emit func(catalog.Event) error) error {
	all, err := c.Catalog(ctx)
	if err != nil {
		return err
	}
	f := follower{c: c, seen: map[string]eventsRequest{}, out: make(chan catalog.Event, eventsKept)}
	names := []string{product.HubName}
	for i := range all {
		names = append(names, all[i].Product.Metadata.Name)
	}
	lately := f.lately(ctx, names)
	for _, e := range lately {
		if err := emit(e); err != nil {
			return err
		}
	}
	if !follow || ctx.Err() != nil {
		return ctx.Err()
	}
	return f.follow(ctx, names, emit)
}

// follower hears all of a mesh at once.
type follower struct {
	c    *Client
	out  chan catalog.Event
	mu   sync.Mutex
	seen map[string]eventsRequest // how far each was heard
}

// hear takes in what one says, until it has no more to say or cannot be heard.
func (f *follower) hear(ctx context.Context, name string, follow bool, each func(catalog.Event)) error {
	f.mu.Lock()
	q := f.seen[name]
	f.mu.Unlock()
	q.Follow = follow
	_, err := callLines(ctx, f.c, name, product.EndpointEvents, q, func(line eventLine) error {
		if line.Event == nil {
			q.Started = line.Started
		} else {
			q.After = line.Event.Seq
			each(*line.Event)
		}
		f.mu.Lock()
		f.seen[name] = q
		f.mu.Unlock()
		return ctx.Err()
	})
	return err
}

// lately is what each of them has kept, in the order of time.
func (f *follower) lately(ctx context.Context, names []string) []catalog.Event {
	ctx, cancel := context.WithTimeout(ctx, vitalsLimit)
	defer cancel()
	var mu sync.Mutex
	var all []catalog.Event
	var hearing sync.WaitGroup
	for _, name := range names {
		hearing.Go(func() {
			// One that does not answer has nothing to tell; to those who follow it may later.
			_ = f.hear(ctx, name, false, func(e catalog.Event) {
				mu.Lock()
				defer mu.Unlock()
				all = append(all, e)
			})
		})
	}
	hearing.Wait()
	slices.SortStableFunc(all, func(a, b catalog.Event) int { return a.Time.Compare(b.Time) })
	return all
}

// newcomersEvery is how often it is asked who has come to the catalog.
const newcomersEvery = 2 * time.Second

func (f *follower) follow(ctx context.Context, names []string, emit func(catalog.Event) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var hearing sync.WaitGroup
	defer hearing.Wait()
	defer cancel()
	heard := map[string]bool{}
	start := func(name string) {
		if heard[name] {
			return
		}
		heard[name] = true
		hearing.Go(func() { f.keepHearing(ctx, name) })
	}
	for _, name := range names {
		start(name)
	}
	tick := time.NewTicker(newcomersEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-f.out:
			if err := emit(e); err != nil {
				return err
			}
		case <-tick.C:
			all, err := f.c.Catalog(ctx)
			if err != nil {
				continue // the hub may be away for a while
			}
			for i := range all {
				start(all[i].Product.Metadata.Name)
			}
		}
	}
}

// keepHearing hears one for as long as ctx lasts, also when it has been away.
func (f *follower) keepHearing(ctx context.Context, name string) {
	for ctx.Err() == nil {
		_ = f.hear(ctx, name, true, func(e catalog.Event) {
			select {
			case f.out <- e:
			case <-ctx.Done():
			}
		})
		select {
		case <-ctx.Done():
		case <-time.After(tailRetry * 5):
		}
	}
}
