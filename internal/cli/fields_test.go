package cli

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/meshctl/meshctl/internal/serve"
)

func TestFieldColumns(t *testing.T) {
	records := func(values ...string) (all []serve.Record) {
		for _, v := range values {
			all = append(all, serve.Record{Value: json.RawMessage(v)})
		}
		return all
	}
	for _, c := range []struct {
		name    string
		records []serve.Record
		header  []string
		rows    [][]string
	}{
		{"the order of the first record", records(`{"b":"x","a":1.50}`, `{"a":2,"b":"y"}`),
			[]string{"b", "a"}, [][]string{{"x", "1.50"}, {"y", "2"}}},
		{"fields that only some have", records(`{"a":1}`, `{"b":null}`, `{"a":3,"b":true}`),
			[]string{"a", "b"}, [][]string{{"1", ""}, {"", "NULL"}, {"3", "true"}}},
		{"nested values stay JSON", records(`{"a":{"x":[1,"y"]},"b":"say \"hi\""}`),
			[]string{"a", "b"}, [][]string{{`{"x":[1,"y"]}`, `say "hi"`}}},
		{"no object", records(`{"a":1}`, `7`), nil, nil},
		{"no fields", records(`{}`), nil, nil},
		{"no records", nil, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			header, rows, ok := fieldColumns(c.records)
			if ok != (c.header != nil) {
				t.Fatalf("ok = %v", ok)
			}
			if ok && (!reflect.DeepEqual(header, c.header) || !reflect.DeepEqual(rows, c.rows)) {
				t.Errorf("got %q %q, want %q %q", header, rows, c.header, c.rows)
			}
		})
	}
}
