package render_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"sigs.k8s.io/yaml"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/render"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
	}
}

var schema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64},
	{Name: "name", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "amount", Type: &arrow.Decimal128Type{Precision: 38, Scale: 2}, Nullable: true},
	{Name: "ratio", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "at", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
	{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
	{Name: "yes/no", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	{Name: "name", Type: arrow.BinaryTypes.String, Nullable: true},
}, nil)

// answer is rows of schema: common values, hostile ones, nulls, wide characters.
func answer(t *testing.T) arrow.RecordBatch {
	t.Helper()
	return batchOf(t, schema, `[
		[1, "Atlanta", "19.90", 0.5, "2026-03-14T15:09:26.5Z", ["a","b"], true, "plain"],
		[9223372036854775807, "東京 😀", "999999999999999999999999999999999999.99", -1e-9, "1969-12-31T23:59:59Z", [], false, "no"],
		[-3, "a,b \"quoted\"\nline | <b>", "-0.05", 1e300, "2026-01-01T00:00:00Z", ["x\u001b[2J"], null, " padded "],
		[4, "\u001b]0;owned\u0007\u202etxt\u0085", null, null, null, null, null, null],
		[5, "", "0", 0, "2026-01-01T00:00:00Z", [null,""], true, "NULL"]
	]`)
}

// batchOf makes a batch of rows, which are arrays in the order of the schema.
func batchOf(t *testing.T, schema *arrow.Schema, rows string) arrow.RecordBatch {
	t.Helper()
	var cells [][]json.RawMessage
	if err := json.Unmarshal([]byte(rows), &cells); err != nil {
		t.Fatal(err)
	}
	columns := make([]arrow.Array, schema.NumFields())
	for c, f := range schema.Fields() {
		var values []json.RawMessage
		for _, row := range cells {
			values = append(values, row[c])
		}
		text, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		if columns[c], _, err = array.FromJSON(memory.DefaultAllocator, f.Type, bytes.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	return array.NewRecordBatch(schema, columns, int64(len(cells)))
}

// written is the batches in a format.
func written(t *testing.T, o render.Options, batches ...arrow.RecordBatch) (out []byte, truncated bool) {
	t.Helper()
	var b bytes.Buffer
	w := render.NewWriter(&b, batches[0].Schema(), o)
	for _, batch := range batches {
		if err := w.Write(batch); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), w.Truncated()
}

var texts = []render.Format{render.Table, render.Wide, render.JSON, render.YAML, render.JSONL, render.CSV, render.Markdown}

func TestFormats(t *testing.T) {
	for _, f := range texts {
		batch := answer(t)
		got, truncated := written(t, render.Options{Format: f}, batch)
		golden(t, "answer."+string(f), got)
		if truncated {
			t.Errorf("%s was truncated", f)
		}
		parts, _ := written(t, render.Options{Format: f}, batch.NewSlice(0, 2), batch.NewSlice(2, 2), batch.NewSlice(2, 5))
		if !bytes.Equal(parts, got) {
			t.Errorf("%s in three batches differs:\n%s", f, parts)
		}
		empty, _ := written(t, render.Options{Format: f}, batch.NewSlice(0, 0))
		golden(t, "empty."+string(f), empty)
	}
}

func TestTableFits(t *testing.T) {
	got, truncated := written(t, render.Options{Width: 80}, answer(t))
	golden(t, "narrow.table", got)
	if !truncated {
		t.Error("nothing was said about what was cut")
	}
	wide, truncated := written(t, render.Options{Format: render.Wide, Width: 80, MaxRows: 1}, answer(t))
	if full, _ := written(t, render.Options{}, answer(t)); !bytes.Equal(wide, full) || truncated {
		t.Errorf("wide was cut: %s", wide)
	}
	exactly := 0
	for line := range strings.Lines(string(wide)) {
		exactly = max(exactly, len([]rune(line)))
	}
	if same, truncated := written(t, render.Options{Width: exactly + 10}, answer(t)); !bytes.Equal(same, wide) || truncated {
		t.Errorf("a table that fits was cut: %s", same)
	}
}

func TestColour(t *testing.T) {
	got, _ := written(t, render.Options{Color: true}, answer(t))
	golden(t, "colour.table", got)
	plain, _ := written(t, render.Options{}, answer(t))
	bare := strings.NewReplacer("\x1b[1m", "", "\x1b[2m", "", "\x1b[0m", "").Replace(string(got))
	if bare != string(plain) {
		t.Errorf("colour changed more than colour:\n%s", bare)
	}
}

func TestMaxRows(t *testing.T) {
	batch := answer(t)
	for rows, cut := range map[int]bool{2: true, 5: false, 9: false} {
		got, truncated := written(t, render.Options{MaxRows: rows}, batch.NewSlice(0, 1), batch.NewSlice(1, 5))
		if lines := bytes.Count(got, []byte("\n")); lines != 1+min(rows, 5) || truncated != cut {
			t.Errorf("MaxRows %d: %d lines, truncated %v", rows, lines, truncated)
		}
	}
}

// A long table flows: its first rows settle the widths, nothing is lost.
func TestLongTable(t *testing.T) {
	numbers := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}, {Name: "s", Type: arrow.BinaryTypes.String}}, nil)
	short := batchOf(t, numbers, "["+strings.Repeat(`[1,"x"],`, 1200)+`[1,"x"]]`)
	long := batchOf(t, numbers, `[[1234567,"y"]]`)
	got, _ := written(t, render.Options{}, short, long)
	want := "N  S\n" + strings.Repeat("1  x\n", 1201) + "1234567  y\n"
	if string(got) != want {
		t.Errorf("%d bytes, want %d: …%s", len(got), len(want), got[max(0, len(got)-60):])
	}
}

func TestNull(t *testing.T) {
	one := arrow.NewSchema([]arrow.Field{{Name: "s", Type: arrow.BinaryTypes.String}}, nil)
	batch := batchOf(t, one, `[[null],["-"],[""]]`)
	for want, o := range map[string]render.Options{
		"S\n-\n-\n\n":                                 {Null: "-"},
		"s\n-\n\"-\"\n\"\"\n":                         {Null: "-", Format: render.CSV},
		"s\n\"\"\n-\n\"\"\n":                          {Format: render.CSV},
		"| s |\n| --- |\n| ? |\n| - |\n|  |\n":        {Null: "?", Format: render.Markdown},
		"{\"s\":null}\n{\"s\":\"-\"}\n{\"s\":\"\"}\n": {Null: "?", Format: render.JSONL},
	} {
		if got, _ := written(t, o, batch); string(got) != want {
			t.Errorf("%+v: %q, want %q", o, got, want)
		}
	}
}

// What JSON, YAML, CSV and Arrow hold is read back by their own readers.
func TestReadBack(t *testing.T) {
	batch := answer(t)
	jsonText, _ := written(t, render.Options{Format: render.JSON}, batch)
	var fromJSON, fromYAML []map[string]any
	if err := json.Unmarshal(jsonText, &fromJSON); err != nil || len(fromJSON) != 5 {
		t.Fatalf("%d rows, %v", len(fromJSON), err)
	}
	if fromJSON[1]["name"] != "東京 😀" || fromJSON[1]["name_2"] != "no" {
		t.Errorf("row 1 is %v", fromJSON[1])
	}
	yamlText, _ := written(t, render.Options{Format: render.YAML}, batch)
	if err := yaml.Unmarshal(yamlText, &fromYAML); err != nil || !reflect.DeepEqual(fromJSON, fromYAML) {
		t.Errorf("%v\nYAML %v\nJSON %v", err, fromYAML, fromJSON)
	}
	csvText, _ := written(t, render.Options{Format: render.CSV}, batch)
	rows, err := csv.NewReader(bytes.NewReader(csvText)).ReadAll()
	if err != nil || len(rows) != 6 || rows[3][1] != "a,b \"quoted\"\nline | <b>" || rows[3][7] != " padded " || rows[4][1] != "\x1b]0;owned\a\u202etxt\u0085" {
		t.Errorf("%v: %q", err, rows)
	}
	stream, _ := written(t, render.Options{Format: render.Arrow}, batch, batch)
	r, err := ipc.NewReader(bytes.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	n := 0
	for ; r.Next(); n++ {
		if !array.RecordEqual(r.RecordBatch(), batch) {
			t.Error("Arrow came back changed")
		}
	}
	if n != 2 || r.Err() != nil {
		t.Errorf("%d batches, %v", n, r.Err())
	}
	var b bytes.Buffer
	if err := render.NewWriter(&b, schema, render.Options{Format: render.Arrow}).Close(); err != nil || b.Len() == 0 {
		t.Errorf("an empty stream has no schema: %v", err)
	}
}

func TestParseFormat(t *testing.T) {
	for _, name := range render.Formats() {
		if f, err := render.ParseFormat(name); err != nil || string(f) != name {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
	for alias, want := range map[string]render.Format{"ndjson": render.JSONL, "md": render.Markdown, "yml": render.YAML} {
		if f, err := render.ParseFormat(alias); err != nil || f != want {
			t.Errorf("%s: %v, %v", alias, f, err)
		}
	}
	_, err := render.ParseFormat("xml")
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(fault.HintOf(err), "table, wide, json, yaml, jsonl, csv, markdown, arrow") {
		t.Errorf("%v, hint %q", err, fault.HintOf(err))
	}
	w := render.NewWriter(&bytes.Buffer{}, schema, render.Options{Format: "xml"})
	if fault.KindOf(w.Write(answer(t))) != fault.Invalid || fault.KindOf(w.Close()) != fault.Invalid {
		t.Error("an unknown format is written")
	}
}

var errFull = errors.New("disk full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWriteError(t *testing.T) {
	for _, f := range append(texts, render.Arrow) {
		w := render.NewWriter(full{}, schema, render.Options{Format: f})
		if err := errors.Join(w.Write(answer(t)), w.Close()); !errors.Is(err, errFull) {
			t.Errorf("%s: %v", f, err)
		}
	}
}

// A numbered name must not take the place of a column that bears it already.
func TestSameNames(t *testing.T) {
	var fields []arrow.Field
	for _, name := range []string{"a", "a", "a_2", "a", "a_2"} {
		fields = append(fields, arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int64})
	}
	got, _ := written(t, render.Options{Format: render.JSONL}, batchOf(t, arrow.NewSchema(fields, nil), `[[1,2,3,4,5]]`))
	if want := `{"a":1,"a_3":2,"a_2":3,"a_4":4,"a_2_2":5}` + "\n"; string(got) != want {
		t.Errorf("got %s", got)
	}
}
