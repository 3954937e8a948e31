package product

import (
	"bytes"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"
)

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(JSONSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(SchemaID, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(SchemaID) // checks it against its meta-schema
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// instance is a YAML file as a JSON Schema sees it.
func instance(t *testing.T, data []byte) any {
	t.Helper()
	text, err := yaml.YAMLToJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSchemaAcceptsGood(t *testing.T) {
	s := compiledSchema(t)
	for file, data := range goodFiles(t) {
		p := mustParse(t, file, data)
		written, err := p.YAML()
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range [][]byte{data, written} {
			if file == "full.yaml" { // YAML 1.1, which stands in for an editor here, reads yes as true
				text = bytes.ReplaceAll(text, []byte(", yes]"), []byte(`, "yes"]`))
				text = bytes.ReplaceAll(text, []byte("value: 2026-01-01"), []byte(`value: "2026-01-01"`))
			}
			if err := s.Validate(instance(t, text)); err != nil {
				t.Errorf("%s: %v\n%s", file, err, text)
			}
		}
	}
}

// Rules that a JSON Schema can express are in it, so that an editor marks the mistake.
func TestSchemaRefusesBad(t *testing.T) {
	s := compiledSchema(t)
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	spansFields := strings.Fields(`
		anchor-in-itself command-blank command-env command-zero-byte column-twice column-twice-but-for-case decimal-malformed decimal-scale decimal-too-wide
		enum-empty enum-misfit-boolean enum-misfit-date enum-misfit-integer enum-misfit-time enum-misfit-timestamp
		enum-not-a-list enum-of-array enum-on-a-port enum-without-values example-misfit input-named-as-output
		input-of-itself input-port-twice input-streams-collide input-twice inputs-without-logic items-with-name
		key-in-other-case key-not-required key-of-array key-of-number key-twice key-unknown-column
		logic-with-two-outputs object-by-logic logic-without-inputs options-bounds options-lengths options-of-another-type
		options-of-another-type-2 output-name-reserved quality-bounds quality-metric-missing quality-sql-without-query
		quality-text-without-words resources-zero retention-age-on-state retention-age-zero
		retention-bytes-thousandths retention-compact-on-event retention-records-on-state stream-duplicates-short stream-duplicates-with-logic sla-element-unknown sla-not-a-percentage sla-not-a-time
		sla-unit-unknown sla-value-list sla-without-unit sql-batch-with-interval sql-file-absolute sql-file-outside
		sql-interval-zero sql-over-unknown sql-table-to-event sql-table-with-over tag-empty two-outputs-of-one-name`)
	notYAML := strings.Fields(`duplicate-key wrong-type-nan key-not-text merge-of-text only-comments two-documents unknown-tag
		malformed-bracket malformed-colon malformed-indentation malformed-quote malformed-tab malformed-unknown-anchor`)
	beyond := map[string]bool{}
	for _, name := range append(spansFields, notYAML...) {
		beyond[name] = true
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		if beyond[name] {
			continue
		}
		if err := s.Validate(instance(t, readFileT(t, file))); err == nil {
			t.Errorf("the schema admits %s", name)
		}
	}
}

func readFileT(t *testing.T, file string) []byte {
	t.Helper()
	data, err := readFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Every field is described, for a person and an editor alike.
func TestEveryFieldIsDescribed(t *testing.T) {
	seen := map[reflect.Type]bool{}
	extras := schemaExtras()
	var visit func(reflect.Type)
	visit = func(ty reflect.Type) {
		for ty.Kind() == reflect.Pointer || ty.Kind() == reflect.Slice {
			ty = ty.Elem()
		}
		if ty.Kind() != reflect.Struct || seen[ty] {
			return
		}
		seen[ty] = true
		delete(extras, ty.Name())
		for i := range ty.NumField() {
			f := ty.Field(i)
			doc, name := f.Tag.Get("doc"), strings.Split(f.Tag.Get("json"), ",")[0]
			if !strings.HasSuffix(doc, ".") || name == "" {
				t.Errorf("%s.%s is described as %q and named %q", ty.Name(), f.Name, doc, name)
			}
			delete(extras, ty.Name()+"."+name)
			visit(f.Type)
		}
	}
	visit(reflect.TypeFor[Product]())
	for name := range extras {
		t.Errorf("the schema has extras for %s, which does not exist", name)
	}
}
