package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/product"
)

var (
	crashRounds = flag.Int("crash.rounds", 64, "kills in all, over all kinds of product")
	crashSeed   = flag.Uint64("crash.seed", 0, "seed of the crash tests; 0 is a random one")
)

// crash is one kind of mesh that is killed again and again under load.
type crash struct {
	products map[string]string                    // descriptors by name
	ports    []product.PortID                     // published to, in turn
	into     product.PortID                       // where records get visible, when not in the port published to
	next     func(*rand.Rand) line                // makes a record
	share    int                                  // of the rounds, in 64ths
	killed   func(*rand.Rand, childOptions) error // done with what a killed process leaves; may be nil
	probe    string                               // with it the hub is killed too; products must answer this path meanwhile
}

// line is one published record and what is known of it beforehand.
type line struct {
	text string
	kind string // "", "delete" or "bad"
	id   string
	n    int64
}

// crashRun is a crash at work.
type crashRun struct {
	crash
	rng       *rand.Rand
	hub       childOptions
	options   map[string]childOptions
	alive     map[string]*child
	client    *Client
	published map[product.PortID][]line // the publisher's until it has ended
}

// crashed runs a crash to its end: every process is up, and everything that was
// published is visible.
func crashed(t *testing.T, c crash) *crashRun {
	t.Helper()
	seed := *crashSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	rounds := max(1, *crashRounds*c.share/64)
	t.Logf("%d rounds with -crash.seed=%d", rounds, seed)
	r := &crashRun{crash: c, rng: rand.New(rand.NewPCG(seed, 0)), options: map[string]childOptions{},
		alive: map[string]*child{}, published: map[product.PortID][]line{}}
	r.open(t)
	load := rand.New(rand.NewPCG(seed, 1))
	began := time.Now()
	stop, loaded := make(chan struct{}), make(chan error, 1)
	go func() { loaded <- r.load(t.Context(), load, stop) }()
	for range rounds {
		r.round(t)
	}
	close(stop)
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, id := range c.ports {
		if err := r.publish(t.Context(), id, r.lines(load, 1), PublishOptions{}); err != nil {
			t.Fatal(err)
		}
		n += len(r.published[id])
	}
	t.Logf("%d records published through %d kills in %s", n, rounds, time.Since(began).Round(time.Second))
	for name, o := range r.options {
		if rounds >= 8 && c.killed == nil && segments(t, o.Data) == 0 {
			t.Errorf("%s has rolled no segment, so no kill can have hit that", name)
		}
	}
	return r
}

// segments is how many Parquet files are below a folder.
func segments(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".parquet" {
			n++
		}
		if errors.Is(err, fs.ErrNotExist) { // merged away meanwhile
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (r *crashRun) open(t *testing.T) {
	t.Helper()
	r.hub = childOptions{Data: t.TempDir(), State: t.TempDir(), ClientPort: freePort(t), LeafPort: freePort(t)}
	r.alive["hub"] = startChild(t, "hub", r.hub)
	for name, yaml := range r.products {
		r.options[name] = childOptions{
			Dir: folder(t, yaml), Data: t.TempDir(), State: r.hub.State, HubLeaf: fmt.Sprintf("nats-leaf://127.0.0.1:%d", r.hub.LeafPort),
		}
		r.alive[name] = startChild(t, "product", r.options[name])
	}
	var err error
	if r.client, err = Dial(t.Context(), ClientOptions{StateDir: r.hub.State}); err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, r.client)
}

// round kills one process at some moment and starts it again. Now and then the new
// process is killed too, before it is ready.
func (r *crashRun) round(t *testing.T) {
	t.Helper()
	pause(t.Context(), time.Duration(r.rng.IntN(700))*time.Millisecond)
	if r.probe != "" && r.rng.IntN(3) > 0 {
		r.alive["hub"].kill()
		r.withoutHub(t)
		r.alive["hub"] = startChild(t, "hub", r.hub)
		return
	}
	names := slices.Sorted(maps.Keys(r.products))
	victim := names[r.rng.IntN(len(names))]
	r.alive[victim].kill()
	if r.rng.IntN(4) == 0 {
		early := beginChild(t, "product", r.options[victim])
		pause(t.Context(), time.Duration(r.rng.IntN(300))*time.Millisecond)
		early.kill()
	}
	if r.killed != nil {
		if err := r.killed(r.rng, r.options[victim]); err != nil {
			t.Fatal(err)
		}
	}
	r.alive[victim] = startChild(t, "product", r.options[victim])
}

// withoutHub asks the products themselves for a while.
func (r *crashRun) withoutHub(t *testing.T) {
	t.Helper()
	until := time.Now().Add(time.Duration(100+r.rng.IntN(400)) * time.Millisecond)
	for time.Now().Before(until) {
		for name := range r.products {
			answer, err := http.Get(r.alive[name].address + r.probe)
			if err != nil {
				t.Fatalf("%s does not serve without the hub: %v", name, err)
			}
			body, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err != nil || answer.StatusCode != http.StatusOK {
				t.Fatalf("%s without the hub: %s %s %v", name, answer.Status, body, err)
			}
		}
	}
}

// load publishes until it is told to stop.
func (r *crashRun) load(ctx context.Context, rng *rand.Rand, stop <-chan struct{}) error {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(rng.IntN(120)) * time.Millisecond):
		}
		lines := r.lines(rng, 50+rng.IntN(400))
		if err := r.publish(ctx, r.ports[i%len(r.ports)], lines, PublishOptions{NoWait: true}); err != nil {
			return err
		}
	}
}

func (r *crashRun) lines(rng *rand.Rand, n int) []line {
	lines := make([]line, n)
	for i := range lines {
		lines[i] = r.next(rng)
	}
	return lines
}

// publish imports lines, again and again until that has succeeded.
func (r *crashRun) publish(ctx context.Context, id product.PortID, lines []line, o PublishOptions) error {
	h := sha256.New()
	for _, l := range lines {
		fmt.Fprintln(h, l.text)
	}
	token := importToken(h.Sum(nil))
	for deadline := time.Now().Add(2 * time.Minute); ; pause(ctx, 20*time.Millisecond) {
		err := r.try(ctx, id, token, lines, o)
		if err == nil {
			r.published[id] = append(r.published[id], lines...)
			return nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return fmt.Errorf("import %d records into %s: %w", len(lines), id, err)
		}
	}
}

func (r *crashRun) try(ctx context.Context, id product.PortID, token string, lines []line, o PublishOptions) error {
	limit := time.Minute
	if o.NoWait {
		limit = 1500 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	s := &session{nc: r.client.nc, id: id, token: token}
	if err := s.resume(ctx); err != nil {
		return err
	}
	into := id
	if r.into.Port != "" {
		into = r.into
	}
	at := int(s.rows)
	_, err := r.client.send(ctx, s, into, func() ([]byte, error) {
		if at == len(lines) {
			return nil, io.EOF
		}
		at++
		return []byte(lines[at-1].text), nil
	}, s.rows, o)
	return err
}

// pause waits, unless ctx ends first: when a process is killed is what the test is about.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
