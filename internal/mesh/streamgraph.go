package mesh

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// StreamGraph is who copies whom among streams.
type StreamGraph struct {
	Streams []GraphStream `json:"streams"`
	Links   []GraphLink   `json:"links"`
}

// GraphStream is a stream of a graph.
type GraphStream struct {
	Address string `json:"address"`
	// Messages is -1 where nobody told of the stream: it is elsewhere, or is not there.
	Messages int64 `json:"messages"`
}

// GraphLink says that stream To copies stream From.
type GraphLink struct {
	From   string `json:"from"`
	To     string `json:"to"`
	Kind   string `json:"kind"` // mirror or source
	Filter string `json:"filter,omitempty"`
	Lag    uint64 `json:"lag"`
	Error  string `json:"error,omitempty"`
	Quiet  bool   `json:"quiet,omitempty"` // never heard of its origin
}

// NewStreamGraph is the graph of streams, by address. Only streams that copy or are
// copied are in it; those that stand alone are counted.
func NewStreamGraph(streams []Stream) (g *StreamGraph, alone int) {
	g = &StreamGraph{Streams: []GraphStream{}, Links: []GraphLink{}}
	held := map[string]int64{}
	linked := map[string]bool{}
	for i := range streams {
		s := &streams[i]
		held[s.Address()] = int64(s.Messages)
		kind := "source"
		if s.Mirror != nil {
			kind = "mirror"
		}
		for _, o := range s.Origins() {
			from := o.Domain + "/" + o.Stream
			g.Links = append(g.Links, GraphLink{From: from, To: s.Address(), Kind: kind, Filter: o.Filter, Lag: o.Lag, Error: o.Error, Quiet: o.Active < 0})
			linked[from], linked[s.Address()] = true, true
		}
	}
	for address := range linked {
		n, ok := held[address]
		if !ok {
			n = -1
		}
		g.Streams = append(g.Streams, GraphStream{address, n})
	}
	for address := range held {
		if !linked[address] {
			alone++
		}
	}
	slices.SortFunc(g.Streams, func(a, b GraphStream) int { return cmp.Compare(a.Address, b.Address) })
	slices.SortFunc(g.Links, func(a, b GraphLink) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Filter, b.Filter))
	})
	return g, alone
}

// Around leaves of the graph what a stream is copied from and into, at any distance.
func (g *StreamGraph) Around(addresses ...string) *StreamGraph {
	kept := map[string]bool{}
	for _, up := range []bool{true, false} {
		seen := map[string]bool{}
		for next := slices.Clone(addresses); len(next) > 0; next = next[1:] {
			if seen[next[0]] {
				continue
			}
			seen[next[0]], kept[next[0]] = true, true
			for _, l := range g.Links {
				if up && l.To == next[0] {
					next = append(next, l.From)
				} else if !up && l.From == next[0] {
					next = append(next, l.To)
				}
			}
		}
	}
	out := &StreamGraph{Streams: []GraphStream{}, Links: []GraphLink{}}
	for _, s := range g.Streams {
		if kept[s.Address] {
			out.Streams = append(out.Streams, s)
		}
	}
	for _, l := range g.Links {
		if kept[l.From] && kept[l.To] {
			out.Links = append(out.Links, l)
		}
	}
	return out
}

// Tree is the graph as text: each stream that copies nobody, with those that copy it
// below. A stream that stands in several places is followed at the first only.
func (g *StreamGraph) Tree() []string {
	var lines []string
	seen := map[string]bool{}
	root := func(s GraphStream) {
		seen[s.Address] = true
		lines = append(lines, fmt.Sprintf("%s  %s", s.Address, s.holds()))
		lines = g.below(lines, s.Address, "", seen)
	}
	for _, s := range g.Streams {
		if !slices.ContainsFunc(g.Links, func(l GraphLink) bool { return l.To == s.Address }) {
			root(s)
		}
	}
	for _, s := range g.Streams { // those of a ring hang below none
		if !seen[s.Address] {
			root(s)
		}
	}
	return lines
}

func (g *StreamGraph) below(lines []string, from, indent string, seen map[string]bool) []string {
	var next []GraphLink
	for _, l := range g.Links {
		if l.From == from {
			next = append(next, l)
		}
	}
	for i, l := range next {
		knot, deeper := "├─ ", "│  "
		if i == len(next)-1 {
			knot, deeper = "└─ ", "   "
		}
		if seen[l.To] {
			lines = append(lines, fmt.Sprintf("%s%s%s (above)  %s", indent, knot, l.To, l.state()))
			continue
		}
		seen[l.To] = true
		lines = append(lines, fmt.Sprintf("%s%s%s  %s, %s", indent, knot, l.To, g.stream(l.To).holds(), l.state()))
		lines = g.below(lines, l.To, indent+deeper, seen)
	}
	return lines
}

func (g *StreamGraph) stream(address string) GraphStream {
	i, _ := slices.BinarySearchFunc(g.Streams, address, func(s GraphStream, a string) int { return cmp.Compare(s.Address, a) })
	return g.Streams[i]
}

func (s GraphStream) holds() string {
	switch s.Messages {
	case -1:
		return "not seen"
	case 1:
		return "1 message"
	}
	return fmt.Sprintf("%d messages", s.Messages)
}

func (l GraphLink) state() string {
	state := fmt.Sprintf("%s, lag %d", l.Kind, l.Lag)
	if l.Filter != "" {
		state += ", only " + l.Filter
	}
	switch {
	case l.Error != "":
		state += ", error: " + l.Error
	case l.Quiet:
		state += ", its origin was never heard of"
	}
	return state
}

// DOT is the graph for Graphviz.
func (g *StreamGraph) DOT() string {
	var b strings.Builder
	b.WriteString("digraph streams {\n  rankdir=LR\n  node [shape=box]\n")
	for _, s := range g.Streams {
		fmt.Fprintf(&b, "  %q [label=%q]\n", s.Address, s.Address+"\n"+s.holds())
	}
	for _, l := range g.Links {
		color := ""
		if l.Error != "" || l.Quiet {
			color = " color=red"
		}
		fmt.Fprintf(&b, "  %q -> %q [label=%q%s]\n", l.From, l.To, l.state(), color)
	}
	b.WriteString("}\n")
	return b.String()
}

// Mermaid is the graph as Markdown of GitHub and others shows it.
func (g *StreamGraph) Mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	number := map[string]int{}
	for i, s := range g.Streams {
		number[s.Address] = i
		fmt.Fprintf(&b, "  s%d[\"%s<br>%s\"]\n", i, s.Address, s.holds())
	}
	for _, l := range g.Links {
		fmt.Fprintf(&b, "  s%d -- \"%s\" --> s%d\n", number[l.From], strings.ReplaceAll(l.state(), `"`, "'"), number[l.To])
	}
	return b.String()
}
