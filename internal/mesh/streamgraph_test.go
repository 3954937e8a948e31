package mesh

import (
	"slices"
	"strings"
	"testing"
)

func graphed() []Stream {
	return []Stream{
		{Domain: "a", Name: "log", StreamHolding: StreamHolding{Messages: 10}},
		{Domain: "b", Name: "from-a", StreamHolding: StreamHolding{Messages: 1}, Mirror: &StreamOrigin{Domain: "a", Stream: "log", Lag: 9}},
		{Domain: "c", Name: "sum", Sources: []StreamOrigin{
			{Domain: "b", Stream: "from-a", Filter: "x.>"}, {Domain: "gone", Stream: "s", Active: -1}, {Domain: "a", Stream: "log", Error: "no answer"},
		}},
		{Domain: "r", Name: "one", Sources: []StreamOrigin{{Domain: "r", Stream: "two"}}},
		{Domain: "r", Name: "two", Sources: []StreamOrigin{{Domain: "r", Stream: "one"}}},
		{Domain: "z", Name: "alone"},
	}
}

func TestStreamGraph(t *testing.T) {
	g, alone := NewStreamGraph(graphed())
	if alone != 1 {
		t.Errorf("%d streams stand alone", alone)
	}
	want := []string{
		"a/log  10 messages",
		"├─ b/from-a  1 message, mirror, lag 9",
		"│  └─ c/sum  0 messages, source, lag 0, only x.>",
		"└─ c/sum (above)  source, lag 0, error: no answer",
		"gone/s  not seen",
		"└─ c/sum (above)  source, lag 0, its origin was never heard of",
		"r/one  0 messages",
		"└─ r/two  0 messages, source, lag 0",
		"   └─ r/one (above)  source, lag 0",
	}
	if got := g.Tree(); !slices.Equal(got, want) {
		t.Errorf("tree:\n%s", strings.Join(got, "\n"))
	}
	for _, line := range []string{`"a/log" -> "b/from-a" [label="mirror, lag 9"]`, `"gone/s" -> "c/sum" [label="source, lag 0, its origin was never heard of" color=red]`} {
		if !strings.Contains(g.DOT(), line+"\n") {
			t.Errorf("DOT lacks %s:\n%s", line, g.DOT())
		}
	}
	if !strings.Contains(g.Mermaid(), `s0 -- "mirror, lag 9" --> s1`) {
		t.Errorf("Mermaid:\n%s", g.Mermaid())
	}
	near := g.Around("b/from-a")
	if len(near.Streams) != 3 || len(near.Links) != 3 {
		t.Errorf("around b/from-a: %+v", near)
	}
	if none, alone := NewStreamGraph(nil); len(none.Tree()) != 0 || alone != 0 {
		t.Errorf("of nothing: %v", none.Tree())
	}
}
