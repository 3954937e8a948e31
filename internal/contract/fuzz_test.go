package contract_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/meshctl/meshctl/internal/contract"
	"github.com/meshctl/meshctl/internal/product"
)

// all has a column of every type, and nests them.
func all() *product.Output {
	columns := func() []product.Column {
		var out []product.Column
		for name, c := range map[string]product.Column{
			"text": text, "integer": integer, "number": number, "money": money, "wide": wide,
			"boolean": boolean, "date": date, "instant": instant, "clock": clock,
		} {
			c.Name = name
			out = append(out, c)
		}
		return out
	}
	flat := columns()
	return &product.Output{Name: "all", Key: []string{"id"}, Schema: append([]product.Column{
		{Name: "id", LogicalType: "string"},
		{Name: "é\"\\", LogicalType: "boolean"},
		{Name: "object", LogicalType: "object", Properties: columns()},
		{Name: "list", LogicalType: "array", Items: &product.Column{LogicalType: "object", Properties: append(columns(),
			product.Column{Name: "inner", LogicalType: "array", Items: &text})}},
	}, flat...)}
}

// anyValue is a random value of the type, as JSON in its normal form.
func anyValue(r *rand.Rand, c *product.Column) string {
	if r.IntN(8) == 0 && !c.Required {
		return "null"
	}
	micros := r.Int64N(9000*365*86400*1e6) - 1900*365*86400*1e6
	at := time.UnixMicro(micros).UTC()
	if r.IntN(2) == 0 {
		at = at.Truncate(time.Second)
	}
	_, scale, decimal := c.Decimal()
	switch {
	case decimal:
		digits := fmt.Sprint(r.Int64N(10_000))
		return fmt.Sprintf("%s%s.%0*d", []string{"", "-"}[r.IntN(2)], digits, scale, 1+r.Int64N(int64(math.Pow10(scale))-1))
	case c.LogicalType == "string":
		runes := make([]rune, r.IntN(20))
		for i := range runes {
			runes[i] = []rune{rune(r.IntN(0x80)), 'x', rune(0xa0 + r.IntN(0x1000)), 0x1F600}[r.IntN(4)]
		}
		return jsonOf(string(runes))
	case c.LogicalType == "integer":
		return fmt.Sprint(int64(r.Uint64()) >> r.IntN(64))
	case c.LogicalType == "number":
		return jsonOf(math.Float64frombits(r.Uint64()&^(1<<62) | 1<<61))
	case c.LogicalType == "boolean":
		return fmt.Sprint(r.IntN(2) == 0)
	case c.LogicalType == "date":
		return jsonOf(at.Format(time.DateOnly))
	case c.LogicalType == "timestamp":
		return jsonOf(at.Format(time.RFC3339Nano))
	case c.LogicalType == "time":
		return jsonOf(at.Format("15:04:05.999999"))
	case c.LogicalType == "object":
		return anyObject(r, c.Properties, false)
	}
	items := make([]string, r.IntN(4))
	for i := range items {
		items[i] = anyValue(r, c.Items)
	}
	return "[" + strings.Join(items, ",") + "]"
}

// anyObject has every field; shuffled, its fields come in any order and nulls may be left out.
func anyObject(r *rand.Rand, columns []product.Column, shuffled bool) string {
	fields := make([]string, len(columns))
	for i := range columns {
		fields[i] = jsonOf(columns[i].Name) + ":" + anyValue(r, &columns[i])
	}
	if shuffled {
		r.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	}
	return "{" + strings.Join(fields, ",") + "}"
}

func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// Random records come back with every value, whatever the order of their fields.
func TestRoundTrip(t *testing.T) {
	out := all()
	for i := range out.Schema {
		out.Schema[i].Required = out.Schema[i].Name == "id"
	}
	d := decoder(t, out)
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	var records []string
	for i := range 3000 {
		in := anyObject(r, out.Schema, i%2 == 0)
		if _, err := d.Append([]byte(in)); err != nil {
			t.Fatalf("seed %d: %s: %v", seed, in, err)
		}
		records = append(records, in)
		if r.IntN(3) == 0 { // a broken one between them
			if _, err := d.Append([]byte(in[:1+r.IntN(len(in)-1)])); err == nil {
				t.Fatalf("seed %d: a part of %s was taken", seed, in)
			}
		}
		if r.IntN(500) == 0 || i == 2999 {
			batch := d.Flush()
			if batch.NumRows() != int64(len(records)) {
				t.Fatalf("%d rows of %d records", batch.NumRows(), len(records))
			}
			for row, want := range records {
				got, err := contract.AppendRow(nil, batch, row)
				if err != nil || !sameJSON(t, got, []byte(want)) {
					t.Fatalf("seed %d: row %d: %v\n got %s\nwant %s", seed, row, err, got, want)
				}
			}
			records = records[:0]
			batch.Release()
		}
	}
}

// Doubles are the ones that strconv reads, also where the decoder goes its own, shorter way.
func TestDoubles(t *testing.T) {
	d := decoder(t, one(number))
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	var want []float64
	for range 50_000 {
		digits := fmt.Sprint(1e18 + r.Uint64N(9e18))[:14+r.IntN(5)]
		point := 1 + r.IntN(len(digits)-1)
		in := digits[:point] + "." + digits[point:] + []string{"", "e5", "E-20"}[r.IntN(3)]
		if _, err := d.Append([]byte(`{"v":` + in + `}`)); err != nil {
			t.Fatalf("seed %d: %s: %v", seed, in, err)
		}
		v, err := strconv.ParseFloat(in, 64)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, v)
	}
	batch := d.Flush()
	defer batch.Release()
	for i, v := range batch.Column(0).(*array.Float64).Float64Values() {
		if v != want[i] {
			t.Fatalf("seed %d: number %d is %v, want %v", seed, i, v, want[i])
		}
	}
}

// sameJSON compares values, numbers by their text as encoding/json keeps it.
func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var out [2]bytes.Buffer
	for i, in := range [][]byte{a, b} {
		var v any
		d := json.NewDecoder(bytes.NewReader(in))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		out[i].WriteString(jsonOf(v))
	}
	return bytes.Equal(out[0].Bytes(), out[1].Bytes())
}

// FuzzDecoder: no input makes the decoder panic, one that is refused leaves nothing
// behind, one that is taken is JSON and comes back as the same row.
func FuzzDecoder(f *testing.F) {
	out := all()
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		f.Add([]byte(anyObject(r, out.Schema, true)))
	}
	for _, in := range []string{``, `{}`, `{"id":"x"}`, `{"id":"x","money":1e3,"wide":"0.1","number":-0}`, `{"id":"\ud83d\ude00"}`,
		`{"id":"x","list":[{},null,{"inner":[null]}]} `, `{"id":"x","integer":12345678901234567890}`} {
		f.Add([]byte(in))
	}
	c, err := contract.New(out)
	if err != nil {
		f.Fatal(err)
	}
	anchor := []byte(`{"id":"anchor","list":[{"text":"x","inner":["y"]}],"text":"z"}`)
	f.Fuzz(func(t *testing.T, in []byte) {
		d := c.NewDecoder()
		append1 := func(value []byte) []byte {
			key, err := d.Append(value)
			if err != nil {
				t.Fatalf("%s: %v", value, err)
			}
			return key
		}
		append1(anchor)
		key, err := d.Append(in)
		if err != nil {
			var v *contract.Violation
			if !errors.As(err, &v) || strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Fatalf("%q", err)
			}
		} else if !json.Valid(in) {
			t.Fatalf("%q is not JSON but was taken", in)
		}
		append1(anchor)
		batch := d.Flush()
		defer batch.Release()
		want := int64(2)
		if err == nil {
			want++
		}
		if batch.NumRows() != want {
			t.Fatalf("%d rows, want %d", batch.NumRows(), want)
		}
		if last := batch.NewSlice(want-1, want); !array.RecordEqual(batch.NewSlice(0, 1), last) {
			t.Fatalf("%q left something behind", in)
		}
		if err != nil {
			return
		}
		row, err := contract.AppendRow(nil, batch, 1)
		if err != nil {
			t.Fatal(err)
		}
		if again := append1(row); !bytes.Equal(again, key) {
			t.Fatalf("key %q, then %q", key, again)
		}
		second := d.Flush()
		defer second.Release()
		if !array.RecordEqual(batch.NewSlice(1, 2), second) {
			t.Fatalf("%q became %s, which is another row", in, row)
		}
	})
}
