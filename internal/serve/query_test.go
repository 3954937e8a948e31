package serve

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/meshctl/meshctl/internal/fault"
)

const (
	marks  = `{"flights.flights":{"seq":42,"time":"2026-03-01T12:00:00Z"}}`
	asJSON = "application/json; charset=utf-8"
)

func ask(t *testing.T, at, sql, accept string) reply {
	t.Helper()
	return get(t, at+"/v1/query?sql="+url.QueryEscape(sql), "Accept", accept)
}

// mediaOf is the answer's type; text says besides that it is UTF-8.
func mediaOf(r reply) string {
	full := r.Header.Get("Content-Type")
	media, ok := strings.CutSuffix(full, "; charset=utf-8")
	if ok != strings.HasPrefix(media, "text/") {
		return full + " with the wrong charset"
	}
	return media
}

func TestQueryAsJSON(t *testing.T) {
	at := serveFake(t, newFake(), Options{})
	r := ask(t, at, "rows 3", "*/*")
	rows := parse[Rows](t, r)
	if want := []Field{{Name: "n", Type: "int64"}, {Name: "text", Type: "utf8", Nullable: true}}; !reflect.DeepEqual(rows.Schema, want) {
		t.Errorf("schema = %+v; want %+v", rows.Schema, want)
	}
	if len(rows.Rows) != 3 || rows.Rows[2]["n"] != 2.0 || rows.Rows[1]["text"] != nil || rows.More || rows.Millis != 1.5 || rows.Watermarks["flights.flights"].Seq != 42 {
		t.Errorf("rows = %s", r.body)
	}
	if r.Header.Get("Vary") != "Accept" || r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Content-Type") != mediaJSON {
		t.Errorf("headers = %v", r.Header)
	}
	if r := ask(t, at, "rows 0", mediaJSON); !strings.Contains(r.body, `"rows":[]`) {
		t.Errorf("no rows = %s", r.body)
	}
	if rows := parse[Rows](t, get(t, at+"/v1/query?limit=2&sql=rows+3")); len(rows.Rows) != 2 || !rows.More {
		t.Errorf("two of three rows = %+v", rows)
	}
}

func TestQueryAsRows(t *testing.T) {
	at := serveFake(t, newFake(), Options{})
	const cell = `a, "b" <c> | xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx`
	for media, check := range map[string]func(text string) error{
		mediaNDJSON: func(text string) error {
			lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
			var last map[string]any
			if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(lines) != 3 || last["text"] != cell {
				return fmt.Errorf("%d lines, last %v, %w", len(lines), last, err)
			}
			return nil
		},
		mediaCSV: func(text string) error {
			got, err := csv.NewReader(strings.NewReader(text)).ReadAll()
			if want := [][]string{{"n", "text"}, {"0", cell}, {"1", ""}, {"2", cell}}; err != nil || !reflect.DeepEqual(got, want) {
				return fmt.Errorf("%q, %w", got, err)
			}
			return nil
		},
		mediaArrow: func(text string) error {
			in, err := ipc.NewReader(strings.NewReader(text))
			if err != nil {
				return err
			}
			defer in.Release()
			var got []string
			for in.Next() {
				b := in.RecordBatch()
				got = append(got, b.Column(0).(*array.Int64).String(), b.Column(1).ValueStr(0))
			}
			if want := []string{"[0]", cell, "[1]", "(null)", "[2]", cell}; in.Err() != nil || !reflect.DeepEqual(got, want) {
				return fmt.Errorf("%q, %w", got, in.Err())
			}
			return nil
		},
		mediaMarkdown: func(text string) error {
			if lines := strings.Split(strings.TrimSpace(text), "\n"); len(lines) != 5 || !strings.Contains(lines[0], "| text") {
				return errors.New(text)
			}
			return nil
		},
	} {
		r := ask(t, at, "rows 3", media)
		if err := check(r.body); err != nil || r.err != nil || r.StatusCode != 200 || mediaOf(r) != media {
			t.Errorf("%s: %d %v: %v, %v", media, r.StatusCode, r.Header, err, r.err)
		}
		if w, c, m := r.Trailer.Get(headerWatermark), r.Trailer.Get(headerCount), r.Trailer.Get(headerMore); w != marks || c != "3" || m != "false" {
			t.Errorf("%s: trailers %s, %s, %s", media, w, c, m)
		}
		if r := do(t, http.MethodPost, at+"/v1/query?limit=1", `{"sql":"rows 3"}`, "Accept", media, "Content-Type", asJSON); r.Trailer.Get(headerMore) != "true" {
			t.Errorf("%s: limit is not announced: %v", media, r.Trailer)
		}
	}
}

func TestQueryNegotiates(t *testing.T) {
	at := serveFake(t, newFake(), Options{})
	for accept, want := range map[string]string{
		"":                                mediaJSON,
		"*/*":                             mediaJSON,
		"text/*":                          mediaCSV,
		"text/csv, */*":                   mediaCSV,
		"text/csv;q=0.5, text/markdown":   mediaMarkdown,
		"application/json;q=0, */*;q=0.1": mediaNDJSON,
		"TEXT/CSV ; q=1.0":                mediaCSV,
		"text/html,application/xhtml+xml,*/*;q=0.8": mediaJSON,
		"application/vnd.apache.arrow.stream":       mediaArrow,
	} {
		if r := ask(t, at, "rows 1", accept); r.StatusCode != 200 || mediaOf(r) != want {
			t.Errorf("Accept %q = %d %s; want %s", accept, r.StatusCode, r.Header.Get("Content-Type"), want)
		}
	}
	for _, accept := range []string{"image/png", "text/csv;q=0", "*/*;q=0", "json", "text/csv;q=2"} {
		wantProblem(t, ask(t, at, "rows 1", accept), 406, fault.Invalid, accept)
	}
	if r := get(t, at+"/v1/query?format=markdown&sql=rows+1", "Accept", "image/png"); mediaOf(r) != mediaMarkdown {
		t.Errorf("format=markdown = %d %v", r.StatusCode, r.Header)
	}
}

func TestQueryAsks(t *testing.T) {
	f := newFake()
	asked := func() QueryRequest {
		last := f.queries[len(f.queries)-1]
		if !strings.HasPrefix(last.Caller, "http 127.0.0.1:") {
			t.Errorf("the caller is %q", last.Caller)
		}
		last.Caller = ""
		return last
	}
	at := serveFake(t, f, Options{})
	args := map[string]any{"i": int64(9007199254740993), "f": 1.5, "s": "x", "b": true, "z": nil, "l": []any{int64(1), "y"}}
	const text = `{"i":9007199254740993,"f":1.5,"s":"x","b":true,"z":null,"l":[1,"y"]}`
	want := QueryRequest{SQL: "rows 1", Args: args, Limit: 7}
	body := `{"sql":"rows 1","limit":7,"args":` + text + `}`
	for _, r := range []reply{
		do(t, http.MethodPost, at+"/v1/query", body, "Content-Type", asJSON),
		do(t, http.MethodPost, at+"/v1/ports/legs/query", body, "Content-Type", asJSON),
		get(t, at+"/v1/query?sql=rows+1&limit=7&args="+url.QueryEscape(text)),
	} {
		if got := asked(); r.StatusCode != 200 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s %s = %d %s, asked %#v", r.Request.Method, r.Request.URL, r.StatusCode, r.body, got)
		}
	}
	r := do(t, http.MethodPost, at+"/v1/query?limit=2", "rows 3", "Content-Type", mediaSQL)
	if got := asked(); r.StatusCode != 200 || !reflect.DeepEqual(got, QueryRequest{SQL: "rows 3", Limit: 2}) {
		t.Errorf("statement as body = %d %s, asked %+v", r.StatusCode, r.body, got)
	}
}

func TestQueryRefuses(t *testing.T) {
	at := serveFake(t, newFake(), Options{})
	for _, tt := range []struct {
		body, media string
		status      int
		detail      string
	}{
		{`{"sql":""}`, asJSON, 400, "no statement"},
		{`{"sql":"rows 1","limit":-1}`, asJSON, 400, "limit"},
		{`{"sql":"rows 1","timeoutMillis":-1}`, asJSON, 400, "timeoutMillis"},
		{`{"sql":"rows 1","limits":1}`, asJSON, 400, "limits"},
		{`{"sql":"rows 1"} {}`, asJSON, 400, "more after"},
		{`{"sql":"rows 1","args":{"a":1e999}}`, asJSON, 400, "argument a"},
		{`[]`, asJSON, 400, "read body"},
		{``, asJSON, 400, "read body"},
		{`sql=rows+1`, "application/x-www-form-urlencoded", 415, "x-www-form-urlencoded"},
		{`{"sql":"rows 1"}`, "text/plain", 415, "text/plain"},
		{`{"sql":"rows 1"}`, "", 415, `""`},
		{`{"sql":"` + strings.Repeat("x", maxBody) + `"}`, asJSON, 413, "1048576"},
	} {
		r := do(t, http.MethodPost, at+"/v1/query", tt.body, "Content-Type", tt.media)
		wantProblem(t, r, tt.status, fault.Invalid, tt.detail)
	}
	if r := do(t, http.MethodPost, at+"/v1/query", `{"sql":"rows 1"}`+strings.Repeat(" ", maxBody-16), "Content-Type", asJSON); r.StatusCode != 200 {
		t.Errorf("a body of just %d bytes = %d %s", maxBody, r.StatusCode, r.body)
	}
	r := ask(t, at, "rows many", "")
	wantProblem(t, r, 422, fault.Rejected, "parser error")
	if p := parse[Problem](t, r); p.Hint != "say rows N" {
		t.Errorf("hint = %q", p.Hint)
	}
	wantProblem(t, get(t, at+"/v1/query"), 400, fault.Invalid, `"sql" is missing`)
	wantProblem(t, get(t, at+"/v1/query?sql=rows+1&args=7"), 400, fault.Invalid, "args")
	wantProblem(t, do(t, http.MethodPost, at+"/v1/ports/x/query", `{"sql":"rows 1"}`, "Content-Type", asJSON), 404, fault.NotFound, "no port")
}

// An answer that fails early is a problem; one that fails late is a broken connection.
func TestTruncationIsNeverSilent(t *testing.T) {
	f := newFake()
	for i := range 2000 {
		f.add("flights", fmt.Sprint(i), `{"text":"`+strings.Repeat("x", 100)+`"}`)
	}
	f.add("flights", "BROKEN", "")
	f.add("legs", "BROKEN", "")
	at := serveFake(t, f, Options{})
	for _, media := range []string{mediaJSON, mediaNDJSON, mediaCSV, mediaArrow, mediaMarkdown} {
		wantProblem(t, ask(t, at, "break after 2", media), 500, fault.Internal, errBroken.Error())
		r := ask(t, at, "break after 5000", media)
		if r.StatusCode != 200 || !errors.Is(r.err, io.ErrUnexpectedEOF) || r.Trailer.Get(headerCount) != "" {
			t.Errorf("%s: %d, %d bytes, error %v; want an unexpected end", media, r.StatusCode, len(r.body), r.err)
		}
	}
	for _, media := range []string{mediaJSON, mediaNDJSON} {
		wantProblem(t, get(t, at+"/v1/ports/legs/scan", "Accept", media), 500, fault.Internal, errBroken.Error())
		r := get(t, at+"/v1/ports/flights/scan?limit=0", "Accept", media)
		if r.StatusCode != 200 || len(r.body) == 0 || !errors.Is(r.err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %d, %d bytes, error %v; want an unexpected end", media, r.StatusCode, len(r.body), r.err)
		}
	}
}
