package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/serve"
)

// page answers what the page asks.
type page struct {
	live *live
	mesh browse.Mesh
}

// answer is a handler that answers JSON, or a problem.
func answer(ask func(r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := ask(r)
		var text []byte
		if err == nil {
			text, err = json.Marshal(v)
		}
		if err != nil {
			serve.WriteProblem(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text) // who does not listen is not told
	}
}

// known gives what the catalog knows of a product to use.
func (p *page) known(name string, use func(s *browse.State, e *catalog.Entry)) (err error) {
	p.live.with(func() {
		var e *catalog.Entry
		if e, err = p.live.state.All.Known(name); err == nil {
			use(p.live.state, e)
		}
	})
	return err
}

func (p *page) product(r *http.Request) (any, error) {
	name := r.PathValue("name")
	var d detail
	err := p.known(name, func(s *browse.State, e *catalog.Entry) { d = detailOf(s, e) })
	if err == nil {
		p.live.look(name)
	}
	return d, err
}

// found is a product that a search found, and where.
type found struct {
	brief
	Places []string `json:"places"`
}

// mostFound is how many products a search shows.
const mostFound = 200

func (p *page) search(r *http.Request) (any, error) {
	hits := []found{}
	more := false
	p.live.with(func() {
		s := p.live.state
		for _, h := range s.All.Search(r.URL.Query().Get("q")) {
			if more = len(hits) == mostFound; more {
				return
			}
			hits = append(hits, found{briefOf(s, s.All.Product(h.Entry.Product.Metadata.Name)), h.Places})
		}
	})
	return map[string]any{"hits": hits, "more": more}, nil
}

// lineage is that of the port or product in "of", drawn; without it, that of the whole mesh.
func (p *page) lineage(r *http.Request) (v any, err error) {
	p.live.with(func() {
		s := p.live.state
		l := whole(s)
		if of := r.URL.Query().Get("of"); of != "" {
			if l, err = s.All.Lineage(of, s.AsOf()); err != nil {
				return
			}
		}
		v = draw(s, &l)
	})
	return v, err
}

// whole is the lineage of all ports that read or are read.
func whole(s *browse.State) catalog.Lineage {
	l := catalog.Lineage{Links: s.All.Links()}
	seen := map[string]bool{}
	for _, link := range l.Links {
		for _, address := range []string{link.From, link.To} {
			if !seen[address] {
				seen[address] = true
				l.Ports = append(l.Ports, catalog.Linked{Address: address})
			}
		}
	}
	return l
}

const (
	sampleRows = 100
	answerRows = 10_000
)

func (p *page) sample(r *http.Request) (any, error) {
	var table string
	var err error
	p.live.with(func() {
		var e *catalog.Entry
		var port *catalog.Port
		if e, port, err = p.live.state.All.Port(r.PathValue("address")); err == nil {
			table = browse.SQLName(e, port)
		}
	})
	if err != nil {
		return nil, err
	}
	return p.ask(r, "SELECT * FROM "+table, sampleRows)
}

// mostSQL is the most bytes of a statement.
const mostSQL = 1 << 20

func (p *page) query(r *http.Request) (any, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, fault.New(fault.Invalid, "send Content-Type: application/json", "a statement comes as JSON")
	}
	var q struct {
		SQL string `json:"sql"`
	}
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, mostSQL))
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil {
		return nil, fault.New(fault.Invalid, `send {"sql": "SELECT …"}`, "read the statement: %w", err)
	}
	if q.SQL == "" {
		return nil, fault.New(fault.Invalid, "write a SELECT", "there is no statement")
	}
	return p.ask(r, q.SQL, answerRows)
}

// ask runs a statement for as long as who asked waits for it.
func (p *page) ask(r *http.Request, sql string, most int) (_ any, err error) {
	a, err := p.mesh.Query(r.Context(), serve.QueryRequest{SQL: sql, Limit: int64(most)})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	rows, err := readRows(r.Context(), a)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	return rows, nil
}
