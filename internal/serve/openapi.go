package serve

import (
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// openAPI answers an OpenAPI 3.1 document of the routes and of each port's records.
func (h *handler) openAPI(c *call) error {
	e, err := h.product.Entry(c.context())
	if err != nil {
		return fmt.Errorf("read the product's entry: %w", err)
	}
	return c.writeJSON(document(h.routes, e))
}

func document(routes []route, e catalog.Entry) schema {
	paths := schema{}
	for i := range routes {
		rt := &routes[i]
		item, ok := paths[rt.path].(schema)
		if !ok {
			item = schema{}
			paths[rt.path] = item
		}
		item[strings.ToLower(rt.method)] = operation(rt, e)
	}
	m := e.Product.Metadata
	info := schema{"title": m.Name, "version": m.Version, "x-owner": m.Owner, "x-domain": m.Domain}
	if m.Description != "" {
		info["description"] = m.Description
	}
	return schema{
		"openapi": "3.1.0", "info": info,
		"servers":    []any{schema{"url": "/"}},
		"paths":      paths,
		"components": schema{"schemas": components(e)},
	}
}

func operation(rt *route, e catalog.Entry) schema {
	op := schema{"operationId": rt.id, "summary": rt.summary, "responses": responses(rt)}
	var params []any
	for _, segment := range strings.Split(rt.path, "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			params = append(params, pathParam(strings.TrimSuffix(name, "}"), e))
		}
	}
	for _, p := range rt.params {
		s := schema{"type": p.kind}
		if p.many {
			s = schema{"type": "array", "items": s}
		}
		params = append(params, schema{"name": p.name, "in": "query", "required": p.required, "description": p.doc, "schema": s})
	}
	if params != nil {
		op["parameters"] = params
	}
	if rt.body {
		op["requestBody"] = schema{"required": true, "content": schema{
			mediaJSON: schema{"schema": ref("QueryRequest")},
			mediaSQL:  schema{"schema": schema{"type": "string", "description": "The statement."}},
		}}
	}
	return op
}

func pathParam(name string, e catalog.Entry) schema {
	s, doc := schema{"type": "string"}, "The key. The parts of a key with several are path segments of their own; inside a part, / is %2F."
	if name == "port" {
		doc = "The port's name, with @ and a major version for another than the newest."
		var names []any
		for i := range e.Ports {
			p := &e.Ports[i]
			names = append(names, p.Output.Name+"@"+strconv.Itoa(p.Major))
		}
		if names != nil {
			s["examples"] = names
		}
	}
	return schema{"name": name, "in": "path", "required": true, "description": doc, "schema": s}
}

func responses(rt *route) schema {
	content := schema{}
	streamed := false
	for _, a := range rt.answers {
		s := schema{}
		switch {
		case a.list:
			s["schema"] = schema{"type": "array", "items": ref(a.schema)}
		case a.schema != "":
			s["schema"] = ref(a.schema)
		}
		content[a.media] = s
		streamed = streamed || a.media == mediaNDJSON
	}
	text := "The answer."
	if streamed {
		text = "The answer. All forms but application/json end in the trailers " + headerWatermark + ", " + headerCount + " and " + headerMore + "; one that breaks off ends the connection."
	}
	all := schema{"200": schema{"description": text, "content": content}}
	statuses := []int{statusOfKind(fault.Internal), http.StatusForbidden, http.StatusBadRequest}
	for _, k := range rt.fails {
		statuses = append(statuses, statusOfKind(k))
	}
	if len(rt.answers) > 1 {
		statuses = append(statuses, http.StatusNotAcceptable)
	}
	if rt.body {
		statuses = append(statuses, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	for _, status := range statuses {
		all[strconv.Itoa(status)] = schema{
			"description": http.StatusText(status),
			"content":     schema{mediaProblem: schema{"schema": ref("Problem")}},
		}
	}
	return all
}

// components are the types that answers are made of, and each port's records.
func components(e catalog.Entry) schema {
	all := schema{}
	for _, t := range []reflect.Type{
		reflect.TypeFor[catalog.Entry](), reflect.TypeFor[Record](), reflect.TypeFor[GetAnswer](), reflect.TypeFor[Scan](),
		reflect.TypeFor[Rows](), reflect.TypeFor[QueryRequest](), reflect.TypeFor[Problem](), reflect.TypeFor[Health](),
	} {
		typeSchema(t, all)
	}
	values := []any{schema{"type": "null"}}
	for i := range e.Ports {
		p := &e.Ports[i]
		name := "record." + e.ID(p).Table()
		all[name] = portSchema(&p.Output)
		values = append(values, ref(name))
	}
	all["Record"].(schema)["properties"].(schema)["value"] = schema{"anyOf": values, "description": "The record as it was published; null for a delete."}
	return all
}

func portSchema(o *product.Output) schema {
	s := objectSchema(o.Schema)
	if o.Description != "" {
		s["description"] = o.Description
	}
	if len(o.Key) > 0 {
		s["x-key"] = o.Key
	}
	return s
}
