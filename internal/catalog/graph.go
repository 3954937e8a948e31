package catalog

import (
	"fmt"
	"strings"
)

// Tree is the lineage as text, a port a line: what the ports are made of as a tree that
// grows upwards in time, then what is made of them. A port that stands in several places
// is followed at the first only. each, if not nil, says more about a port.
func (l *Lineage) Tree(each func(Linked) string) []string {
	if each == nil {
		each = func(p Linked) string { return p.State }
	}
	var lines []string
	for i, of := range l.Of {
		if i > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, label(l.Port(of), "", each))
		for _, side := range []struct {
			head, none string
			up         bool
		}{{"made of", "nothing else: records are published to it", true}, {"read by", "no product of this mesh", false}} {
			lines = append(lines, side.head)
			before := len(lines)
			lines = l.branch(lines, of, "  ", side.up, map[string]bool{of: true}, each)
			if len(lines) == before {
				lines = append(lines, "  "+side.none)
			}
		}
	}
	return lines
}

func label(p Linked, note string, each func(Linked) string) string {
	return strings.TrimRight(fmt.Sprintf("%s%s  %s", p.Address, note, each(p)), " ")
}

// branch adds the ports next to of, and those behind them.
func (l *Lineage) branch(lines []string, of, indent string, up bool, seen map[string]bool, each func(Linked) string) []string {
	var next []Link
	for _, link := range l.Links {
		if up && link.To == of || !up && link.From == of {
			next = append(next, link)
		}
	}
	for i, link := range next {
		knot, below := "├─ ", "│  "
		if i == len(next)-1 {
			knot, below = "└─ ", "   "
		}
		to := link.To
		if up {
			to = link.From
		}
		if seen[to] {
			lines = append(lines, indent+knot+label(l.Port(to), " (above)", each))
			continue
		}
		seen[to] = true
		lines = append(lines, indent+knot+label(l.Port(to), "", each))
		lines = l.branch(lines, to, indent+below, up, seen, each)
	}
	return lines
}

// DOT is the lineage for Graphviz.
func (l *Lineage) DOT() string {
	var b strings.Builder
	b.WriteString("digraph lineage {\n  rankdir=LR\n  node [shape=box]\n")
	for _, p := range l.Ports {
		fmt.Fprintf(&b, "  %q [label=%q%s]\n", p.Address, p.Address+"\n"+p.State, map[bool]string{true: " style=bold"}[l.asked(p.Address)])
	}
	for _, link := range l.Links {
		fmt.Fprintf(&b, "  %q -> %q\n", link.From, link.To)
	}
	b.WriteString("}\n")
	return b.String()
}

// Mermaid is the lineage as Markdown of GitHub and others shows it.
func (l *Lineage) Mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	number := map[string]int{}
	for i, p := range l.Ports {
		number[p.Address] = i
		fmt.Fprintf(&b, "  p%d[\"%s<br>%s\"]\n", i, p.Address, p.State)
		if l.asked(p.Address) {
			fmt.Fprintf(&b, "  style p%d stroke-width:3px\n", i)
		}
	}
	for _, link := range l.Links {
		fmt.Fprintf(&b, "  p%d --> p%d\n", number[link.From], number[link.To])
	}
	return b.String()
}

func (l *Lineage) asked(address string) bool {
	for _, of := range l.Of {
		if of == address {
			return true
		}
	}
	return false
}
