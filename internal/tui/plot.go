package tui

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// histogram is how often the values fall into ranges of equal width.
func (c *chart) histogram(w, h int) []line {
	sorted := slices.Clone(c.values)
	slices.Sort(sorted)
	rank := func(permille int) float64 { return sorted[len(sorted)*permille/1000] }
	low, high := rank(0), sorted[len(sorted)-1]
	if from, to := rank(5), rank(995); to > from { // the few far out go into the ranges at the ends
		low, high = from, to
	}
	n := max(1, min(h-2, 24))
	step := niceStep((high - low) / float64(n))
	first := math.Floor(low / step)
	n = int(math.Floor(high/step)-first) + 1
	labels, values := make([]string, n), make([]float64, n)
	edge := func(i int) float64 { return (first + float64(i)) * step }
	for i := range labels {
		labels[i] = short(edge(i)) + " … " + short(edge(i+1))
	}
	if sorted[0] < edge(0) {
		labels[0] = "below " + short(edge(1))
	}
	if sorted[len(sorted)-1] >= edge(n) {
		labels[n-1] = "from " + short(edge(n-1))
	}
	for _, v := range sorted {
		values[min(max(int(math.Floor(v/step)-first), 0), n-1)]++
	}
	lines := drawBars(labels, values, w)
	mean := 0.0
	for _, v := range sorted {
		mean += v / float64(len(sorted))
	}
	return append(lines, line{}, spans(in(dim, fmt.Sprintf(" least %s   median %s   mean %s   99%% below %s   greatest %s",
		short(sorted[0]), short(rank(500)), short(mean), short(rank(990)), short(sorted[len(sorted)-1])))))
}

// niceStep is the next of 1, 2, 5, 10, 20 … from a width on.
func niceStep(raw float64) float64 {
	if raw <= 0 || math.IsNaN(raw) {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5} {
		if unit*m >= raw*0.9999 {
			return unit * m
		}
	}
	return unit * 10
}

// short is a number in few characters.
func short(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1e12 || a > 0 && a < 1e-3:
		return strconv.FormatFloat(v, 'g', 4, 64)
	case a >= 1000 || v == math.Trunc(v):
		return grouped(strconv.FormatFloat(v, 'f', 0, 64))
	}
	return strings.TrimRight(strings.TrimRight(strconv.FormatFloat(v, 'f', 3, 64), "0"), ".")
}

// bars is how often the most frequent values occur.
func (c *chart) bars(w, h int) []line {
	type pair struct {
		text string
		n    int
	}
	var all []pair
	for text, n := range c.counts {
		all = append(all, pair{text, n})
	}
	slices.SortFunc(all, func(a, b pair) int { return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.text, b.text)) })
	most := max(1, min(len(all), h-2))
	var labels []string
	var values []float64
	rest := c.other
	for i, p := range all {
		if i < most {
			labels, values = append(labels, p.text), append(values, float64(p.n))
		} else {
			rest += p.n
		}
	}
	lines := drawBars(labels, values, w)
	if rest > 0 {
		more := count(len(all)-most, "more value")
		if c.other > 0 {
			more = "more values"
		}
		lines = append(lines, line{}, spans(in(dim, fmt.Sprintf(" %s in %s are not shown", more, count(rest, "row")))))
	}
	return lines
}

// drawBars is one bar a line, with its label and its number.
func drawBars(labels []string, values []float64, w int) []line {
	name, figure, top := 0, 0, 0.0
	for i, l := range labels {
		name = max(name, min(width(clean(l)), w/3))
		figure = max(figure, len(short(values[i])))
		top = max(top, values[i])
	}
	room := max(w-name-figure-5, 4)
	var lines []line
	for i, l := range labels {
		lines = append(lines, spans(in(plain, " "+right(l, name)+" "), in(accent, bar(values[i], top, room)), in(dim, " "+right(short(values[i]), figure))))
	}
	return lines
}

// bar is a bar in w cells, to an eighth of a cell.
func bar(v, top float64, w int) string {
	if top <= 0 {
		return strings.Repeat(" ", w)
	}
	eighths := int(v/top*float64(w)*8 + 0.5)
	if v > 0 {
		eighths = max(eighths, 1)
	}
	s := strings.Repeat("█", eighths/8)
	if part := eighths % 8; part > 0 {
		s += string([]rune(" ▏▎▍▌▋▊▉")[part])
	}
	return left(s, w)
}

// series is the mean of the values over time, or how many rows there are, as a line of dots.
func (c *chart) series(w, h int) []line {
	if len(c.times) == 0 {
		return []line{spans(in(dim, " There are no times to draw."))}
	}
	counted := len(c.kinds) == 1
	axis := 10
	cols, rows := max(w-axis-2, 8), max(h-2, 3)
	first, last := slices.Min(c.times), slices.Max(c.times)
	sums, ns := make([]float64, cols*2), make([]float64, cols*2)
	for i, t := range c.times {
		b := 0
		if last > first {
			b = min(int((t-first)/(last-first)*float64(len(sums))), len(sums)-1)
		}
		sums[b], ns[b] = sums[b]+c.values[i], ns[b]+1
	}
	points := make([]float64, len(sums))
	low, high := math.Inf(1), math.Inf(-1)
	for i := range points {
		points[i] = math.NaN()
		switch {
		case counted:
			points[i] = ns[i]
		case ns[i] > 0:
			points[i] = sums[i] / ns[i]
		default:
			continue
		}
		low, high = min(low, points[i]), max(high, points[i])
	}
	if counted {
		low = 0
	}
	lines := dots(points, low, high, cols, rows, axis)
	from, to := stamp(first, last-first), stamp(last, last-first)
	return append(lines,
		spans(in(dim, strings.Repeat(" ", axis+1)+"└"+strings.Repeat("─", cols))),
		spans(in(dim, strings.Repeat(" ", axis+2)+from+strings.Repeat(" ", max(1, cols-width(from)-width(to)))+to)))
}

func stamp(seconds, span float64) string {
	t := time.UnixMicro(int64(seconds * 1e6)).UTC()
	switch {
	case span > 3*86400:
		return t.Format("2006-01-02")
	case span > 300:
		return t.Format("01-02 15:04")
	}
	return t.Format("15:04:05")
}

// dots draws two points a cell in braille, four dots high each, joined from one to the next.
func dots(points []float64, low, high float64, cols, rows, axis int) []line {
	cells := make([][]rune, rows)
	for y := range cells {
		cells[y] = []rune(strings.Repeat("\u2800", cols))
	}
	bit := [4][2]rune{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}
	set := func(x, y int) { cells[y/4][x/2] |= bit[y%4][x%2] }
	height := rows*4 - 1
	before := -1
	for x, v := range points {
		if math.IsNaN(v) {
			continue
		}
		y := height / 2
		if high > low {
			y = height - int((v-low)/(high-low)*float64(height)+0.5)
		}
		set(x, y)
		for at := min(y, before) + 1; before >= 0 && at < max(y, before); at++ {
			set(x, at)
		}
		before = y
	}
	lines := make([]line, rows)
	for y := range lines {
		label := ""
		switch y {
		case 0:
			label = short(high)
		case rows - 1:
			label = short(low)
		case rows / 2:
			label = short((low + high) / 2)
		}
		lines[y] = spans(in(dim, " "+right(label, axis)+"│"), in(accent, string(cells[y])))
	}
	return lines
}
