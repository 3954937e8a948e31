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
// name, domain, owner, tag, description or column; best first, equals by name. A name
// counts more than a column, a column more than a description; of several places a
// word counts by its best.
func (c Catalog) Search(query string) []Hit {
	words := strings.Fields(strings.ToLower(query))
	hits := []Hit{}
	for i := range c {
		if h, ok := match(&c[i], words); ok {
			hits = append(hits, h)
		}
	}
	slices.SortStableFunc(hits, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.Entry.Product.Metadata.Name, b.Entry.Product.Metadata.Name))
	})
	return hits
}

// match scores an entry: the sum over the words of what each word's best place is worth.
func match(e *Entry, words []string) (Hit, bool) {
	worth := map[string]int{} // of each place, by its best word
	h := Hit{Entry: *e, Places: []string{}}
	for _, w := range words {
		best := 0
		e.places(func(score int, place, text string) {
			text = strings.ToLower(text)
			if !strings.Contains(text, w) {
				return
			}
			if text == w {
				score *= 2
			}
			best = max(best, score)
			if _, known := worth[place]; !known {
				h.Places = append(h.Places, place)
			}
			worth[place] = max(worth[place], score)
		})
		if best == 0 {
			return Hit{}, false
		}
		h.score += best
	}
	slices.SortStableFunc(h.Places, func(a, b string) int { return cmp.Compare(worth[b], worth[a]) })
	return h, true
}

// places gives each text of the entry that can be found, with what it is worth. An
// exact match doubles that, which still leaves a description below every column.
func (e *Entry) places(look func(score int, place, text string)) {
	m := &e.Product.Metadata
	look(50, "name", m.Name)
	look(20, "domain", m.Domain)
	look(20, "owner", m.Owner)
	for _, t := range m.Tags {
		look(30, "tag "+t, t)
	}
	look(4, "description", m.Description)
	for i := range e.Ports {
		p := &e.Ports[i]
		look(40, "port "+p.Address, p.Output.Name)
		look(4, "description of "+p.Address, p.Output.Description)
		for j := range p.Output.Schema {
			lookColumn(look, p.Address, &p.Output.Schema[j])
		}
	}
}

func lookColumn(look func(int, string, string), path string, col *product.Column) {
	if col.Name != "" { // an array's element has none
		path += "." + col.Name
	}
	look(10, "column "+path, col.Name)
	look(10, "column "+path, col.BusinessName)
	for _, t := range col.Tags {
		look(10, "column "+path, t)
	}
	look(3, "description of "+path, col.Description)
	look(3, "classification of "+path, col.Classification)
	for i := range col.Properties {
		lookColumn(look, path, &col.Properties[i])
	}
	if col.Items != nil {
		lookColumn(look, path, col.Items)
	}
}
