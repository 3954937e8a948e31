package contract_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/contract"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

func decoder(tb testing.TB, out *product.Output) *contract.Decoder {
	tb.Helper()
	c, err := contract.New(out)
	if err != nil {
		tb.Fatal(err)
	}
	return c.NewDecoder()
}

// one is an output with a single column, named v.
func one(c product.Column) *product.Output {
	c.Name = "v"
	return &product.Output{Name: "one", Schema: []product.Column{c}}
}

func enum(c product.Column, values ...any) product.Column {
	c.Quality = []product.Quality{{Metric: "invalidValues", Arguments: map[string]any{"validValues": values}}}
	return c
}

var (
	text    = product.Column{LogicalType: "string"}
	integer = product.Column{LogicalType: "integer"}
	number  = product.Column{LogicalType: "number"}
	money   = product.Column{LogicalType: "number", PhysicalType: "decimal(6,2)"}
	wide    = product.Column{LogicalType: "number", PhysicalType: "decimal(38,10)"}
	boolean = product.Column{LogicalType: "boolean"}
	date    = product.Column{LogicalType: "date"}
	instant = product.Column{LogicalType: "timestamp"}
	clock   = product.Column{LogicalType: "time"}
	list    = product.Column{LogicalType: "array", Items: &integer}
	object  = product.Column{LogicalType: "object", Properties: []product.Column{
		{Name: "a", LogicalType: "integer", Required: true}, {Name: "b", LogicalType: "string"},
	}}
	nested = product.Column{LogicalType: "array", Items: &product.Column{LogicalType: "array", Items: &object}}
)

func required(c product.Column) product.Column { c.Required = true; return c }

func options(c product.Column, o product.TypeOptions) product.Column { c.Options = o; return c }

func TestAccepts(t *testing.T) {
	for _, c := range []struct {
		column product.Column
		in     string
		want   string // as it is written again; the same as in when empty
	}{
		{text, `""`, ``},
		{text, `"a longer text than eight bytes"`, ``},
		{text, `"Zoë 東京 😀"`, ``},
		{text, `"a\"b\\c\/d\b\f\n\r\t\u0000\u00e9\ud83d\ude00"`, `"a\"b\\c/d\u0008\u000c\n\r\t\u0000é😀"`},
		{text, `null`, ``},
		{integer, `0`, ``},
		{integer, `-0`, `0`},
		{integer, `-12`, ``},
		{integer, `9223372036854775807`, ``},
		{integer, `-9223372036854775808`, ``},
		{integer, `5.0`, `5`},
		{integer, `1e3`, `1000`},
		{integer, `1.5e1`, `15`},
		{integer, `1200e-2`, `12`},
		{integer, `0e999999999999`, `0`},
		{number, `0`, ``},
		{number, `-0.5`, ``},
		{number, `907.25`, ``},
		{number, `1e2`, `100`},
		{number, `0.1`, ``},
		{number, `123456789012345678`, `123456789012345680`},
		{number, `1e-7`, ``},
		{number, `1.7976931348623157e308`, `1.7976931348623157e+308`},
		{number, `4.9e-324`, `5e-324`},
		{money, `0`, `0.00`},
		{money, `9999.99`, ``},
		{money, `-0.05`, ``},
		{money, `"19.9"`, `19.90`},
		{money, `1.500000`, `1.50`},
		{money, `123e1`, `1230.00`},
		{money, `5e-2`, `0.05`},
		{wide, `9999999999999999999999999999.9999999999`, ``},
		{wide, `-1234567890123456789012345678.0123456789`, ``},
		{wide, `"0.0000000001"`, `0.0000000001`},
		{boolean, `true`, ``},
		{boolean, `false`, ``},
		{date, `"2024-02-29"`, ``},
		{date, `"0000-01-01"`, ``},
		{date, `"9999-12-31"`, ``},
		{date, `"1969-12-31"`, ``},
		{instant, `"2026-01-31T15:04:05Z"`, ``},
		{instant, `"2026-01-31 15:04:05"`, `"2026-01-31T15:04:05Z"`},
		{instant, `"2026-01-31t15:04:05.123456z"`, `"2026-01-31T15:04:05.123456Z"`},
		{instant, `"2026-01-31T15:04:05.120000000+01:30"`, `"2026-01-31T13:34:05.12Z"`},
		{instant, `"1969-12-31T23:59:59.999999-00:00"`, `"1969-12-31T23:59:59.999999Z"`},
		{clock, `"00:00:00"`, ``},
		{clock, `"23:59:59.999999"`, ``},
		{list, `[]`, ``},
		{list, ` [ 1 , null,3 ] `, `[1,null,3]`},
		{object, `{"b":"x","a":1}`, `{"a":1,"b":"x"}`},
		{object, `{"a":1}`, `{"a":1,"b":null}`},
		{object, `null`, ``},
		{nested, `[[{"a":1,"b":"x"}],[],null,[{"a":2,"b":null},null]]`, ``},
		{options(text, product.TypeOptions{MinLength: new(2), MaxLength: new(3), Pattern: "^[A-Zé]+$"}), `"AéB"`, ``},
		{options(integer, product.TypeOptions{Minimum: new(0.5), Maximum: new(2.5)}), `2`, ``},
		{options(money, product.TypeOptions{Minimum: new(0.1), Maximum: new(0.3)}), `0.30`, ``},
		{options(number, product.TypeOptions{Minimum: new(-1.0)}), `-1`, ``},
		{options(list, product.TypeOptions{MinItems: new(1), MaxItems: new(2)}), `[1,2]`, ``},
		{enum(text, "a", "b"), `"b"`, ``},
		{enum(text, "a"), `null`, ``},
		{enum(integer, 1.0, int64(2)), `2`, ``},
		{enum(money, 0.1), `0.10`, ``},
		{enum(number, 0.5), `0.5`, ``},
		{enum(boolean, true), `true`, ``},
		{enum(date, "2024-01-01"), `"2024-01-01"`, ``},
		{enum(instant, "2024-01-01T00:00:00Z"), `"2024-01-01 00:00:00"`, `"2024-01-01T00:00:00Z"`},
	} {
		d := decoder(t, one(c.column))
		if _, err := d.Append([]byte(`{"v":` + c.in + `}`)); err != nil {
			t.Errorf("%s %s: %v", c.column.LogicalType, c.in, err)
			continue
		}
		if c.want == "" {
			c.want = c.in
		}
		batch := d.Flush()
		got, err := contract.AppendRow(nil, batch, 0)
		if want := `{"v":` + c.want + `}`; err != nil || string(got) != want {
			t.Errorf("%s %s: written again as %s, %v; want %s", c.column.LogicalType, c.in, got, err, want)
		}
		batch.Release()
	}
}

func TestRefuses(t *testing.T) {
	for _, c := range []struct {
		column   product.Column
		in, want string // want is the whole reason, without the field
	}{
		{text, `1`, `wanted a string, got 1`},
		{text, `{"a":1}`, `wanted a string, got an object`},
		{text, "\"\xff\"", `it is not UTF-8`},
		{text, "\"\\n\xff\"", `it is not UTF-8`},
		{text, "\"long enough to be read in words \xff, is it not\"", `it is not UTF-8`},
		{text, "\"long enough to be read\nin words, is it not\"", `not JSON at byte 28: a string holds a control character`},
		{text, "\"a\nb\"", `not JSON at byte 7: a string holds a control character`},
		{text, `"\x"`, `not JSON at byte 6: a bad escape`},
		{text, `"\ud83d"`, `not JSON at byte 6: a bad \u escape`},
		{text, `"\ud83d\u0041"`, `not JSON at byte 6: a bad \u escape`},
		{text, `"\u00g0"`, `not JSON at byte 6: a bad \u escape`},
		{text, `nul`, `wanted a string, got nul`},
		{text, `nulls`, `wanted a string, got nulls`},
		{required(text), `null`, `is required, got null`},
		{integer, `"abc"`, `wanted an integer, got "abc"`},
		{integer, `"` + strings.Repeat("x", 50) + `"`, `wanted an integer, got "` + strings.Repeat("x", 40) + `"…`},
		{integer, `"\u001b[2J"`, `wanted an integer, got "\x1b[2J"`},
		{integer, `1.5`, `wanted an integer of 64 bits, got 1.5`},
		{integer, `9223372036854775808`, `wanted an integer of 64 bits, got 9223372036854775808`},
		{integer, `1e400`, `wanted an integer of 64 bits, got 1e400`},
		{integer, `1e99999999999999999999`, `wanted an integer of 64 bits, got 1e99999999999999999999`},
		{integer, `01`, `wanted an integer, got 01`},
		{integer, `-`, `wanted an integer, got -`},
		{integer, `+1`, `wanted an integer, got +1`},
		{integer, `1.`, `wanted an integer, got 1.`},
		{integer, `true`, `wanted an integer, got true`},
		{integer, `[1]`, `wanted an integer, got an array`},
		{number, `NaN`, `wanted a number, got NaN`},
		{number, `Infinity`, `wanted a number, got Infinity`},
		{number, `1e309`, `wanted a number that a double can hold, got 1e309`},
		{number, `.5`, `wanted a number, got .5`},
		{number, `"1.5"`, `wanted a number, got "1.5"`},
		{money, `0.001`, `wanted a decimal(6,2), got 0.001`},
		{money, `10000`, `wanted a decimal(6,2), got 10000`},
		{money, `"1,5"`, `wanted a number, got "1,5"`},
		{money, `""`, `wanted a number, got ""`},
		{money, `1e5`, `wanted a decimal(6,2), got 1e5`},
		{wide, `99999999999999999999999999999`, `wanted a decimal(38,10), got 99999999999999999999999999999`},
		{boolean, `1`, `wanted true or false, got 1`},
		{boolean, `"true"`, `wanted true or false, got "true"`},
		{boolean, `truefalse`, `wanted true or false, got truefalse`},
		{date, `"2023-02-29"`, `wanted a date such as 2006-01-31, got "2023-02-29"`},
		{date, `"2023-1-2"`, `wanted a date such as 2006-01-31, got "2023-1-2"`},
		{date, `19000`, `wanted a date such as 2006-01-31, got 19000`},
		{instant, `"2026-01-31T15:04:05.1234567Z"`, `wanted a timestamp such as 2006-01-31T15:04:05.123456Z, got "2026-01-31T15:04:05.1234567Z"`},
		{instant, `"2026-01-31T24:00:00Z"`, `wanted a timestamp such as 2006-01-31T15:04:05.123456Z, got "2026-01-31T24:00:00Z"`},
		{instant, `"2026-01-31T15:04:05+0100"`, `wanted a timestamp such as 2006-01-31T15:04:05.123456Z, got "2026-01-31T15:04:05+0100"`},
		{instant, `"0000-01-01T00:00:00+00:01"`, `wanted a timestamp such as 2006-01-31T15:04:05.123456Z, got "0000-01-01T00:00:00+00:01"`},
		{instant, `"2026-01-31"`, `wanted a timestamp such as 2006-01-31T15:04:05.123456Z, got "2026-01-31"`},
		{clock, `"15:04"`, `wanted a time such as 15:04:05.123456, got "15:04"`},
		{clock, `"15:04:05Z"`, `wanted a time such as 15:04:05.123456, got "15:04:05Z"`},
		{list, `1`, `wanted an array, got 1`},

		{list, `[1 2]`, `not JSON at byte 8: wanted a comma or ], got 2`},
		{object, `[]`, `wanted an object, got an array`},
		{options(text, product.TypeOptions{MinLength: new(2)}), `"é"`, `"é" is shorter than 2 characters`},
		{options(text, product.TypeOptions{MinLength: new(1)}), `""`, `is empty`},
		{options(text, product.TypeOptions{MinLength: new(2)}), `""`, `is empty, needs at least 2 characters`},
		{options(list, product.TypeOptions{MinItems: new(2)}), `[1]`, `has 1 item, needs at least 2`},
		{options(text, product.TypeOptions{MaxLength: new(1)}), `"ab"`, `"ab" is longer than 1 character`},
		{options(text, product.TypeOptions{MaxLength: new(2)}), `"abc"`, `"abc" is longer than 2 characters`},
		{options(text, product.TypeOptions{Pattern: "^a"}), `"b"`, `"b" does not match "^a"`},
		{options(integer, product.TypeOptions{Minimum: new(0.5)}), `0`, `0 is below the minimum 0.5`},
		{options(integer, product.TypeOptions{Maximum: new(2.5)}), `3`, `3 is above the maximum 2.5`},
		{options(number, product.TypeOptions{Maximum: new(2.5)}), `2.6`, `2.6 is above the maximum 2.5`},
		{options(money, product.TypeOptions{Minimum: new(0.1)}), `0.09`, `0.09 is below the minimum 0.1`},
		{options(list, product.TypeOptions{MinItems: new(1)}), `[]`, `has no items, needs at least 1`},
		{options(list, product.TypeOptions{MaxItems: new(1)}), `[1,2]`, `has 2 items, may have at most 1`},
		{enum(text, "a", "b"), `"c"`, `"c" is not one of "a", "b"`},
		{enum(integer, 1.0), `2`, `2 is not one of 1`},
		{enum(boolean, true), `false`, `false is not one of true`},
		{enum(date, "2024-01-01"), `"2024-01-02"`, `"2024-01-02" is not one of "2024-01-01"`},
	} {
		d := decoder(t, one(c.column))
		_, err := d.Append([]byte(`{"v":` + c.in + `}`))
		var v *contract.Violation
		if !errors.As(err, &v) || v.Field != "v" || v.Reason != c.want {
			t.Errorf("%s %q:\n got %v\nwant v: %s", c.column.LogicalType, c.in, err, c.want)
		}
		if d.Len() != 0 {
			t.Errorf("%s %s: %d rows were added", c.column.LogicalType, c.in, d.Len())
		}
	}
}

func TestRefusesRecord(t *testing.T) {
	deep := &product.Output{Name: "deep", Schema: []product.Column{
		{Name: "name", LogicalType: "string", Required: true},
		{Name: "delay", LogicalType: "integer"},
		{Name: "lines", LogicalType: "array", Items: &product.Column{LogicalType: "array", Items: &object}},
	}}
	d := decoder(t, deep)
	for in, want := range map[string]string{
		``:                           `wanted a JSON object, got the end`,
		`  `:                         `wanted a JSON object, got the end`,
		`[]`:                         `wanted a JSON object, got an array`,
		`"x"`:                        `wanted a JSON object, got "x"`,
		"\xef\xbb\xbf{}":             `wanted a JSON object, got "\ufeff{"`,
		`{}`:                         `name: is required but missing`,
		`{"name":"x"`:                `not JSON at byte 11: wanted a comma or }, got the end`,
		`{"name":"x"}}`:              `not JSON at byte 12: wanted the end, got }`,
		`{"name":"x"} {}`:            `not JSON at byte 13: wanted the end, got an object`,
		`{"name":"x",}`:              `not JSON at byte 12: wanted a field's name in quotes, got }`,
		`{"name":"x","lines":[[],]}`: `lines[1]: wanted an array, got ]`,
		`{"name" "x"}`:               `name: not JSON at byte 8: wanted a colon, got "x"`,
		`{name:"x"}`:                 `not JSON at byte 1: wanted a field's name in quotes, got name`,
		`{"name":"x","name":"y"}`:    `name: the field comes twice`,
		`{"name":"x","dealy":1}`:     `unknown field "dealy", did you mean "delay"?`,
		`{"Name":"x"}`:               `unknown field "Name", did you mean "name"?`,
		`{"name":"x","zzzzzz":1}`:    `unknown field "zzzzzz"`,
		`{"name":"x","a\u001b":1}`:   `unknown field "a\x1b"`,
		`{"name":"x","lines":[[{"a":1}],[{"a":1},{"a":2.5}]]}`: `lines[1][1].a: wanted an integer of 64 bits, got 2.5`,
		`{"name":"x","lines":[[{"b":""}]]}`:                    `lines[0][0].a: is required but missing`,
		`{"name":"x","lines":[[{"a":1,"a":1}]]}`:               `lines[0][0].a: the field comes twice`,
		`{"name":"x","lines":[[{"a":1,"c":1}]]}`:               `lines[0][0]: unknown field "c"`,
	} {
		if _, err := d.Append([]byte(in)); err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", in, err, want)
		}
	}
	if d.Len() != 0 {
		t.Errorf("%d rows were added", d.Len())
	}
}

// A record that breaks the contract late must leave nothing in any column.
func TestTakesBack(t *testing.T) {
	d := decoder(t, orders())
	bad := strings.Replace(order, `"total":44.85`, `"total":null`, 1)
	badLine := strings.Replace(order, `"price":5.05`, `"price":"dear"`, 1)
	badAfterNulls := `{"id":"n","at":"2026-01-01T00:00:00Z","total":1,"customer":null,"lines":null,"extra":1}`
	short := `{"id":"s","at":"2026-01-01T00:00:00Z","total":1,"customer":null,"lines":null}`
	for range 20 {
		for _, in := range []string{bad, order, badLine, short, badAfterNulls, bad} {
			_, err := d.Append([]byte(in))
			if good := in == order || in == short; good != (err == nil) {
				t.Fatal(in, err)
			}
		}
	}
	batch := d.Flush()
	defer batch.Release()
	if batch.NumRows() != 40 {
		t.Fatalf("%d rows, want 40", batch.NumRows())
	}
	for i, column := range batch.Columns() {
		nulls := 0
		for row := range column.Len() {
			if column.IsNull(row) {
				nulls++
			}
		}
		if column.NullN() != nulls {
			t.Errorf("column %s counts %d nulls and has %d", batch.ColumnName(i), column.NullN(), nulls)
		}
	}
	want := []string{
		strings.Replace(order, `"19.90"`, `19.90`, 1),
		`{"id":"s","at":"2026-01-01T00:00:00Z","customer":null,"lines":null,"total":1.00}`,
	}
	for row := range 40 {
		got, err := contract.AppendRow(nil, batch, row)
		if err != nil || string(got) != want[row%2] {
			t.Fatalf("row %d is %s, %v\nwant %s", row, got, err, want[row%2])
		}
	}
}

func TestBatches(t *testing.T) {
	d := decoder(t, flights())
	first, err := d.Append([]byte(flight))
	if err != nil {
		t.Fatal(err)
	}
	d.Reset()
	if d.Len() != 0 {
		t.Fatalf("%d rows after Reset", d.Len())
	}
	empty := d.Flush()
	defer empty.Release()
	if empty.NumRows() != 0 || !empty.Schema().Equal(d.Flush().Schema()) {
		t.Fatal("an empty batch is not one")
	}
	second, err := d.Append([]byte(flight))
	if err != nil || string(first) != string(second) {
		t.Fatalf("key %v, then %v, %v", first, second, err)
	}
	batch := d.Flush()
	defer batch.Release()
	if _, err := d.Append([]byte(strings.Replace(flight, "DL1047", "XX9999", 1))); err != nil {
		t.Fatal(err)
	}
	got, err := contract.AppendRow([]byte("> "), batch, 0)
	if err != nil || string(got) != "> "+flight {
		t.Errorf("a batch changed after Flush: %s, %v", got, err)
	}
	if _, err := contract.AppendRow(nil, batch, 1); err == nil {
		t.Error("a row beyond the batch is no error")
	}
}

func TestDelete(t *testing.T) {
	d := decoder(t, flights())
	key, err := d.Append([]byte(flight))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.AppendDelete(key); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []record.Key{nil, record.NewKey("x"), record.NewKey("x", "y"), record.NewKey("\xff", int64(1)), {1, 2}} {
		if err := d.AppendDelete(bad); !errors.Is(err, record.ErrKey) {
			t.Errorf("key %v: %v", bad, err)
		}
	}
	batch := d.Flush()
	defer batch.Release()
	if batch.NumRows() != 2 {
		t.Fatalf("%d rows", batch.NumRows())
	}
	got, err := contract.AppendRow(nil, batch, 1)
	want := `{"flight":"DL1047","carrier":null,"origin":null,"destination":null,"departure":"2026-03-14T15:09:26Z",` +
		`"delay":null,"distance":null,"cancelled":null,"tail":null,"day":null,"gate":null}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestSchema(t *testing.T) {
	c, err := contract.New(orders())
	if err != nil {
		t.Fatal(err)
	}
	want := `schema:
  fields: 5
    - id: type=utf8
    - at: type=timestamp[us, tz=UTC]
    - customer: type=struct<id: int64, name: utf8 nullable, city: utf8 nullable>, nullable
    - lines: type=list<item: struct<sku: utf8, quantity: int64 nullable, price: decimal(12, 2)>, nullable>, nullable
    - total: type=decimal(12, 2)`
	if got := c.Schema().String(); got != want {
		t.Errorf("got %s", got)
	}
	if !c.Keyed() || strings.Join(c.KeyColumns(), ",") != "id" {
		t.Errorf("key %v", c.KeyColumns())
	}
}

func TestNewRefuses(t *testing.T) {
	for want, out := range map[string]*product.Output{
		"unknown logicalType":     one(product.Column{LogicalType: "text"}),
		"has no properties":       one(product.Column{LogicalType: "object"}),
		"has no items":            one(product.Column{LogicalType: "array"}),
		"precision must be":       one(product.Column{LogicalType: "number", PhysicalType: "decimal(39,2)"}),
		"pattern:":                one(options(text, product.TypeOptions{Pattern: "("})),
		"options of a string":     one(options(integer, product.TypeOptions{MaxLength: new(1)})),
		"options of integer":      one(options(date, product.TypeOptions{Maximum: new(1.0)})),
		"options of an array":     one(options(text, product.TypeOptions{MaxItems: new(1)})),
		"no value lies between":   one(options(integer, product.TypeOptions{Minimum: new(1e19)})),
		"validValues: wanted":     one(enum(integer, "one")),
		"cannot be given":         one(enum(list, 1.0)),
		"needs a name of its own": {Schema: []product.Column{{Name: "a", LogicalType: "date"}, {Name: "a", LogicalType: "date"}}},
		"is not in the schema":    {Key: []string{"b"}, Schema: []product.Column{{Name: "a", LogicalType: "date"}}},
		"cannot be a key":         {Key: []string{"a"}, Schema: []product.Column{{Name: "a", LogicalType: "number"}}},
		"named twice":             {Key: []string{"a", "a"}, Schema: []product.Column{{Name: "a", LogicalType: "date"}}},
	} {
		if _, err := contract.New(out); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
