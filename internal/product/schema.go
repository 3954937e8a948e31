package product

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// SchemaID is the $id of the JSON Schema.
const SchemaID = "https://meshctl.dev/schema/v1alpha1/dataproduct.json"

// object is a JSON object of a schema; encoding/json writes its members in order.
type object = map[string]any

// JSONSchema is the JSON Schema (2020-12) of a descriptor, for an editor to complete
// and check with. It holds less than Parse checks: whatever spans several fields, such
// as a key's columns, only Parse knows.
func JSONSchema() []byte {
	g := schemaGenerator{defs: object{}, extra: schemaExtras()}
	root := g.structure(reflect.TypeFor[Product]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = SchemaID
	root["title"] = "meshctl data product"
	root["description"] = "A data product: what goes in, what happens to it, and what comes out."
	root["$defs"] = g.defs
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(root); err != nil {
		panic(fmt.Sprintf("product: the schema is made of plain values: %v", err))
	}
	return b.Bytes()
}

type schemaGenerator struct {
	defs  object // by the struct's name
	extra map[string]object
}

// structure is the schema of a struct, all but its name.
func (g *schemaGenerator) structure(t reflect.Type) object {
	properties, required := object{}, []string{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		s := g.of(f.Type)
		if doc := f.Tag.Get("doc"); doc != "" {
			s["description"] = doc
		}
		for k, v := range g.extra[t.Name()+"."+name] {
			s[k] = v
		}
		properties[name] = s
		if !strings.Contains(options, "omit") {
			required = append(required, name)
		}
	}
	s := object{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		s["required"] = required
	}
	for k, v := range g.extra[t.Name()] {
		s[k] = v
	}
	return s
}

// of is the schema of a field's type.
func (g *schemaGenerator) of(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[Duration]():
		return object{"type": "string", "pattern": `^([0-9]+d)?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))*$`, "minLength": 2}
	case t == reflect.TypeFor[Quantity]():
		return object{"type": []string{"string", "number"}, "pattern": quantityPattern.String()}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.of(t.Elem())
	case reflect.Struct:
		if _, ok := g.defs[t.Name()]; !ok {
			g.defs[t.Name()] = object{} // it may contain itself
			g.defs[t.Name()] = g.structure(t)
		}
		return object{"$ref": "#/$defs/" + t.Name()}
	case reflect.Slice:
		return object{"type": "array", "items": g.of(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": g.of(t.Elem())}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Interface:
		return object{}
	}
	panic(fmt.Sprintf("product: a descriptor cannot hold a %s", t))
}

// schemaExtras is what a type does not tell, by struct and field: the rules that a
// JSON Schema can express, defaults and examples.
func schemaExtras() map[string]object {
	name := object{"pattern": "^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$"}
	namedColumn := object{"$ref": "#/$defs/Column", "required": []string{"name"}}
	count := object{"minimum": 0}
	defaults := Product{Spec: Spec{Storage: Storage{Bucket: "s3://lake"}, Logic: &Logic{SQL: &SQLLogic{}, Command: &CommandLogic{}}}}
	defaults.setDefaults()
	table := SQLLogic{Mode: ModeTable}
	forTable := Product{Spec: Spec{Logic: &Logic{SQL: &table}}}
	forTable.setDefaults()
	storage, resources, command := defaults.Spec.Storage, defaults.Spec.Resources, defaults.Spec.Logic.Command
	return map[string]object{
		"Product.apiVersion":     {"const": APIVersion},
		"Product.kind":           {"const": Kind},
		"Metadata.name":          with(name, "not", object{"anyOf": []object{{"enum": reservedProducts}, {"pattern": headlessSuffix + "$"}}}, "examples", []string{"flights"}),
		"Metadata.domain":        with(name, "not", object{"enum": reservedDomains}, "examples", []string{"aviation"}),
		"Metadata.owner":         {"minLength": 1, "examples": []string{"data@example.com"}},
		"Metadata.version":       {"pattern": `^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`, "examples": []string{"0.1.0"}},
		"Metadata.status":        {"enum": statuses, "default": defaults.Metadata.Status},
		"Spec.outputs":           {"minItems": 1},
		"Spec.image":             {"examples": []string{"registry.example.com/flights:1.0.0"}},
		"Spec.replicas":          {"const": 1},
		"Input.name":             name,
		"Input.port":             {"pattern": `^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)?(@v?0*[1-9][0-9]*)?$`, "examples": []string{"flights.flights", "flights.flights@2"}},
		"Logic":                  {"oneOf": []object{{"required": []string{"sql"}}, {"required": []string{"command"}}}},
		"SQLLogic":               {"oneOf": []object{{"required": []string{"query"}}, {"required": []string{"file"}}}},
		"SQLLogic.file":          {"examples": []string{"logic.sql"}},
		"SQLLogic.mode":          {"enum": modes, "default": defaults.Spec.Logic.SQL.Mode},
		"SQLLogic.interval":      {"default": table.Interval},
		"CommandLogic.run":       {"minItems": 1, "examples": [][]string{{"python3", "logic.py"}}},
		"CommandLogic.timeout":   {"default": command.Timeout},
		"CommandLogic.batchSize": {"minimum": 1, "default": command.BatchSize},
		"Storage.size":           {"default": storage.Size},
		"Storage.segmentRows":    {"minimum": 1, "default": storage.SegmentRows},
		"Storage.segmentAge":     {"default": storage.SegmentAge},
		"Storage.bucket":         {"pattern": bucketPattern.String(), "examples": []string{"s3://lake/mesh"}},
		"Storage.endpoint":       {"pattern": "^https?://", "examples": []string{"https://s3.example.org"}},
		"Storage.region":         {"default": storage.Region},
		"Storage.cache":          {"default": storage.Cache},
		"Storage":                {"dependentRequired": ofBucket("bucket")},
		"Resources.cpu":          {"default": resources.CPU},
		"Resources.memory":       {"default": resources.Memory},
		"Output.name":            with(name, "not", object{"pattern": "^(" + strings.Join(reservedPrefixes, "|") + ")"}),
		"Output.type":            {"enum": outputTypes},
		"Output.grants":          {"items": object{"type": "string", "pattern": `^(\*|[a-z]([a-z0-9-]{0,38}[a-z0-9])?)$`}, "uniqueItems": true, "examples": [][]string{{"delays"}, {EveryProduct}, {}}},
		"Output.schema":          {"minItems": 1, "items": namedColumn},
		"Column.properties":      {"minItems": 1, "items": namedColumn},
		"Output": {"allOf": []object{
			{"if": is("type", State), "then": object{"required": []string{"key"}, "properties": object{"key": object{"minItems": 1}}}},
			{"if": is("type", Object), "then": object{"properties": object{"key": object{"const": []string{objectKey}}}}, "else": object{"required": []string{"schema"}}},
		}},
		"Retention.age":         {"examples": []string{"7d", "24h"}},
		"Retention.bytes":       {"examples": []string{"10Gi"}},
		"Retention.records":     {"minimum": 1},
		"LogStream.compression": {"enum": compressions},
		"LogStream.duplicates":  {"examples": []string{"10m"}},
		"Column.name":           {"pattern": "^[^_]"},
		"Column.logicalType":    {"enum": logicalTypes},
		"Column.physicalType":   {"examples": []string{"decimal(18,2)"}},
		"Column": {"allOf": []object{
			onlyWith("items", is("logicalType", TypeArray)),
			onlyWith("properties", is("logicalType", TypeObject)),
		}},
		"TypeOptions.minLength": count, "TypeOptions.maxLength": count,
		"TypeOptions.minItems": count, "TypeOptions.maxItems": count,
		"TypeOptions.pattern":  {"format": "regex"},
		"Quality.type":         {"enum": qualityTypes, "default": "library"},
		"Quality.metric":       {"enum": metrics},
		"SLAProperty.property": {"minLength": 1, "examples": append(append([]string{}, timeProperties...), percentProperties...)},
		"SLAProperty.unit":     {"examples": []string{"s", "m", "h", "d", "y"}},
	}
}

// with is a copy of o with more members.
func with(o object, members ...any) object {
	c := object{}
	for k, v := range o {
		c[k] = v
	}
	for i := 0; i < len(members); i += 2 {
		c[members[i].(string)] = members[i+1]
	}
	return c
}

func is(field, value string) object {
	return object{"properties": object{field: object{"const": value}}, "required": []string{field}}
}

// onlyWith requires a field if the condition holds, and forbids it otherwise.
func onlyWith(field string, condition object) object {
	return object{
		"if": condition, "then": object{"required": []string{field}},
		"else": object{"properties": object{field: false}},
	}
}
