package contract_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/contract"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

func keyed(t *testing.T, types ...string) *contract.Contract {
	t.Helper()
	out := &product.Output{Name: "keyed"}
	for i, typ := range types {
		name := string(rune('a' + i))
		out.Key = append(out.Key, name)
		out.Schema = append(out.Schema, product.Column{Name: name, LogicalType: typ})
	}
	c, err := contract.New(out)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A key must be the same whether it comes from a record or from what a person writes.
func TestKeyOfRecord(t *testing.T) {
	c := keyed(t, "string", "integer", "boolean", "date", "timestamp")
	d := c.NewDecoder()
	got, err := d.Append([]byte(`{"e":"2026-01-01T00:00:00+01:00","a":"a/b\u0000%","b":-5,"c":true,"d":"1969-12-31"}`))
	if err != nil {
		t.Fatal(err)
	}
	want, err := c.ParseKey("a%2Fb\x00%25/-5/true/1969-12-31/2025-12-31T23:00:00Z")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("key of the record %s, of the text %s, %v", got, want, err)
	}
	texts, err := got.Texts()
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.KeyFromTexts(texts)
	if err != nil || !bytes.Equal(again, want) {
		t.Errorf("key of its own texts %q is %s, %v", texts, again, err)
	}
}

// Keys are cut from one piece of memory; none may reach into the next.
func TestKeysDoNotShare(t *testing.T) {
	d := keyed(t, "string").NewDecoder()
	var keys []record.Key
	for i := range 2000 {
		k, err := d.Append([]byte(`{"a":"` + strings.Repeat("x", i) + `"}`))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	for i := range keys {
		keys[i] = append(keys[i], '!')[:len(keys[i])]
	}
	for i, k := range keys {
		if want := record.NewKey(strings.Repeat("x", i)); !bytes.Equal(k, want) {
			t.Fatalf("key %d is %q", i, k)
		}
	}
}

func TestNoKey(t *testing.T) {
	c, err := contract.New(one(text))
	if err != nil {
		t.Fatal(err)
	}
	if k, err := c.NewDecoder().Append([]byte(`{}`)); k != nil || err != nil {
		t.Errorf("key %v, %v", k, err)
	}
	for _, parse := range []func(string) (record.Key, error){c.ParseKey, c.ParsePrefix} {
		if _, err := parse("x"); fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "" {
			t.Errorf("got %v", err)
		}
	}
}

func TestKeyRequired(t *testing.T) {
	d := keyed(t, "string").NewDecoder()
	for in, want := range map[string]string{`{}`: "a: is required but missing", `{"a":null}`: "a: is required, got null"} {
		if _, err := d.Append([]byte(in)); err == nil || err.Error() != want {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestBadKeys(t *testing.T) {
	c := keyed(t, "string", "integer")
	for in, want := range map[string]string{
		"ATL":        `malformed key "ATL" of port keyed: it has 1 parts`,
		"ATL/x":      `malformed key "ATL/x" of port keyed: b wanted an integer, got "x"`,
		"ATL/1/2":    `malformed key: "ATL/1/2" has 3 parts, the port's key has 2`,
		"\xff/1":     `malformed key "\xff/1" of port keyed: a wanted text in UTF-8, got "\xff"`,
		"ATL/99e9":   `malformed key "ATL/99e9" of port keyed: b wanted an integer, got "99e9"`,
		"ATL/":       `malformed key "ATL/" of port keyed: b wanted an integer, got ""`,
		"ATL/1 \x1b": `malformed key "ATL/1 \x1b" of port keyed: b wanted an integer, got "1 \x1b"`,
	} {
		_, err := c.ParseKey(in)
		if err == nil || err.Error() != want || !errors.Is(err, record.ErrKey) || fault.HintOf(err) != "write the key as a/b" {
			t.Errorf("%q: %v", in, err)
		}
	}
	if _, err := keyed(t, "date").ParsePrefix("2024-13-01"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("got %v", err)
	}
}

func TestPrefix(t *testing.T) {
	texts := keyed(t, "string", "string")
	numbers := keyed(t, "string", "integer")
	for _, p := range []struct {
		c      *contract.Contract
		prefix string
		key    string
		begins bool
	}{
		{texts, "", "ATL/x", true},
		{texts, "AT", "ATL/x", true},
		{texts, "ATL", "ATL/x", true},
		{texts, "ATLX", "ATL/x", false},
		{texts, "ATL/", "ATL/x", true},
		{texts, "AT/", "ATL/x", false},
		{texts, "ATL/x", "ATL/xyz", true},
		{texts, "ATL/y", "ATL/xyz", false},
		{texts, "A%2F", "A%2FB/x", true},
		{texts, "A\x00", "A\x00B/x", true},
		{texts, "A", "A\x00B/x", true},
		{numbers, "ATL/", "ATL/7", true},
		{numbers, "AT/", "ATL/7", false},
		{numbers, "ATL/7", "ATL/7", true},
		{numbers, "ATL/7", "ATL/77", false},
	} {
		prefix, err := p.c.ParsePrefix(p.prefix)
		if err != nil {
			t.Fatal(err)
		}
		key, err := p.c.ParseKey(p.key)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasPrefix(key, prefix) != p.begins {
			t.Errorf("%q begins %q is %v", p.prefix, p.key, !p.begins)
		}
	}
}
