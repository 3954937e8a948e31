package app

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// watchDescriptors applies a descriptor, or SQL file beside it, that was edited. It
// looks at modification times, which works on every file system and editor.
func (m *Mesh) watchDescriptors(ctx context.Context) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		m.mu.Lock()
		members := map[*member]*Product{}
		for _, mem := range m.products {
			if mem.product != nil {
				members[mem] = mem.product
			}
		}
		m.mu.Unlock()
		for mem, p := range members {
			m.applyEdited(ctx, mem, p)
		}
	}
}

func (m *Mesh) applyEdited(ctx context.Context, mem *member, p *Product) {
	changed := changedAt(mem.dir)
	if changed.IsZero() || changed.Equal(mem.applied) || changed.Equal(mem.refused) {
		return
	}
	log := m.o.Logger.With("product", p.Name())
	desc, err := product.Load(mem.dir)
	var changes []product.Change
	if err == nil && desc.Metadata.Name != p.Name() {
		err = fault.New(fault.Conflict, "run meshctl product add on it", "the descriptor now names product %s", desc.Metadata.Name)
	}
	if err == nil {
		changes, err = p.Apply(ctx, desc)
	}
	if err != nil {
		mem.refused = changed
		log.Error("the edited descriptor was refused; the product runs on as before", "error", err, "hint", fault.HintOf(err))
		return
	}
	mem.applied = changed
	if err := p.putEntry(ctx); err != nil { // the next heartbeat tells it
		log.Warn("the catalog was not told of the edited descriptor yet", "error", err)
	}
	log.Info("the edited descriptor was applied", "changes", len(changes))
}

// changedAt is the latest modification of the descriptor and the SQL beside it.
func changedAt(dir string) time.Time {
	files, err := filepath.Glob(filepath.Join(dir, "*.sql"))
	if err != nil {
		return time.Time{}
	}
	var latest time.Time
	for _, file := range append(files, filepath.Join(dir, product.FileName)) {
		if info, err := os.Stat(file); err == nil && info.ModTime().After(latest) {
			latest = info.ModTime()
		}
	}
	return latest
}
