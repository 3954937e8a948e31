package serve

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/meshctl/meshctl/internal/catalog"
)

// The labels of a request that met no route, and of an answer that was cut short.
const (
	unrouted = "none"
	aborted  = "aborted"
)

// the upper bounds of the duration histogram, in seconds
var durations = [...]float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}

// requests counts what was asked.
type requests struct {
	mu     sync.Mutex
	counts map[request]uint64
	times  map[string]*histogram // by route
}

type request struct{ route, method, code string }

type histogram struct {
	buckets [len(durations)]uint64 // each of its own, not yet summed up
	count   uint64
	sum     float64
}

func newRequests() *requests {
	return &requests{counts: map[request]uint64{}, times: map[string]*histogram{}}
}

// observe counts one request. A method that HTTP does not know is counted as other,
// so that nobody can make up labels without end.
func (q *requests) observe(method, route, code string, took time.Duration) {
	if !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, method) {
		method = "other"
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.counts[request{route, method, code}]++
	h := q.times[route]
	if h == nil {
		h = &histogram{}
		q.times[route] = h
	}
	h.observe(took)
}

func (h *histogram) observe(took time.Duration) {
	h.count++
	h.sum += took.Seconds()
	if i, _ := slices.BinarySearch(durations[:], took.Seconds()); i < len(durations) {
		h.buckets[i]++
	}
}

// write writes the samples of a histogram; labels are names and values in turn.
func (h *histogram) write(w io.Writer, name string, labels ...string) {
	sum := uint64(0)
	for i, le := range durations {
		sum += h.buckets[i]
		sample(w, name+"_bucket", float64(sum), append(slices.Clone(labels), "le", strconv.FormatFloat(le, 'g', -1, 64))...)
	}
	sample(w, name+"_bucket", float64(h.count), append(slices.Clone(labels), "le", "+Inf")...)
	sample(w, name+"_sum", h.sum, labels...)
	sample(w, name+"_count", float64(h.count), labels...)
}

func (q *requests) write(w io.Writer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	family(w, "meshctl_http_requests_total", "counter", "Requests answered.")
	keys := make([]request, 0, len(q.counts))
	for k := range q.counts {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b request) int {
		return cmp.Or(cmp.Compare(a.route, b.route), cmp.Compare(a.method, b.method), cmp.Compare(a.code, b.code))
	})
	for _, k := range keys {
		sample(w, "meshctl_http_requests_total", float64(q.counts[k]), "route", k.route, "method", k.method, "code", k.code)
	}
	const name = "meshctl_http_request_duration_seconds"
	family(w, name, "histogram", "Time from a request's header to its answer's end.")
	routes := make([]string, 0, len(q.times))
	for route := range q.times {
		routes = append(routes, route)
	}
	slices.Sort(routes)
	for _, route := range routes {
		q.times[route].write(w, name, "route", route)
	}
}

// metrics answers the product's state and its traffic.
func (h *handler) metrics(c *call) error {
	e, err := h.product.Entry(c.context())
	if err != nil {
		return fmt.Errorf("read the product's entry: %w", err)
	}
	var text bytes.Buffer // whole before it is sent, for half a scrape is a wrong one
	family(&text, "meshctl_build_info", "gauge", "The version of meshctl.")
	sample(&text, "meshctl_build_info", 1, "version", h.options.Version)
	writePorts(&text, e)
	writeInputs(&text, e)
	h.requests.write(&text)
	if h.options.Metrics != nil {
		if err := h.options.Metrics(&text); err != nil {
			return fmt.Errorf("gather metrics: %w", err)
		}
	}
	b := newBody(c, mediaMetrics)
	_, _ = b.Write(text.Bytes()) // an error stays until close
	return b.close()
}

func writePorts(w io.Writer, e catalog.Entry) {
	for _, m := range []struct {
		name, help string
		value      func(p *catalog.Port) float64
	}{
		{"meshctl_port_records", "Records in the port's log.", func(p *catalog.Port) float64 { return float64(p.Records) }},
		{"meshctl_port_last_seq", "Sequence of the last record in the port's log.", func(p *catalog.Port) float64 { return float64(p.Last) }},
		{"meshctl_port_visible_seq", "Sequence up to which every store shows the port.", func(p *catalog.Port) float64 { return float64(p.Visible) }},
		{"meshctl_port_lag", "Sequences that the slowest store is behind the log.", func(p *catalog.Port) float64 { return lag(p) }},
		{"meshctl_port_dead_letters", "Dead letters that wait.", func(p *catalog.Port) float64 { return float64(p.Dead) }},
		{"meshctl_port_failing", "1 while a step of the port fails and is tried again, else 0.", func(p *catalog.Port) float64 {
			if p.Error != "" {
				return 1
			}
			return 0
		}},
	} {
		family(w, m.name, "gauge", m.help)
		for i := range e.Ports {
			p := &e.Ports[i]
			sample(w, m.name, m.value(p), "product", e.Product.Metadata.Name, "port", p.Output.Name, "major", strconv.Itoa(p.Major))
		}
	}
}

// writeInputs tells of the inputs that read other products.
func writeInputs(w io.Writer, e catalog.Entry) {
	for _, m := range []struct {
		name, help string
		value      func(in *catalog.Input) float64
	}{
		{"meshctl_input_up", "1 while the input's source is heard of, else 0.", func(in *catalog.Input) float64 {
			if in.Error != "" {
				return 0
			}
			return 1
		}},
		{"meshctl_input_granted", "0 while the product that has the port refuses it, else 1.", func(in *catalog.Input) float64 {
			if in.Denied {
				return 0
			}
			return 1
		}},
		{"meshctl_input_last_seq", "Sequence of the last record that came from the input's source.", func(in *catalog.Input) float64 { return float64(in.Last) }},
		{"meshctl_input_lag", "Records that the input is behind its source, as of when that was last heard of.", func(in *catalog.Input) float64 { return float64(in.Lag) }},
	} {
		if len(e.Inputs) == 0 {
			return
		}
		family(w, m.name, "gauge", m.help)
		for i := range e.Inputs {
			in := &e.Inputs[i]
			sample(w, m.name, m.value(in), "product", e.Product.Metadata.Name, "input", in.Name, "source", in.Port)
		}
	}
}

// lag is how far the stores are behind; a heartbeat may have read them after the log.
func lag(p *catalog.Port) float64 {
	if p.Visible >= p.Last {
		return 0
	}
	return float64(p.Last - p.Visible)
}

// family opens a metric; writers are buffers, which do not fail.
func family(w io.Writer, name, kind, help string) {
	_, _ = fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// sample writes one value; labels are names and values in turn.
func sample(w io.Writer, name string, value float64, labels ...string) {
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
	var text strings.Builder
	for i := 0; i < len(labels); i += 2 {
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString(labels[i] + `="` + escape.Replace(labels[i+1]) + `"`)
	}
	if len(labels) > 0 {
		name += "{" + text.String() + "}"
	}
	_, _ = fmt.Fprintf(w, "%s %s\n", name, strconv.FormatFloat(value, 'g', -1, 64))
}
