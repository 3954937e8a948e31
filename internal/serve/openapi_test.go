package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/product"
)

// openAPIOf is the document of f, as any client reads it.
func openAPIOf(t *testing.T, f *fake) map[string]any {
	t.Helper()
	return parse[map[string]any](t, get(t, serveFake(t, f, Options{})+"/openapi.json"))
}

// at walks into a document; a missing step is an empty object.
func at(v any, steps ...string) any {
	for _, s := range steps {
		m, _ := v.(map[string]any)
		v = m[s]
	}
	return v
}

func TestOpenAPIHasEveryRoute(t *testing.T) {
	doc := openAPIOf(t, newFake())
	if at(doc, "openapi") != "3.1.0" || at(doc, "info", "title") != "flights" || at(doc, "info", "version") != "2.1.0" {
		t.Errorf("head = %v, %v", at(doc, "openapi"), at(doc, "info"))
	}
	ids, count := map[any]bool{}, 0
	for _, rt := range routes() {
		op, ok := at(doc, "paths", rt.path, strings.ToLower(rt.method)).(map[string]any)
		if !ok {
			t.Errorf("%s %s is not in the document", rt.method, rt.path)
			continue
		}
		if ids[op["operationId"]] || op["operationId"] == "" {
			t.Errorf("%s %s: operation %v comes twice", rt.method, rt.path, op["operationId"])
		}
		ids[op["operationId"]] = true
		declared := map[string]bool{}
		params, _ := op["parameters"].([]any)
		for _, p := range params {
			declared[fmt.Sprint(at(p, "in"), " ", at(p, "name"))] = true
		}
		for _, p := range rt.params {
			if !declared["query "+p.name] {
				t.Errorf("%s: parameter %s is not declared", rt.path, p.name)
			}
		}
		for _, name := range []string{"port", "key"} {
			if strings.Contains(rt.path, "{"+name+"}") != declared["path "+name] {
				t.Errorf("%s: path parameter %s is declared: %v", rt.path, name, declared["path "+name])
			}
		}
		for _, a := range rt.answers {
			if at(op, "responses", "200", "content", a.media) == nil {
				t.Errorf("%s: answer %s is not declared", rt.path, a.media)
			}
		}
		text, _ := at(op, "responses", "200", "description").(string)
		if streams := len(rt.answers) > 1; strings.Contains(text, headerMore) != streams {
			t.Errorf("%s: trailers are declared: %q", rt.path, text)
		}
		if rt.body != (op["requestBody"] != nil) {
			t.Errorf("%s: body is declared: %v", rt.path, op["requestBody"])
		}
	}
	paths, _ := at(doc, "paths").(map[string]any)
	for _, item := range paths {
		count += len(item.(map[string]any))
	}
	if count != len(routes()) {
		t.Errorf("the document has %d operations, the table %d", count, len(routes()))
	}
}

// compile makes the document's component a schema that checks.
func compile(t *testing.T, doc map[string]any, pointer string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("mem:///openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("mem:///openapi.json#" + pointer)
	if err != nil {
		t.Fatalf("schema %s: %v", pointer, err)
	}
	return s
}

func check(s *jsonschema.Schema, text string) error {
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// What is answered is what the document says is answered.
func TestOpenAPIDescribesAnswers(t *testing.T) {
	f := newFake()
	f.add("flights", "LH400", `{"flight":"LH400","origin":"FRA","status":"up","seats":3,"fare":1.20,"departs":"2026-03-01T12:00:00Z","stops":[{"at":"2026-03-01"}]}`)
	f.records["flights"] = append(f.records["flights"], Record{Key: "X", Seq: 2, Time: moment, Value: json.RawMessage("null"), Deleted: true})
	f.ports[0].Output.SLA = []product.SLAProperty{{Property: "freshness", Value: 5, Unit: "m"}}
	url, doc := serveFake(t, f, Options{}), openAPIOf(t, f)
	for _, rt := range routes() {
		method, path, text, headers := rt.method, strings.NewReplacer("{port}", "flights", "{key}", "LH400").Replace(rt.path), "", []string(nil)
		if rt.body {
			text, headers = `{"sql":"rows 2","args":{"a":1},"limit":1}`, []string{"Content-Type", mediaJSON}
			if err := check(compile(t, doc, "/components/schemas/QueryRequest"), text); err != nil {
				t.Errorf("body: %v", err)
			}
		}
		for _, p := range rt.params {
			if p.required {
				path += "?" + p.name + "=" + map[string]string{"key": "LH400&key=nope", "sql": "rows+2"}[p.name]
			}
		}
		for _, a := range rt.answers {
			if a.schema == "" {
				continue
			}
			r := do(t, method, url+path, text, append(headers, "Accept", a.media)...)
			if r.StatusCode != http.StatusOK {
				t.Errorf("%s %s = %d %s", method, path, r.StatusCode, r.body)
			}
			s := compile(t, doc, "/paths/"+escapePointer(rt.path)+"/"+strings.ToLower(method)+"/responses/200/content/"+escapePointer(a.media)+"/schema")
			bodies := []string{r.body}
			if a.media == mediaNDJSON {
				bodies = strings.Split(strings.TrimSpace(r.body), "\n")
			}
			for _, b := range bodies {
				if err := check(s, b); err != nil {
					t.Errorf("%s %s: %v", method, path, err)
				}
			}
		}
	}
	if err := check(compile(t, doc, "/components/schemas/Problem"), get(t, url+"/nothing").body); err != nil {
		t.Errorf("problem: %v", err)
	}
}

func escapePointer(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(s)
}

func TestOpenAPIDescribesRecords(t *testing.T) {
	doc := openAPIOf(t, newFake())
	s := compile(t, doc, "/components/schemas/record.flights_v2")
	for text, fits := range map[string]bool{
		`{"flight":"LH400"}`: true,
		`{"flight":"LH400","origin":null,"status":null,"seats":null,"fare":null,"departs":null,"stops":null}`:                                     true,
		`{"flight":"LH400","origin":"FRA","status":"down","seats":9,"fare":1.5,"departs":"2026-03-01T12:00:00.5Z","stops":[{"at":"2026-03-01"}]}`: true,
		`{}`:                                   false,
		`{"flight":null}`:                      false,
		`{"flight":"a","origin":"FR"}`:         false,
		`{"flight":"a","origin":"FRAN"}`:       false,
		`{"flight":"a","origin":"fra"}`:        false,
		`{"flight":"a","status":"sideways"}`:   false,
		`{"flight":"a","seats":1.5}`:           false,
		`{"flight":"a","fare":"1.5"}`:          false,
		`{"flight":"a","departs":"yesterday"}`: false,
		`{"flight":"a","stops":[null]}`:        false,
		`{"flight":"a","stops":[{}]}`:          false,
		`{"flight":"a","stops":[{"at":"x"}]}`:  false,
	} {
		if err := check(s, text); (err == nil) != fits {
			t.Errorf("%s fits: %v; want %v", text, err, fits)
		}
	}
	if got := at(doc, "components", "schemas", "record.legs", "x-key"); fmt.Sprint(got) != "[flight day]" {
		t.Errorf("key = %v", got)
	}
	if got := at(doc, "components", "schemas", "record.flights", "properties", "flight", "description"); got != "its call sign" {
		t.Errorf("description = %v", got)
	}
}

// Every type and option of a column has its counterpart.
func TestColumnSchema(t *testing.T) {
	low, high := -1.5, 2.5
	few, many := 1, 2
	for want, c := range map[string]product.Column{
		`{"type":["boolean","null"]}`: {LogicalType: product.TypeBoolean},
		`{"type":["string","null"]}`:  {LogicalType: product.TypeTime},
		`{"maximum":2.5,"minimum":-1.5,"type":["number","null"],"format":"double"}`: {LogicalType: product.TypeNumber, Options: product.TypeOptions{Minimum: &low, Maximum: &high}},
		`{"type":"array","minItems":1,"maxItems":2,"items":{"type":"integer","format":"int64"}}`: {
			LogicalType: product.TypeArray, Required: true, Options: product.TypeOptions{MinItems: &few, MaxItems: &many},
			Items: &product.Column{LogicalType: product.TypeInteger, Required: true},
		},
		`{"type":"string","title":"Name","x-classification":"restricted","examples":["a"],"format":"date"}`: {
			LogicalType: product.TypeDate, Required: true, BusinessName: "Name", Classification: "restricted", Examples: []any{"a"},
		},
	} {
		got, err := json.Marshal(columnSchema(&c))
		if err != nil {
			t.Fatal(err)
		}
		var g, w any
		if err := errors.Join(json.Unmarshal(got, &g), json.Unmarshal([]byte(want), &w)); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(g) != fmt.Sprint(w) {
			t.Errorf("schema = %s; want %s", got, want)
		}
	}
}

func TestOpenAPIWithoutPorts(t *testing.T) {
	doc := document(routes(), catalog.Entry{})
	text, err := json.Marshal(doc)
	if err != nil || !strings.Contains(string(text), `"anyOf":[{"type":"null"}]`) {
		t.Errorf("document = %s, %v", text, err)
	}
}
