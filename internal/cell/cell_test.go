package cell_test

import (
	"encoding/json"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/meshctl/meshctl/internal/cell"
)

// fixed makes an array of a type with one value, given as its bits.
func fixed[T any](t arrow.DataType, v T, bytes func([]T) []byte) arrow.Array {
	data := array.NewData(t, 1, []*memory.Buffer{nil, memory.NewBufferBytes(bytes([]T{v}))}, nil, 0, 0)
	return array.MakeFromData(data)
}

func int64Bits(t arrow.DataType, v int64) arrow.Array {
	return fixed(t, v, arrow.Int64Traits.CastToBytes)
}

func int32Bits(t arrow.DataType, v int32) arrow.Array {
	return fixed(t, v, arrow.Int32Traits.CastToBytes)
}

// fromJSON makes an array of values that arrow-go reads from JSON.
func fromJSON(t *testing.T, typ arrow.DataType, values string) arrow.Array {
	t.Helper()
	arr, _, err := array.FromJSON(memory.DefaultAllocator, typ, strings.NewReader(values))
	if err != nil {
		t.Fatalf("%v: %v", typ, err)
	}
	return arr
}

// named is an extension type of which only the name is known.
type named struct {
	arrow.ExtensionBase
	name string
}

type namedArray struct{ array.ExtensionArrayBase }

func (*named) ArrayType() reflect.Type                      { return reflect.TypeFor[namedArray]() }
func (n *named) ExtensionName() string                      { return n.name }
func (*named) Serialize() string                            { return "" }
func (n *named) ExtensionEquals(o arrow.ExtensionType) bool { return o.ExtensionName() == n.name }
func (n *named) Deserialize(storage arrow.DataType, _ string) (arrow.ExtensionType, error) {
	return &named{arrow.ExtensionBase{Storage: storage}, n.name}, nil
}

func extension(name string, storage arrow.Array) arrow.Array {
	return array.NewExtensionArrayWithStorage(&named{arrow.ExtensionBase{Storage: storage.DataType()}, name}, storage)
}

func timestamp(u arrow.TimeUnit, zone string) arrow.DataType {
	return &arrow.TimestampType{Unit: u, TimeZone: zone}
}

func TestScalars(t *testing.T) {
	i64, i32 := int64Bits, int32Bits
	big256, err := decimal256.FromString("-12345678901234567890123456789012345678901234567890.12", 60, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		arr        arrow.Array
		json, text string // text is json when empty
	}{
		{fromJSON(t, arrow.PrimitiveTypes.Int8, `[-128]`), `-128`, ``},
		{fromJSON(t, arrow.PrimitiveTypes.Int16, `[-32768]`), `-32768`, ``},
		{fromJSON(t, arrow.PrimitiveTypes.Int32, `[-2147483648]`), `-2147483648`, ``},
		{i64(arrow.PrimitiveTypes.Int64, math.MinInt64), `-9223372036854775808`, ``},
		{fromJSON(t, arrow.PrimitiveTypes.Uint8, `[255]`), `255`, ``},
		{fromJSON(t, arrow.PrimitiveTypes.Uint16, `[65535]`), `65535`, ``},
		{fromJSON(t, arrow.PrimitiveTypes.Uint32, `[4294967295]`), `4294967295`, ``},
		{i64(arrow.PrimitiveTypes.Uint64, -1), `18446744073709551615`, ``},
		{fixed(arrow.FixedWidthTypes.Float16, float16.New(1.5), arrow.Float16Traits.CastToBytes), `1.5`, ``},
		{fromJSON(t, arrow.PrimitiveTypes.Float32, `[0.1]`), `0.1`, ``},
		{fromJSON(t, arrow.PrimitiveTypes.Float64, `[1e21]`), `1e+21`, ``},
		{fromJSON(t, arrow.PrimitiveTypes.Float64, `[1.5e-9]`), `1.5e-9`, ``},
		{fixed(arrow.PrimitiveTypes.Float64, math.NaN(), arrow.Float64Traits.CastToBytes), `null`, `NaN`},
		{fixed(arrow.PrimitiveTypes.Float64, math.Inf(-1), arrow.Float64Traits.CastToBytes), `null`, `-Infinity`},
		{fixed(arrow.PrimitiveTypes.Float32, float32(math.Inf(1)), arrow.Float32Traits.CastToBytes), `null`, `Infinity`},
		{fixed(&arrow.Decimal32Type{Precision: 5, Scale: 2}, decimal.Decimal32(-5), arrow.Decimal32Traits.CastToBytes), `-0.05`, ``},
		{fixed(&arrow.Decimal64Type{Precision: 5, Scale: 2}, decimal.Decimal64(105), arrow.Decimal64Traits.CastToBytes), `1.05`, ``},
		{fixed(&arrow.Decimal256Type{Precision: 60, Scale: 2}, big256, arrow.Decimal256Traits.CastToBytes), big256.ToString(2), ``},
		{fromJSON(t, arrow.FixedWidthTypes.Boolean, `[true]`), `true`, ``},
		{fromJSON(t, arrow.BinaryTypes.String, `["a\"\n"]`), `"a\"\n"`, "a\"\n"},
		{fromJSON(t, arrow.BinaryTypes.LargeString, `["a"]`), `"a"`, `a`},
		{fromJSON(t, arrow.BinaryTypes.StringView, `["a"]`), `"a"`, `a`},
		{fromJSON(t, arrow.BinaryTypes.Binary, `["/wA="]`), `"/wA="`, `/wA=`},
		{fromJSON(t, arrow.BinaryTypes.LargeBinary, `["/wA="]`), `"/wA="`, `/wA=`},
		{fromJSON(t, &arrow.FixedSizeBinaryType{ByteWidth: 2}, `["/wA="]`), `"/wA="`, `/wA=`},
		{i32(arrow.FixedWidthTypes.Date32, -1), `"1969-12-31"`, `1969-12-31`},
		{i32(arrow.FixedWidthTypes.Date32, math.MaxInt32), `"infinity"`, `infinity`},
		{i32(arrow.FixedWidthTypes.Date32, -800_000), `"-0221-09-04"`, `-0221-09-04`},
		{i64(arrow.FixedWidthTypes.Date64, -86_400_000), `"1969-12-31"`, `1969-12-31`},
		{i64(timestamp(arrow.Second, "UTC"), -1), `"1969-12-31T23:59:59Z"`, `1969-12-31T23:59:59Z`},
		{i64(timestamp(arrow.Millisecond, ""), 1_500), `"1970-01-01T00:00:01.5"`, `1970-01-01T00:00:01.5`},
		{i64(timestamp(arrow.Microsecond, "Europe/Berlin"), -1), `"1969-12-31T23:59:59.999999Z"`, `1969-12-31T23:59:59.999999Z`},
		{i64(timestamp(arrow.Nanosecond, ""), 1), `"1970-01-01T00:00:00.000000001"`, `1970-01-01T00:00:00.000000001`},
		{i64(timestamp(arrow.Microsecond, "UTC"), math.MaxInt64), `"infinity"`, `infinity`},
		{i64(timestamp(arrow.Microsecond, "UTC"), -math.MaxInt64), `"-infinity"`, `-infinity`},
		{i64(timestamp(arrow.Second, ""), 253402300800), `"10000-01-01T00:00:00"`, `10000-01-01T00:00:00`},
		{i32(arrow.FixedWidthTypes.Time32s, 3661), `"01:01:01"`, `01:01:01`},
		{i32(arrow.FixedWidthTypes.Time32ms, 1), `"00:00:00.001"`, `00:00:00.001`},
		{i64(arrow.FixedWidthTypes.Time64us, 86_399_999_990), `"23:59:59.99999"`, `23:59:59.99999`},
		{i64(arrow.FixedWidthTypes.Time64ns, 86_400_000_000_000), `"24:00:00"`, `24:00:00`},
		{i64(arrow.FixedWidthTypes.Duration_us, 90_500_000), `"PT1M30.5S"`, `PT1M30.5S`},
		{i64(arrow.FixedWidthTypes.Duration_s, 0), `"PT0S"`, `PT0S`},
		{i32(arrow.FixedWidthTypes.MonthInterval, 14), `"P1Y2M"`, `P1Y2M`},
		{fixed(arrow.FixedWidthTypes.MonthDayNanoInterval, arrow.MonthDayNanoInterval{Months: 14, Days: 3, Nanoseconds: 14_706_500_000_000},
			arrow.MonthDayNanoIntervalTraits.CastToBytes), `"P1Y2M3DT4H5M6.5S"`, `P1Y2M3DT4H5M6.5S`},
		{fixed(arrow.FixedWidthTypes.MonthDayNanoInterval, arrow.MonthDayNanoInterval{Days: -3, Nanoseconds: -500_000_000},
			arrow.MonthDayNanoIntervalTraits.CastToBytes), `"P-3DT-0.5S"`, `P-3DT-0.5S`},
		{fixed(arrow.FixedWidthTypes.DayTimeInterval, arrow.DayTimeInterval{Days: 1, Milliseconds: 3_600_000},
			arrow.DayTimeIntervalTraits.CastToBytes), `"P1DT1H"`, `P1DT1H`},
		{extension("tagged", fromJSON(t, arrow.BinaryTypes.String, `["a\"b"]`)), `"a\"b"`, `a"b`},
		{extension("arrow.uuid", fromJSON(t, &arrow.FixedSizeBinaryType{ByteWidth: 16}, `["+B1PrnGsEdCnZQCgyR5r9g=="]`)),
			`"f81d4fae-71ac-11d0-a765-00a0c91e6bf6"`, `f81d4fae-71ac-11d0-a765-00a0c91e6bf6`},
	} {
		got, exact := cell.AppendJSON([]byte("> "), c.arr, 0)
		if string(got) != "> "+c.json || exact != (c.json != "null") {
			t.Errorf("%v: JSON %s, %v; want %s", c.arr.DataType(), got, exact, c.json)
		}
		if c.text == "" {
			c.text = c.json
		}
		if got := cell.AppendText([]byte("> "), c.arr, 0); string(got) != "> "+c.text {
			t.Errorf("%v: text %s, want %s", c.arr.DataType(), got, c.text)
		}
		if cell.IsNull(c.arr, 0) {
			t.Errorf("%v: null", c.arr.DataType())
		}
	}
}

func TestNested(t *testing.T) {
	text, integer := arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int32
	object := arrow.StructOf(arrow.Field{Name: "a", Type: integer, Nullable: true}, arrow.Field{Name: "b\"", Type: text, Nullable: true})
	for _, c := range []struct {
		typ  arrow.DataType
		in   string
		json string
	}{
		{object, `[{"a":1,"b\"":"x"}]`, `{"a":1,"b\"":"x"}`},
		{object, `[{"a":null,"b\"":null}]`, `{"a":null,"b\"":null}`},
		{arrow.ListOf(text), `[["x",null,""]]`, `["x",null,""]`},
		{arrow.LargeListOf(integer), `[[1,2]]`, `[1,2]`},
		{arrow.ListViewOf(integer), `[[1,2]]`, `[1,2]`},
		{arrow.FixedSizeListOf(2, integer), `[[1,2]]`, `[1,2]`},
		{arrow.ListOf(arrow.ListOf(object)), `[[[{"a":1,"b\"":null}],[]]]`, `[[{"a":1,"b\"":null}],[]]`},
		{arrow.MapOf(text, integer), `[[{"key":"x\"","value":1},{"key":"y","value":null}]]`, `{"x\"":1,"y":null}`},
		{arrow.MapOf(integer, text), `[[{"key":7,"value":"x"}]]`, `{"7":"x"}`},
		{&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Uint8, ValueType: text}, `["x"]`, `"x"`},
		{arrow.Null, `[null]`, `null`},
	} {
		// The value stands second in a slice, so that offsets count.
		arr := fromJSON(t, c.typ, "[null,"+c.in[1:])
		arr = array.NewSlice(arr, 1, 2)
		if got, exact := cell.AppendJSON(nil, arr, 0); string(got) != c.json || !exact {
			t.Errorf("%v: %s, want %s", c.typ, got, c.json)
		}
		want := strings.Trim(c.json, `"`)
		if c.typ == arrow.Null {
			want = ""
		}
		if got := cell.AppendText(nil, arr, 0); string(got) != want {
			t.Errorf("%v: text %s, want %s", c.typ, got, want)
		}
		if cell.IsNull(arr, 0) != (c.typ == arrow.Null) {
			t.Errorf("%v: null is %v", c.typ, cell.IsNull(arr, 0))
		}
	}
}

func TestUnion(t *testing.T) {
	fields := []arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "s", Type: arrow.BinaryTypes.String, Nullable: true}}
	codes := []arrow.UnionTypeCode{5, 7}
	for _, typ := range []arrow.DataType{arrow.SparseUnionOf(fields, codes), arrow.DenseUnionOf(fields, codes)} {
		arr := fromJSON(t, typ, `[[5,1],[7,"x"],[7,null],[5,2]]`)
		for i, want := range []string{`1`, `"x"`, `null`, `2`} {
			if got, _ := cell.AppendJSON(nil, arr, i); string(got) != want {
				t.Errorf("%v: %s, want %s", typ, got, want)
			}
			if cell.IsNull(arr, i) != (want == "null") {
				t.Errorf("%v: null at %d is %v", typ, i, cell.IsNull(arr, i))
			}
			if got := cell.AppendText(nil, array.NewSlice(arr, 1, 4), 0); string(got) != "x" {
				t.Errorf("%v: text %s", typ, got)
			}
		}
	}
}

// What is not exact deep inside is told at the top, with the column.
func TestExact(t *testing.T) {
	b := array.NewListBuilder(memory.DefaultAllocator, arrow.PrimitiveTypes.Float64)
	b.Append(true)
	b.ValueBuilder().(*array.Float64Builder).AppendValues([]float64{1, math.NaN()}, nil)
	broken := b.NewArray()
	batch := array.NewRecordBatch(arrow.NewSchema([]arrow.Field{
		{Name: "a", Type: arrow.PrimitiveTypes.Int64}, {Name: "b", Type: broken.DataType()}}, nil),
		[]arrow.Array{int64Bits(arrow.PrimitiveTypes.Int64, 1), broken}, 1)
	got, column, exact := cell.AppendRow(nil, batch, 0)
	if string(got) != `{"a":1,"b":[1,null]}` || column != "b" || exact {
		t.Errorf("%s, %s, %v", got, column, exact)
	}
}

// Days are computed here without time.Time; they must agree with it.
func TestDays(t *testing.T) {
	arr := array.NewDate32Builder(memory.DefaultAllocator)
	for day := -719528; day < 2932897; day += 13 { // 0000-01-01 to 9999-12-31
		arr.Append(arrow.Date32(day))
	}
	days := arr.NewDate32Array()
	for i := range days.Len() {
		want := time.Unix(int64(days.Value(i))*86400, 0).UTC().Format(time.DateOnly)
		if got := cell.AppendText(nil, days, i); string(got) != want {
			t.Fatalf("day %d is %s, want %s", days.Value(i), got, want)
		}
	}
}

// Decimals are written without big.Int; they must agree with it.
func TestDecimals(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	values := []*big.Int{big.NewInt(0), decimal128.MaxDecimal128.BigInt(), decimal128.MaxDecimal128.Negate().BigInt(),
		new(big.Int).Lsh(big.NewInt(1), 64), big.NewInt(math.MinInt64)}
	for range 2000 {
		v := new(big.Int).Rsh(new(big.Int).SetBits([]big.Word{big.Word(r.Uint64()), big.Word(r.Uint64() >> 3)}), uint(r.IntN(120)))
		if r.IntN(2) == 0 {
			v.Neg(v)
		}
		values = append(values, v)
	}
	for i, v := range values {
		scale := int32(i % 39)
		n := decimal128.FromBigInt(v)
		arr := fixed(&arrow.Decimal128Type{Precision: 38, Scale: scale}, n, arrow.Decimal128Traits.CastToBytes)
		want := new(big.Rat).SetFrac(v, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)).FloatString(int(scale))
		if got, _ := cell.AppendJSON(nil, arr, 0); string(got) != want {
			t.Fatalf("%v at scale %d is %s, want %s", v, scale, got, want)
		}
	}
	if got, _ := cell.AppendJSON(nil, fixed(&arrow.Decimal128Type{Precision: 5, Scale: -2}, decimal128.FromI64(-12),
		arrow.Decimal128Traits.CastToBytes), 0); string(got) != "-1200" {
		t.Errorf("scale -2: %s", got)
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\\b\f\n\r\t\x00\x7f", "\u0085\u202e\u2066\u2028", "é東😀", "\xff\xc3", "\uFFFD"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, exact := cell.AppendString(nil, s)
		var back string
		if err := json.Unmarshal(got, &back); err != nil {
			t.Fatalf("%q became %s: %v", s, got, err)
		}
		if exact != utf8.ValidString(s) || (exact && back != s) {
			t.Fatalf("%q came back as %q, exact %v", s, back, exact)
		}
		for _, r := range string(got) {
			if cell.Hostile(r) {
				t.Fatalf("%q holds %U", got, r)
			}
		}
	})
}

func TestHarden(t *testing.T) {
	in := "{\n  \"a\u202e\": \"\x7f\u009b31m é😀\u2028\"\n}\n"
	want := "{\n  \"a\\u202e\": \"\\u007f\\u009b31m é😀\\u2028\"\n}\n"
	if got := cell.Harden(nil, []byte(in)); string(got) != want {
		t.Errorf("got %s", got)
	}
	if !json.Valid(cell.Harden(nil, []byte(in))) {
		t.Error("not JSON any more")
	}
}
