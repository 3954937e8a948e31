package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/linktest"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

const copyYAML = `  inputs:
  - {name: things, port: things.things}
  logic:
    sql: {query: "SELECT id, 2 * n AS n, uuid()::VARCHAR AS run FROM things"}
`

// With its link to the hub cut or silent a leaf accepts, materialises and serves; when
// the link is back, a product that reads it has the same records, each once.
func TestCutLinkLosesNothingAndLeafServes(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	state := t.TempDir()
	hub, err := StartHub(t.Context(), HubOptions{
		Data: t.TempDir(), Host: "127.0.0.1", ClientPort: -1, LeafPort: -1, StateDir: state, Logger: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, hub.Close)
	links := []*linktest.Link{linktest.New(t, hub.LeafURL()), linktest.New(t, hub.LeafURL())}
	var products []*Product
	for i, yaml := range []string{
		fmt.Sprintf(crashHead, "things") + fmt.Sprintf(doorSpec, "things"),
		fmt.Sprintf(crashHead, "made") + copyYAML + fmt.Sprintf(madeSpec, "event"),
	} {
		p, err := StartProduct(t.Context(), ProductOptions{
			Dir: folder(t, yaml), Data: t.TempDir(), HubLeaf: links[i].URL(), Creds: hub.signer(), HTTP: "127.0.0.1:0", Version: "test",
			Logger: log, MaintainEvery: 200 * time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		closing(t, p.Close)
		products = append(products, p)
	}
	c := cutRun{t: t, rng: rng, things: products[0]}
	for round := range 8 {
		down := links[round%2]
		silent := rng.IntN(2) == 0
		down.Set(!silent, silent)
		c.work(300 + rng.IntN(900))
		if silent && rng.IntN(2) == 0 { // what was on its way is gone
			down.Set(true, false)
		}
		down.Set(false, false)
		c.work(rng.IntN(300))
	}
	c.compare(products[1], state)
}

func closing(t *testing.T, end func(context.Context) error) {
	t.Cleanup(func() {
		if err := end(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// cutRun publishes at the leaf itself.
type cutRun struct {
	t         *testing.T
	rng       *rand.Rand
	things    *Product
	published []line
}

// work publishes and reads at the leaf for so many milliseconds.
func (c *cutRun) work(millis int) {
	c.t.Helper()
	client := &Client{nc: c.things.leaf.Conn()}
	id := crashPort("things", "things")
	for until := time.Now().Add(time.Duration(millis) * time.Millisecond); time.Now().Before(until); {
		ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
		at, lines := 0, make([]line, 1+c.rng.IntN(200))
		s := &session{nc: client.nc, id: id, token: fmt.Sprintf("local-%d", len(c.published))}
		for i := range lines {
			n := int64(len(c.published) + i)
			lines[i] = line{id: fmt.Sprintf("k%03d", n%300), n: n}
			lines[i].text = doorLine(lines[i])
		}
		sent, err := client.send(ctx, s, id, func() ([]byte, error) {
			if at == len(lines) {
				return nil, io.EOF
			}
			at++
			return []byte(lines[at-1].text), nil
		}, 0, PublishOptions{})
		cancel()
		if err != nil || !sent.Visible || sent.Dead > 0 {
			c.t.Fatalf("publish at the leaf: %+v %v", sent, err)
		}
		c.published = append(c.published, lines...)
		c.read(lines[len(lines)-1])
	}
}

func (c *cutRun) read(want line) {
	c.t.Helper()
	answer, err := http.Get(c.things.HTTPURL() + "/v1/ports/things/records/" + want.id)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		c.t.Fatalf("get at the leaf: %s %s %v", answer.Status, body, err)
	}
}

// compare waits until the reading product has all and tells how long that took.
func (c *cutRun) compare(copied *Product, state string) {
	c.t.Helper()
	pt, err := copied.port("made")
	if err != nil {
		c.t.Fatal(err)
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	if err := pt.progress.Await(ctx, "things", record.Seq(len(c.published))); err != nil {
		c.t.Fatalf("the reading product has not caught up with %d records: %v", len(c.published), err)
	}
	c.t.Logf("%d records through 8 cuts; caught up %s after the last", len(c.published), time.Since(began).Round(time.Millisecond))
	client, err := Dial(c.t.Context(), ClientOptions{StateDir: state})
	if err != nil {
		c.t.Fatal(err)
	}
	defer client.Close()
	things, made := crashPort("things", "things"), crashPort("made", "made")
	r := &crashRun{
		crash:  crash{ports: []product.PortID{things}, into: made},
		client: client, published: map[product.PortID][]line{things: c.published},
	}
	r.checkDoor(c.t, things, true)
	r.checkMade(c.t, false)
}
