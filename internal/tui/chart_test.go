package tui

import (
	"fmt"
	"strings"
	"testing"
)

// plot draws a table's column without colour, a cell a character.
func plotted(t *testing.T, header []string, rows [][]string, column, kind, w, h int) string {
	t.Helper()
	var cells [][]span
	for _, r := range rows {
		var row []span
		for _, text := range r {
			row = append(row, span{text, plain})
		}
		cells = append(cells, row)
	}
	l := &listed{header, cells}
	c, err := newChart(t.Context(), l, column, timeColumn(l))
	if err != nil {
		t.Fatal(err)
	}
	for range kind {
		c.turn()
	}
	var b strings.Builder
	for _, l := range c.lines(w, h) {
		for _, s := range l.spans {
			b.WriteString(s.text)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestChartsByColumn(t *testing.T) {
	header := []string{"at", "who", "n"}
	var rows [][]string
	for i := range 1000 {
		rows = append(rows, []string{fmt.Sprintf("2026-03-%02d", 1+i/40), []string{"ann", "bob", "ann", "cid"}[i%4], fmt.Sprint(i % 100)})
	}
	rows = append(rows, []string{"2026-03-01", "ann", "1000000"}, []string{"2026-03-01", "dan", "NULL"})
	for _, c := range []struct {
		column, kind int
		want         []string
	}{
		{2, 0, []string{"n  histogram of 1,002 rows, 1 without a value; c: over time", "0 … 10", "from 90", " 101", "greatest 1,000,000"}},
		{2, 1, []string{"over time", "2026-03-01", "2026-03-25", "│"}},
		{2, 2, []string{"bars", "91 more values in 901 rows are not shown"}},
		{1, 0, []string{"who  bars of 1,002 rows", "ann █", " 501", "dan ▏"}},
		{0, 0, []string{"at  over time of 1,002 rows", "42"}},
	} {
		got := plotted(t, header, rows, c.column, c.kind, 60, 14)
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("column %d, kind %d: no %q in\n%s", c.column, c.kind, want, got)
			}
		}
	}
	// What there is little of is drawn all the same.
	for _, rows := range [][][]string{{}, {{"", "", ""}}, {{"2026-01-01", "x", "5"}}, {{"2026-01-01", "x", "0"}, {"2026-01-01", "x", "0"}}} {
		for column := range header {
			for kind := range 3 {
				plotted(t, header, rows, column, kind, 20, 5)
			}
		}
	}
}

func TestBarsAreExactToAnEighth(t *testing.T) {
	for v, want := range map[float64]string{0: "          ", 100: "██████████", 50: "█████     ", 1.25: "▏         ", 0.001: "▏         ", 98.8: "█████████▉"} {
		if got := bar(v, 100, 10); got != want {
			t.Errorf("bar(%v) = %q; want %q", v, got, want)
		}
	}
	if got := spark([]float64{0, 5, 10}, 2); got != "▅█" {
		t.Errorf("spark = %q", got)
	}
}

func TestFilter(t *testing.T) {
	for text, c := range map[string]struct {
		yes, no string
	}{
		"del":    {"Delays", "flights"},
		"Del":    {"Delays", "delays"},
		"^a.*s$": {"airports", "flights"},
		"!del":   {"flights", "delays"},
		"~dly":   {"delays", "flights"},
		"!~dly":  {"flights", "delays"},
		"~DLY":   {"DeLaYs", "delays"},
	} {
		f, err := parseFilter(text)
		if err != nil {
			t.Fatal(err)
		}
		if !f.any(c.yes) || f.any(c.no) {
			t.Errorf("%q: %s %v, %s %v", text, c.yes, f.any(c.yes), c.no, f.any(c.no))
		}
	}
	for _, bad := range []string{"[", "!("} {
		if _, err := parseFilter(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	for _, all := range []string{"", "~"} {
		if f, err := parseFilter(all); err != nil || !f.empty() || !f.any("x") {
			t.Errorf("%q: %v", all, err)
		}
	}
}
