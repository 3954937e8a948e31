package shell

import (
	"context"
	"sync"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
)

// link is the mesh, which may be there later, or go away and come back, and what is known
// of its catalog.
type link struct {
	connect func(context.Context) (Mesh, error)
	turn    chan struct{} // one dials at a time

	mu    sync.Mutex
	mesh  Mesh
	all   map[string]catalog.Entry
	known chan struct{} // closed when the catalog has come
}

func newLink(connect func(context.Context) (Mesh, error)) *link {
	return &link{connect: connect, turn: make(chan struct{}, 1), all: map[string]catalog.Entry{}, known: make(chan struct{})}
}

func (l *link) current() Mesh {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mesh
}

// reach is the mesh, connected.
func (l *link) reach(ctx context.Context) (Mesh, error) {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-l.turn }()
	if m := l.current(); m != nil {
		return m, m.Reach(ctx)
	}
	m, err := l.connect(ctx)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mesh = m
	return m, nil
}

// retryEvery is how long the catalog waits before it looks for a mesh again.
const retryEvery = time.Second

// follow keeps the catalog up to date until ctx ends. The first failure to connect is
// told to failed; later ones show when something is asked.
func (l *link) follow(ctx context.Context, failed func(error)) {
	for ctx.Err() == nil {
		m, err := l.reach(ctx)
		switch {
		case err != nil && failed != nil && ctx.Err() == nil:
			failed(err)
		case err == nil:
			_ = m.Watch(ctx, l.reset, l.put) // one that was cut begins anew; what is asked meanwhile tells why
		}
		failed = nil
		wait := time.NewTimer(retryEvery)
		select {
		case <-wait.C:
		case <-ctx.Done():
		}
		wait.Stop()
	}
}

func (l *link) reset(all catalog.Catalog) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.all)
	for _, e := range all {
		l.all[e.Product.Metadata.Name] = e
	}
	select {
	case <-l.known:
	default:
		close(l.known)
	}
	return nil
}

func (l *link) put(name string, e *catalog.Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e == nil {
		delete(l.all, name)
	} else {
		l.all[name] = *e
	}
	return nil
}

// seen is the catalog as far as it is known, without waiting.
func (l *link) seen() catalog.Catalog {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(catalog.Catalog, 0, len(l.all))
	for _, e := range l.all {
		all = append(all, e)
	}
	all.Sort()
	return all
}

// catalog is the catalog once it has come.
func (l *link) catalog(ctx context.Context) (catalog.Catalog, error) {
	if _, err := l.reach(ctx); err != nil {
		return nil, err
	}
	select {
	case <-l.known:
		return l.seen(), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *link) close() error {
	if m := l.current(); m != nil {
		return m.Close()
	}
	return nil
}
