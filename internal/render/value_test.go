package render_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/render"
)

type item struct {
	Name  string   `json:"name"`
	Lag   int64    `json:"lag"`
	Ports []string `json:"ports,omitempty"`
}

func items() []item {
	return []item{{"flights", 9007199254740993, []string{"<flights>"}}, {"air|ports", 0, nil}, {"東", 12, nil}}
}

func table(list []item) func() ([]string, [][]string) {
	return func() (header []string, rows [][]string) {
		for _, i := range list {
			rows = append(rows, []string{i.Name, map[bool]string{true: "12", false: "0.5"}[i.Lag > 0], ""})
		}
		return []string{"name", "lag", "note"}, rows
	}
}

func TestValue(t *testing.T) {
	for _, f := range texts {
		var list, none, single bytes.Buffer
		if err := errors.Join(
			render.Value(&list, f, items(), table(items())),
			render.Value(&none, f, []item(nil), table(nil)),
			render.Value(&single, f, items()[0], table(items()[:1])),
		); err != nil {
			t.Fatal(err)
		}
		golden(t, "list."+string(f), list.Bytes())
		golden(t, "none."+string(f), none.Bytes())
		golden(t, "single."+string(f), single.Bytes())
	}
}

// On a terminal, what has no room is left out from the right, and said to be; no number
// is halved.
func TestValueFitsTheTerminal(t *testing.T) {
	header := []string{"port", "records", "description", "owner", "note"}
	rows := [][]string{{"flights.flights", "12345678", "Every departure of 2001", "operations", "long ago"}}
	for width, want := range map[int]string{
		80: "PORT              RECORDS  DESCRIPTION              OWNER       NOTE\nflights.flights  12345678  Every departure of 2001  operations  long ago\n",
		50: "PORT       RECORDS  DESCRIP…  OWNER     NOTE\nflights…  12345678  Every d…  operati…  long ago\n",
		32: "PORT       RECORDS  DESCRIP…  …\nflights…  12345678  Every d…  …\n",
		12: "PORT       …\nflights.…  …\n",
		4:  "…  …\n…  …\n",
	} {
		var b bytes.Buffer
		cut, err := render.ValueFor(&b, render.Options{Format: render.Table, Width: width}, nil, func() ([]string, [][]string) { return header, rows })
		if err != nil || b.String() != want || cut != (width < 80) {
			t.Errorf("width %d: %v, cut %v\n%s", width, err, cut, b.String())
		}
	}
	var b bytes.Buffer
	if cut, err := render.ValueFor(&b, render.Options{Format: render.Wide, Width: 10}, nil, func() ([]string, [][]string) { return header, rows }); cut || err != nil {
		t.Errorf("wide is cut: %v, %s", err, b.String())
	}
}

// Names may come from another team's product; no format lets them drive a terminal.
func TestHostileValue(t *testing.T) {
	evil := []item{{Name: "\x1b[2J\u009b\u202e\u007f"}}
	for _, f := range []render.Format{render.JSON, render.JSONL, render.YAML} {
		var b bytes.Buffer
		if err := render.Value(&b, f, evil, nil); err != nil {
			t.Fatal(err)
		}
		if bytes.ContainsAny(b.Bytes(), "\x1b\u009b\u202e\u007f") {
			t.Errorf("%s: %q", f, b.Bytes())
		}
		var back []item
		read := json.Unmarshal
		text := b.Bytes()
		switch f {
		case render.YAML:
			read = func(b []byte, v any) error { return yaml.Unmarshal(b, v) }
		case render.JSONL:
			text = append(append([]byte("["), text...), ']')
		}
		if err := read(text, &back); err != nil || len(back) != 1 || back[0].Name != evil[0].Name {
			t.Errorf("%s: %+v, %v", f, back, err)
		}
	}
	for _, f := range []render.Format{render.Table, render.Wide, render.Markdown} {
		var b bytes.Buffer
		if err := render.Value(&b, f, evil, table(evil)); err != nil || bytes.ContainsAny(b.Bytes(), "\x1b\u009b\u202e\u007f") {
			t.Errorf("%s: %q, %v", f, b.Bytes(), err)
		}
	}
}

func TestValueRefuses(t *testing.T) {
	var b bytes.Buffer
	for _, f := range []render.Format{render.Arrow, "xml"} {
		if err := render.Value(&b, f, items(), table(items())); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", f, err)
		}
	}
	for _, f := range texts {
		if err := render.Value(full{}, f, items(), table(items())); !errors.Is(err, errFull) {
			t.Errorf("%s: %v", f, err)
		}
	}
	for _, f := range []render.Format{render.JSON, render.JSONL, render.YAML} {
		if err := render.Value(&b, f, func() {}, nil); err == nil {
			t.Errorf("%s: a function was written", f)
		}
	}
}
