package pipeline

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/contract"
	"github.com/meshctl/meshctl/internal/product"
)

func TestEncodeAndReadBack(t *testing.T) {
	c := orders(t, product.State)
	long := strings.Repeat("k", 300)
	for line, want := range map[string]string{
		`{"id":"a","n":1}`:             "a",
		` {"n":1,"id":"a b"}`:          "a b",
		`{"id":"` + long + `"}`:        long,
		`{"$delete":"a/b"}`:            "delete a/b",
		` { "$delete" : ["a"]}`:        "delete a",
		`{"$delete":42}`:               "delete 42",
		`{"$delete":[true]}`:           "delete true",
		`{"$delete":"` + long + `"}`:   "delete " + long,
		`{"$delete":"a","and":"more"}`: "delete a",
	} {
		out, err := newEncoder(port, c).encode([]byte(line))
		if err != nil {
			t.Errorf("%.60s: %v", line, err)
			continue
		}
		h := header{}
		for _, kv := range out.Header {
			h[kv[0]] = kv[1]
		}
		if digest := strings.Contains(out.Subject, "=~"); digest != (len(want) > 250) || digest && h[product.HeaderKey] == "" {
			t.Errorf("%.60s: subject %s, headers %v", line, out.Subject, h)
		}
		rec, err := newRowReader(c).read(&Message{Seq: 1, Header: h, Subject: out.Subject, Data: out.Data})
		got := rec.Key.String()
		if rec.Deleted {
			got = "delete " + got
		}
		if err != nil || got != want {
			t.Errorf("%.60s: reads back as %s, %v", line, got, err)
		}
	}
}

// Promise 6: what no stream or store could hold is refused at the door, not tried for ever.
func TestPromise6OversizedRecordsAreRefused(t *testing.T) {
	c := orders(t, product.State)
	for line, want := range map[string]string{
		`{"id":"a","text":"` + strings.Repeat("x", maxRecord) + `"}`: "a record of 7340052 bytes is more than the 7340032 that one may have",
		`{"id":"` + strings.Repeat("k", maxKey) + `"}`:               "a key of 16386 bytes is more than the 16384 that one may have",
		`{"$delete":"` + strings.Repeat("k", maxKey) + `"}`:          "a key of 16386 bytes is more than the 16384 that one may have",
	} {
		out, err := newEncoder(port, c).encode([]byte(line))
		if err == nil || err.Error() != want {
			t.Errorf("%.30s: %v, want %s", line, err, want)
		}
		if _, err := newRowReader(c).read(&Message{Seq: 1, Data: []byte(line)}); err == nil {
			t.Errorf("%.30s: it passes in the log: %v", line, out.Subject)
		}
	}
	value := bytes.Repeat([]byte("v"), maxLetter+5)
	l := newLetter(port, "s", "o:1:1", strings.Repeat("é\r\n", 10_000), value, Position{Major: 1, Index: 1})
	if len(l.out.Data) != maxLetter || len(l.out.Header[0][1]) > maxReason+3 || strings.ContainsAny(l.out.Header[0][1], "\r\n") ||
		!strings.HasSuffix(l.out.Header[0][1], "(the letter keeps the first 7340032 of 7340037 bytes)") {
		t.Errorf("a letter of %d bytes with reason %.100q", len(l.out.Data), l.out.Header[0][1])
	}
}

func TestDeletesThatAreRefused(t *testing.T) {
	for line, want := range map[string]string{
		`{"$delete":null}`: `a delete is {"$delete": KEY} or {"$delete": [PART, PART]}`, `{"$delete":{}}`: `a delete is {"$delete": KEY} or {"$delete": [PART, PART]}`,
		`{"$delete":["a","b"]}`: "parts", `{"$delete":[]}`: "parts", `{"$delete":"a"`: "read a delete",
	} {
		if _, err := newEncoder(port, orders(t, product.State)).encode([]byte(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
	events := orders(t, product.Event)
	if _, err := newEncoder(port, events).encode([]byte(`{"$delete":"a"}`)); err == nil || !strings.Contains(err.Error(), "append-only") {
		t.Errorf("a delete at an event port: %v", err)
	}
	foreign := &Message{Header: header{product.HeaderDelete: "1", product.HeaderKey: `["a"]`}}
	if _, err := newRowReader(events).read(foreign); err == nil {
		t.Error("a delete in the log of an event port passes")
	}
	keyless, err := contract.New(&product.Output{Name: "o", Type: product.Event, Schema: []product.Column{{Name: "a", LogicalType: "string"}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newEncoder(port, keyless).encode([]byte(`{"$delete":"a"}`)); err == nil || !strings.Contains(err.Error(), "with a key") {
		t.Errorf("a delete without key: %v", err)
	}
}

func FuzzDelete(f *testing.F) {
	for _, s := range []string{`{"$delete":"a"}`, `{"$delete":["a","b"]}`, ` {"$delete":1}`, `{"$delete":null}`, `{"$delete"`} {
		f.Add([]byte(s), 2)
	}
	f.Fuzz(func(t *testing.T, line []byte, parts int) {
		texts, err := parseDelete(line, parts&3)
		if err != nil {
			return
		}
		again, err := DeleteLine(texts)
		if err != nil {
			t.Fatal(err)
		}
		if controlField(again) != "$delete" {
			t.Fatalf("%s is no delete", again)
		}
		if back, err := parseDelete(again, parts&3); err != nil || !slices.Equal(back, texts) {
			t.Fatalf("%q: %q, then %q, %v", line, texts, back, err)
		}
	})
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\n"), true)
	f.Add([]byte("\n\n"), true)
	f.Add([]byte("a\nb"), false)
	f.Fuzz(func(t *testing.T, data []byte, framed bool) {
		m := &Message{Data: data}
		if framed {
			m.Header = header{product.HeaderRows: "1"}
		}
		var joined []byte
		last := 0
		for i, line := range lines(m) {
			if i != last+1 || framed && bytes.IndexByte(line, '\n') >= 0 {
				t.Fatalf("line %d behind %d: %q", i, last, line)
			}
			if last = i; i > 1 {
				joined = append(joined, '\n')
			}
			joined = append(joined, line...)
		}
		want := data
		if framed {
			want = bytes.TrimSuffix(data, []byte{'\n'})
		}
		if !bytes.Equal(joined, want) || last == 0 {
			t.Fatalf("%d lines make %q, not %q", last, joined, want)
		}
	})
}

func FuzzControlField(f *testing.F) {
	for _, s := range []string{`{"$end":1}`, ` { "$end" :1}`, `{"a":1}`, `{"$`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var v map[string]json.RawMessage
		name := controlField(line)
		if json.Unmarshal(line, &v) == nil && name != "" && !strings.Contains(name, `\`) {
			if _, ok := v[name]; !ok && strings.ToValidUTF8(name, "") == name {
				t.Fatalf("%q has no field %q", line, name)
			}
		}
	})
}
