package scaffold

import (
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/templates"
)

func TestDescribe(t *testing.T) {
	for _, tc := range []struct {
		t    arrow.DataType
		want string
	}{
		{arrow.BinaryTypes.String, "string"}, {arrow.BinaryTypes.LargeString, "string"}, {arrow.Null, "string"},
		{arrow.BinaryTypes.Binary, "string"}, {arrow.FixedWidthTypes.Boolean, "boolean"},
		{arrow.PrimitiveTypes.Int8, "integer"}, {arrow.PrimitiveTypes.Int64, "integer"}, {arrow.PrimitiveTypes.Uint32, "integer"},
		{arrow.PrimitiveTypes.Uint64, "number decimal(20,0)"}, {arrow.PrimitiveTypes.Float32, "number"},
		{&arrow.Decimal128Type{Precision: 18, Scale: 3}, "number decimal(18,3)"},
		{&arrow.Decimal256Type{Precision: 50, Scale: 3}, "number"},
		{arrow.FixedWidthTypes.Date32, "date"}, {arrow.FixedWidthTypes.Timestamp_us, "timestamp"},
		{&arrow.TimestampType{Unit: arrow.Nanosecond}, "timestamp"}, {arrow.FixedWidthTypes.Time64us, "time"},
		{&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}, "string"},
		{arrow.ListOf(arrow.PrimitiveTypes.Int32), "array of integer"},
		{arrow.FixedSizeListOf(3, arrow.PrimitiveTypes.Float64), "array of number"},
		{arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64), "string"},
		{arrow.StructOf(arrow.Field{Name: "x", Type: arrow.ListOf(arrow.FixedWidthTypes.Boolean)}), "object of x array of boolean"},
	} {
		if got := spell(describe("", tc.t)); got != tc.want {
			t.Errorf("%s is %q, want %q", tc.t, got, tc.want)
		}
	}
}

func spell(c product.Column) string {
	words := []string{c.LogicalType}
	if c.PhysicalType != "" {
		words = append(words, c.PhysicalType)
	}
	if c.Items != nil {
		words = append(words, "of", spell(*c.Items))
	}
	for _, p := range c.Properties {
		words = append(words, "of", p.Name, spell(p))
	}
	return strings.Join(words, " ")
}

func TestNames(t *testing.T) {
	for _, tc := range [][2][]string{
		{{"a", "b c", "Ü"}, {"a", "b c", "Ü"}},
		{{"_id", "__x"}, {"id", "x"}},
		{{"_id", "id", "ID"}, {"id_2", "id", "ID_3"}},
		{{"", "_", " "}, {"column1", "column2", "column3"}},
		{{"a", "a", "A", "a_2"}, {"a", "a_3", "A_4", "a_2"}},
	} {
		if got := Names(tc[0]); !slices.Equal(got, tc[1]) {
			t.Errorf("Names(%q) = %q, want %q", tc[0], got, tc[1])
		}
	}
}

func col(name string, t arrow.DataType, distinct int64, nullable bool) Column {
	return Column{Name: name, Type: t, Distinct: distinct, Nullable: nullable}
}

var (
	text  = arrow.BinaryTypes.String
	whole = arrow.PrimitiveTypes.Int64
	stamp = arrow.FixedWidthTypes.Timestamp_us
	float = arrow.PrimitiveTypes.Float64
)

func TestKeys(t *testing.T) {
	columns := []Column{
		col("at", stamp, 10, false), col("latitude", float, 10, false), col("name", text, 10, false), col("city", text, 9, false),
		col("iata", text, 10, false), col("gap_id", whole, 10, true), col("airport_id", whole, 10, false), col("id", whole, 10, false),
	}
	want := []string{"id", "airport_id", "iata", "name", "at"}
	if got := Keys(columns, 10); !slices.Equal(got, want) {
		t.Errorf("Keys = %q, want %q", got, want)
	}
	if got := Keys(columns[:1], 0); got != nil {
		t.Errorf("an empty file has keys %q", got)
	}
}

func TestFit(t *testing.T) {
	unique := File{Path: "a.csv", Rows: 10, Columns: []Column{col("city", text, 9, false), col("iata", text, 10, false), col("x", float, 10, true)}}
	shared := File{Path: "b.csv", Rows: 10, Columns: []Column{col("a", text, 7, true), col("b", text, 9, false), col("x", float, 10, false)}}
	shared.Combined = func([]string) (int64, error) { return 9, nil }
	paired := shared
	paired.Columns = []Column{col("day", text, 5, false), col("code", text, 4, false), col("n", whole, 3, false), col("gap", whole, 9, true)}
	paired.Combined = func(columns []string) (int64, error) {
		if slices.Equal(columns, []string{"day", "code"}) {
			return 10, nil
		}
		return 8, nil
	}
	for name, tc := range map[string]struct {
		file     File
		typ      string
		key      []string
		wantType string
		wantKey  []string
		note     string // in the notes, or
		fault    string // in the error
	}{
		"events, with a hint":   {unique, "", nil, "event", nil, "--key iata", ""},
		"events, no key":        {shared, "", nil, "event", nil, "", ""},
		"a key makes a state":   {unique, "", []string{"iata"}, "state", []string{"iata"}, "", ""},
		"a state finds its key": {unique, "state", nil, "state", []string{"iata"}, "iata tells all 10 rows apart", ""},
		"events with a key":     {unique, "event", []string{"iata"}, "event", []string{"iata"}, "", ""},
		"a key of two":          {shared, "", []string{"b", "a"}, "state", []string{"b", "a"}, "some rows have no a", ""},
		"a key rows share":      {shared, "", []string{"b"}, "state", []string{"b"}, "10 rows share 9 values of b", ""},
		"a state without a key": {shared, "state", nil, "", nil, "", "b has 9 values, a has 7 values and gaps"},
		"a state finds a pair":  {paired, "state", nil, "state", []string{"day", "code"}, "day with code tells all 10 rows apart", ""},
		"events, with a pair":   {paired, "", nil, "event", nil, "--key day,code", ""},
		"a pair rows share":     {paired, "", []string{"day", "n"}, "state", []string{"day", "n"}, "10 rows share 8 values of day with n", ""},
		"no such column":        {unique, "", []string{"IATA"}, "", nil, "", "no such column"},
		"not a key's type":      {unique, "", []string{"x"}, "", nil, "", "type number"},
		"twice":                 {unique, "", []string{"iata", "iata"}, "", nil, "", "twice"},
		"no such type":          {unique, "stream", nil, "", nil, "", `no type "stream"`},
		"no columns":            {File{Path: "c.csv"}, "", nil, "", nil, "", "no columns"},
	} {
		t.Run(name, func(t *testing.T) {
			a, notes, err := tc.file.Fit(Answers{Name: "p", Domain: "d", Owner: "o"}, tc.typ, tc.key)
			if tc.fault != "" {
				if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tc.fault) || fault.HintOf(err) == "" {
					t.Errorf("err = %v (hint %q), want %q", err, fault.HintOf(err), tc.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if a.Type != tc.wantType || !slices.Equal(a.Key, tc.wantKey) {
				t.Errorf("type %s, key %q; want %s, %q", a.Type, a.Key, tc.wantType, tc.wantKey)
			}
			if all := strings.Join(notes, "\n"); !strings.Contains(all, tc.note) || (tc.note == "") != (all == "") {
				t.Errorf("notes %q, want %q", all, tc.note)
			}
			for _, f := range a.Columns {
				if slices.Contains(a.Key, f.Name) && !f.Required {
					t.Errorf("key column %s is not required", f.Name)
				}
			}
			wellFormed(t, a)
		})
	}
}

// wellFormed renders a and checks that the schema reads back as it is.
func wellFormed(t *testing.T, a Answers) {
	t.Helper()
	tree, err := Render(templates.Files(), FromFile, a)
	if err != nil {
		t.Fatal(err)
	}
	p, problems := product.Parse(product.FileName, tree[product.FileName])
	if len(problems) > 0 {
		t.Fatalf("%v\n%s", problems, tree[product.FileName])
	}
	out := p.Output(a.Name)
	if out == nil || out.Type != a.Type || !slices.Equal(out.Key, a.Key) || len(out.Schema) != len(a.Columns) {
		t.Fatalf("came out as %+v", out)
	}
	for i, f := range a.Columns {
		got := out.Schema[i]
		if got.Name != f.Name || got.PhysicalName != f.PhysicalName || spell(got) != spell(f.Column) || got.Required != f.Required {
			t.Errorf("column %d came out as %+v, want %+v", i, got, f.Column)
		}
	}
}

func TestPairs(t *testing.T) {
	columns := []Column{
		col("x", float, 10, false), col("one", text, 1, false), col("a", text, 5, false), col("b", text, 2, false),
		col("few", text, 1, false), col("day_id", whole, 4, false), col("gap", text, 9, true),
	}
	want := [][]string{{"a", "day_id"}, {"a", "b"}}
	if got := Pairs(columns, 10); !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("Pairs = %q, want %q", got, want)
	}
}

func TestLongFilesAreNotSearchedForAPairUnasked(t *testing.T) {
	f := File{Path: "x", Rows: shortFile + 1, Columns: []Column{col("a", text, shortFile, false), col("b", text, 9, false)}}
	f.Combined = func([]string) (int64, error) { t.Error("the file was read again"); return 0, nil }
	if _, _, err := f.Fit(Answers{}, "event", nil); err != nil {
		t.Fatal(err)
	}
}

func TestFitKeepsMessyNames(t *testing.T) {
	file := File{Path: "it's a file (1).csv", Rows: 2}
	file.Combined = func([]string) (int64, error) { return 1, nil }
	for _, name := range awkward {
		file.Columns = append(file.Columns, col(name, text, 1, true), col("_"+name, text, 1, true))
	}
	nested := arrow.StructOf(
		arrow.Field{Name: "the list", Type: arrow.ListOf(arrow.StructOf(arrow.Field{Name: "x: y", Type: whole}, arrow.Field{Name: "z", Type: arrow.ListOf(stamp)}))},
		arrow.Field{Name: "after", Type: float})
	file.Columns = append(file.Columns, col("nested", nested, 1, true), col("lists", arrow.ListOf(arrow.ListOf(nested)), 1, false))
	a, _, err := file.Fit(Answers{Name: "p", Domain: "d", Owner: "o"}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	wellFormed(t, a)
}
