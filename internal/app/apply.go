package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/trust"
)

// Apply makes the running product follow a descriptor and returns what changed. A
// change that breaks a contract under the same major version is refused whole, and one
// that fails leaves the product running as before.
// Contracts of earlier majors keep running beside the new ones.
func (p *Product) Apply(ctx context.Context, desc *product.Product) ([]product.Change, error) {
	changes, err := p.apply(ctx, desc)
	if err != nil {
		return changes, err
	}
	return changes, p.withdraw(ctx)
}

func (p *Product) apply(ctx context.Context, desc *product.Product) ([]product.Change, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old, err := p.savedDescriptor()
	if err != nil {
		return nil, err
	}
	var changes []product.Change
	if old != nil {
		changes = product.Compare(old, desc)
		if err := refuseBreaking(desc, changes); err != nil {
			return changes, err
		}
	}
	if err := p.hold(ctx, desc); err != nil {
		return changes, err
	}
	before, ports := p.desc, p.ports
	p.stopPorts()
	if err := p.follow(ctx, desc); err != nil {
		p.stopPorts()
		p.desc, p.ports = before, ports
		if before != nil {
			err = errors.Join(err, p.hold(ctx, before))
			err = errors.Join(err, p.openPorts(ctx), p.startPorts(ctx)) // opened anew: their names in SQL may be gone
		}
		return changes, err
	}
	select {
	case p.applied <- struct{}{}:
	default: // it is to be told already
	}
	return changes, nil
}

// rejoinLimit is how long a descriptor that reads something else waits until its leaf is
// back in the mesh.
const rejoinLimit = 3 * time.Second

// hold makes the leaf join with a credential for what the descriptor reads.
func (p *Product) hold(ctx context.Context, desc *product.Product) error {
	holder := trust.HolderOf(desc)
	if had := p.holder.Swap(&holder); slices.Equal(had.Reads, holder.Reads) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, rejoinLimit)
	defer cancel()
	return p.leaf.Rejoin(ctx)
}

// follow opens and starts what a descriptor says, and remembers it once that runs.
func (p *Product) follow(ctx context.Context, desc *product.Product) error {
	p.desc = desc
	if err := p.openPorts(ctx); err != nil {
		return err
	}
	if err := p.startPorts(ctx); err != nil {
		return err
	}
	if err := p.lost(); err != nil {
		return err
	}
	return p.saveContracts()
}

func refuseBreaking(desc *product.Product, changes []product.Change) error {
	var broken []string
	hint := ""
	for _, c := range changes {
		if c.Breaking {
			broken = append(broken, c.Path+": "+c.Message)
			hint = cmp.Or(hint, c.Hint)
		}
	}
	if broken == nil {
		return nil
	}
	return fault.New(fault.Conflict, cmp.Or(hint, fmt.Sprintf("raise metadata.version to %d.0.0, which runs beside the present one", desc.Major()+1)),
		"apply the descriptor of %s: %s", desc.Metadata.Name, strings.Join(broken, "; "))
}

func (p *Product) openPorts(ctx context.Context) error {
	contracts, err := p.savedContracts()
	if err != nil {
		return err
	}
	for _, out := range p.desc.Spec.Outputs {
		id := p.desc.ID(out.Name)
		contracts[id.Folder()] = savedContract{ID: id, Version: p.desc.Metadata.Version, Output: out}
	}
	ports := map[string]*port{}
	newest := map[string]int{}
	for _, c := range contracts {
		newest[c.ID.Port] = max(newest[c.ID.Port], c.ID.Major)
	}
	for folder, c := range contracts {
		pt, err := p.openPort(ctx, c, c.ID.Major == newest[c.ID.Port])
		if err != nil {
			return fmt.Errorf("open port %s: %w", c.ID, err)
		}
		if old := p.ports[folder]; old != nil { // those who wait for it wait on
			pt.progress = old.progress
			pt.progress.Restart()
		}
		ports[folder] = pt
	}
	p.ports = ports
	return nil
}

// startPorts begins the steps: logic feeds the present major of the only output, doors
// feed every port of a product without logic.
func (p *Product) startPorts(ctx context.Context) error {
	if p.desc.Spec.Logic != nil {
		drive, err := p.openLogic(ctx)
		if err != nil {
			return err
		}
		present := p.desc.ID(p.desc.Spec.Outputs[0].Name).Folder()
		for folder, pt := range p.ports {
			if folder == present {
				pt.start(drive)
			} else {
				pt.start(nil)
			}
		}
		return nil
	}
	for _, pt := range p.ports {
		pt.start(pt.door().Run)
	}
	return nil
}

func (p *Product) stopPorts() {
	for _, pt := range p.ports {
		pt.stop()
	}
	p.inputsMu.Lock()
	defer p.inputsMu.Unlock()
	for _, in := range p.inputs {
		in.steps.stop()
	}
	for _, m := range p.mirrors {
		m.steps.stop()
	}
	clear(p.inputs)
	clear(p.mirrors)
}
