package scaffold

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"sigs.k8s.io/yaml"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/templates"
)

// awkward are texts that some YAML reader would not give back as they are.
var awkward = []string{
	"plain", "two words", "a: b", "a #b", "#a", "- a", "yes", "No", "on", "null", "~", "1", "1.5", "0x1", "1e3", "2026-01-01",
	"", " ", " a", "a ", "'", `"`, `\`, "[a]", "{a}", "a,b", "&a", "*a", "!a", "|", ">", "%", "@a", "`a", "ü", "日本", "<a&b>", "a\tb", "a\nb", "? a", "=", "<<", "a:",
}

func TestQuoteYAMLReadsBack(t *testing.T) {
	for _, s := range awkward {
		q, err := quoteYAML(s)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := yaml.Unmarshal([]byte("k: "+q), &got); err != nil || got["k"] != s {
			t.Errorf("quoteYAML(%q) = %s reads back as %#v, %v", s, q, got["k"], err)
		}
	}
	list, err := listYAML(awkward)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string][]string
	if err := yaml.Unmarshal([]byte("k: "+list), &got); err != nil || !slices.Equal(got["k"], awkward) {
		t.Errorf("listYAML(…) = %s reads back as %q, %v", list, got["k"], err)
	}
}

func TestEveryTemplateIsValid(t *testing.T) {
	all, err := List(templates.Files())
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 6 {
		t.Fatalf("only %d templates", len(all))
	}
	for _, about := range all {
		t.Run(about.Name, func(t *testing.T) {
			if about.Description == "" || about.Version < 1 {
				t.Errorf("%s has no description or version", aboutName)
			}
			for _, owner := range awkward {
				if strings.TrimSpace(owner) == "" || strings.ContainsAny(owner, "\t\n") {
					continue
				}
				a := Answers{Name: "null", Domain: "on", Owner: owner, Type: product.Event, File: owner}
				a.Columns = []Field{{Column: product.Column{Name: owner, LogicalType: product.TypeString}, Note: "why\nnot"}}
				tree, err := Render(templates.Files(), about.Name, a)
				if err != nil {
					t.Fatal(err)
				}
				p, problems := product.Parse(product.FileName, tree[product.FileName])
				if len(problems) > 0 {
					t.Fatalf("%v\n%s", problems, tree[product.FileName])
				}
				if p.Metadata.Name != "null" || p.Metadata.Domain != "on" || p.Metadata.Owner != owner || p.Output("null") == nil {
					t.Errorf("the answers came out as %+v", p.Metadata)
				}
				if len(tree["README.md"]) == 0 {
					t.Error("there is no README.md")
				}
			}
		})
	}
}

func TestRenderRemembersTheTemplate(t *testing.T) {
	a := Answers{Name: "readings", Domain: "weather", Owner: "ada"}
	tree, err := Render(templates.Files(), "state", a)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Template string
		Version  int
		Answers  Answers
	}
	if err := yaml.UnmarshalStrict(tree[RecordName], &got); err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	if have, err := json.Marshal(got.Answers); err != nil || string(have) != string(want) {
		t.Errorf("answers = %s, want %s", have, want)
	}
	if got.Template != "state" || got.Version < 1 {
		t.Errorf("template = %q version %d", got.Template, got.Version)
	}
}

func TestRenderRefuses(t *testing.T) {
	ok := Answers{Name: "a", Domain: "b", Owner: "c"}
	for name, tc := range map[string]struct {
		template string
		answers  Answers
		want     string
	}{
		"template": {"evnt", ok, "no template"},
		"name":     {"event", Answers{Name: "A", Domain: "b", Owner: "c"}, "name \"A\""},
		"domain":   {"event", Answers{Name: "a", Domain: "b.c", Owner: "c"}, "domain \"b.c\""},
		"owner":    {"event", Answers{Name: "a", Domain: "b", Owner: "c\nstatus: x"}, "owner"},
		"reserved": {"event", Answers{Name: "hub", Domain: "b", Owner: "c"}, "reserved"},
		"input":    {"sql", Answers{Name: "readings", Domain: "b", Owner: "c"}, "both named"},
		"all":      {"event", Answers{Name: "A", Domain: "B", Owner: ""}, "owner"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Render(templates.Files(), tc.template, tc.answers)
			if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tc.want) || fault.HintOf(err) == "" {
				t.Errorf("err = %v (%s, hint %q), want an Invalid one with %q", err, fault.KindOf(err), fault.HintOf(err), tc.want)
			}
		})
	}
}

func TestRenderFailsOnAnUnknownField(t *testing.T) {
	fsys := fstest.MapFS{
		"x/template.yaml": {Data: []byte("version: 1\ndescription: x\n")},
		"x/a.tmpl":        {Data: []byte("{{.Nam}}")},
	}
	if _, err := Render(fsys, "x", Answers{Name: "a", Domain: "b", Owner: "c"}); err == nil || !strings.Contains(err.Error(), "Nam") {
		t.Errorf("err = %v, want one about .Nam", err)
	}
}
