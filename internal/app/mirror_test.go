package app

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
)

// mirrorLimit is what no mirror may need on however busy a machine, from the moment its
// source is back; on a quiet one that is a second or two.
const mirrorLimit = 10 * time.Second

const readerYAML = `  inputs:
  - {name: things, port: things.things}
  - {name: facts, port: things.facts}
  logic:
    sql: {over: things, query: "SELECT id, n, (SELECT count(*) FROM facts)::VARCHAR AS run FROM things"}
`

// A source that is killed, for a moment or for longer than the server's own patience,
// is followed soon after it is back. Meanwhile the reader says that it is away, and
// starts without it. It reads two of the source's ports.
func TestKilledSourceIsFollowedSoonAfterItIsBack(t *testing.T) {
	ports := []product.PortID{crashPort("things", "things"), crashPort("things", "facts")}
	r := &crashRun{
		crash: crash{
			products: map[string]string{"things": fmt.Sprintf(crashHead, "things") + fmt.Sprintf(doorSpec, "things")},
			ports:    ports, next: records(300, 0, 0, doorLine),
		},
		rng: rand.New(rand.NewPCG(1, 2)), options: map[string]childOptions{}, alive: map[string]*child{},
		published: map[product.PortID][]line{},
	}
	r.open(t)
	dir, data := folder(t, fmt.Sprintf(crashHead, "made")+readerYAML+fmt.Sprintf(madeSpec, "event")), t.TempDir()
	reader := r.reader(t, dir, data)
	var took []time.Duration
	for round, outage := range []time.Duration{100 * time.Millisecond, 2 * time.Second, 7 * time.Second, 300 * time.Millisecond, 14 * time.Second} {
		for _, id := range ports { // some of it gets into the log before the kill, the rest after
			if err := r.publish(t.Context(), id, r.lines(r.rng, 2000), PublishOptions{NoWait: true}); err != nil {
				t.Fatal(err)
			}
		}
		pause(t.Context(), time.Duration(r.rng.IntN(200))*time.Millisecond)
		r.alive["things"].kill()
		if round == 2 {
			if err := reader.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			reader = r.reader(t, dir, data)
		}
		pause(t.Context(), outage)
		if outage > 5*time.Second {
			awaitInput(t, reader, "is not reachable since")
		}
		r.alive["things"] = startChild(t, "product", r.options["things"])
		began := time.Now()
		for _, id := range ports {
			awaitMirror(t, reader, id, len(r.published[id]))
		}
		took = append(took, time.Since(began).Round(time.Millisecond))
		awaitInput(t, reader, "")
	}
	t.Logf("source back -> mirrors at lag 0: %s", took)
	if longest := slices.Max(took); longest > mirrorLimit {
		t.Errorf("a mirror needed %s", longest)
	}
	pt, err := reader.port("made")
	if err != nil {
		t.Fatal(err)
	}
	if err := pt.progress.Await(t.Context(), "things", 10_000); err != nil {
		t.Fatal(err)
	}
}

// reader is a product in this process that reads the others.
func (r *crashRun) reader(t *testing.T, dir, data string) *Product {
	t.Helper()
	child := childOptions{Data: data, State: r.hub.State, HubLeaf: r.options["things"].HubLeaf}
	p, err := StartProduct(t.Context(), ProductOptions{
		Dir: dir, Data: data, HubLeaf: child.HubLeaf, Creds: child.creds(), Version: "test",
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, p.Close)
	return p
}

// awaitMirror waits until the mirror of a port ends at last, without a gap.
func awaitMirror(t *testing.T, reader *Product, id product.PortID, last int) {
	t.Helper()
	var s mesh.StreamState
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); pause(t.Context(), 5*time.Millisecond) {
		if s, err = mesh.State(t.Context(), reader.leaf.Conn(), "", id.MirrorStream()); err == nil && int(s.Last) >= last {
			break
		}
	}
	if err != nil || int(s.Last) != last || int(s.Msgs) != last {
		t.Fatalf("the mirror of %s has not all of %d records: %+v %v", id, last, s, err)
	}
}

// awaitInput waits until every input tells of that trouble; "" for none.
func awaitInput(t *testing.T, reader *Product, trouble string) {
	t.Helper()
	var got []string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); pause(t.Context(), 20*time.Millisecond) {
		e, err := reader.Entry(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = nil
		for _, in := range e.Inputs {
			got = append(got, in.Error)
		}
		if len(got) == 2 && !slices.ContainsFunc(got, func(s string) bool {
			return trouble == "" && s != "" || !strings.Contains(s, trouble)
		}) {
			return
		}
	}
	t.Fatalf("the inputs tell of %q; want %q", got, trouble)
}
