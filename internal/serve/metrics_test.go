package serve

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
)

var (
	typeLine   = regexp.MustCompile(`^# TYPE ([a-z_]+) (counter|gauge|histogram)$`)
	helpLine   = regexp.MustCompile(`^# HELP ([a-z_]+) \S.*$`)
	sampleLine = regexp.MustCompile(`^([a-z_]+)\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\} (\S+)$`)
)

// readMetrics checks the text format and gives each sample's value.
func readMetrics(t *testing.T, text string) map[string]float64 {
	t.Helper()
	values, family := map[string]float64{}, ""
	seen := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if m := typeLine.FindStringSubmatch(line); m != nil {
			if seen[m[1]] {
				t.Errorf("family %s opens twice", m[1])
			}
			family, seen[m[1]] = m[1], true
			continue
		}
		if helpLine.MatchString(line) {
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil || !strings.HasPrefix(m[1], family) {
			t.Errorf("line %q is not of family %s", line, family)
			continue
		}
		v, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			t.Errorf("line %q: %v", line, err)
		}
		if _, twice := values[m[1]+"{"+m[2]+"}"]; twice {
			t.Errorf("line %q comes twice", line)
		}
		values[m[1]+"{"+m[2]+"}"] = v
	}
	return values
}

func TestMetrics(t *testing.T) {
	f := newFake()
	f.add("flights", "a", "{}")
	at := serveFake(t, f, Options{Version: `v"9\`, Metrics: func(w io.Writer) error {
		_, err := io.WriteString(w, "# TYPE more gauge\nmore{} 7\n")
		return err
	}})
	for range 2 {
		get(t, at+"/v1/ports/flights/records/a")
	}
	get(t, at+"/v1/ports/flights/records/nope")
	get(t, at+"/nothing")
	do(t, "BREW", at+"/v1", "")
	get(t, at+"/v1/query?sql=break+after+5000")
	r := get(t, at+"/metrics")
	if r.Header.Get("Content-Type") != mediaMetrics {
		t.Errorf("type = %s", r.Header.Get("Content-Type"))
	}
	values := readMetrics(t, r.body)
	const one, two, record = `{product="flights",port="flights",major="1"}`, `{product="flights",port="flights",major="2"}`, `/v1/ports/{port}/records/{key}`
	for name, want := range map[string]float64{
		"meshctl_port_records" + one: 12, "meshctl_port_last_seq" + one: 42, "meshctl_port_visible_seq" + one: 40,
		"meshctl_port_lag" + one: 2, "meshctl_port_dead_letters" + one: 3, "meshctl_port_failing" + one: 0, "meshctl_port_lag" + two: 0, "meshctl_port_records" + two: 1,
		`meshctl_build_info{version="v\"9\\"}`: 1, "more{}": 7,
		`meshctl_http_requests_total{route="` + record + `",method="GET",code="200"}`:    2,
		`meshctl_http_requests_total{route="` + record + `",method="GET",code="404"}`:    1,
		`meshctl_http_requests_total{route="none",method="GET",code="404"}`:              1,
		`meshctl_http_requests_total{route="none",method="other",code="405"}`:            1,
		`meshctl_http_requests_total{route="/v1/query",method="GET",code="aborted"}`:     1,
		`meshctl_http_request_duration_seconds_count{route="` + record + `"}`:            3,
		`meshctl_http_request_duration_seconds_bucket{route="` + record + `",le="+Inf"}`: 3,
	} {
		if got, ok := values[name]; !ok || got != want {
			t.Errorf("%s = %v, %v; want %v", name, got, ok, want)
		}
	}
}

func TestMetricsFailWhole(t *testing.T) {
	at := serveFake(t, newFake(), Options{Metrics: func(io.Writer) error { return errors.New("no gauge") }})
	wantProblem(t, get(t, at+"/metrics"), http.StatusInternalServerError, fault.Internal, "no gauge")
}

func TestHistogram(t *testing.T) {
	q := newRequests()
	for _, took := range []time.Duration{0, time.Millisecond, time.Millisecond + 1, 30 * time.Second, time.Minute} {
		q.observe("GET", "/v1", "200", took)
	}
	var text strings.Builder
	q.write(&text)
	values := readMetrics(t, text.String())
	for le, want := range map[string]float64{"0.001": 2, "0.0025": 3, "10": 3, "30": 4, "+Inf": 5} {
		name := fmt.Sprintf(`meshctl_http_request_duration_seconds_bucket{route="/v1",le="%s"}`, le)
		if values[name] != want {
			t.Errorf("%s = %v; want %v", name, values[name], want)
		}
	}
	if got := values[`meshctl_http_request_duration_seconds_sum{route="/v1"}`]; got < 90 || got > 90.1 {
		t.Errorf("sum = %v", got)
	}
}
