package catalog

import (
	"cmp"
	"slices"
	"strings"

	"github.com/meshctl/meshctl/internal/product"
)

// Hit is a product that a search found, with the places that matched, best first.
type Hit struct {
	Entry  Entry    `json:"entry"`
	Places []string `json:"places"` // such as "column flights.origin"
	score  int
}

// Search finds the products in which every word of query occurs, ignoring case, in a
// name, domain, owner, tag, description or column; best first. A name counts more
// than a column, a column more than a description.
func (c Catalog) Search(query string) []Hit {
	words := strings.Fields(strings.ToLower(query))
	hits := []Hit{}
	for _, e := range c {
		if h, ok := match(e, words); ok {
			hits = append(hits, h)
		}
	}
	slices.SortStableFunc(hits, func(a, b Hit) int { return cmp.Compare(b.score, a.score) })
	return hits
}

func match(e Entry, words []string) (Hit, bool) {
	h := Hit{Entry: e, Places: []string{}}
	for _, w := range words {
		found := false
		look := func(score int, place, text string) {
			text = strings.ToLower(text)
			if !strings.Contains(text, w) {
				return
			}
			found = true
			if text == w {
				score *= 2
			}
			h.score += score
			if !slices.Contains(h.Places, place) {
				h.Places = append(h.Places, place)
			}
		}
		m := e.Product.Metadata
		look(50, "name", m.Name)
		look(20, "domain", m.Domain)
		look(20, "owner", m.Owner)
		for _, t := range m.Tags {
			look(30, "tag "+t, t)
		}
		look(5, "description", m.Description)
		for _, p := range e.Ports {
			look(40, "port "+p.Address, p.Output.Name)
			look(5, "description of "+p.Address, p.Output.Description)
			for _, col := range p.Output.Schema {
				lookColumn(look, p.Address, col)
			}
		}
		if !found {
			return Hit{}, false
		}
	}
	return h, true
}

func lookColumn(look func(int, string, string), path string, col product.Column) {
	path += "." + col.Name
	look(10, "column "+path, col.Name)
	look(10, "column "+path, col.BusinessName)
	look(3, "description of "+path, col.Description)
	look(3, "classification of "+path, col.Classification)
	for _, sub := range col.Properties {
		lookColumn(look, path, sub)
	}
}
