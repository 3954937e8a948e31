package product

import (
	"slices"
	"strings"
	"testing"
)

const grantHead = `# who we are
apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: flights, domain: aviation, owner: data@example.org, version: 1.0.0}
spec:
  outputs:
`

// A grant changes one line, whatever the file looks like.
func TestSetGrantsChangesNothingElse(t *testing.T) {
	for name, c := range map[string]struct{ before, after string }{
		"no line yet": {`  - name: flights # the port
    type: event   # append-only
    # what a flight is
    schema: [{name: id, logicalType: string}]
`, `  - name: flights # the port
    type: event   # append-only
    grants: [delays, late]
    # what a flight is
    schema: [{name: id, logicalType: string}]
`},
		"a list": {`  - name: flights
    grants: [ other ]  # by contract 17
    type: event
    schema: [{name: id, logicalType: string}]
`, `  - name: flights
    grants: [delays, late]  # by contract 17
    type: event
    schema: [{name: id, logicalType: string}]
`},
		"a list over lines": {`  - name: flights
    type: event
    grants: [
      other,
      "more" ]
    schema: [{name: id, logicalType: string}]
`, `  - name: flights
    type: event
    grants: [delays, late]
    schema: [{name: id, logicalType: string}]
`},
		"a block": {`  - name: flights
    type: event
    grants:
    - other
    - more
    schema: [{name: id, logicalType: string}]
`, `  - name: flights
    type: event
    grants: [delays, late]
    schema: [{name: id, logicalType: string}]
`},
		"all on one line": {`  - {name: flights, type: event, schema: [{name: id, logicalType: string}]} # small
`, `  - {grants: [delays, late], name: flights, type: event, schema: [{name: id, logicalType: string}]} # small
`},
		"another output before": {`  - name: other
    type: event
    schema: [{name: id, logicalType: string}]
  - schema: [{name: id, logicalType: string}]
    name: flights
    type: event`, `  - name: other
    type: event
    schema: [{name: id, logicalType: string}]
  - schema: [{name: id, logicalType: string}]
    name: flights
    type: event
    grants: [delays, late]
`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, ends := range []string{"\n", "\r\n"} {
				before, after := strings.ReplaceAll(grantHead+c.before, "\n", ends), strings.ReplaceAll(grantHead+c.after, "\n", ends)
				got, err := SetGrants([]byte(before), "flights", []string{"delays", "late"})
				if err != nil {
					t.Fatal(err)
				}
				if string(got) != after {
					t.Errorf("got\n%s\nwant\n%s", got, after)
				}
			}
		})
	}
}

func TestSetGrantsOfNobodyAndEverybody(t *testing.T) {
	text := []byte(grantHead + "  - name: flights\n    type: event\n    schema: [{name: id, logicalType: string}]\n")
	for _, grants := range [][]string{{}, {"*"}, {"on", "delays"}} {
		got, err := SetGrants(text, "flights", grants)
		if err != nil {
			t.Fatal(err)
		}
		p, problems := Parse("f", got)
		if len(problems) > 0 || !slices.Equal(p.Output("flights").Grants, grants) || p.Output("flights").Grants == nil {
			t.Errorf("grants %q gave %q, %v", grants, p.Output("flights").Grants, problems)
		}
	}
}

// What it cannot be sure of it leaves to a person, with the line to write.
func TestSetGrantsRefuses(t *testing.T) {
	for name, outputs := range map[string]string{
		"a comment in the list":  "  - name: flights\n    type: event\n    grants: [ # why\n      other]\n    schema: [{name: id, logicalType: string}]\n",
		"a comment in the block": "  - name: flights\n    type: event\n    grants:\n    - other # why\n    schema: [{name: id, logicalType: string}]\n",
		"an anchor":              "  - name: flights\n    type: event\n    grants: &g [other]\n    schema: [{name: id, logicalType: string}]\n",
		"no list":                "  - name: flights\n    type: event\n    grants: other\n    schema: [{name: id, logicalType: string}]\n",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := SetGrants([]byte(grantHead+outputs), "flights", []string{"delays"}); err == nil {
				t.Errorf("it made\n%s", got)
			}
		})
	}
	text := []byte(grantHead + "  - name: flights\n    type: event\n    schema: [{name: id, logicalType: string}]\n")
	if _, err := SetGrants(text, "flight", nil); err == nil {
		t.Error("an output that is not there")
	}
}

func TestGrantedTo(t *testing.T) {
	for _, c := range []struct {
		grants []string
		to     bool
	}{{nil, true}, {[]string{}, false}, {[]string{"*"}, true}, {[]string{"late", "delays"}, true}, {[]string{"late"}, false}} {
		if o := (Output{Grants: c.grants}); o.GrantedTo("delays") != c.to {
			t.Errorf("grants %q: granted to delays is not %t", c.grants, c.to)
		}
	}
}

func FuzzSetGrants(f *testing.F) {
	for _, outputs := range []string{
		"  - name: flights\n    type: event\n    schema: [{name: id, logicalType: string}]\n",
		"  - {name: flights, grants: [a], type: event, schema: [{name: id, logicalType: string}]}",
		"  - name: flights\n    grants:\n    - a\n    type: event\n    schema: [{name: id, logicalType: string}]\n",
	} {
		f.Add(outputs)
	}
	f.Fuzz(func(t *testing.T, outputs string) {
		before, problems := Parse("f", []byte(grantHead+outputs))
		got, err := SetGrants([]byte(grantHead+outputs), "flights", []string{"delays"})
		if err != nil || len(problems) > 0 {
			return
		}
		after, problems := Parse("f", got)
		if len(problems) > 0 {
			t.Fatalf("%v in\n%s", problems, got)
		}
		before.Output("flights").Grants = []string{"delays"}
		if a, b := canonical(before), canonical(after); a != b {
			t.Errorf("more has changed:\n%s\n%s", a, b)
		}
	})
}
