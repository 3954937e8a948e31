package product

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const before = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: tickets, domain: aviation, owner: ops, version: 1.2.0}
spec:
  inputs: [{name: a, port: a}]
  logic: {sql: {query: SELECT 1}}
  outputs:
    - name: tickets
      type: state
      key: [id]
      schema:
        - {name: id, logicalType: integer}
        - {name: class, logicalType: string, required: true, logicalTypeOptions: {maxLength: 2, pattern: a},
           quality: [{metric: invalidValues, arguments: {validValues: [Y, J]}}]}
        - {name: price, logicalType: number, physicalType: "decimal(9,2)", logicalTypeOptions: {minimum: 0}}
        - {name: legs, logicalType: array, items: {logicalType: object, properties: [{name: from, logicalType: string}]}}
        - {name: note, logicalType: string}
`

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		name, from, to string
		want           string // path and message of the changes, "!" before a breaking one
	}{
		{"nothing", "", "", ""},
		{"rename", "name: tickets, domain", "name: tix, domain", "!metadata.name: the product is renamed from tickets to tix"},
		{"domain", "domain: aviation", "domain: travel", "!metadata.domain: the domain changes from aviation to travel, and every subject with it"},
		{"version back", "1.2.0", "1.1.9", "metadata.version: the version changes from 1.2.0 to 1.1.9"},
		{"version", "1.2.0", "1.10.0", "metadata.version: the version changes from 1.2.0 to 1.10.0"},
		{"owner", "owner: ops", "owner: sales", `metadata.owner: owner changes from "ops" to "sales"`},
		{"description", "owner: ops", "owner: ops, description: " + strings.Repeat("x", 99), `metadata.description: description changes`},
		{"status", "owner: ops", "owner: ops, status: deprecated", `metadata.status: status changes from "active" to "deprecated"`},
		{"tags", "owner: ops", "owner: ops, tags: [a]", `metadata.tags: tags changes from none to ["a"]`},
		{"labels", "owner: ops", "owner: ops, labels: {a: b}", `metadata.labels: labels changes from none to {"a":"b"}`},
		{"input", "a, port: a}", "a, port: b}, {name: b, port: c}", `spec.inputs[a].port: port changes from "a" to "b"; spec.inputs[b]: input b is added, and read from its beginning`},
		{"input removed", "name: a,", "name: b,", "spec.logic: logic changes: records made from now on follow it, those in the log stay as they are; spec.inputs[a]: input a is removed; spec.inputs[b]: input b is added, and read from its beginning"},
		{"logic", "SELECT 1", "SELECT 2", "spec.logic: logic changes: records made from now on follow it, those in the log stay as they are"},
		{"logic removed", "  inputs: [{name: a, port: a}]\n  logic: {sql: {query: SELECT 1}}\n", "", "spec.logic: logic is removed: the output takes published records as they are; spec.inputs[a]: input a is removed"},
		{"storage", "spec:", "spec:\n  storage: {size: 20Gi}", `spec.storage.size: size changes from "10Gi" to "20Gi"`},
		{"into a bucket", "spec:", "spec:\n  storage: {bucket: s3://lake}", `spec.storage.bucket: segments move into s3://lake when the product starts again; ` +
			`spec.storage.region: region changes from none to "us-east-1"; spec.storage.secret: secret changes from none to "tickets-bucket"; spec.storage.cache: cache changes from none to "2Gi"`},
		{"resources", "spec:", "spec:\n  resources: {cpu: 1}", `spec.resources.cpu: cpu changes from "500m" to "1"`},
		{"port renamed", "- name: tickets", "- name: sold", "!spec.outputs[tickets]: port tickets is removed; spec.outputs[sold]: port sold is added"},
		{"type", "type: state", "type: event", "!spec.outputs[tickets].type: port tickets changes from state to event"},
		{"key", "key: [id]", "key: [id, class]", "!spec.outputs[tickets].key: the key changes from id to id, class"},
		{"retention", "key: [id]", "key: [id]\n      retention: {compact: true}", "spec.outputs[tickets].retention.compact: compact changes from false to true"},
		{"stream", "key: [id]", "key: [id]\n      stream: {compression: s2}", `spec.outputs[tickets].stream.compression: compression changes from none to "s2"`},
		{"sla", "key: [id]", "key: [id]\n      slaProperties: [{property: freshness, value: 5, unit: m}]",
			`spec.outputs[tickets].slaProperties: slaProperties changes from none to [{"property":"freshness","value":5,"unit":"m"}]`},
		{"column removed", "        - {name: note, logicalType: string}\n", "", "!spec.outputs[tickets].schema[note]: column note is removed"},
		{"optional column", "- {name: note,", "- {name: n, logicalType: string}\n        - {name: note,", "spec.outputs[tickets].schema[n]: optional column n is added"},
		{"required column", "- {name: note,", "- {name: n, required: true, logicalType: string}\n        - {name: note,", "!spec.outputs[tickets].schema[n]: required column n is added, which records so far do not have"},
		{"column type", "note, logicalType: string", "note, logicalType: integer", "!spec.outputs[tickets].schema[note].logicalType: column note changes from string to integer"},
		{"decimal", "decimal(9,2)", "decimal(12,2)", "!spec.outputs[tickets].schema[price].logicalType: column price changes from decimal(9,2) to decimal(12,2)"},
		{"decimal to double", `physicalType: "decimal(9,2)", `, "", "!spec.outputs[tickets].schema[price].logicalType: column price changes from decimal(9,2) to number"},
		{"decimal spelling", "decimal(9,2)", "DECIMAL(9, 2)", `spec.outputs[tickets].schema[price].physicalType: physicalType changes from "decimal(9,2)" to "DECIMAL(9, 2)"`},
		{"becomes required", "{name: note,", "{name: note, required: true,", "!spec.outputs[tickets].schema[note].required: column note becomes required"},
		{"becomes optional", "required: true, ", "", "spec.outputs[tickets].schema[class].required: column class becomes optional"},
		{"longer", "maxLength: 2", "maxLength: 3", "spec.outputs[tickets].schema[class].logicalTypeOptions.maxLength: column class widens maxLength from 2 to 3"},
		{"shorter", "maxLength: 2", "maxLength: 1", "!spec.outputs[tickets].schema[class].logicalTypeOptions.maxLength: column class narrows maxLength from 2 to 1"},
		{"any length", "maxLength: 2, ", "", "spec.outputs[tickets].schema[class].logicalTypeOptions.maxLength: column class widens maxLength from 2 to none"},
		{"least length", "maxLength: 2", "maxLength: 2, minLength: 0", "!spec.outputs[tickets].schema[class].logicalTypeOptions.minLength: column class narrows minLength from none to 0"},
		{"minimum up", "minimum: 0", "minimum: 1", "!spec.outputs[tickets].schema[price].logicalTypeOptions.minimum: column price narrows minimum from 0 to 1"},
		{"minimum down", "minimum: 0", "minimum: -1", "spec.outputs[tickets].schema[price].logicalTypeOptions.minimum: column price widens minimum from 0 to -1"},
		{"maximum", "minimum: 0", "minimum: 0, maximum: 9", "!spec.outputs[tickets].schema[price].logicalTypeOptions.maximum: column price narrows maximum from none to 9"},
		{"items bound", "logicalType: array,", "logicalType: array, logicalTypeOptions: {maxItems: 9},", "!spec.outputs[tickets].schema[legs].logicalTypeOptions.maxItems: column legs narrows maxItems from none to 9"},
		{"pattern", "pattern: a", "pattern: a|b", "!spec.outputs[tickets].schema[class].logicalTypeOptions.pattern: column class changes its pattern"},
		{"no pattern", ", pattern: a", "", "spec.outputs[tickets].schema[class].logicalTypeOptions.pattern: column class loses its pattern"},
		{"more values", "[Y, J]", "[J, F, Y]", "spec.outputs[tickets].schema[class].quality: column class may have more values"},
		{"fewer values", "[Y, J]", "[J, F]", `!spec.outputs[tickets].schema[class].quality: column class may no longer be "Y"`},
		{"any value", "{metric: invalidValues, arguments: {validValues: [Y, J]}}", "", "spec.outputs[tickets].schema[class].quality: column class may have any value now"},
		{"listed values", "{name: note,", "{name: note, quality: [{metric: invalidValues, arguments: {validValues: [x]}}],", "!spec.outputs[tickets].schema[note].quality: column note is narrowed to a list of values"},
		{"quality", "{name: note,", "{name: note, quality: [{metric: nullValues, mustBe: 0}],", `spec.outputs[tickets].schema[note].quality: quality changes from none to [{"metric":"nullValues","mustBe":0}]`},
		{"nested removed", "[{name: from, logicalType: string}]", "[{name: to, logicalType: string}]",
			"!spec.outputs[tickets].schema[legs].items.properties[from]: column from is removed; spec.outputs[tickets].schema[legs].items.properties[to]: optional column to is added"},
		{"items type", "items: {logicalType: object, properties: [{name: from, logicalType: string}]}", "items: {logicalType: string}",
			"!spec.outputs[tickets].schema[legs].items.logicalType: column items of legs changes from object to string"},
		{"words about a column", "{name: note,", "{name: note, description: d, businessName: b, unique: true, classification: c, tags: [t], examples: [e],",
			`spec.outputs[tickets].schema[note].description: description changes from none to "d"; ` +
				`spec.outputs[tickets].schema[note].businessName: businessName changes from none to "b"; ` +
				`spec.outputs[tickets].schema[note].unique: unique changes from false to true; ` +
				`spec.outputs[tickets].schema[note].classification: classification changes from none to "c"; ` +
				`spec.outputs[tickets].schema[note].tags: tags changes from none to ["t"]; ` +
				`spec.outputs[tickets].schema[note].examples: examples changes from none to ["e"]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(before, c.from) {
				t.Fatalf("%q is not in the descriptor", c.from)
			}
			old, now := mustParse(t, "old", []byte(before)), mustParse(t, "new", []byte(strings.Replace(before, c.from, c.to, 1)))
			if got := changeText(Compare(old, now)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if changes := Compare(now, now); changes != nil {
				t.Errorf("compared with itself: %s", changeText(changes))
			}
			if got := changeText(Compare(travelled(t, old), now)); got != c.want {
				t.Errorf("after a journey as JSON\ngot  %s\nwant %s", got, c.want)
			}
			now.Metadata.Version = "2.0.0"
			for _, change := range Compare(old, now) {
				if always := change.Path == "metadata.name" || change.Path == "metadata.domain"; change.Breaking != always {
					t.Errorf("with a new major: %+v", change)
				}
			}
		})
	}
}

func TestCompareMajorGoesBack(t *testing.T) {
	old, now := mustParse(t, "old", []byte(strings.Replace(before, "1.2.0", "2.0.0", 1))), mustParse(t, "new", []byte(before))
	if got, want := changeText(Compare(old, now)), "!metadata.version: the major goes back from 2.0.0 to 1.2.0"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func changeText(changes []Change) string {
	var texts []string
	for _, c := range changes {
		text := c.Path + ": " + c.Message
		if c.Breaking {
			text = "!" + text
		}
		if c.Breaking != (c.Hint != "") {
			text += fmt.Sprintf(" (hint %q)", c.Hint)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, "; ")
}

// travelled is p as the catalog gives it.
func travelled(t *testing.T, p *Product) *Product {
	t.Helper()
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var q Product
	if err := json.Unmarshal(data, &q); err != nil {
		t.Fatal(err)
	}
	return &q
}

// A draft's first stable release keeps its streams, so it may not break them.
func TestCompareDraft(t *testing.T) {
	draft := mustParse(t, "old", []byte(strings.Replace(before, "1.2.0", "0.9.0", 1)))
	stable := mustParse(t, "new", []byte(strings.Replace(before, "type: state", "type: event", 1)))
	changes := Compare(draft, stable)
	if len(changes) != 2 || !changes[1].Breaking || changes[1].Hint != "undo it, or raise metadata.version to 2.0.0" {
		t.Errorf("got %+v", changes)
	}
}

func TestCompareBuckets(t *testing.T) {
	with := func(storage string) *Product {
		return mustParse(t, "bucket", []byte(strings.Replace(before, "spec:", "spec:\n  storage: {"+storage+"}", 1)))
	}
	old := with("bucket: s3://lake/mesh")
	for storage, want := range map[string]string{
		"bucket: s3://lake/mesh/":                             "",
		"size: 10Gi":                                          "segments cannot move out of s3://lake/mesh",
		"bucket: s3://lake/other":                             "segments cannot move from s3://lake/mesh to s3://lake/other",
		"bucket: s3://lake/mesh, cache: 1Gi":                  `cache changes from "2Gi" to "1Gi"`,
		"bucket: s3://lake/mesh, endpoint: https://s3.home.x": `endpoint changes from none to "https://s3.home.x"`,
	} {
		changes := Compare(old, with(storage))
		if want == "" && changes == nil {
			continue
		}
		moved := strings.Contains(want, "cannot")
		if len(changes) == 0 || changes[0].Message != want || changes[0].Breaking != moved || moved != (changes[0].Hint != "") {
			t.Errorf("%s: %+v, want %q", storage, changes, want)
		}
	}
}
