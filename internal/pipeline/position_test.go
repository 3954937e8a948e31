package pipeline

import (
	"bytes"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

func TestPositionOrder(t *testing.T) {
	ordered := []Position{{}, {Major: 1, Index: 1}, {Major: 1, Index: 2}, {Major: 2, Index: 1}, {Major: 10}}
	for i, p := range ordered {
		for j, q := range ordered {
			if p.After(q) != (i > j) {
				t.Errorf("%s after %s: %t", p, q, p.After(q))
			}
		}
	}
}

func TestPositionText(t *testing.T) {
	for text, want := range map[string]Position{
		"17:3":                         {Major: 17, Index: 3},
		"17:3 airports=88 flights=120": {Major: 17, Index: 3, Inputs: map[string]record.Seq{"airports": 88, "flights": 120}},
	} {
		got, err := ParsePosition(text)
		if err != nil || got.Major != want.Major || got.Index != want.Index || !maps.Equal(got.Inputs, want.Inputs) || got.String() != text {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", Emptied} {
		if p, err := ParsePosition(text); err != nil || p.After(Position{}) {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
	for _, text := range []string{"17", "17:", ":3", "17:-1", "-1:3", "17:3 a", "17:3 a=", "17:3 =1", " 17:3", "17:3 ", "x:y"} {
		if p, err := ParsePosition(text); err == nil {
			t.Errorf("%q is read as %v", text, p)
		}
	}
}

func FuzzPosition(f *testing.F) {
	for _, s := range []string{"17:3", "1:1 a=2", "0:0", "18446744073709551615:1 a=1 b=2", "1:1 b=2 a=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePosition(s)
		if err != nil {
			return
		}
		q, err := ParsePosition(p.String())
		if err != nil || q.Major != p.Major || q.Index != p.Index || !maps.Equal(q.Inputs, p.Inputs) {
			t.Fatalf("%q is %v, which reads back as %v, %v", s, p, q, err)
		}
	})
}

func TestCheckpointSurvivesATornWrite(t *testing.T) {
	c := Checkpoint{Path: file(t.TempDir(), "checkpoint")}
	if p, err := c.Load(); err != nil || p.After(Position{}) {
		t.Fatalf("without a file: %v, %v", p, err)
	}
	want := Position{Major: 7, Index: 2, Inputs: map[string]record.Seq{"a": 1}}
	if err := c.Save(want); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.Path+".tmp", []byte(`{"Maj`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Load(); err != nil || got.String() != want.String() {
		t.Fatalf("%v, %v", got, err)
	}
	if err := c.Save(Position{Major: 8}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Load(); err != nil || got.Major != 8 {
		t.Fatalf("%v, %v", got, err)
	}
	if err := os.WriteFile(c.Path, []byte(`{"Maj`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Load(); err == nil || fault.HintOf(err) == "" || !strings.Contains(err.Error(), c.Path) {
		t.Fatalf("a torn file: %v", err)
	}
}

func batchOfAll() *outboxBatch {
	return &outboxBatch{
		Number: 9, Before: 100, Inputs: map[string]record.Seq{"a": 3}, Trimmed: map[string]record.Seq{"a": 2}, Buried: []string{"00"},
		Emitted: []Outgoing{
			{Subject: "s.1", Data: []byte("{\"a\": 1}\n<\x00\xff")},
			{Subject: "s.2", Header: [][2]string{{product.HeaderDelete, "1"}, {product.HeaderKey, `["é"]`}}},
		},
		Rejected: []Rejected{{Value: []byte("not JSON"), Reason: "why", Origin: "in:1:1"}},
	}
}

func encoded(t testing.TB, b *outboxBatch) string {
	t.Helper()
	var out bytes.Buffer
	b.Counts = [2]int{len(b.Emitted), len(b.Rejected)}
	if err := b.encode(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestOutboxSurvivesATornWrite(t *testing.T) {
	o := Outbox{Path: file(t.TempDir(), "outbox")}
	if b, err := o.load(); b != nil || err != nil {
		t.Fatalf("without a file: %v, %v", b, err)
	}
	if err := o.save(batchOfAll()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.Path+".tmp", []byte(`{"num`), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := o.load()
	if err != nil {
		t.Fatal(err)
	}
	whole := encoded(t, batchOfAll())
	if encoded(t, got) != whole {
		t.Fatalf("read back as %s", encoded(t, got))
	}
	for n := range len(whole) - 1 { // but for its last byte, a line end
		if err := os.WriteFile(o.Path, []byte(whole[:n]), 0o600); err != nil {
			t.Fatal(err)
		}
		if b, err := o.load(); err == nil || fault.HintOf(err) == "" || !strings.Contains(err.Error(), o.Path) {
			t.Fatalf("cut to %d of %d bytes: %v, %v", n, len(whole), b, err)
		}
	}
}

func FuzzOutbox(f *testing.F) {
	f.Add(encoded(f, batchOfAll()))
	f.Add(`{"counts":[9223372036854775807,-1]}`)
	f.Fuzz(func(t *testing.T, s string) {
		b, err := decodeOutbox(strings.NewReader(s))
		if err != nil {
			return
		}
		again, err := decodeOutbox(strings.NewReader(encoded(t, b)))
		if err != nil || encoded(t, again) != encoded(t, b) {
			t.Fatalf("%q does not read back: %v", s, err)
		}
	})
}
