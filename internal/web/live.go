package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/catalog"
)

// live keeps the state of the mesh for all who look at the page, and tells them what
// changes. Each of them comes for it once a second with the number of the last change
// that it has seen, so a slow one holds up nobody.
type live struct {
	mesh browse.Mesh
	now  func() time.Time

	mu       sync.Mutex
	state    *browse.State
	failed   error                    // of the watch
	number   uint64                   // of the last change
	changed  map[string]uint64        // products, and when they changed last
	removed  map[string]uint64        // products that are no more
	fared    map[string]browse.Health // products, as they were told last
	lookedAt map[string]time.Time     // products that somebody looks at
	ended    chan struct{}            // closed when the page is no longer served
}

const (
	every     = time.Second
	lookLimit = 10 * time.Second // how long one who was looked at is asked
	callLimit = 10 * time.Second
)

func newLive(mesh browse.Mesh, now func() time.Time) *live {
	return &live{
		mesh: mesh, now: now, state: browse.NewState(now()), ended: make(chan struct{}),
		changed: map[string]uint64{}, removed: map[string]uint64{}, fared: map[string]browse.Health{}, lookedAt: map[string]time.Time{},
	}
}

// run watches the mesh until ctx ends.
func (l *live) run(ctx context.Context) {
	defer close(l.ended)
	var watching sync.WaitGroup
	defer watching.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	again := make(chan struct{}, 1) // the hub is back, perhaps at another address
	watching.Go(func() { l.watch(ctx, again) })
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		if l.poll(ctx) {
			select {
			case again <- struct{}{}:
			default: // it is told already
			}
		}
	}
}

// watch takes in what the hub tells, from the beginning each time that this ends.
func (l *live) watch(ctx context.Context, again <-chan struct{}) {
	for ctx.Err() == nil {
		one, stop := context.WithCancel(ctx)
		var waiting sync.WaitGroup
		waiting.Go(func() {
			select {
			case <-again:
			case <-one.Done():
			}
			stop()
		})
		err := l.mesh.Watch(one, l.whole, l.each)
		if one.Err() == nil {
			l.with(func() { l.failed = err })
			select {
			case <-time.After(every):
			case <-one.Done():
			}
		}
		stop()
		waiting.Wait()
	}
}

func (l *live) with(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Now = l.now()
	do()
}

func (l *live) whole(all catalog.Catalog) error {
	l.with(func() {
		for _, e := range l.state.All {
			if name := e.Product.Metadata.Name; all.Product(name) == nil {
				l.forget(name)
			}
		}
		l.state.Reset(all)
		l.failed = nil
		for i := range all {
			l.mark(all[i].Product.Metadata.Name)
		}
	})
	return nil
}

func (l *live) each(name string, e *catalog.Entry) error {
	l.with(func() {
		if e == nil {
			l.state.Remove(name)
			l.forget(name)
			return
		}
		l.state.Put(*e)
		l.mark(name)
	})
	return nil
}

func (l *live) mark(name string) {
	l.number++
	l.changed[name] = l.number
	delete(l.removed, name)
	if e := l.state.All.Product(name); e != nil {
		l.fared[name] = l.state.Health(e)
	}
}

func (l *live) forget(name string) {
	l.number++
	l.removed[name] = l.number
	delete(l.changed, name)
	delete(l.fared, name)
}

// look says that somebody looks at a product, which is then asked itself how it fares.
func (l *live) look(name string) { l.with(func() { l.lookedAt[name] = l.state.Now }) }

// poll asks whether the hub is there, and the products that are looked at how they fare.
// It says whether the hub is back.
func (l *live) poll(ctx context.Context) (back bool) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	reach := l.mesh.Reach(ctx)
	var answered []catalog.Entry
	var silent []string
	if names := l.asked(); reach == nil && len(names) > 0 {
		answered, silent = l.mesh.Entries(ctx, names)
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return false
	}
	l.with(func() {
		back = l.state.Reached(reach)
		for _, e := range answered {
			l.state.Answered(e)
			l.mark(e.Product.Metadata.Name)
		}
		for _, name := range silent {
			l.state.Hush(name)
		}
		l.state.Tick(l.state.Now)
		l.judge()
	})
	return back
}

// asked are the products that are to be asked now.
func (l *live) asked() (names []string) {
	l.with(func() {
		names = l.state.Doubtful()
		for name, at := range l.lookedAt {
			switch {
			case l.state.Now.Sub(at) > lookLimit:
				delete(l.lookedAt, name)
			case l.state.All.Product(name) != nil && !slices.Contains(names, name):
				names = append(names, name)
			}
		}
	})
	return names
}

// judge marks the products that fare otherwise than before, which time alone may do.
func (l *live) judge() {
	for i := range l.state.All {
		e := &l.state.All[i]
		if name := e.Product.Metadata.Name; l.state.Health(e) != l.fared[name] {
			l.mark(name)
		}
	}
}

// news is what a looker has not seen yet.
type news struct {
	Number   uint64         `json:"number"`
	Whole    bool           `json:"whole"` // Products are all that there are
	Now      time.Time      `json:"now"`
	Where    string         `json:"where"`
	Loaded   bool           `json:"loaded"`
	Down     string         `json:"down,omitempty"` // why the hub cannot be reached
	Since    time.Time      `json:"since,omitzero"`
	Products []brief        `json:"products"`
	Removed  []string       `json:"removed"`
	Events   []browse.Event `json:"events"` // the newest, all that are shown
}

// mostTold is how many events the page shows.
const mostTold = 50

// since is what has changed after a number; 0 is everything.
func (l *live) since(number uint64) (n news) {
	n = news{Whole: number == 0, Where: l.mesh.Where(), Products: []brief{}, Removed: []string{}, Events: []browse.Event{}}
	l.with(func() {
		n.Number, n.Now, n.Loaded = l.number, l.state.Now, l.state.Loaded
		if down := errors.Join(l.state.Down, l.failed); down != nil {
			n.Down, n.Since = down.Error(), l.state.Since
		}
		for i := range l.state.All {
			if e := &l.state.All[i]; l.changed[e.Product.Metadata.Name] > number {
				n.Products = append(n.Products, briefOf(l.state, e))
			}
		}
		for name, at := range l.removed {
			if at > number && number > 0 {
				n.Removed = append(n.Removed, name)
			}
		}
		n.Events = append(n.Events, l.state.Events[max(0, len(l.state.Events)-mostTold):]...)
	})
	return n
}

// events tells a looker what changes, as server-sent events, for as long as it listens.
func (l *live) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	number := uint64(0)
	for {
		n := l.since(number)
		text, err := json.Marshal(n)
		if err != nil {
			panic(fmt.Sprint("the state of the mesh cannot be written: ", err)) // it holds only what can
		}
		if err := out.SetWriteDeadline(time.Now().Add(callLimit)); err != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "data: %s\n\n", text); err != nil || out.Flush() != nil {
			return // nobody listens any more
		}
		number = n.Number
		select {
		case <-ticks.C:
		case <-r.Context().Done():
			return
		case <-l.ended:
			return
		}
	}
}
