package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
)

// A product or hub that cannot go on is started again after a pause that doubles, as
// soon as its disk has this much room.
const (
	shortestPause = time.Second
	longestPause  = 30 * time.Second
	roomNeeded    = 128 << 20
)

// Kept is a product that is started again, with the data it has, when it cannot go on:
// its disk was full, say.
type Kept struct {
	keeping *group
	ended   chan error

	mu      sync.Mutex
	product *Product // nil while it is down
}

// KeepProduct starts a product and keeps it going. Only the first start may fail.
func KeepProduct(ctx context.Context, o ProductOptions) (*Kept, error) {
	p, err := StartProduct(ctx, o)
	if err != nil {
		return nil, err
	}
	k := &Kept{keeping: newGroup(context.WithoutCancel(ctx)), ended: make(chan error, 1), product: p}
	k.keeping.run(func(ctx context.Context) { keepHeap(ctx, o.Env, func() int { return 1 }) })
	k.keeping.run(func(ctx context.Context) {
		if clash := keep(ctx, p, k.swap); clash != nil {
			k.ended <- clash
		}
	})
	return k, nil
}

func (k *Kept) swap(p *Product) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.product = p
}

// Product is the running product, nil while it is down.
func (k *Kept) Product() *Product {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.product
}

// Ended yields the Conflict for which the product must end.
func (k *Kept) Ended() <-chan error { return k.ended }

// Close stops keeping, and drains the product.
func (k *Kept) Close(ctx context.Context) error {
	k.keeping.stop()
	if p := k.Product(); p != nil {
		return p.Close(ctx)
	}
	return nil
}

// keep starts p again each time it cannot go on, until ctx is done or another process runs
// the same product, which is the error. While the disk is full it runs on as it is, for
// what it has can be read. swap is told nil when it is down, and what runs.
func keep(ctx context.Context, p *Product, swap func(*Product)) error {
	pause := shortestPause
	for {
		began := time.Now()
		var why error
		select {
		case <-ctx.Done():
			return nil
		case clash := <-p.Conflict():
			return clash
		case why = <-p.Failed():
		}
		if time.Since(began) > time.Minute {
			pause = shortestPause
		}
		o, log := p.o, p.log
		if p.http != nil {
			o.HTTP = sameAddress(o.HTTP, p.http.Addr())
		}
		log.Error("the product takes no records any more; it is started again when it can", "error", why, "hint", fault.HintOf(why))
		if awaitRoom(ctx, o.Data, &pause) != nil {
			return nil
		}
		swap(nil)
		if err := p.Close(ctx); err != nil {
			log.Warn("the product was closed badly", "error", err)
		}
		if p = restart(ctx, o, log, &pause); p == nil {
			return nil
		}
		swap(p)
		log.Warn("the product works again")
	}
}

// sameAddress is the address to listen on once more: where it was any free port, the one
// that was taken.
func sameAddress(listen, base string) string {
	_, port, err := net.SplitHostPort(listen)
	if err != nil || port != "0" {
		return listen
	}
	if u, err := url.Parse(base); err == nil && u.Host != "" {
		return u.Host
	}
	return listen
}

// awaitRoom returns when there is room in the folder.
func awaitRoom(ctx context.Context, dir string, pause *time.Duration) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(*pause):
		}
		*pause = min(2**pause, longestPause)
		if room(dir) == nil {
			return nil
		}
	}
}

// restart starts a product as soon as it can be; nil when ctx is done.
func restart(ctx context.Context, o ProductOptions, log *slog.Logger, pause *time.Duration) *Product {
	patience := newPatience()
	for {
		p, err := StartProduct(ctx, o)
		if err == nil {
			return p
		}
		if patience.over(err) && ctx.Err() == nil {
			log.Error("the product cannot be started again yet; trying on", "error", err, "hint", fault.HintOf(err))
		}
		if awaitRoom(ctx, o.Data, pause) != nil {
			return nil
		}
	}
}

// room is nil when the folder's disk takes more. What the system says of free blocks is
// not all: a quota may leave less.
func room(dir string) error {
	disk, err := diskOf(dir)
	if err != nil {
		return fmt.Errorf("look for room in %s: %w", dir, err)
	}
	if disk.size > 0 && disk.free < roomNeeded {
		return fault.New(fault.Unavailable, "free disk space", "only %d MiB are left for %s", disk.free>>20, dir)
	}
	probe, err := os.CreateTemp(dir, "room-")
	if err != nil {
		return fmt.Errorf("look for room in %s: %w", dir, err)
	}
	_, err = probe.Write(make([]byte, 1<<20))
	if err := errors.Join(err, probe.Close(), os.Remove(probe.Name())); err != nil {
		return fault.New(fault.Unavailable, "free disk space", "there is no room in %s: %w", filepath.Clean(dir), err)
	}
	return nil
}

// keepAlive starts the hub's log again each time it has stopped, until ctx is done.
func (h *Hub) keepAlive(ctx context.Context, log *slog.Logger) {
	for pause := shortestPause; ; {
		why := stopped(ctx, h.Err)
		if why == nil {
			return
		}
		log.Error("the hub's log has stopped; it is started again when it can", "error", why, "hint", fault.HintOf(why))
		for h.Err() != nil {
			if awaitRoom(ctx, h.data.path, &pause) != nil {
				return
			}
			if err := h.Revive(); err != nil {
				log.Error("the hub's log cannot be started again yet; trying on", "error", err)
			}
		}
		log.Warn("the hub's log works again")
		pause = shortestPause
	}
}
