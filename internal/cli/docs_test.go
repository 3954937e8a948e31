package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/meshctl/meshctl/internal/product"
)

// The reference must not drift from the program: its descriptors are valid, and it
// names every field that there is.
func TestDescriptorReference(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "descriptor.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 3 {
		t.Fatalf("only %d descriptors", len(blocks))
	}
	for _, block := range blocks {
		if _, problems := product.Parse("descriptor.md", []byte(block[1])); len(problems) > 0 {
			t.Errorf("%v in\n%s", problems, block[1])
		}
	}
	var schema any
	if err := json.Unmarshal(product.JSONSchema(), &schema); err != nil {
		t.Fatal(err)
	}
	fields := map[string]bool{}
	collectFields(schema, fields)
	if len(fields) < 60 {
		t.Fatalf("only %d fields in the schema", len(fields))
	}
	prose := regexp.MustCompile("(?s)```.*?```").ReplaceAllString(string(text), "")
	for field := range fields {
		named := regexp.MustCompile("`([a-z]+\\.)?" + field + "`|### .*spec\\." + field + "\\b")
		if !named.MatchString(prose) {
			t.Errorf("docs/descriptor.md does not explain %s", field)
		}
	}
}

// collectFields finds the names of all properties that a JSON Schema defines.
func collectFields(v any, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		if properties, ok := v["properties"].(map[string]any); ok && v["type"] == "object" {
			for name := range properties {
				into[name] = true
			}
		}
		for _, inner := range v {
			collectFields(inner, into)
		}
	case []any:
		for _, inner := range v {
			collectFields(inner, into)
		}
	}
}
