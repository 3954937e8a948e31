package record

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var epoch = time.Unix(0, 0).UTC()

// ordered are keys in the order that they must have.
var ordered = [][]any{
	{},
	{false},
	{false, int64(1)},
	{true},
	{int64(math.MinInt64)},
	{int64(-256)},
	{int64(-1)},
	{int64(-1), "z"},
	{int64(0)},
	{int64(1)},
	{int64(255)},
	{int64(256)},
	{int64(math.MaxInt64)},
	{Date(math.MinInt32)},
	{Date(-1)},
	{Date(0)},
	{Date(math.MaxInt32)},
	{time.UnixMicro(math.MinInt64).UTC()},
	{epoch.Add(-time.Microsecond)},
	{epoch},
	{epoch.Add(time.Hour)},
	{""},
	{"", ""},
	{"", "a"},
	{"\x00"},
	{"\x00\x00"},
	{"\x00\xff"},
	{"\x01"},
	{"a"},
	{"a", int64(5)},
	{"a\x00"},
	{"a\x00", int64(5)},
	{"a\x00b"},
	{"a\x01"},
	{"aa"},
	{"b"},
	{"é"},
	{"\xff"},
	{"\xff\xff"},
}

func TestKeyOrder(t *testing.T) {
	for i := 1; i < len(ordered); i++ {
		if a, b := NewKey(ordered[i-1]...), NewKey(ordered[i]...); bytes.Compare(a, b) >= 0 {
			t.Errorf("%q (%x) is not before %q (%x)", ordered[i-1], []byte(a), ordered[i], []byte(b))
		}
	}
}

func TestKeyRoundTrip(t *testing.T) {
	for _, parts := range ordered {
		got, err := NewKey(parts...).Parts()
		if err != nil || !slices.Equal(got, parts) {
			t.Errorf("%q comes back as %q, %v", parts, got, err)
		}
	}
}

func TestMalformedKeys(t *testing.T) {
	whole := NewKey("a\x00b", int64(1), epoch, Date(1))
	for i := 1; i < len(whole); i++ {
		parts, err := whole[:i].Parts()
		if err == nil && !bytes.Equal(NewKey(parts...), whole[:i]) {
			t.Errorf("%x is read as %q", []byte(whole[:i]), parts)
		}
	}
	for _, k := range []Key{{0xff}, {tagInt}, {tagInt, 1, 2}, {tagTime, 0}, {tagDate, 0, 0, 0}, {tagString, 'a'}, {tagString, 0, 0xff}} {
		if parts, err := k.Parts(); !errors.Is(err, ErrKey) {
			t.Errorf("%x is read as %q, %v", []byte(k), parts, err)
		}
		if got, want := k.String(), fmt.Sprintf("%x", []byte(k)); got != want {
			t.Errorf("a malformed key is shown as %q, want %q", got, want)
		}
	}
}

func TestKeyPanicsOnOtherTypes(t *testing.T) {
	defer func() {
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "float64") {
			t.Errorf("recovered %v", r)
		}
	}()
	NewKey(1.5)
}

func TestKeyTexts(t *testing.T) {
	k := NewKey("a/b%", int64(-5), true, Date(-1), time.Date(2026, 3, 1, 12, 0, 0, 250_000, time.FixedZone("", 3600)))
	texts, err := k.Texts()
	want := []string{"a/b%", "-5", "true", "1969-12-31", "2026-03-01T11:00:00.00025Z"}
	if err != nil || !slices.Equal(texts, want) {
		t.Errorf("texts are %q, %v; want %q", texts, err, want)
	}
	if got, want := k.String(), "a%2Fb%25/-5/true/1969-12-31/2026-03-01T11:00:00.00025Z"; got != want {
		t.Errorf("String is %q, want %q", got, want)
	}
	if got := NewKey("a/b%").String(); got != "a/b%" {
		t.Errorf("a key of one part is %q", got)
	}
}

func TestSplitTexts(t *testing.T) {
	for _, texts := range [][]string{{"a"}, {"a/b%2F"}, {""}, {"a", "b"}, {"a/b", "%2F"}, {"", "%", ""}, {"/", "/"}} {
		got, err := SplitTexts(JoinTexts(texts), len(texts))
		if err != nil || !slices.Equal(got, texts) {
			t.Errorf("%q comes back as %q, %v", texts, got, err)
		}
	}
	if got, err := SplitTexts("a", 2); err != nil || !slices.Equal(got, []string{"a"}) {
		t.Errorf("a prefix is read as %q, %v", got, err)
	}
	if got, err := SplitTexts("a/b/c", 2); !errors.Is(err, ErrKey) {
		t.Errorf("three parts for two are read as %q, %v", got, err)
	}
}

func TestDate(t *testing.T) {
	for text, want := range map[string]Date{"1970-01-01": 0, "1969-12-31": -1, "2000-02-29": 11016, "0001-01-01": -719162, "9999-12-31": 2932896} {
		if d, err := ParseDate(text); err != nil || d != want || d.String() != text {
			t.Errorf("ParseDate(%q) = %d (%s), %v; want %d", text, d, d, err, want)
		}
	}
	for _, text := range []string{"", "2026-02-30", "2026-2-3", "2026-01-01T00:00:00Z", "10000-01-01"} {
		if d, err := ParseDate(text); err == nil {
			t.Errorf("ParseDate(%q) = %s", text, d)
		}
	}
}

func TestPrefixEnd(t *testing.T) {
	for _, c := range []struct{ prefix, want Key }{
		{Key{1, 2}, Key{1, 3}},
		{Key{1, 0xff}, Key{2}},
		{Key{0xff, 0xff}, nil},
		{Key{}, nil},
	} {
		before := bytes.Clone(c.prefix)
		if got := c.prefix.PrefixEnd(); !bytes.Equal(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("PrefixEnd(%x) = %x, want %x", []byte(c.prefix), []byte(got), []byte(c.want))
		}
		if !bytes.Equal(before, c.prefix) {
			t.Errorf("PrefixEnd changed its key to %x", []byte(c.prefix))
		}
	}
	first := NewKey("LH")
	end := first.PrefixEnd()
	for _, k := range []Key{first, NewKey("LH", int64(math.MaxInt64)), NewKey("LH", "\xff")} {
		if bytes.Compare(k, end) >= 0 {
			t.Errorf("%s lies beyond the end of the keys that begin with LH", k)
		}
	}
	if k := NewKey("LH4"); bytes.Compare(k, end) < 0 {
		t.Errorf("%s lies within the keys that begin with LH", k)
	}
}

// FuzzKey holds that byte order is value order, that parts come back, and that bytes
// which are read as a key are what the key is written as.
func FuzzKey(f *testing.F) {
	f.Add("a", "a\x00", int64(1), int64(-1), byte(0), []byte(NewKey("x", int64(1))))
	f.Add("", "\xff", int64(math.MinInt64), int64(math.MaxInt64), byte(0x1b), []byte{tagString, 0, 0xff, 0})
	f.Add("", "", int64(0), int64(0), byte(0xff), []byte{tagTime, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Fuzz(func(t *testing.T, s1, s2 string, n1, n2 int64, kinds byte, raw []byte) {
		// one type for each place, as the columns of a port have
		a := []any{part(kinds, s1, n1), part(kinds>>4, s2, n2)}
		b := []any{part(kinds, s2, n2), part(kinds>>4, s1, n1)}
		ka, kb := NewKey(a...), NewKey(b...)
		if got, want := bytes.Compare(ka, kb), compareParts(a, b); got != want {
			t.Fatalf("%q and %q compare as %d, their keys %x and %x as %d", a, b, want, []byte(ka), []byte(kb), got)
		}
		if parts, err := ka.Parts(); err != nil || !reflect.DeepEqual(parts, a) {
			t.Fatalf("%q comes back as %q, %v", a, parts, err)
		}
		if texts, err := ka.Texts(); err != nil {
			t.Fatal(err)
		} else if back, err := SplitTexts(ka.String(), 2); err != nil || !slices.Equal(back, texts) {
			t.Fatalf("%q is shown as %s and read as %q, %v", texts, ka, back, err)
		}
		if end := NewKey(a[0]).PrefixEnd(); bytes.Compare(ka, end) >= 0 {
			t.Fatalf("%x is not before the end %x of its prefix", []byte(ka), []byte(end))
		}
		if parts, err := Key(raw).Parts(); err == nil && !bytes.Equal(NewKey(parts...), raw) {
			t.Fatalf("%x is read as %q, which is written %x", raw, parts, []byte(NewKey(parts...)))
		}
	})
}

// part makes a part of a kind from fuzzed values.
func part(kind byte, s string, n int64) any {
	switch kind % 5 {
	case 0:
		return s
	case 1:
		return n
	case 2:
		return n&1 == 1
	case 3:
		return Date(int32(n))
	}
	return time.UnixMicro(n).UTC()
}

func compareParts(a, b []any) int {
	for i := range a {
		var c int
		switch x := a[i].(type) {
		case string:
			c = strings.Compare(x, b[i].(string))
		case int64:
			c = cmp.Compare(x, b[i].(int64))
		case bool:
			c = cmp.Compare(fmt.Sprint(x), fmt.Sprint(b[i])) // false is before true
		case Date:
			c = cmp.Compare(x, b[i].(Date))
		case time.Time:
			c = x.Compare(b[i].(time.Time))
		}
		if c != 0 {
			return c
		}
	}
	return 0
}
