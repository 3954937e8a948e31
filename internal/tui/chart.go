package tui

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"
)

// chart is what was read of a grid's columns to be drawn.
type chart struct {
	title  string
	rows   int // read
	nulls  int
	values []float64 // of a column of numbers
	counts map[string]int
	other  int // rows whose value is beyond the most values that are told apart
	times  []float64
	kinds  []chartKind // that can be drawn, the most fitting first
	kind   int
	limits bool // not all rows are in it
}

type chartKind int

const (
	histogram chartKind = iota
	bars
	overTime
)

func (k chartKind) String() string {
	return [...]string{"histogram", "bars", "over time"}[k]
}

const (
	chartMost   = 5_000_000 // rows that a chart reads
	chartValues = 50_000    // different texts that it tells apart
)

// timeColumn is the first column of a grid whose first values are times, -1 for none.
func timeColumn(t table) int {
	for c := range t.Header() {
		found := 0
		for i := range min(t.Len(), 20) {
			text := textAt(t.Row(i), c)
			if _, ok := parseTime(text); ok {
				found++
			} else if text != "NULL" && text != "" {
				found = 0
				break
			}
		}
		if found > 0 {
			return c
		}
	}
	return -1
}

// parseTime reads a time as cell writes it, in seconds.
func parseTime(text string) (float64, bool) {
	if len(text) < len("2006-01-02") || text[4] != '-' {
		return 0, false
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return float64(t.UnixMicro()) / 1e6, true
		}
	}
	return 0, false
}

// newChart reads a column of a table, and a column of times beside it where there is one.
func newChart(ctx context.Context, t table, column, timed int) (*chart, error) {
	c := &chart{title: t.Header()[column], counts: map[string]int{}}
	columns := []int{column}
	if timed >= 0 {
		columns = append(columns, timed)
	}
	numbers, isTime := true, timed == column
	err := t.Each(ctx, columns, func(texts []string) error {
		if c.rows == chartMost {
			c.limits = true
			return nil
		}
		c.rows++
		text := texts[0]
		if text == "" || text == "NULL" {
			c.nulls++
			return nil
		}
		c.tally(text)
		at, timely := 0.0, false
		if timed >= 0 {
			at, timely = parseTime(texts[1])
		}
		switch v, err := strconv.ParseFloat(strings.ReplaceAll(text, ",", ""), 64); {
		case isTime && timely:
			c.values, c.times = append(c.values, 1), append(c.times, at)
		case err != nil || math.IsNaN(v) || math.IsInf(v, 0):
			numbers = false
		case timed >= 0 && timely:
			c.values, c.times = append(c.values, v), append(c.times, at)
		case timed < 0:
			c.values = append(c.values, v)
		}
		return nil
	})
	switch {
	case isTime:
		c.kinds = []chartKind{overTime}
	case !numbers || len(c.values) == 0:
		c.values, c.times, c.kinds = nil, nil, []chartKind{bars}
	case timed >= 0:
		c.kinds = []chartKind{histogram, overTime, bars}
	default:
		c.kinds = []chartKind{histogram, bars}
	}
	return c, err
}

func (c *chart) tally(text string) {
	if _, known := c.counts[text]; !known && len(c.counts) >= chartValues {
		c.other++
		return
	}
	c.counts[text]++
}

func (c *chart) move(int) bool  { return false }
func (c *chart) shift(int) bool { return false }

func (c *chart) turn() { c.kind = (c.kind + 1) % len(c.kinds) }

// lines is the chart in w by h cells.
func (c *chart) lines(w, h int) []line {
	kind := c.kinds[c.kind]
	head := spans(in(strong, " "+c.title), in(dim, "  "+kind.String()+" of "+count(c.rows, "row")))
	if c.nulls > 0 {
		head.spans = append(head.spans, in(dim, ", "+number(c.nulls)+" without a value"))
	}
	if c.limits {
		head.spans = append(head.spans, in(warning, ", there are more"))
	}
	if len(c.kinds) > 1 {
		head.spans = append(head.spans, in(dim, "; c: "+c.kinds[(c.kind+1)%len(c.kinds)].String()))
	}
	lines := []line{head, {}}
	room := h - len(lines)
	switch kind {
	case histogram:
		return append(lines, c.histogram(w, room)...)
	case bars:
		return append(lines, c.bars(w, room)...)
	default:
		return append(lines, c.series(w, room)...)
	}
}
