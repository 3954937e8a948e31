package web

import (
	"bufio"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/browse"
)

// follow listens to what the server tells.
func (c caller) follow() (next func() news) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), "GET", c.base+"/api/live", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { resp.Body.Close() })
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		c.t.Fatalf("content type %q", got)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 16<<20)
	return func() (n news) {
		c.t.Helper()
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if err := json.Unmarshal([]byte(data), &n); err != nil {
					c.t.Fatal(err)
				}
				return n
			}
		}
		c.t.Fatalf("it ended: %v", lines.Err())
		return n
	}
}

// hears waits for news that are so.
func hears(t *testing.T, next func() news, what string, ok func(news) bool) news {
	t.Helper()
	for range 30 { // seconds, about
		if n := next(); ok(n) {
			return n
		}
	}
	t.Fatalf("it was not told: %s", what)
	return news{}
}

func has(n news, name string, rank browse.Rank) bool {
	return slices.ContainsFunc(n.Products, func(b brief) bool { return b.Name == name && b.Health.Rank == rank })
}

// Who looks is told everything once, and then what changes.
func TestLive(t *testing.T) {
	f := inn()
	address, stop := start(t, f)
	c := call(t, address)
	next := c.follow()
	n := hears(t, next, "the whole mesh", func(n news) bool { return n.Loaded })
	if len(n.Products) != 4 || !n.Whole && n.Number == 0 || !has(n, "guests", browse.Warn) || n.Where == "" {
		t.Errorf("%+v", n)
	}
	hears(t, next, "nothing new", func(n news) bool { return len(n.Products) == 0 && !n.Whole })
	f.set(func() { f.all.Product("rooms").Ports[0].Error = "disk full"; f.all.Product("rooms").Seen = time.Now() }, "rooms")
	n = hears(t, next, "an error", func(n news) bool { return has(n, "rooms", browse.Error) })
	if len(n.Products) != 1 || !slices.ContainsFunc(n.Events, func(e browse.Event) bool { return e.Text == "disk full" }) {
		t.Errorf("%+v", n)
	}
	f.set(func() { f.all = slices.Delete(f.all, 0, 1) }, "bills")
	hears(t, next, "a product less", func(n news) bool { return slices.Contains(n.Removed, "bills") })
	f.set(func() { f.all = append(f.all, entry("taxes", "money")) }, "taxes")
	hears(t, next, "a product more", func(n news) bool { return has(n, "taxes", browse.Well) })

	f.set(func() { f.away = errAway })
	hears(t, next, "that the hub is away", func(n news) bool { return strings.Contains(n.Down, "no servers") })
	f.set(func() { f.away = nil; f.all = append(f.all, entry("zoo", "money")) })
	hears(t, next, "what came while it was away", func(n news) bool { return n.Down == "" && has(n, "zoo", browse.Well) })

	late := hears(t, c.follow(), "the mesh to one who comes later", func(news) bool { return true })
	if !late.Whole || len(late.Products) != 5 || len(late.Removed) != 0 {
		t.Errorf("%+v", late)
	}
	stop() // with both of them listening
}

// A product that is looked at is asked itself, so that its end shows at once.
func TestLooking(t *testing.T) {
	f := inn()
	address, _ := start(t, f)
	c := call(t, address)
	next := c.follow()
	get[detail](c, "/api/product/rooms")
	f.set(func() { f.deaf = "rooms" })
	hears(t, next, "that it is gone", func(n news) bool { return has(n, "rooms", browse.Gone) })
	f.set(func() { f.all.Product("rooms").Seen = time.Now() }, "rooms") // yet it heartbeats
	n := hears(t, next, "that it does not answer", func(n news) bool { return has(n, "rooms", browse.Error) })
	if i := slices.IndexFunc(n.Products, func(b brief) bool { return b.Name == "rooms" }); n.Products[i].Health.Text != "no answer" {
		t.Errorf("%+v", n.Products)
	}
	f.set(func() { f.deaf = "" })
	hears(t, next, "that it answers", func(n news) bool { return has(n, "rooms", browse.Well) })
}

// A port that is taken is told.
func TestPortTaken(t *testing.T) {
	address, _ := start(t, inn())
	c := call(t, address)
	err := Run(t.Context(), inn(), Options{Port: portNumber(t, c.base), Now: time.Now, Started: func(string) error { t.Error("it started"); return nil }})
	if err == nil || !strings.Contains(err.Error(), "the port is taken") {
		t.Errorf("%v", err)
	}
}

// BenchmarkWhole is what one who comes is told of 1,000 products.
func BenchmarkWhole(b *testing.B) {
	f := crowd(1000)
	l := newLive(f, time.Now)
	if err := l.whole(f.all); err != nil {
		b.Fatal(err)
	}
	size := 0
	for b.Loop() {
		n := l.since(0)
		text, err := json.Marshal(n)
		if err != nil || len(n.Products) != 1000 {
			b.Fatal(len(n.Products), err)
		}
		size = len(text)
	}
	b.ReportMetric(float64(size), "bytes/op")
}
