package serve

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

func TestEntryAndPorts(t *testing.T) {
	f := newFake()
	at := serveFake(t, f, Options{})
	if e := parse[catalog.Entry](t, get(t, at+"/v1")); e.Product.Metadata.Name != "flights" || len(e.Ports) != 3 {
		t.Errorf("entry = %+v", e)
	}
	if r := get(t, at+"/v1"); !strings.Contains(r.body, "<where>") {
		t.Errorf("entry escapes what JSON need not: %s", r.body)
	}
	if p := parse[[]catalog.Port](t, get(t, at+"/v1/ports")); len(p) != 3 {
		t.Errorf("ports = %+v", p)
	}
	for name, want := range map[string]string{"legs": "flights.legs", "flights": "flights.flights@2", "flights@1": "flights.flights", "flights%40v2": "flights.flights@2"} {
		if p := parse[catalog.Port](t, get(t, at+"/v1/ports/"+name)); p.Address != want {
			t.Errorf("port %s = %s; want %s", name, p.Address, want)
		}
	}
	wantProblem(t, get(t, at+"/v1/ports/nothing"), 404, fault.NotFound, `no port "flights.nothing"`)
	wantProblem(t, get(t, at+"/v1/ports/flights@3"), 404, fault.NotFound, "flights@3")
	wantProblem(t, get(t, at+"/v1/ports/No!"), 400, fault.Invalid, "lower case")
	f.ports = nil
	if r := get(t, at+"/v1/ports"); r.body != "[]\n" {
		t.Errorf("no ports = %q; want []", r.body)
	}
}

// odd are texts that a path, a query or a JSON string could mistake for something else.
var odd = []string{
	"LH400", "", " ", "a b", "a+b", "a/b", "/", "//", "a//b/", ".", "..", "../../v1", "%", "%2F", "%25", "a%2Fb/c", "100%/x",
	"?", "a?b=c", "#", "&key=x", ";", ":", "@", "{key}", "\\", `"`, "\x00", "\x01\x1f\x7f", "ü", "日本", "🛫", "\u202e", "~!$'()*,;=[]^`|<>",
}

func TestRecordWithOddKey(t *testing.T) {
	f := newFake()
	for i, key := range odd {
		f.add("flights", key, fmt.Sprint(i))
	}
	at := serveFake(t, f, Options{})
	for i, key := range odd {
		r := parse[Record](t, get(t, at+"/v1/ports/flights/records/"+url.PathEscape(key)))
		if r.Key != key || string(r.Value) != fmt.Sprint(i) {
			t.Errorf("record %q = %+v; want value %d", key, r, i)
		}
		a := parse[GetAnswer](t, get(t, at+"/v1/ports/flights/records?key="+url.QueryEscape(key)))
		if len(a.Records) != 1 || a.Records[0].Key != key {
			t.Errorf("records %q = %+v", key, a)
		}
		if strings.Contains(key, "/") && !strings.Contains(key, "..") { // slashes left bare
			bare := strings.ReplaceAll(url.PathEscape(key), "%2F", "/")
			if r := parse[Record](t, get(t, at+"/v1/ports/flights/records/"+bare)); r.Key != key {
				t.Errorf("record %q by bare slashes = %+v", key, r)
			}
		}
	}
	if r := parse[Record](t, get(t, at+"/v1/ports/flights/records/LH%34%30%30")); r.Key != "LH400" {
		t.Errorf("needless escapes = %+v", r)
	}
	get(t, at+"/v1/ports/flights/records/%FF%FE") // no text, but still a key
	if got := f.gets[len(f.gets)-1].Keys[0]; got != "\xff\xfe" {
		t.Errorf("key of odd bytes = %q", got)
	}
}

func TestRecordWithOddKeyOfTwoParts(t *testing.T) {
	f := newFake()
	at := serveFake(t, f, Options{})
	for _, part := range odd {
		key := record.JoinTexts([]string{part, "2026-03-01"})
		f.add("legs", key, `{}`)
		parts := parse[Record](t, get(t, at+"/v1/ports/legs/records/"+url.PathEscape(part)+"/2026-03-01"))
		whole := parse[Record](t, get(t, at+"/v1/ports/legs/records/"+url.PathEscape(key)))
		if parts.Key != key || whole.Key != key {
			t.Errorf("record %q = %q by its parts, %q whole", key, parts.Key, whole.Key)
		}
	}
	wantProblem(t, get(t, at+"/v1/ports/nothing/records/a/b"), 404, fault.NotFound, "no port")
}

func TestRecord(t *testing.T) {
	f := newFake()
	f.add("flights", "LH400", `{"fare":12.30}`)
	f.records["flights"] = append(f.records["flights"], Record{Key: "gone", Seq: 7, Time: moment, Deleted: true})
	at := serveFake(t, f, Options{})
	r := get(t, at+"/v1/ports/flights/records/LH400?await=flights:17")
	if want := `{"key":"LH400","seq":1,"time":"2026-03-01T12:00:00Z","value":{"fare":12.30}}` + "\n"; r.body != want {
		t.Errorf("record = %s; want %s", r.body, want)
	}
	if got, want := r.Header.Get(headerWatermark), `{"seq":42,"time":"2026-03-01T12:00:00Z"}`; got != want {
		t.Errorf("watermark = %s; want %s", got, want)
	}
	if want := (GetRequest{Port: "flights", Keys: []string{"LH400"}, Await: Await{Input: "flights", Seq: 17}}); !reflect.DeepEqual(f.gets[0], want) {
		t.Errorf("asked = %+v; want %+v", f.gets[0], want)
	}
	wantProblem(t, get(t, at+"/v1/ports/flights/records/nope"), 404, fault.NotFound, `"nope"`)
	wantProblem(t, get(t, at+"/v1/ports/flights/records/gone"), 404, fault.NotFound, `"gone"`)
	for _, await := range []string{"flights", ":4", "flights:", "flights:-1", "flights:x"} {
		wantProblem(t, get(t, at+"/v1/ports/flights/records/LH400?await="+await), 400, fault.Invalid, "await")
	}
}

func TestRecords(t *testing.T) {
	f := newFake()
	f.add("flights@1", "A", `1`)
	f.add("flights@1", "B", `2`)
	at := serveFake(t, f, Options{})
	r := get(t, at+"/v1/ports/flights@1/records?key=B&key=X&key=A")
	a := parse[GetAnswer](t, r)
	if len(a.Records) != 2 || a.Records[0].Key != "B" || !reflect.DeepEqual(a.Missing, []string{"X"}) || a.Watermark.Seq != 42 {
		t.Errorf("records = %s", r.body)
	}
	if r := get(t, at+"/v1/ports/flights@1/records?key=A"); !strings.Contains(r.body, `"missing":[]`) {
		t.Errorf("none missing = %s", r.body)
	}
	if r := get(t, at+"/v1/ports/flights@1/records?key=X"); r.StatusCode != 200 || !strings.Contains(r.body, `"records":[]`) {
		t.Errorf("none found = %d %s", r.StatusCode, r.body)
	}
	wantProblem(t, get(t, at+"/v1/ports/flights/records"), 400, fault.Invalid, `"key" is missing`)
}

func TestScan(t *testing.T) {
	f := newFake()
	for i := range 1500 {
		f.add("flights", fmt.Sprintf("K%04d", i), fmt.Sprintf(`{"n":%d}`, i))
	}
	at := serveFake(t, f, Options{})
	for _, tt := range []struct {
		query string
		count int
	}{{"", 1000}, {"limit=3", 3}, {"limit=0", 1500}, {"limit=1500", 1500}} {
		whole := parse[Scan](t, get(t, at+"/v1/ports/flights/scan?"+tt.query))
		more := tt.count < 1500
		if len(whole.Records) != tt.count || whole.Count != tt.count || whole.More != more || whole.Watermark.Seq != 42 {
			t.Errorf("scan %q = %d records, %+v; want %d", tt.query, len(whole.Records), whole.ScanAnswer, tt.count)
		}
		r := get(t, at+"/v1/ports/flights/scan?"+tt.query, "Accept", mediaNDJSON)
		var lines []Record
		for s := bufio.NewScanner(strings.NewReader(r.body)); s.Scan(); {
			var rec Record
			if err := json.Unmarshal(s.Bytes(), &rec); err != nil {
				t.Fatalf("line %q: %v", s.Text(), err)
			}
			lines = append(lines, rec)
		}
		if !reflect.DeepEqual(lines, whole.Records) {
			t.Errorf("scan %q: %d lines are not the %d records", tt.query, len(lines), len(whole.Records))
		}
		if c, m, w := r.Trailer.Get(headerCount), r.Trailer.Get(headerMore), r.Trailer.Get(headerWatermark); c != fmt.Sprint(tt.count) ||
			m != fmt.Sprint(more) || w != `{"seq":42,"time":"2026-03-01T12:00:00Z"}` {
			t.Errorf("scan %q trailers = %s, %s, %s", tt.query, c, m, w)
		}
	}
}

func TestScanAsks(t *testing.T) {
	f := newFake()
	at := serveFake(t, f, Options{})
	r := get(t, at+"/v1/ports/flights@2/scan?from=a%2Fb&to=c+d&prefix=%25&reverse=true&limit=5&format=ndjson")
	if r.body != "" || r.Trailer.Get(headerCount) != "0" || r.Header.Get("Content-Type") != mediaNDJSON {
		t.Errorf("empty scan = %q, trailers %v, %v", r.body, r.Trailer, r.Header)
	}
	want := ScanRequest{Port: "flights@2", From: "a/b", To: "c d", Prefix: "%", Reverse: true, Limit: 5}
	if f.scans[0] != want {
		t.Errorf("asked = %+v; want %+v", f.scans[0], want)
	}
	if r := get(t, at+"/v1/ports/flights/scan"); !strings.HasPrefix(r.body, `{"records":[],"count":0,"more":false,"watermark":{`) {
		t.Errorf("empty scan = %s", r.body)
	}
	for query, detail := range map[string]string{
		"limit=-1": "limit", "limit=x": "limit", "limit=99999999999": "limit", "reverse=perhaps": "reverse",
		"limt=1": `"limt"`, "limit=1&limit=2": "2 times", "from=%zz": "read query", "format=csv": "csv",
	} {
		wantProblem(t, get(t, at+"/v1/ports/flights/scan?"+query), 400, fault.Invalid, detail)
	}
	wantProblem(t, get(t, at+"/v1/ports/flights/scan", "Accept", "text/csv"), 406, fault.Invalid, "text/csv")
}
