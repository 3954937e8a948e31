package serve

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/meshctl/meshctl/internal/fault"
)

// route is one row of the table that requests are matched against and that the
// OpenAPI document is written from.
type route struct {
	method  string
	path    string // as OpenAPI writes it; "{key}" at the end takes all segments that are left
	id      string // the operation's name for clients
	summary string
	params  []param
	body    bool // it takes a QueryRequest
	answers []answer
	fails   []fault.Kind // beside Internal
	serve   func(*handler, *call) error
}

// param is a parameter in the query.
type param struct {
	name     string
	doc      string
	kind     string // its JSON type
	required bool
	many     bool
}

// answer is one form of a success.
type answer struct {
	media  string
	schema string // of a JSON body or of one line; a component's name, empty for none
	list   bool   // an array of it
}

var (
	paramFormat = param{name: "format", kind: "string", doc: "json, ndjson, csv, arrow or markdown, as offered; comes before the Accept header."}
	paramAwait  = param{name: "await", kind: "string", doc: "Wait until the port has seen what was published: the input's or port's name, a colon and the sequence that its inbox answered."}
	queryParams = []param{
		{name: "limit", kind: "integer", doc: "The most rows; 0, the default, is all."},
		paramFormat,
	}
)

func routes() []route {
	ports := []route{
		{method: "GET", path: "/v1", id: "getProduct", summary: "The product: its descriptor, ports and state.",
			answers: []answer{{media: mediaJSON, schema: "Entry"}}, serve: (*handler).entry},
		{method: "GET", path: "/v1/ports", id: "listPorts", summary: "The ports that the product offers.",
			answers: []answer{{media: mediaJSON, schema: "Port", list: true}}, serve: (*handler).ports},
		{method: "GET", path: "/v1/ports/{port}", id: "getPort", summary: "A port's contract and state.",
			answers: []answer{{media: mediaJSON, schema: "Port"}},
			fails:   []fault.Kind{fault.Invalid, fault.NotFound}, serve: (*handler).port},
	}
	return slices.Concat(ports, recordRoutes(), queryRoutes(), houseRoutes())
}

func recordRoutes() []route {
	lookup := []fault.Kind{fault.Invalid, fault.NotFound, fault.Unavailable, fault.Timeout}
	return []route{
		{method: "GET", path: "/v1/ports/{port}/records", id: "getRecords", summary: "The latest record of each of several keys.",
			params: []param{
				{name: "key", kind: "string", required: true, many: true, doc: "A key; the parts of one with several are joined by /, a / or % inside a part being %2F or %25 (before the encoding of the URL)."},
				paramAwait,
			},
			answers: []answer{{media: mediaJSON, schema: "GetAnswer"}}, fails: lookup, serve: (*handler).records},
		{method: "GET", path: "/v1/ports/{port}/records/{key}", id: "getRecord", summary: "The latest record of a key. The parts of a key with several are path segments of their own.",
			params: []param{paramAwait}, answers: []answer{{media: mediaJSON, schema: "Record"}}, fails: lookup, serve: (*handler).record},
		{method: "GET", path: "/v1/ports/{port}/scan", id: "scan", summary: "The latest records of a range of keys, in key order.",
			params: []param{
				{name: "from", kind: "string", doc: "The first key, inclusive."},
				{name: "to", kind: "string", doc: "The end, exclusive."},
				{name: "prefix", kind: "string", doc: "The leading parts of a key; the last may be the start of a string."},
				{name: "reverse", kind: "boolean", doc: "From the last key to the first."},
				{name: "limit", kind: "integer", doc: "The most records, 1000 when left out; 0 is all."},
				paramFormat,
			},
			answers: scanAnswers(), fails: lookup, serve: (*handler).scan},
	}
}

func scanAnswers() []answer {
	return []answer{{media: mediaJSON, schema: "Scan"}, {media: mediaNDJSON, schema: "Record"}}
}

func rowAnswers() []answer {
	return []answer{{media: mediaJSON, schema: "Rows"}, {media: mediaNDJSON}, {media: mediaCSV}, {media: mediaArrow}, {media: mediaMarkdown}}
}

func queryRoutes() []route {
	refused := []fault.Kind{fault.Invalid, fault.Rejected, fault.Unavailable, fault.Timeout}
	refusedPort := append([]fault.Kind{fault.NotFound}, refused...)
	return []route{
		{method: "GET", path: "/v1/query", id: "queryByURL", summary: "The rows of one SELECT over the product's tables.",
			params: append([]param{
				{name: "sql", kind: "string", required: true, doc: "The statement."},
				{name: "args", kind: "string", doc: "A JSON object; each value is bound to $name."},
			}, queryParams...),
			answers: rowAnswers(), fails: refused, serve: (*handler).queryByURL},
		{method: "POST", path: "/v1/query", id: "query", summary: "The rows of one SELECT over the product's tables.",
			params: queryParams, body: true, answers: rowAnswers(), fails: refused, serve: (*handler).queryByBody},
		{method: "POST", path: "/v1/ports/{port}/query", id: "queryPort", summary: "The same, once the port is known to exist.",
			params: queryParams, body: true, answers: rowAnswers(), fails: refusedPort, serve: (*handler).queryPort},
	}
}

func houseRoutes() []route {
	return []route{
		{method: "GET", path: "/openapi.json", id: "getOpenAPI", summary: "This document.",
			answers: []answer{{media: mediaJSON}}, serve: (*handler).openAPI},
		{method: "GET", path: "/healthz", id: "getHealth", summary: "The process is up.",
			answers: []answer{{media: mediaJSON, schema: "Health"}}, serve: (*handler).health},
		{method: "GET", path: "/readyz", id: "getReadiness", summary: "The product can answer.",
			answers: []answer{{media: mediaJSON, schema: "Health"}}, fails: []fault.Kind{fault.Unavailable}, serve: (*handler).ready},
		{method: "GET", path: "/metrics", id: "getMetrics", summary: "State and traffic in the Prometheus text format.",
			answers: []answer{{media: mediaMetrics}}, serve: (*handler).metrics},
	}
}

// route finds the row for a request. The path is cut before it is decoded, so that a
// part of a key may hold a slash.
func (h *handler) route(w *tracked, r *http.Request) (*route, *call, error) {
	c := &call{w: w, r: r}
	var allow []string
	for i := range h.routes {
		rt := &h.routes[i]
		path, rest, ok := rt.match(r.URL.EscapedPath())
		if !ok {
			continue
		}
		if rt.method == r.Method || rt.method == http.MethodGet && r.Method == http.MethodHead {
			c.path, c.rest = path, rest
			return rt, c, c.readParams(rt)
		}
		allow = append(allow, rt.method)
		if rt.method == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	if allow != nil {
		w.Header().Set("Allow", strings.Join(allow, ", "))
		return nil, nil, refuse(http.StatusMethodNotAllowed, "use "+strings.Join(allow, " or "), "%s takes no %s", r.URL.Path, r.Method)
	}
	return nil, nil, fault.New(fault.NotFound, "read /openapi.json for what there is", "there is nothing at %s", r.URL.Path)
}

// match gives the parameters of an encoded path that is the route's.
func (rt *route) match(escaped string) (path map[string]string, rest []string, ok bool) {
	want, have := strings.Split(rt.path, "/"), strings.Split(escaped, "/")
	tail := want[len(want)-1] == "{key}"
	if len(have) < len(want) || len(have) > len(want) && !tail {
		return nil, nil, false
	}
	path = map[string]string{}
	for i, segment := range have {
		text, err := url.PathUnescape(segment)
		switch {
		case err != nil:
			return nil, nil, false
		case tail && i >= len(want)-1:
			rest = append(rest, text)
		case strings.HasPrefix(want[i], "{"):
			path[strings.Trim(want[i], "{}")] = text
		case want[i] != text:
			return nil, nil, false
		}
	}
	return path, rest, true
}

// readParams reads the query. A parameter that the route does not have is an error,
// for a misspelt limit would otherwise pass unseen.
func (c *call) readParams(rt *route) error {
	values, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return fault.New(fault.Invalid, "percent-encode the query", "read query: %w", err)
	}
	for name, given := range values {
		i := slices.IndexFunc(rt.params, func(p param) bool { return p.name == name })
		if i < 0 {
			return fault.New(fault.Invalid, rt.paramHint(), "there is no parameter %q", name)
		}
		if len(given) > 1 && !rt.params[i].many {
			return fault.New(fault.Invalid, "give it once", "parameter %q is given %d times", name, len(given))
		}
	}
	for _, p := range rt.params {
		if p.required && len(values[p.name]) == 0 {
			return fault.New(fault.Invalid, rt.paramHint(), "parameter %q is missing", p.name)
		}
	}
	c.query = values
	return nil
}

func (rt *route) paramHint() string {
	if len(rt.params) == 0 {
		return "leave the query out"
	}
	names := make([]string, len(rt.params))
	for i, p := range rt.params {
		names[i] = p.name
	}
	return "use " + strings.Join(names, ", ")
}
