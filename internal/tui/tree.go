package tui

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/catalog"
)

// subject is what the cursor is on: a domain, a product of it or a port of that.
type subject struct{ domain, product, port string }

func (s subject) depth() int {
	switch {
	case s.port != "":
		return 2
	case s.product != "":
		return 1
	}
	return 0
}

func (s subject) String() string { return cmp.Or(s.port, s.product, s.domain) }

// figures are what a row tells of a port, summed up for what is above it.
type figures struct {
	records, lag, dead uint64
	rate               float64
	last               time.Time
	health             browse.Health
	count              int // of products below a domain
}

func (f *figures) add(o figures) {
	f.records, f.lag, f.dead, f.rate = f.records+o.records, f.lag+o.lag, f.dead+o.dead, f.rate+o.rate
	if o.last.After(f.last) {
		f.last = o.last
	}
	if f.health.Text == "" || o.health.Rank > f.health.Rank {
		f.health = o.health
	}
}

// branch is a domain, a product or a port with what is below it.
type branch struct {
	of    subject
	label string
	figures
	below []*branch
}

// tree is the list of what there is.
type tree struct {
	rows   []*branch // that are shown, in order
	at     subject   // the cursor
	top    int       // the first row on the screen
	filter filter
	sort   int // of sorts()
	desc   bool
	folded map[subject]bool // told by a person; what is not there is as fits
	found  int              // ports that the filter leaves
	total  int

	products int // of the mesh
	height   int // of the screen, as it was last drawn
}

// sorts are the columns that the tree can be ordered by.
func sorts() []string { return []string{"name", "records", "lag", "rate", "updated", "dead", "state"} }

// unfoldedAt is how many products are shown with their ports at first.
const unfoldedAt = 40

func newTree() *tree { return &tree{folded: map[subject]bool{}} }

// build makes the rows anew from what is known, the cursor staying on what it is on.
func (t *tree) build(s *browse.State) {
	domains := map[string]*branch{}
	t.found, t.total = 0, 0
	for i := range s.All {
		e := &s.All[i]
		t.total += len(e.Ports)
		b := t.product(s, e)
		if b == nil {
			continue
		}
		d := domains[b.of.domain]
		if d == nil {
			d = &branch{of: subject{domain: b.of.domain}, label: b.of.domain}
			domains[b.of.domain] = d
		}
		d.add(b.figures)
		d.count++
		d.below = append(d.below, b)
	}
	var all []*branch
	for _, d := range domains {
		all = append(all, d)
	}
	t.order(all)
	before := t.index()
	t.rows = t.rows[:0]
	t.products = len(s.All)
	t.flatten(all)
	t.follow(before)
}

// product is a product with the ports that the filter leaves, nil for none.
func (t *tree) product(s *browse.State, e *catalog.Entry) *branch {
	m := &e.Product.Metadata
	of := subject{domain: m.Domain, product: m.Name}
	b := &branch{of: of, label: m.Name}
	b.health = s.Health(e)
	own := productTexts(e)
	whole := !t.filter.inverse && t.filter.any(own...)
	for i := range e.Ports {
		p := &e.Ports[i]
		if !whole && !t.filter.any(append(textsOf(p), own...)...) {
			continue
		}
		t.found++
		of.port = p.Address
		pb := &branch{of: of, label: strings.TrimPrefix(p.Address, m.Name+"."), figures: figures{
			records: p.Records, lag: p.Lag(), dead: p.Dead, rate: s.Rate(p.Address), last: p.LastTime, health: s.PortHealth(e, p),
		}}
		b.add(pb.figures)
		b.below = append(b.below, pb)
	}
	if len(b.below) == 0 && !(len(e.Ports) == 0 && t.filter.any(own...)) {
		return nil
	}
	return b
}

// order sorts branches and what is below them.
func (t *tree) order(all []*branch) {
	by := func(a, b *branch) int {
		switch sorts()[t.sort] {
		case "records":
			return cmp.Compare(a.records, b.records)
		case "lag":
			return cmp.Compare(a.lag, b.lag)
		case "rate":
			return cmp.Compare(a.rate, b.rate)
		case "updated":
			return a.last.Compare(b.last)
		case "dead":
			return cmp.Compare(a.dead, b.dead)
		case "state":
			return cmp.Compare(a.health.Rank, b.health.Rank)
		}
		return cmp.Compare(a.label, b.label)
	}
	slices.SortFunc(all, func(a, b *branch) int {
		c := by(a, b)
		if t.desc {
			c = -c
		}
		return cmp.Or(c, cmp.Compare(a.label, b.label))
	})
	for _, b := range all {
		t.order(b.below)
	}
}

func (t *tree) flatten(all []*branch) {
	for _, b := range all {
		t.rows = append(t.rows, b)
		if t.open(b) {
			t.flatten(b.below)
		}
	}
}

// open says whether what is below a branch is shown. A product with one port says all
// about it itself, so that one is shown only when it is asked for.
func (t *tree) open(b *branch) bool {
	if folded, told := t.folded[b.of]; told && t.filter.empty() {
		return !folded
	}
	return b.of.depth() == 0 || b.of.depth() == 1 && len(b.below) > 1 && (t.products <= unfoldedAt || !t.filter.empty())
}

// index is the row that the cursor is on, -1 for none.
func (t *tree) index() int {
	return slices.IndexFunc(t.rows, func(b *branch) bool { return b.of == t.at })
}

// follow puts the cursor back where it was, or on what took that row.
func (t *tree) follow(before int) {
	if t.index() >= 0 || len(t.rows) == 0 {
		return
	}
	for _, near := range []subject{{t.at.domain, t.at.product, ""}, {t.at.domain, "", ""}} {
		if slices.ContainsFunc(t.rows, func(b *branch) bool { return b.of == near }) && near != t.at {
			t.at = near
			return
		}
	}
	t.at = t.rows[max(0, min(before, len(t.rows)-1))].of
}

// toProduct puts a cursor that is on a domain on its first product, which has more to show.
func (t *tree) toProduct() {
	if i := t.index(); i >= 0 && t.at.product == "" && i+1 < len(t.rows) && t.rows[i+1].of.product != "" {
		t.at = t.rows[i+1].of
	}
}

// row is the branch under the cursor, nil for none.
func (t *tree) row() *branch {
	if i := t.index(); i >= 0 {
		return t.rows[i]
	}
	return nil
}

// move moves the cursor by so many rows, and says whether it did.
func (t *tree) move(by int) bool {
	i := t.index()
	to := max(0, min(i+by, len(t.rows)-1))
	if len(t.rows) == 0 || to == i {
		return false
	}
	t.at = t.rows[to].of
	return true
}

// visible are the names of the products on the screen.
func (t *tree) visible() []string {
	var names []string
	for i := t.top; i < len(t.rows) && i < t.top+max(t.height, 1); i++ {
		if name := t.rows[i].of.product; name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
