package product

import (
	"strings"
	"testing"
)

// What somebody insists on counts for one retention, whatever else changes.
func TestLoseOnceIsForOneRetention(t *testing.T) {
	const text = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: a, domain: test, owner: me, version: 1.0.0}
spec:
  outputs:
  - name: a
    type: event
    retention: {records: 2}
    schema: [{name: a, logicalType: string}]
`
	is := func(text string) *Product {
		t.Helper()
		p, problems := Parse("x", []byte(text))
		if problems != nil {
			t.Fatal(problems)
		}
		return p
	}
	said := is(text).LoseOnce("2026-01-01T00:00:00Z")
	for edit, want := range map[[2]string]bool{
		{"", ""}:                     true,
		{"1.0.0", "1.1.0"}:           true,
		{"owner: me", "owner: you"}:  true,
		{"1.0.0", "2.0.0"}:           false, // another stream
		{"records: 2", "records: 3"}: false,
		{"records: 2", "age: 2h"}:    false,
		{"records: 2", "bytes: 1Mi"}: false,
		{"    schema", "    stream: {compression: s2}\n    schema"}: false,
	} {
		if got := is(strings.Replace(text, edit[0], edit[1], 1)).LoseOnceIsFor(said); got != want {
			t.Errorf("%q: %t", edit, got)
		}
	}
	if is(text).LoseOnceIsFor("") || is(text).LoseOnceIsFor("/"+is(text).keepingDigest()) {
		t.Error("nobody has said so")
	}
}

// Who knows JetStream looks for replicas and placement in vain, and is told why.
func TestNoReplicasOfAPort(t *testing.T) {
	for _, field := range []string{"replicas: 3", "stream: {replicas: 3}", "stream: {placement: {cluster: a}}", "retention: {num_replicas: 3}"} {
		_, problems := Parse("x", []byte(`apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: a, domain: test, owner: me, version: 1.0.0}
spec:
  outputs:
  - name: a
    type: event
    `+field+`
    schema: [{name: a, logicalType: string}]
`))
		if len(problems) != 1 || !strings.Contains(problems[0].Hint, "one server") {
			t.Errorf("%s: %v", field, problems)
		}
	}
}
