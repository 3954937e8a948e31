// Command kubernetes writes JSON Schemas for kubeconform: one file a kind, made of the
// API's own OpenAPI document, in which a field that the API does not know is an error.
//
//	go run . SWAGGER.JSON FOLDER
//
// It is a module of its own, so that the tools that judge manifests add nothing to
// meshctl's.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

type object = map[string]any

// groupVersionKind is how a definition says what it is.
type groupVersionKind struct{ Group, Version, Kind string }

// file is where kubeconform looks for it, with the location
// {{.ResourceKind}}{{.KindSuffix}}.json: "statefulset-apps-v1.json".
func (k groupVersionKind) file() string {
	name := k.Kind
	if k.Group != "" {
		group, _, _ := strings.Cut(k.Group, ".")
		name += "-" + group
	}
	return strings.ToLower(name+"-"+k.Version) + ".json"
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: kubernetes SWAGGER.JSON FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func write(swagger, dir string) error {
	data, err := os.ReadFile(swagger)
	if err != nil {
		return err
	}
	var doc struct {
		Definitions map[string]object
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("read %s: %w", swagger, err)
	}
	for _, definition := range doc.Definitions {
		strict(definition)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	kinds := 0
	for name, definition := range doc.Definitions {
		all, err := kindsOf(definition)
		if err != nil {
			return fmt.Errorf("definition %s: %w", name, err)
		}
		if len(all) != 1 { // what belongs to every group is no manifest's kind
			continue
		}
		needed := map[string]object{}
		collect(doc.Definitions, name, needed)
		schema, err := json.Marshal(object{"$ref": reference(name), "definitions": needed})
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, all[0].file()), schema, 0o644); err != nil {
			return err
		}
		kinds++
	}
	if kinds < 100 {
		return fmt.Errorf("%s holds %d kinds; it is not what it was", swagger, kinds)
	}
	return nil
}

func kindsOf(definition object) ([]groupVersionKind, error) {
	raw, err := json.Marshal(definition["x-kubernetes-group-version-kind"])
	if err != nil {
		return nil, err
	}
	var all []groupVersionKind
	return all, json.Unmarshal(raw, &all)
}

// strict lets no object of a definition have a field that it does not define.
func strict(v any) {
	switch v := v.(type) {
	case object:
		if _, ok := v["properties"].(object); ok && v["additionalProperties"] == nil {
			v["additionalProperties"] = false
		}
		if v["format"] == "int-or-string" {
			v["type"] = []string{"integer", "string"}
			delete(v, "format")
		}
		for _, inner := range v {
			strict(inner)
		}
	case []any:
		for _, inner := range v {
			strict(inner)
		}
	}
}

func reference(name string) string { return "#/definitions/" + name }

// collect adds a definition and all that it refers to.
func collect(definitions map[string]object, name string, into map[string]object) {
	if into[name] != nil || definitions[name] == nil {
		return
	}
	into[name] = definitions[name]
	var follow func(v any)
	follow = func(v any) {
		switch v := v.(type) {
		case object:
			if ref, ok := v["$ref"].(string); ok {
				collect(definitions, strings.TrimPrefix(ref, reference("")), into)
			}
			for _, inner := range v {
				follow(inner)
			}
		case []any:
			for _, inner := range v {
				follow(inner)
			}
		}
	}
	follow(definitions[name])
}
