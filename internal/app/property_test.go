package app

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/pipeline"
	"github.com/meshctl/meshctl/internal/record"
	"github.com/meshctl/meshctl/internal/serve"
)

const zooHead = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: zoo, domain: lab, owner: lab@example.org, version: 1.0.0}
spec:
  storage: {segmentRows: 200, segmentAge: 1s}
  outputs:
`

const zooPort = `  - name: %s
    type: %s
    key: [%s]
    schema:
    - {name: s, logicalType: string}
    - {name: i, logicalType: integer}
    - {name: b, logicalType: boolean}
    - {name: d, logicalType: date}
    - {name: t, logicalType: timestamp}
    - {name: rev, logicalType: integer, required: true}
    - {name: amount, logicalType: number, physicalType: "decimal(24,6)"}
    - {name: ratio, logicalType: number}
    - {name: clock, logicalType: time}
    - name: nested
      logicalType: object
      properties:
      - {name: a, logicalType: string}
      - {name: at, logicalType: timestamp}
      - name: deep
        logicalType: object
        properties:
        - {name: n, logicalType: integer}
        - {name: m, logicalType: number, physicalType: "decimal(9,2)"}
    - {name: words, logicalType: array, items: {logicalType: string}}
    - name: parts
      logicalType: array
      items:
        logicalType: object
        properties:
        - {name: k, logicalType: string}
        - {name: v, logicalType: array, items: {logicalType: integer}}
`

// zoo is what is published to one port and what must come of it.
type zoo struct {
	name, kind string
	key        []string
	log        []beast
}

// beast is one record: as it is published, and as SQL sees it.
type beast struct {
	text    string
	deleted bool
	parts   []any // of the key
	rev     int64
	cells   []string
}

// Records of every type, however odd, come out of get, scan, SQL and tail as they went
// in, in the order of their keys' values.
func TestRandomRecordsComeOutAsTheyWentIn(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3, rand.Uint64()} {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { keepZoo(t, rand.New(rand.NewPCG(seed, 0))) })
	}
}

func keepZoo(t *testing.T, rng *rand.Rand) {
	zoos := []*zoo{
		{name: "texts", kind: "state", key: []string{"s"}},
		{name: "whole", kind: "state", key: []string{"i"}},
		{name: "flags", kind: "event", key: []string{"b"}},
		{name: "days", kind: "state", key: []string{"d"}},
		{name: "moments", kind: "event", key: []string{"t"}},
		{name: "pairs", kind: "state", key: []string{"s", "i"}},
		{name: "triples", kind: "event", key: []string{"t", "s", "b"}},
	}
	yaml := zooHead
	for _, z := range zoos {
		yaml += fmt.Sprintf(zooPort, z.name, z.kind, strings.Join(z.key, ", "))
		for i := range 150 {
			z.log = append(z.log, z.beast(rng, int64(i)))
		}
	}
	w := startWorld(t, t.TempDir(), folder(t, yaml))
	for _, z := range zoos {
		lines := make([]string, len(z.log))
		for i, b := range z.log {
			lines[i] = b.text
		}
		if sent := w.publish(t, "zoo."+z.name, lines...); sent.Dead > 0 {
			letters, err := w.client.DeadLetters(t.Context(), "zoo."+z.name)
			if err != nil {
				t.Fatal(err)
			}
			t.Fatalf("%s: %d of %d are dead: %.300s: %.600s", z.name, sent.Dead, sent.Sent, letters[0].Reason, letters[0].Value)
		}
		z.checkTail(t, w)
		z.checkScan(t, w)
		z.checkGet(t, w)
		z.checkSQL(t, w)
		pt, err := w.mesh.Products()[0].port(z.name)
		if err != nil {
			t.Fatal(err)
		}
		if err := pt.table.Maintain(t.Context(), time.Now().Add(time.Hour)); err != nil { // into Parquet
			t.Fatal(err)
		}
		z.checkSQL(t, w)
	}
}

// latest is the last record of each key that was not deleted behind it, by key.
func (z *zoo) latest() []beast {
	byKey := map[string]beast{}
	for _, b := range z.log {
		key := string(record.NewKey(b.parts...))
		if byKey[key] = b; b.deleted {
			delete(byKey, key)
		}
	}
	var all []beast
	for _, b := range byKey {
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b beast) int { return compareBeasts(a.parts, b.parts) })
	return all
}

func (z *zoo) checkTail(t *testing.T, w *world) {
	t.Helper()
	i := 0
	err := w.client.Tail(t.Context(), "zoo."+z.name, TailOptions{}, func(m Tailed) error {
		b := z.log[i]
		i++
		if m.Key != keyText(b.parts) || m.Deleted != b.deleted || !b.deleted && string(m.Value) != b.text {
			t.Errorf("tail of %s, %d: %q %s, want %q %s", z.name, i, m.Key, m.Value, keyText(b.parts), b.text)
		}
		return nil
	})
	if err != nil || i != len(z.log) {
		t.Errorf("tail of %s ends after %d of %d: %v", z.name, i, len(z.log), err)
	}
}

func (z *zoo) checkScan(t *testing.T, w *world) {
	t.Helper()
	want := z.latest()
	for _, reverse := range []bool{false, true} {
		i := 0
		_, err := w.client.Scan(t.Context(), "zoo."+z.name, serve.ScanRequest{Reverse: reverse}, func(r serve.Record) error {
			if i < len(want) {
				z.checkRecord(t, "scan", r, want[i])
			}
			i++
			return nil
		})
		if err != nil || i != len(want) {
			t.Errorf("scan of %s ends after %d of %d: %v", z.name, i, len(want), err)
		}
		slices.Reverse(want)
	}
}

func (z *zoo) checkGet(t *testing.T, w *world) {
	t.Helper()
	want := z.latest()
	keys := make([]string, len(want))
	for i, b := range want {
		keys[i] = keyText(b.parts)
	}
	got, err := w.client.Get(t.Context(), "zoo."+z.name, keys)
	if err != nil || len(got.Records) != len(want) {
		t.Fatalf("get of %s gives %d of %d, %q missing: %v", z.name, len(got.Records), len(want), got.Missing, err)
	}
	for i, r := range got.Records {
		z.checkRecord(t, "get", r, want[i])
	}
}

func (z *zoo) checkRecord(t *testing.T, how string, got serve.Record, want beast) {
	t.Helper()
	if got.Key != keyText(want.parts) || !reflect.DeepEqual(decoded(t, got.Value), decoded(t, []byte(want.text))) {
		t.Errorf("%s of %s: %q %.300s, want %q %.300s", how, z.name, got.Key, got.Value, keyText(want.parts), want.text)
	}
}

func (z *zoo) checkSQL(t *testing.T, w *world) {
	t.Helper()
	want := slices.DeleteFunc(slices.Clone(z.log), func(b beast) bool { return b.deleted })
	if z.kind == "state" {
		want = z.latest()
		slices.SortFunc(want, func(a, b beast) int { return cmp.Compare(a.rev, b.rev) })
	}
	got := w.cells(t, `SELECT s, i, b, d, epoch_us(t), amount::VARCHAR, ratio, clock::VARCHAR, nested.a, epoch_us(nested.at),
		nested.deep.n, nested.deep.m::VARCHAR, nested IS NULL, to_json(words)::VARCHAR, to_json(parts)::VARCHAR
		FROM zoo.`+z.name+` ORDER BY rev`)
	if len(got) != len(want) {
		t.Errorf("SQL on %s gives %d of %d", z.name, len(got), len(want))
		return
	}
	for i, b := range want {
		for c := range b.cells {
			if got[i][c] != b.cells[c] {
				t.Errorf("SQL on %s, column %d: %.100q, want %.100q, of %.300s", z.name, c, got[i][c], b.cells[c], b.text)
			}
		}
	}
}

// cells are the answer's rows as text.
func (w *world) cells(t *testing.T, sql string) [][]string {
	t.Helper()
	answer, err := w.client.Query(t.Context(), serve.QueryRequest{SQL: sql})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := answer.Close(); err != nil {
			t.Error(err)
		}
	}()
	var rows [][]string
	for {
		b, err := answer.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range int(b.NumRows()) {
			var row []string
			for _, col := range b.Columns() {
				row = append(row, col.ValueStr(i))
			}
			rows = append(rows, row)
		}
		b.Release()
	}
}

func decoded(t *testing.T, text []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Errorf("%.300s: %v", text, err)
	}
	return v
}

func keyText(parts []any) string { return record.NewKey(parts...).String() }

func compareBeasts(a, b []any) int {
	for i := range a {
		var c int
		switch x := a[i].(type) {
		case string:
			c = strings.Compare(x, b[i].(string))
		case int64:
			c = cmp.Compare(x, b[i].(int64))
		case bool:
			c = cmp.Compare(strconv.FormatBool(x), strconv.FormatBool(b[i].(bool)))
		case record.Date:
			c = cmp.Compare(x, b[i].(record.Date))
		case time.Time:
			c = x.Compare(b[i].(time.Time))
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// beast makes a record of a port.
func (z *zoo) beast(rng *rand.Rand, rev int64) beast {
	g := growing{rng: rng, must: z.key, parts: map[string]any{}}
	g.field("s", g.text)
	g.field("i", func() string { n := g.whole(); g.parts["i"] = n; return strconv.FormatInt(n, 10) })
	g.field("b", func() string { v := rng.IntN(2) == 0; g.parts["b"] = v; return strconv.FormatBool(v) })
	g.field("d", g.day)
	g.field("t", g.moment)
	return g.finish(z, rev)
}

// growing is a record in the making: the text it is published as and the cells it is
// in SQL.
type growing struct {
	rng   *rand.Rand
	must  []string
	parts map[string]any
	out   []string
	cells []string
}

const none = "(null)"

// field adds a column, which unless it is of the key may be null or missing.
func (g *growing) field(name string, value func() string) {
	if !slices.Contains(g.must, name) {
		switch g.rng.IntN(6) {
		case 0:
			g.out, g.cells = append(g.out, g.member(name, "null")), append(g.cells, none)
			return
		case 1:
			g.cells = append(g.cells, none)
			return
		}
	}
	n := len(g.cells)
	text := value()
	g.out = append(g.out, g.member(name, text))
	if len(g.cells) == n { // it is the same in SQL
		g.cells = append(g.cells, text)
	}
}

func (g *growing) member(name, text string) string {
	space := []string{"", " ", "\t", "  "}[g.rng.IntN(4)]
	return space + strconv.Quote(name) + ":" + space + text
}

var oddTexts = []string{
	"", " ", ".", "..", "a.b", "a b", "/", "a/b", "%", "%2F", "%25", "*", ">", "a.>", "=", "=~", "=2E", "~", "$delete", "\x00", "a\x00", "a\x00b",
	"\x01", "\t", "\n", "\r\n", "\"", "\\", "'", "''", "<&>", "é", "e\u0301", "日本", "😀", "\u2028", "\ufeff", "\ufffd", "\u007f", "null", "NULL",
	"true", "0", "007", "-1", "1e5", "NaN", "(null)", "{}", "[1]", "a|b", "a,b", "A", "a", "ß", "ﬀ", "\U0010ffff",
}

func (g *growing) text() string {
	s := g.anyText()
	g.parts["s"] = s
	g.cells = append(g.cells, s)
	return quoted(s)
}

func (g *growing) anyText() string {
	s := oddTexts[g.rng.IntN(len(oddTexts))]
	switch g.rng.IntN(12) {
	case 0:
		s = strings.Repeat("0123456789", 1000) + s
	case 1:
		s = strings.Repeat("日本/.% ", 700) + s
	case 2, 3, 4:
		s += oddTexts[g.rng.IntN(len(oddTexts))]
	}
	return s
}

// quoted is s as JSON with as little escaped as may be.
func quoted(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil { // a string always marshals
		panic(err)
	}
	return strings.ReplaceAll(strings.TrimSpace(b.String()), `\u2028`, "\u2028") // as DuckDB writes it
}

func (g *growing) whole() int64 {
	switch g.rng.IntN(6) {
	case 0:
		return math.MinInt64
	case 1:
		return math.MaxInt64
	case 2:
		return g.rng.Int64() - g.rng.Int64()
	default:
		return int64(g.rng.IntN(20) - 10)
	}
}

func (g *growing) day() string {
	d := record.Date(g.rng.IntN(3_600_000) - 700_000)
	if g.rng.IntN(2) == 0 {
		d = record.Date(g.rng.IntN(6) - 3)
	}
	g.parts["d"] = d
	g.cells = append(g.cells, d.String())
	return strconv.Quote(d.String())
}

// moment is a time as one of several zones writes it.
func (g *growing) moment() string {
	at, text := g.anyMoment()
	g.parts["t"] = at
	g.cells = append(g.cells, strconv.FormatInt(at.UnixMicro(), 10))
	return text
}

func (g *growing) anyMoment() (time.Time, string) {
	at := time.UnixMicro(g.rng.Int64N(200_000_000_000_000_000) - 60_000_000_000_000_000).UTC()
	if g.rng.IntN(3) == 0 {
		at = time.UnixMicro(int64(g.rng.IntN(5)) - 2).UTC()
	}
	zone := time.FixedZone("", []int{0, 3600, -3600 * 8, 5*3600 + 1800, -1800, 14 * 3600}[g.rng.IntN(6)])
	return at, strconv.Quote(at.In(zone).Format(time.RFC3339Nano))
}

// decimal is a number that fits, as text and as SQL writes it.
func (g *growing) decimal(digits, scale int) (text, cell string) {
	n := g.rng.Int64N(int64(math.Pow10(digits)))
	if g.rng.IntN(2) == 0 {
		n = -n
	}
	r := big.NewRat(n, int64(math.Pow10(scale)))
	cell = r.FloatString(scale)
	text = cell
	if g.rng.IntN(2) == 0 {
		text = strconv.Quote(text)
	}
	return text, cell
}

// finish adds the columns that no key has.
func (g *growing) finish(z *zoo, rev int64) beast {
	g.field("amount", func() string {
		text, cell := g.decimal(17, 6)
		g.cells = append(g.cells, cell)
		return text
	})
	g.field("ratio", func() string {
		f := []float64{0, 1, -1.5, 0.1, 1e300, -1e-300, math.MaxFloat64, g.rng.NormFloat64()}[g.rng.IntN(8)]
		return strconv.FormatFloat(f, 'g', -1, 64)
	})
	g.field("clock", func() string {
		s := time.UnixMicro(g.rng.Int64N(86400_000_000)).UTC().Format("15:04:05.000000")
		g.cells = append(g.cells, strings.TrimRight(strings.TrimRight(s, "0"), "."))
		return strconv.Quote(s)
	})
	g.nested()
	g.lists()
	b := beast{rev: rev, cells: g.cells}
	for _, name := range z.key {
		b.parts = append(b.parts, g.parts[name])
	}
	g.rng.Shuffle(len(g.out), func(i, j int) { g.out[i], g.out[j] = g.out[j], g.out[i] })
	b.text = "{" + strings.Join(append(g.out, g.member("rev", strconv.FormatInt(rev, 10))), ",") + "}"
	if z.kind == "state" && g.rng.IntN(8) == 0 {
		line, err := pipeline.DeleteLine(keyText(b.parts))
		if err != nil {
			panic(err)
		}
		b.deleted, b.text = true, string(line)
	}
	return b
}

// nested makes an object whose fields, and itself, may be null.
func (g *growing) nested() {
	if g.rng.IntN(5) == 0 {
		g.out = append(g.out, g.member("nested", "null"))
		g.cells = append(g.cells, none, none, none, none, "true")
		return
	}
	inner := growing{rng: g.rng, parts: map[string]any{}}
	inner.field("a", inner.text)
	inner.field("at", inner.moment)
	deep := growing{rng: g.rng}
	deep.field("n", func() string { return strconv.FormatInt(deep.whole(), 10) })
	deep.field("m", func() string {
		text, cell := deep.decimal(9, 2)
		deep.cells = append(deep.cells, cell)
		return text
	})
	inner.out = append(inner.out, inner.member("deep", "{"+strings.Join(deep.out, ",")+"}"))
	g.out = append(g.out, g.member("nested", "{"+strings.Join(inner.out, ",")+"}"))
	g.cells = append(append(append(g.cells, inner.cells...), deep.cells...), "false")
}

func (g *growing) lists() {
	g.field("words", func() string {
		words := make([]string, g.rng.IntN(4))
		for i := range words {
			words[i] = quoted(g.anyText())
		}
		text := "[" + strings.Join(words, ",") + "]"
		g.cells = append(g.cells, text)
		return text
	})
	g.field("parts", func() string {
		parts := make([]string, g.rng.IntN(3))
		for i := range parts {
			parts[i] = fmt.Sprintf(`{"k":%s,"v":[%d,%d]}`, quoted(oddTexts[g.rng.IntN(len(oddTexts))]), g.whole(), g.whole())
		}
		text := "[" + strings.Join(parts, ",") + "]"
		g.cells = append(g.cells, text)
		return text
	})
}
