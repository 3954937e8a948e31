package web

import (
	"cmp"
	"slices"

	"github.com/meshctl/meshctl/internal/browse"
	"github.com/meshctl/meshctl/internal/catalog"
)

// drawing is a lineage with places: what a port is made of stands to its left.
type drawing struct {
	Width  int    `json:"width"`
	Height int    `json:"height"`
	Nodes  []node `json:"nodes"`
	Edges  []edge `json:"edges"`
}

// node is a port, by its upper left corner.
type node struct {
	Address string        `json:"address"`
	Owner   string        `json:"owner,omitempty"`
	Health  browse.Health `json:"health"`
	Asked   bool          `json:"asked,omitempty"` // the lineage is its
	Missing bool          `json:"missing,omitempty"`
	X       int           `json:"x"`
	Y       int           `json:"y"`
	Width   int           `json:"width"`
	Height  int           `json:"height"`
}

// edge says who reads whom, through points from left to right.
type edge struct {
	From   string   `json:"from"`
	To     string   `json:"to"`
	Input  string   `json:"input"`
	Points [][2]int `json:"points"`
}

const (
	nodeWidth  = 236
	nodeHeight = 52
	gapX       = 64
	gapY       = 20
	margin     = 12
	sweeps     = 12
)

// spot is a port in a column, or the place where an edge passes through one.
type spot struct {
	port   int // of the lineage's, -1 for an edge that passes
	layer  int
	y      float64
	left   []*spot
	right  []*spot
	height float64
}

// draw places the ports in columns, each to the right of all that it is made of, and orders
// the columns so that few edges cross (Sugiyama's method, by barycentres).
func draw(s *browse.State, l *catalog.Lineage) drawing {
	g := newLayered(l)
	for range sweeps {
		g.sweep(1, len(g.layers), 1, func(s *spot) []*spot { return s.left })
		g.sweep(len(g.layers)-2, -1, -1, func(s *spot) []*spot { return s.right })
	}
	g.place()
	d := drawing{Nodes: []node{}, Edges: []edge{}}
	for i, p := range l.Ports {
		at := g.ports[i]
		n := node{
			Address: p.Address, Asked: slices.Contains(l.Of, p.Address),
			X: margin + at.layer*(nodeWidth+gapX), Y: margin + int(at.y), Width: nodeWidth, Height: nodeHeight,
		}
		if e, port, err := s.All.Port(p.Address); err == nil {
			n.Owner, n.Health = e.Product.Metadata.Owner, s.PortHealth(e, port)
		} else {
			n.Missing, n.Health = true, browse.Health{Rank: browse.Gone, Text: catalog.Missing}
		}
		d.Nodes = append(d.Nodes, n)
		d.Width, d.Height = max(d.Width, n.X+nodeWidth+margin), max(d.Height, n.Y+nodeHeight+margin)
	}
	for i, link := range l.Links {
		d.Edges = append(d.Edges, edge{From: link.From, To: link.To, Input: link.Input, Points: points(g.edges[i])})
	}
	return d
}

// points are where an edge goes through.
func points(path []*spot) (all [][2]int) {
	for i, s := range path {
		x, y := margin+s.layer*(nodeWidth+gapX), margin+int(s.y+s.height/2)
		if i > 0 {
			all = append(all, [2]int{x, y})
		}
		if i < len(path)-1 {
			all = append(all, [2]int{x + nodeWidth, y})
		}
	}
	return all
}

// layered is a graph in columns.
type layered struct {
	layers [][]*spot
	ports  []*spot
	edges  [][]*spot // the spots of each link, from left to right
}

func newLayered(l *catalog.Lineage) *layered {
	g := &layered{}
	index := map[string]int{}
	for i, p := range l.Ports {
		index[p.Address] = i
		g.ports = append(g.ports, &spot{port: i, height: nodeHeight})
	}
	before := make([][]int, len(l.Ports))
	for _, link := range l.Links {
		before[index[link.To]] = append(before[index[link.To]], index[link.From])
	}
	depth := depths(before)
	for i, s := range g.ports {
		s.layer = depth[i]
		g.add(s)
	}
	for _, link := range l.Links {
		g.edges = append(g.edges, g.connect(g.ports[index[link.From]], g.ports[index[link.To]]))
	}
	return g
}

// depths is the longest way to each node from one that has nothing before it. A link that
// closes a circle does not count.
func depths(before [][]int) []int {
	depth, open, done := make([]int, len(before)), make([]bool, len(before)), make([]bool, len(before))
	var visit func(i int)
	visit = func(i int) {
		if done[i] {
			return
		}
		open[i] = true
		for _, b := range before[i] {
			if open[b] {
				continue
			}
			visit(b)
			depth[i] = max(depth[i], depth[b]+1)
		}
		open[i], done[i] = false, true
	}
	for i := range before {
		visit(i)
	}
	return depth
}

func (g *layered) add(s *spot) {
	for len(g.layers) <= s.layer {
		g.layers = append(g.layers, nil)
	}
	s.y = float64(len(g.layers[s.layer])) * (nodeHeight + gapY)
	g.layers[s.layer] = append(g.layers[s.layer], s)
}

// connect joins two spots by one in each column between them.
func (g *layered) connect(from, to *spot) []*spot {
	path := []*spot{from}
	for layer := from.layer + 1; layer < to.layer; layer++ {
		passing := &spot{port: -1, layer: layer, height: gapY}
		g.add(passing)
		path = append(path, passing)
	}
	path = append(path, to)
	if from.layer >= to.layer { // it closes a circle, and orders nothing
		return path
	}
	for i := 1; i < len(path); i++ {
		path[i-1].right = append(path[i-1].right, path[i])
		path[i].left = append(path[i].left, path[i-1])
	}
	return path
}

// sweep orders each column by the middle of what its spots are joined to, and moves them
// there as far as there is room.
func (g *layered) sweep(from, to, step int, joined func(*spot) []*spot) {
	for i := from; i != to && i >= 0 && i < len(g.layers); i += step {
		layer := g.layers[i]
		for _, s := range layer {
			if near := joined(s); len(near) > 0 {
				s.y = middle(near) - s.height/2
			}
		}
		slices.SortStableFunc(layer, func(a, b *spot) int { return cmp.Compare(a.y+a.height/2, b.y+b.height/2) })
		spread(layer)
	}
}

func middle(all []*spot) float64 {
	sum := 0.0
	for _, s := range all {
		sum += s.y + s.height/2
	}
	return sum / float64(len(all))
}

// spread pushes the spots of a column apart, as a whole around where they wanted to be.
func spread(layer []*spot) {
	wanted := middle(layer)
	for i := 1; i < len(layer); i++ {
		layer[i].y = max(layer[i].y, layer[i-1].y+layer[i-1].height+gapY)
	}
	shift := middle(layer) - wanted
	for _, s := range layer {
		s.y -= shift
	}
}

// place moves everything so that the uppermost spot is at 0.
func (g *layered) place() {
	top := 0.0
	for i, layer := range g.layers {
		for j, s := range layer {
			if i == 0 && j == 0 || s.y < top {
				top = s.y
			}
		}
	}
	for _, layer := range g.layers {
		for _, s := range layer {
			s.y -= top
		}
	}
}
