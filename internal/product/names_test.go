package product

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/meshctl/meshctl/internal/record"
)

func TestParsePort(t *testing.T) {
	for _, c := range []struct {
		address string
		want    PortID
		text    string // "" for an address that is refused
	}{
		{"flights.arrivals", PortID{Product: "flights", Port: "arrivals"}, "flights.arrivals"},
		{"flights", PortID{Product: "flights", Port: "flights"}, "flights.flights"},
		{"flights.arrivals@1", PortID{Product: "flights", Port: "arrivals", Major: 1}, "flights.arrivals"},
		{"flights.arrivals@v12", PortID{Product: "flights", Port: "arrivals", Major: 12}, "flights.arrivals@12"},
		{"flights@3", PortID{Product: "flights", Port: "flights", Major: 3}, "flights.flights@3"},
		{"", PortID{}, ""},
		{".", PortID{}, ""},
		{"flights.", PortID{}, ""},
		{".flights", PortID{}, ""},
		{"a.b.c", PortID{}, ""},
		{"Flights", PortID{}, ""},
		{"flights@", PortID{}, ""},
		{"flights@0", PortID{}, ""},
		{"flights@-1", PortID{}, ""},
		{"flights@+1", PortID{}, ""},
		{"flights@1@2", PortID{}, ""},
		{"flights@99999999999999999999", PortID{}, ""},
		{"flights.>", PortID{}, ""},
	} {
		got, err := ParsePort(c.address)
		if (err == nil) != (c.text != "") || got != c.want {
			t.Errorf("ParsePort(%q) = %+v, %v", c.address, got, err)
		} else if err == nil && got.String() != c.text {
			t.Errorf("ParsePort(%q).String() = %q, want %q", c.address, got, c.text)
		}
	}
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "a1-b": true, strings.Repeat("a", 40): true,
		"": false, strings.Repeat("a", 41): false, "1a": false, "-a": false, "a-": false,
		"A": false, "a_b": false, "a.b": false, "ä": false, "a b": false, "a*": false, "a\n": false,
	} {
		if ValidName(name) != want {
			t.Errorf("ValidName(%q) = %v", name, !want)
		}
	}
}

func TestMajor(t *testing.T) {
	for version, want := range map[string]int{"0.3.0": 1, "1.0.0": 1, "2.1.0-rc.1": 2, "10.0.0": 10, "": 1, "x": 1} {
		p := Product{Metadata: Metadata{Version: version}}
		if got := p.Major(); got != want {
			t.Errorf("the major of %q is %d, want %d", version, got, want)
		}
	}
}

// The names that docs/architecture.md promises.
func TestNames(t *testing.T) {
	p := Product{Metadata: Metadata{Name: "flights", Domain: "aviation", Version: "1.4.0"}}
	id := p.ID("arrivals")
	second := id
	second.Major = 2
	subject, err := id.RecordSubject(record.NewKey("LH 400", int64(-7)))
	if err != nil {
		t.Fatal(err)
	}
	keyless, err := id.RecordSubject(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{id.Stream(), "arrivals-v1"},
		{second.Stream(), "arrivals-v2"},
		{id.Subject(), "aviation.flights.arrivals.v1"},
		{keyless, "aviation.flights.arrivals.v1"},
		{subject, "aviation.flights.arrivals.v1.LH=20400.-7"},
		{id.InboxStream(), "in-arrivals-v1"},
		{id.InboxSubject("s1"), "in.aviation.flights.arrivals.v1.s1"},
		{id.DeadSubject("s1"), "dead.aviation.flights.arrivals.v1.s1"},
		{id.MirrorStream(), "from-flights_arrivals-v1"},
		{id.Table(), "arrivals"},
		{second.Table(), "arrivals_v2"},
		{strings.Join(id.Tables(true), " "), "arrivals arrivals_v1"},
		{strings.Join(id.Tables(false), " "), "arrivals_v1"},
		{strings.Join(second.Tables(true), " "), "arrivals_v2 arrivals"},
		{id.Folder(), "arrivals-v1"},
		{APIPrefix("flights"), "$JS.flights.API"},
		{ServiceSubject("flights", "get"), "mesh.flights.get"},
	} {
		if c[0] != c[1] {
			t.Errorf("got %q, want %q", c[0], c[1])
		}
	}
	if _, err := id.RecordSubject(record.Key{0xff}); !errors.Is(err, record.ErrKey) {
		t.Errorf("the subject of a malformed key: %v", err)
	}
}

func TestKeyTokens(t *testing.T) {
	long := strings.Repeat("x", maxKeyTokens+1)
	for _, c := range []struct {
		texts []string
		want  string
	}{
		{[]string{"a"}, "a"},
		{[]string{"a", "", "b"}, "a.=.b"},
		{[]string{"a.b", "*", ">", " "}, "a=2Eb.=2A.=3E.=20"},
		{[]string{"="}, "=3D"},
		{[]string{"~"}, "=7E"},
		{[]string{"ü"}, "=C3=BC"},
		{[]string{long}, ""}, // a digest
	} {
		got := KeyTokens(c.texts)
		if c.texts[0] == long {
			if !strings.HasPrefix(got, "=~") || len(got) != 66 {
				t.Errorf("a long key has tokens %q", got)
			}
			if _, err := ParseKeyTokens(got); !errors.Is(err, record.ErrKey) {
				t.Errorf("a digest is read as a key: %v", err)
			}
			if other := KeyTokens([]string{long + "y"}); other == got {
				t.Error("two long keys share a digest")
			}
			continue
		}
		if got != c.want {
			t.Errorf("KeyTokens(%q) = %q, want %q", c.texts, got, c.want)
		}
	}
	for _, bad := range []string{"", ".", "a.", "a..b", "=4", "=zz", "=3d", "=61", "a*", "a =", "=~00"} {
		if texts, err := ParseKeyTokens(bad); !errors.Is(err, record.ErrKey) {
			t.Errorf("ParseKeyTokens(%q) = %q, %v", bad, texts, err)
		}
	}
}

func FuzzKeyTokens(f *testing.F) {
	f.Add("a", "b", 2)
	f.Add("", "", 2)
	f.Add("=", ".", 2)
	f.Add("=~", "\x00\xff", 1)
	f.Fuzz(func(t *testing.T, a, b string, n int) {
		texts := []string{a, b}[:1+(n&1)]
		tokens := KeyTokens(texts)
		for tok := range strings.SplitSeq(tokens, ".") {
			if tok == "" || strings.ContainsAny(tok, "*> \t\r\n\x00") || !utf8.ValidString(tok) {
				t.Fatalf("KeyTokens(%q) has the token %q", texts, tok)
			}
		}
		if len(tokens) > maxKeyTokens {
			t.Fatalf("KeyTokens(%q) has %d bytes", texts, len(tokens))
		}
		back, err := ParseKeyTokens(tokens)
		if strings.HasPrefix(tokens, "=~") {
			if err == nil {
				t.Fatalf("the digest %q is read as %q", tokens, back)
			}
			return
		}
		if err != nil || !slices.Equal(back, texts) {
			t.Fatalf("%q becomes %q becomes %q, %v", texts, tokens, back, err)
		}
		// and whatever is read is written the same, so that a key has one subject only
		if back, err := ParseKeyTokens(a); err == nil && KeyTokens(back) != a && len(a) <= maxKeyTokens {
			t.Fatalf("%q is read as %q, which is written %q", a, back, KeyTokens(back))
		}
	})
}
