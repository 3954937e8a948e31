package catalog

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// reading makes a product with one port that reads others.
func reading(name string, ports ...string) Entry {
	e := entry(name, name+"."+name)
	e.Seen, e.Product.Metadata.Status = noon, product.StatusActive
	for i, p := range ports {
		in := string(rune('a' + i))
		e.Product.Spec.Inputs = append(e.Product.Spec.Inputs, product.Input{Name: in, Port: p})
		e.Inputs = append(e.Inputs, Input{Name: in, Port: p, Last: 5, Lag: uint64(i)})
	}
	e.Product.Spec.Inputs = append(e.Product.Spec.Inputs, product.Input{Name: "published"})
	return e
}

// made is a mesh: raw -> clean -> report and board, lost -> report, unrelated beside.
func made() Catalog {
	raw := reading("raw")
	raw.Seen = noon.Add(-time.Hour)
	return Catalog{
		reading("board", "clean.clean"), reading("clean", "raw.raw"), raw,
		reading("report", "clean.clean", "lost.lost", "raw.raw@1"), reading("unrelated", "lost.lost@3"),
	}
}

func TestLineage(t *testing.T) {
	l, err := made().Lineage("clean", noon)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"clean.clean  active",
		"made of",
		"  └─ raw.raw  gone since 1h",
		"read by",
		"  ├─ board.board  active",
		"  └─ report.report  active",
	}
	if got := l.Tree(nil); !reflect.DeepEqual(got, want) {
		t.Errorf("tree of clean:\n%s", strings.Join(got, "\n"))
	}
	l, err = made().Lineage("report.report", noon)
	if err != nil {
		t.Fatal(err)
	}
	want = []string{
		"report.report  active",
		"made of",
		"  ├─ clean.clean  active",
		"  │  └─ raw.raw  gone since 1h",
		"  ├─ lost.lost  not in the catalog",
		"  └─ raw.raw (above)  gone since 1h",
		"read by",
		"  no product of this mesh",
	}
	if got := l.Tree(nil); !reflect.DeepEqual(got, want) {
		t.Errorf("tree of report:\n%s", strings.Join(got, "\n"))
	}
	if len(l.Ports) != 4 || len(l.Links) != 4 {
		t.Errorf("%d ports, %d links: %+v", len(l.Ports), len(l.Links), l)
	}
	if _, err := made().Lineage("lots", noon); fault.KindOf(err) != fault.NotFound {
		t.Errorf("of nothing: %v", err)
	}
}

// Products may read each other in a ring.
func TestLineageOfARing(t *testing.T) {
	c := Catalog{reading("a", "b.b"), reading("b", "a.a")}
	l, err := c.Lineage("a", noon)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"a.a  active", "made of", "  └─ b.b  active", "     └─ a.a (above)  active",
		"read by", "  └─ b.b  active", "     └─ a.a (above)  active",
	}
	if got := l.Tree(nil); !reflect.DeepEqual(got, want) {
		t.Errorf("tree:\n%s", strings.Join(got, "\n"))
	}
}

func TestLineageAsGraphs(t *testing.T) {
	l, err := made().Lineage("board", noon)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"clean.clean" -> "board.board"`, `"raw.raw" -> "clean.clean"`, `"board.board" [label="board.board\nactive" style=bold]`} {
		if got := l.DOT(); !strings.Contains(got, want) || strings.Contains(got, "report") {
			t.Errorf("DOT has no %s, or too much:\n%s", want, got)
		}
	}
	for _, want := range []string{"flowchart LR\n", "p1 --> p0\n", "p2 --> p1\n", `p2["raw.raw<br>gone since 1h"]`, "style p0 "} {
		if got := l.Mermaid(); !strings.Contains(got, want) {
			t.Errorf("Mermaid has no %s:\n%s", want, got)
		}
	}
}

func TestReaders(t *testing.T) {
	got := made().Readers("raw.raw", noon)
	if len(got) != 2 || got[0].Product != "clean" || got[1].Product != "report" || got[1].Lag != 2 || got[1].Name != "c" {
		t.Errorf("readers = %+v", got)
	}
	if got := made().Readers("report.report", noon); got == nil || len(got) != 0 {
		t.Errorf("readers of report = %v", got)
	}
}
