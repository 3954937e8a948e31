package federate

import (
	"fmt"
	"strings"
	"testing"
)

// chain is region, nation, supplier and lines, each linked with the next both ways.
func chain() *Plan {
	p := &Plan{Scans: []Scan{
		{Schema: "~", Table: "0", Where: []string{`"name" = 'ASIA'`}}, {Schema: "~", Table: "1"}, {Schema: "~", Table: "2"}, {Schema: "~", Table: "3"},
	}}
	for i := range 3 {
		p.Links = append(p.Links, Link{i, i + 1, "key", "parent", "BIGINT", false}, Link{i + 1, i, "parent", "key", "BIGINT", false})
	}
	return p
}

func TestSmallTablesComeFirstAndTellTheRestWhatMatters(t *testing.T) {
	w := chain().NewWaves([]int{0, 1, 2, 3}, []float64{5, 25, 10_000, 6_000_000}, Usual())
	if got := fmt.Sprint(w.Small()); got != "[0 1]" {
		t.Errorf("small are %s", got)
	}
	var waves []string
	rows := []int64{1, 25, 2000, 1_200_000}
	for {
		next := w.Next()
		if len(next) == 0 {
			break
		}
		waves = append(waves, fmt.Sprint(next))
		for _, table := range next {
			w.Fetched(table, rows[table])
		}
	}
	if got := strings.Join(waves, " "); got != "[0 1] [2] [3]" {
		t.Errorf("waves = %s", got)
	}
	w = chain().NewWaves([]int{0, 1, 2, 3}, []float64{5, 25, 10_000, 6_000_000}, Usual())
	w.Fetched(0, 1)
	w.Fetched(1, 25)
	into := w.Into(2)
	if len(into) != 1 {
		t.Fatalf("links into the suppliers: %v", into)
	}
	want := `SELECT DISTINCT "key" AS k FROM "~"."1" WHERE "parent" IN (SELECT "key" FROM "~"."0" WHERE "name" = 'ASIA') AND "key" IS NOT NULL`
	if got := w.Keys(into[0]); got != want {
		t.Errorf("keys = %s", got)
	}
	if !w.Useful(into[0], 5) || w.Useful(into[0], 24) {
		t.Error("5 of 25 keys leave a fifth, 24 nearly all")
	}
}

func TestNothingIsAwaitedThatLeavesEverything(t *testing.T) {
	p := chain()
	p.Scans[0].Where = nil
	w := p.NewWaves([]int{0, 1, 2, 3}, []float64{5, 25, 10_000, 6_000_000}, Usual())
	if got := fmt.Sprint(w.Next()); got != "[0 1 2 3]" {
		t.Errorf("first wave %s", got)
	}
}

func TestTwoTablesThatWaitForEachOther(t *testing.T) {
	p := &Plan{Scans: make([]Scan, 2), Links: []Link{{From: 0, To: 1}, {From: 1, To: 0}}}
	w := p.NewWaves([]int{0, 1}, []float64{100_000, 1_000_000}, Usual())
	w.Sampled(0, 0.1)
	w.Sampled(1, 0.001)
	if got := fmt.Sprint(w.Next()); got != "[1]" {
		t.Errorf("first wave %s", got)
	}
	w.Fetched(1, 900_000) // more than it seemed
	if got := fmt.Sprint(w.Next()); got != "[0]" {
		t.Errorf("second wave %s", got)
	}
	w.Fetched(0, 10)
	if got := w.Next(); len(got) != 0 {
		t.Errorf("after all %v", got)
	}
}

// A table that is joined with itself has its rows chosen by itself, if enough is known of
// the other reading of it.
func TestATableChoosesItsOwnRows(t *testing.T) {
	p := &Plan{Scans: []Scan{{Schema: "~", Table: "0", Where: []string{`"n" = 1`}}, {Schema: "~", Table: "0"}}}
	p.Links = []Link{{0, 1, "key", "key", "BIGINT", false}, {1, 0, "key", "key", "BIGINT", false}}
	w := p.NewWaves([]int{0, 0}, []float64{10_000}, Usual())
	if got := w.Within(1); len(got) != 1 || got[0] != p.Links[0] {
		t.Errorf("chosen by %v", got)
	}
	if got := w.Within(0); len(got) != 0 {
		t.Errorf("what leaves nothing out chooses: %v", got)
	}
	w.Sampled(0, 0.9)
	if got := w.Within(1); len(got) != 0 {
		t.Errorf("what hardly leaves anything out chooses: %v", got)
	}
	w.Fetched(0, 100)
	if got := w.Within(1); len(got) != 0 {
		t.Errorf("what is here is chosen: %v", got)
	}
}
