package product

import (
	"fmt"
	"strings"
	"testing"
)

// loaded is a product with one output for each of outputs, "name@version: inputs".
func loaded(t *testing.T, line string) Loaded {
	t.Helper()
	head, inputs, _ := strings.Cut(line, ":")
	name, version, _ := strings.Cut(head, "@")
	if version == "" {
		version = "1"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: %s\nkind: %s\nmetadata: {name: %s, domain: d, owner: o, version: %s.0.0}\nspec:\n", APIVersion, Kind, name, version)
	if fields := strings.Fields(inputs); len(fields) > 0 {
		b.WriteString("  logic: {sql: {query: SELECT 1}}\n  inputs:\n")
		for i, in := range fields {
			fmt.Fprintf(&b, "    - {name: in%d, port: %s}\n", i, in)
		}
	}
	fmt.Fprintf(&b, "  outputs: [{name: %s, type: event, schema: [{name: k, logicalType: string}]}]\n", name)
	return *parse(name+".yaml", []byte(b.String()))
}

func TestValidateSet(t *testing.T) {
	known := func(id PortID) bool { return id == PortID{Product: "remote", Port: "x", Major: 1} }
	for _, c := range []struct {
		name     string
		products []string
		known    func(PortID) bool
		want     string
	}{
		{"nothing", nil, nil, ""},
		{"a chain", []string{"a", "b: a", "c: a b"}, nil, ""},
		{"published records", []string{"a: ''"}, nil, "a.yaml:7:25: port \"\": write it as product.port, both in lower case letters, digits and dashes"},
		{"one name twice", []string{"a", "a"}, nil, "a.yaml:3:18: a.yaml describes a product named \"a\" too (rename one of them)"},
		{"nobody", []string{"b: zebra"}, nil, `b.yaml:7:25: nobody offers port zebra.zebra`},
		{"nearly", []string{"flights", "b: flihgts"}, nil, `b.yaml:7:25: nobody offers port flihgts.flihgts (did you mean product "flights"?)`},
		{"another port", []string{"flights", "b: flights.flight"}, nil, `b.yaml:7:25: product flights has no output "flight" (did you mean "flights"?)`},
		{"another major", []string{"a@3", "b: a@2"}, nil, `b.yaml:7:25: product a offers major 3 of port a, not 2 (write a.a@3)`},
		{"the first major", []string{"a@2", "b: a"}, nil, `b.yaml:7:25: product a offers major 2 of port a, not 1 (write a.a@2)`},
		{"an earlier major that still runs", []string{"a@3", "b: a@2"}, func(id PortID) bool { return id.Major == 2 }, ""},
		{"an earlier major that runs no more", []string{"a@3", "b: a"}, func(id PortID) bool { return id.Major == 2 },
			`b.yaml:7:25: product a offers major 3 of port a, not 1 (write a.a@3)`},
		{"a major to come", []string{"a@2", "b: a@3"}, func(PortID) bool { return true }, `b.yaml:7:25: product a offers major 2 of port a, not 3 (write a.a@2)`},
		{"that major", []string{"a@2", "b: a@2"}, nil, ""},
		{"known", []string{"b: remote.x"}, known, ""},
		{"known otherwise", []string{"b: remote.y"}, known, `b.yaml:7:25: nobody offers port remote.y`},
		{"the set wins", []string{"a", "b: a.x"}, func(PortID) bool { return true }, `b.yaml:7:25: product a has no output "x" (use a)`},
		{"itself", []string{"a: a"}, nil, "a.yaml:7:25: the product reads its own port a.a (leave port out to take records published to this product)"},
		{"a circle", []string{"a: c", "b: a", "c: b"}, nil, "b.yaml:7:25: products feed each other in a circle: a → b → c → a (take one of these inputs away)"},
		{"two circles", []string{"a: b", "b: a", "c: d", "d: c"}, nil,
			"b.yaml:7:25: products feed each other in a circle: a → b → a (take one of these inputs away)\n" +
				"d.yaml:7:25: products feed each other in a circle: c → d → c (take one of these inputs away)"},
		{"a diamond", []string{"a", "b: a", "c: a", "d: b c"}, nil, ""},
		{"of a bad product", []string{"a@x", "b: a.whatever"}, nil, "a.yaml:3:51: version \"x.0.0\" is not SemVer (write major.minor.patch, such as 1.0.0)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var products []Loaded
			var problems Problems
			for _, line := range c.products {
				l := loaded(t, line)
				products = append(products, l)
				problems = append(problems, l.Problems...)
			}
			problems = append(problems, ValidateSet(products, c.known)...)
			if got := problems.Error(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestEarlierMajors(t *testing.T) {
	for _, c := range []struct {
		products []string
		want     string
	}{
		{[]string{"a@3", "b: a@2"}, "b.yaml:7:25: reads major 2 of port a.a, which is at 3: that runs only where a ran as major 2 before (write a.a@3 to read the present one)"},
		{[]string{"a@2", "b: a"}, "b.yaml:7:25: reads major 1 of port a.a, which is at 2: that runs only where a ran as major 1 before (write a.a@2 to read the present one)"},
		{[]string{"a@2", "b: a@2"}, ""},
		{[]string{"a@2", "b: a@3"}, ""},
		{[]string{"a@2", "b: a.x"}, ""},
		{[]string{"b: a"}, ""},
	} {
		var products []Loaded
		for _, line := range c.products {
			products = append(products, loaded(t, line))
		}
		if got := EarlierMajors(products).Error(); got != c.want {
			t.Errorf("%v: got  %s\nwant %s", c.products, got, c.want)
		}
	}
}
