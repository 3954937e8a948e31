package doctor

import (
	"bytes"
	"encoding/xml"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/product"
)

const well = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: orders, domain: shop, owner: shop@example.org, version: 1.0.0}
spec:
  storage: {size: 20Gi}
  outputs:
  - name: orders
    type: event
    retention: {age: 30d}
    schema:
    - {name: id, logicalType: string, logicalTypeOptions: {maxLength: 100}}
    - {name: total, logicalType: number, physicalType: "decimal(10,2)"}
`

// examine looks at folders with these descriptors.
func examine(t *testing.T, descriptors ...string) Report {
	t.Helper()
	var f Folders
	for _, text := range descriptors {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, product.FileName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := product.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		f.Products = append(f.Products, *l)
		f.Problems = append(f.Problems, l.Problems...)
	}
	return OfFolders(&f)
}

// Each check of folders is silent where all is well and finds what it is for.
func TestEveryCheckOfFolders(t *testing.T) {
	if found := examine(t, well, strings.ReplaceAll(well, "name: orders", "name: others")).Findings(); len(found) > 0 {
		t.Fatalf("folders that are well have findings: %+v", found)
	}
	ills := map[string][]string{
		"descriptor":    {strings.Replace(well, "type: event", "type: even", 1)},
		"domain-twice":  {well, well},
		"domain-of-hub": {strings.ReplaceAll(well, "name: orders", "name: hub")},
		"unbounded":     {strings.Replace(well, "    retention: {age: 30d}\n", "", 1)},
		"payload":       {strings.Replace(well, "maxLength: 100", "maxLength: 3000000", 1)},
	}
	for _, c := range Checks() {
		if c.folders != nil && ills[c.ID] == nil {
			t.Errorf("nothing makes check %s fire", c.ID)
		}
	}
	for id, descriptors := range ills {
		found := examine(t, descriptors...).Findings()
		if !slices.ContainsFunc(found, func(f Finding) bool {
			return f.Check == id && f.Where != "" && f.Seen != "" && f.Why != "" && f.Do != ""
		}) {
			t.Errorf("check %s: %+v", id, found)
		}
	}
}

// What every check says is there and reads alike.
func TestChecksSayWhatTheyMean(t *testing.T) {
	ids := map[string]bool{}
	for _, c := range Checks() {
		if ids[c.ID] || c.ID == "" || c.folders == nil && c.live == nil {
			t.Errorf("check %q is twice, or does nothing", c.ID)
		}
		ids[c.ID] = true
		if c.About == "" || strings.HasSuffix(c.About, ".") || !strings.HasSuffix(c.Why, ".") || c.Do == "" || strings.HasSuffix(c.Do, ".") {
			t.Errorf("check %s says %q, %q, %q", c.ID, c.About, c.Why, c.Do)
		}
	}
}

func TestVersionsThatFit(t *testing.T) {
	for _, c := range []struct{ leaf, hub, want string }{
		{"1.2.3", "1.2.9", ""}, {"1.1.0", "1.2.0", ""}, {"v1.2.0", "1.2.0", ""}, {"dev", "1.2.0", ""},
		{"1.3.0", "1.2.9", "newer"}, {"2.0.0", "1.9.0", "newer"}, {"1.0.0", "1.2.0", "much older"}, {"1.9.0", "2.0.0", "much older"},
	} {
		if got := unfit(c.leaf, c.hub); got != c.want {
			t.Errorf("unfit(%s, %s) = %q, want %q", c.leaf, c.hub, got, c.want)
		}
	}
}

func TestSubjectsThatCollide(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"a.b", "a.b", true}, {"a.*", "a.b", true}, {"a.>", "a.b.c", true}, {">", "x", true}, {"*.b", "a.*", true},
		{"a.b", "a.c", false}, {"a.b", "a.b.c", false}, {"a.>", "a", false}, {"a.b.>", "a.c.>", false}, {"a", "a.*", false},
	} {
		a, b := strings.Split(c.a, "."), strings.Split(c.b, ".")
		if collide(a, b) != c.want || collide(b, a) != c.want {
			t.Errorf("collide(%s, %s) is not %t", c.a, c.b, c.want)
		}
	}
}

func TestJUnit(t *testing.T) {
	var out bytes.Buffer
	if err := examine(t, strings.Replace(well, "    retention: {age: 30d}\n", "", 1)).JUnit(&out); err != nil {
		t.Fatal(err)
	}
	var suites junitSuites
	if err := xml.Unmarshal(out.Bytes(), &suites); err != nil {
		t.Fatalf("%v in\n%s", err, &out)
	}
	s := suites.Suites[0]
	if s.Failures != 1 || s.Tests != len(s.Cases) || s.Tests < 5 {
		t.Errorf("suite = %+v", s)
	}
	for _, c := range s.Cases {
		if (c.Failure != nil) != (c.Class == "doctor.unbounded") {
			t.Errorf("case = %+v", c)
		}
	}
}
