package cli

import (
	"fmt"
	"strings"
	"testing"
)

func TestChangedLines(t *testing.T) {
	many := func(word string) string {
		var b strings.Builder
		for i := range 20 {
			fmt.Fprintf(&b, "%s %d\n", word, i)
		}
		return b.String()
	}
	for _, c := range []struct {
		name     string
		old, new any
		want     string
	}{
		{"no text", int64(1), "a\nb\n", ""},
		{"one line", "a", "b", ""},
		{"nothing before", nil, "a\nb\n", ""},
		{"a line", "a\n  b: 1\nc\n", "a\n  b: 2\nc\n", "-   b: 1|+   b: 2"},
		{"a line more, an empty one less", "a\n\nb\n", "a\nb\nc\n", "-|+ c"},
		{"a control character", "a\nb\n", "a\n\x1b[31mb\n", "- b|+ \\x1b[31mb"},
		{"what looks like a header", "a\n-- x\n", "a\n++ x\n", "- -- x|+ ++ x"},
	} {
		if got := strings.Join(changedLines(c.old, c.new), "|"); got != c.want {
			t.Errorf("%s: got %q, not %q", c.name, got, c.want)
		}
	}
	if got := changedLines(many("old"), many("new")); len(got) != mostLines+1 || got[mostLines] != "… and 28 more lines" {
		t.Errorf("got %q", got)
	}
}
