package web

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
)

// get reads an answer, once the catalog is there.
func get[T any](c caller, path string) (v T) {
	c.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		resp, text := c.do("GET", path, "")
		if resp.StatusCode == http.StatusNotFound && time.Now().Before(deadline) {
			continue
		}
		if resp.StatusCode != http.StatusOK {
			c.t.Fatalf("%s: %s %s", path, resp.Status, text)
		}
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			c.t.Fatal(err)
		}
		return v
	}
}

func TestProduct(t *testing.T) {
	address, _ := start(t, inn())
	c := call(t, address)
	d := get[detail](c, "/api/product/nights")
	if len(d.Inputs) != 2 || d.Inputs[0].Port != "guests.guests" || d.Inputs[0].Last != 42 || d.NATS != "mesh.nights.*" || d.HTTP != "http://127.0.0.1:8080/v1" {
		t.Errorf("%+v", d)
	}
	p := d.Ports[0]
	if p.SQL != "nights.nights" || p.Fresh != "24h" || p.Subject != "house.nights.nights.v1.>" || len(p.Readers) != 1 || p.Readers[0].Product != "bills" || len(p.Columns) != 2 || !p.Columns[1].Sensitive() {
		t.Errorf("%+v", p)
	}
	if resp, text := c.do("GET", "/api/product/night", ""); resp.StatusCode != http.StatusNotFound || !strings.Contains(text, "did you mean nights?") {
		t.Errorf("%s %s", resp.Status, text)
	}
}

func TestSearch(t *testing.T) {
	address, _ := start(t, inn())
	c := call(t, address)
	get[detail](c, "/api/product/bills")
	answer := get[struct {
		Hits []found
		More bool
	}](c, "/api/search?q=bills")
	if len(answer.Hits) != 1 || answer.Hits[0].Name != "bills" || !slices.Contains(answer.Hits[0].Places, "name") || answer.More {
		t.Errorf("%+v", answer)
	}
	many, _ := start(t, crowd(mostFound+1))
	c = call(t, many)
	get[detail](c, "/api/product/product-0001")
	answer = get[struct {
		Hits []found
		More bool
	}](c, "/api/search?q=product")
	if len(answer.Hits) != mostFound || !answer.More {
		t.Errorf("%d hits, more %v", len(answer.Hits), answer.More)
	}
}

func TestQuery(t *testing.T) {
	f := inn()
	address, _ := start(t, f)
	c := call(t, address)
	ask := func(body string, headers ...string) (int, string, rows) {
		resp, text := c.do("POST", "/api/query", body, append([]string{"Content-Type", "application/json"}, headers...)...)
		var r rows
		if resp.StatusCode == http.StatusOK {
			if err := json.Unmarshal([]byte(text), &r); err != nil {
				t.Fatal(err)
			}
		}
		return resp.StatusCode, text, r
	}
	status, text, r := ask(`{"sql": "SELECT 1"}`)
	if status != 200 || len(r.Rows) != 3 || *r.Rows[0][1] != hostile || *r.Rows[1][1] != "" || r.Rows[2][1] != nil || !r.Columns[0].Time || !r.Columns[2].Number || r.More {
		t.Errorf("%d %s", status, text)
	}
	if r.Watermarks["flights.flights"].Seq != 250_000 {
		t.Errorf("watermarks %v", r.Watermarks)
	}
	f.set(func() { f.rows = answerRows + 1 })
	if _, _, r := ask(`{"sql": "SELECT 1"}`); len(r.Rows) != answerRows || !r.More {
		t.Errorf("%d rows, more %v", len(r.Rows), r.More)
	}
	for _, k := range []struct{ body, want string }{
		{`{"sql": ""}`, "there is no statement"}, {`{`, "read the statement"}, {`{"sqk": "x"}`, "sqk"},
		{`{"sql": "` + strings.Repeat("x", mostSQL) + `"}`, "too large"},
	} {
		if status, text, _ := ask(k.body); status != 400 || !strings.Contains(text, k.want) {
			t.Errorf("%.20s: %d %s", k.body, status, text)
		}
	}
	if status, text, _ := ask(`{"sql": "SELECT 1"}`, "Content-Type", "text/plain"); status != 400 { // what a page elsewhere can send
		t.Errorf("as text: %d %s", status, text)
	}
	f.set(func() { f.fails = fault.New(fault.Rejected, "use a SELECT", "only SELECT is answered") })
	if status, text, _ := ask(`{"sql": "DROP TABLE x"}`); status != 422 || !strings.Contains(text, `"hint":"use a SELECT"`) {
		t.Errorf("%d %s", status, text)
	}
}

// Who goes away leaves no statement running.
func TestQueryEndsWithWhoAsked(t *testing.T) {
	f := inn()
	f.slow = true
	address, _ := start(t, f)
	c := call(t, address)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "POST", c.base+"/api/query", strings.NewReader(`{"sql": "SELECT 1"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", "application/json")
	done := make(chan error, 1)
	go func() {
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			err = resp.Body.Close()
		}
		done <- err
	}()
	for deadline := time.Now().Add(10 * time.Second); ; {
		f.mu.Lock()
		n := len(f.queries)
		f.mu.Unlock()
		if n == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the statement did not begin")
		}
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("it was answered")
	}
	select {
	case <-f.gone:
	case <-time.After(10 * time.Second):
		t.Fatal("the statement goes on")
	}
}

// What a port is made of stands to its left; nothing stands on anything else.
func TestDraw(t *testing.T) {
	s := browse.NewState(time.Now())
	s.Reset(inn().all)
	l, err := s.All.Lineage("nights", s.Now)
	if err != nil {
		t.Fatal(err)
	}
	d := draw(s, &l)
	if len(d.Nodes) != 4 || len(d.Edges) != 3 {
		t.Fatalf("%+v", d)
	}
	checkDrawing(t, d)
	for _, n := range d.Nodes {
		if n.Asked != (n.Address == "nights.nights") {
			t.Errorf("%s asked %v", n.Address, n.Asked)
		}
	}
	if g := d.Nodes[slices.IndexFunc(d.Nodes, func(n node) bool { return n.Address == "guests.guests" })]; g.Health.Rank != browse.Warn {
		t.Errorf("guests is %v", g.Health)
	}
	many := []catalog.Entry{entry("a", "x"), entry("b", "x", "a"), entry("c", "x", "b", "a"), entry("d", "x", "c", "a"), entry("e", "x", "a"), entry("f", "x", "e", "d", "nowhere")}
	s.Reset(catalog.Catalog(many))
	w := whole(s)
	d = draw(s, &w)
	checkDrawing(t, d)
	if i := slices.IndexFunc(d.Nodes, func(n node) bool { return n.Missing }); i < 0 || d.Nodes[i].Address != "nowhere.nowhere" {
		t.Errorf("a port that is not there: %+v", d.Nodes)
	}
	// A circle is drawn as well as it can be.
	s.Reset(catalog.Catalog{entry("a", "x", "b"), entry("b", "x", "a")})
	w = whole(s)
	if d = draw(s, &w); len(d.Nodes) != 2 || len(d.Edges) != 2 {
		t.Errorf("a circle: %+v", d)
	}
	if d = draw(s, &catalog.Lineage{}); len(d.Nodes) != 0 {
		t.Errorf("nothing: %+v", d)
	}
}

func checkDrawing(t *testing.T, d drawing) {
	t.Helper()
	at := map[string]node{}
	for i, n := range d.Nodes {
		at[n.Address] = n
		if n.X < 0 || n.Y < 0 || n.X+n.Width > d.Width || n.Y+n.Height > d.Height {
			t.Errorf("%s is outside", n.Address)
		}
		for _, o := range d.Nodes[:i] {
			if n.X < o.X+o.Width && o.X < n.X+n.Width && n.Y < o.Y+o.Height && o.Y < n.Y+n.Height {
				t.Errorf("%s is on %s", n.Address, o.Address)
			}
		}
	}
	for _, e := range d.Edges {
		from, to := at[e.From], at[e.To]
		first, last := e.Points[0], e.Points[len(e.Points)-1]
		if from.X+from.Width > to.X || first != [2]int{from.X + from.Width, from.Y + from.Height/2} || last != [2]int{to.X, to.Y + to.Height/2} {
			t.Errorf("%s to %s: %v", e.From, e.To, e.Points)
		}
	}
}
