package product

import (
	"encoding/json"
	"math"
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	const year292 = "106751d23h47m16.854775807s"
	for _, c := range []struct {
		text    string
		want    time.Duration
		written string // "" for a text that is refused
	}{
		{"90s", 90 * time.Second, "1m30s"},
		{"10m", 10 * time.Minute, "10m"},
		{"24h", 24 * time.Hour, "24h"},
		{"1d", 24 * time.Hour, "24h"},
		{"7d", 168 * time.Hour, "7d"},
		{"1d12h", 36 * time.Hour, "36h"},
		{"2d1h1m1.5s", 49*time.Hour + time.Minute + 1500*time.Millisecond, "2d1h1m1.5s"},
		{"250ms", 250 * time.Millisecond, "250ms"},
		{"1h1ns", time.Hour + 1, "1h1ns"},
		{"0s", 0, "0s"},
		{year292, math.MaxInt64, year292},
		{"", 0, ""}, {"5", 0, ""}, {"d", 0, ""}, {"-1h", 0, ""}, {"-1d", 0, ""}, {"1d-1h", 0, ""}, {"1d+1h", 0, ""},
		{"1.5d", 0, ""}, {"1dd", 0, ""}, {"1h1d", 0, ""}, {"7 d", 0, ""}, {"1w", 0, ""},
		{"106752d", 0, ""}, {"106751d24h", 0, ""}, {"99999999999999999999d", 0, ""},
	} {
		got, err := ParseDuration(c.text)
		if (err == nil) != (c.written != "") || time.Duration(got) != c.want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", c.text, time.Duration(got), err, c.want)
			continue
		}
		if err != nil {
			continue
		}
		if got.String() != c.written {
			t.Errorf("%q is written %q, want %q", c.text, got, c.written)
		}
		if again, err := ParseDuration(got.String()); err != nil || again != got {
			t.Errorf("%q is read back as %v, %v", got, again, err)
		}
	}
	var r Retention
	if err := json.Unmarshal([]byte(`{"age":"7d"}`), &r); err != nil || r.Age != Duration(7*day) {
		t.Errorf("from JSON: %+v, %v", r, err)
	}
	if data, err := json.Marshal(r); err != nil || string(data) != `{"age":"7d"}` {
		t.Errorf("as JSON: %s, %v", data, err)
	}
}

func TestQuantity(t *testing.T) {
	const refused = -1
	for _, c := range []struct {
		text         Quantity
		bytes, milli int64
	}{
		{"0", 0, 0},
		{"1", 1, 1000},
		{"500m", refused, 500},
		{"1.5", refused, 1500},
		{"1500m", refused, 1500},
		{"2000m", 2, 2000},
		{"10Gi", 10 << 30, 10 << 30 * 1000},
		{"1.5Ki", 1536, 1536000},
		{".5k", 500, 500_000},
		{"5.", 5, 5000},
		{"1e3", 1000, 1_000_000},
		{"1E3", 1000, 1_000_000},
		{"1E", 1e18, refused},
		{"7Ei", 7 << 60, refused},
		{"8Ei", refused, refused},
		{"100n", refused, 1},
		{"1u", refused, 1},
		{"+3M", 3_000_000, 3_000_000_000},
		{"-3", -3, -3000},
		{"25e-1", refused, 2500},
		{"1e999", refused, refused},
		{"1e9999", refused, refused},
		{"", refused, refused}, {"Gi", refused, refused}, {".", refused, refused}, {"10GB", refused, refused},
		{"10 Gi", refused, refused}, {"1e3Ki", refused, refused}, {"0x10", refused, refused}, {"1_000", refused, refused},
		{"NaN", refused, refused}, {"1/3", refused, refused}, {"K", refused, refused}, {"1K", refused, refused},
	} {
		if n, err := c.text.Bytes(); (err != nil) != (c.bytes == refused) || err == nil && n != c.bytes {
			t.Errorf("%q has %d bytes, %v; want %d", c.text, n, err, c.bytes)
		}
		if n, err := c.text.Milli(); (err != nil) != (c.milli == refused) || err == nil && n != c.milli {
			t.Errorf("%q is %d thousandths, %v; want %d", c.text, n, err, c.milli)
		}
	}
}

func TestDecimal(t *testing.T) {
	for _, c := range []struct {
		column           Column
		precision, scale int
		ok               bool
	}{
		{Column{LogicalType: TypeNumber, PhysicalType: "decimal(18,2)"}, 18, 2, true},
		{Column{LogicalType: TypeNumber, PhysicalType: " DECIMAL ( 9 ) "}, 9, 0, true},
		{Column{LogicalType: TypeNumber, PhysicalType: "double"}, 0, 0, false},
		{Column{LogicalType: TypeNumber}, 0, 0, false},
		{Column{LogicalType: TypeString, PhysicalType: "decimal(18,2)"}, 0, 0, false},
	} {
		if p, s, ok := c.column.Decimal(); p != c.precision || s != c.scale || ok != c.ok {
			t.Errorf("%+v is decimal(%d,%d), %v", c.column, p, s, ok)
		}
	}
}
