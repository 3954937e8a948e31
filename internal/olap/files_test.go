package olap

import (
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/meshctl/meshctl/internal/fault"
)

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".gz") {
		z := gzip.NewWriter(f)
		if _, err := z.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	} else if _, err := f.WriteString(content); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func readAll(t *testing.T, path string, o ReadOptions) []string {
	t.Helper()
	rows, err := ReadFile(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	return drain(t, rows)
}

func TestFilesOfEveryFormatAreRead(t *testing.T) {
	const objects = `{"id":"007","n":1}` + "\n" + `{"id":"b","n":2}` + "\n"
	for name, content := range map[string]string{
		"a.csv":          "id,n\n007,1\nb,2\n",
		"a.csv.gz":       "id,n\n007,1\nb,2\n",
		"a.tsv":          "id\tn\n007\t1\nb\t2\n",
		"semi.csv":       "id;n\n007;1\nb;2\n",
		"we[i]rd *?.csv": "id,n\n007,1\nb,2\n",
		"a.ndjson":       objects,
		"a.jsonl.gz":     objects,
		"a.json":         `[{"id":"007","n":1}, {"id":"b","n":2}]`,
		"stream.json":    `{"id":"007","n":1} {"id":"b",` + "\n" + `"n":2}`,
	} {
		t.Run(name, func(t *testing.T) {
			equal(t, "rows", readAll(t, write(t, name, content), ReadOptions{}), []string{"007|1", "b|2"})
			equal(t, "the second row", readAll(t, write(t, name, content), ReadOptions{Skip: 1}), []string{"b|2"})
			equal(t, "beyond the end", len(readAll(t, write(t, name, content), ReadOptions{Skip: 9})), 0)
		})
	}
	equal(t, "objects", readAll(t, write(t, "a.json", `[{"id": 1.0}, {"x":"2001/01/01"}]`), ReadOptions{Objects: true}), []string{`{"id": 1.0}`, `{"x":"2001/01/01"}`})
}

func TestOrderAndSkipAreExactInALongFile(t *testing.T) {
	var csv strings.Builder
	csv.WriteString("n,text\n")
	const n = 300_000
	for i := range n {
		fmt.Fprintf(&csv, "%d,row %d\n", i, i)
	}
	path := write(t, "long.csv", csv.String())
	const skipped = 123_457
	got := readAll(t, path, ReadOptions{Skip: skipped})
	if len(got) != n-skipped {
		t.Fatalf("%d rows; want %d", len(got), n-skipped)
	}
	for i, line := range got {
		if want := fmt.Sprintf("%d|row %d", i+skipped, i+skipped); line != want {
			t.Fatalf("row %d is %s; want %s", i, line, want)
		}
	}
}

// TestCellsThatDoNotFitKeepTheirText reads each text as a type.
func TestCellsThatDoNotFitKeepTheirText(t *testing.T) {
	at := &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	for _, c := range []struct {
		t       arrow.DataType
		fits    map[string]string
		misfits []string
	}{
		{arrow.PrimitiveTypes.Int64, map[string]string{"7": "7", "-12": "-12", "007": "7", "3.0": "3"}, []string{"1.5", "abc", "1e3", "9223372036854775808", "0x10"}},
		{arrow.PrimitiveTypes.Float64, map[string]string{"1.5": "1.5", "1e3": "1000"}, []string{"abc", "nan", "inf", "1e999", "1,5"}},
		{&arrow.Decimal128Type{Precision: 6, Scale: 2}, map[string]string{"1.5": "1.5", "1.250": "1.25", "-3": "-3"}, []string{"1.239", "12345.00", "x"}},
		{arrow.FixedWidthTypes.Boolean, map[string]string{"true": "true", "FALSE": "false"}, []string{"maybe", "2"}},
		{arrow.FixedWidthTypes.Date32, map[string]string{"2001-01-31": "2001-01-31", "2001/01/31": "2001-01-31"}, []string{"2001-02-30", "2001-01-31 10:00:00", "soon"}},
		{at, map[string]string{"2001/01/01 00:47": "2001-01-01T00:47:00Z", "2001-01-01T00:47:00+02:00": "2000-12-31T22:47:00Z"}, []string{"2001-13-01 00:00", "soon"}},
		{arrow.FixedWidthTypes.Time64us, map[string]string{"12:30:00": "12:30:00.000000"}, []string{"25:00:00"}},
		{arrow.BinaryTypes.String, map[string]string{"007": "007", " a ": " a ", "NULL": "NULL"}, nil},
		{arrow.ListOf(arrow.PrimitiveTypes.Int64), map[string]string{"[1, 2]": "[1,2]"}, []string{"[x"}},
	} {
		want := arrow.NewSchema([]arrow.Field{{Name: "v", Type: c.t}}, nil)
		var texts, expected []string
		for text, value := range c.fits {
			texts, expected = append(texts, text), append(expected, value)
		}
		for _, text := range c.misfits {
			texts, expected = append(texts, text), append(expected, text)
		}
		content := "i,v\n"
		for i, text := range texts {
			content += fmt.Sprintf("%d,\"%s\"\n", i, text)
		}
		rows, err := ReadFile(t.Context(), write(t, "v.csv", content), ReadOptions{Columns: want})
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; ; {
			rec, err := rows.Next(t.Context())
			if err != nil {
				if ended(err) != nil || i != len(texts) {
					t.Fatalf("%s: %d of %d rows: %v", c.t, i, len(texts), err)
				}
				break
			}
			for j := range int(rec.NumRows()) {
				typ := c.t
				if i >= len(c.fits) {
					typ = arrow.BinaryTypes.String
				}
				if got := rec.Column(1); got.ValueStr(j) != expected[i] || !arrow.TypeEqual(got.DataType(), typ) {
					t.Errorf("%q as %s is %s, a %s; want %s, a %s", texts[i], c.t, got.ValueStr(j), got.DataType(), expected[i], typ)
				}
				i++
			}
			rec.Release()
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEmptyCells(t *testing.T) {
	want := arrow.NewSchema([]arrow.Field{{Name: "s", Type: arrow.BinaryTypes.String}, {Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil)
	got := readAll(t, write(t, "e.csv", "s,n\na,1\n,\n\"\",\"\"\n"), ReadOptions{Columns: want})
	equal(t, "rows", got, []string{"a|1", "(null)|(null)", "|(null)"})
}

func TestInfer(t *testing.T) {
	path := write(t, "shop.csv", "zip,n,price,at,day,mixed,gap,phone\n"+
		"01234,1,1.5,2001/01/01 00:47,2026-01-01,1,,+41791234567\n"+
		"80000,2,2,2001/01/02 10:00,2026-01-02,x,,+41791234568\n"+
		"80000,3,2.5,2001/01/03 11:00,2026-01-03,3,z,+41791234569\n")
	columns, rows, err := Infer(t.Context(), path)
	if err != nil || rows != 3 {
		t.Fatalf("Infer = %d rows, %v", rows, err)
	}
	var got []string
	for _, c := range columns {
		got = append(got, fmt.Sprintf("%s %s %t %d %q", c.Name, c.Type, c.Nullable, c.Distinct, c.Sample))
	}
	want := []string{
		`zip utf8 false 2 ["01234" "80000"]`,
		`n int64 false 3 ["1" "2" "3"]`,
		`price float64 false 3 ["1.5" "2" "2.5"]`,
		`at timestamp[us, tz=UTC] false 3 ["2001/01/01 00:47" "2001/01/02 10:00" "2001/01/03 11:00"]`,
		`day date32 false 3 ["2026-01-01" "2026-01-02" "2026-01-03"]`,
		`mixed utf8 false 3 ["1" "x" "3"]`,
		`gap utf8 true 1 ["z"]`,
		`phone utf8 false 3 ["+41791234567" "+41791234568" "+41791234569"]`,
	}
	equal(t, "columns", strings.Join(got, "\n"), strings.Join(want, "\n"))
}

func TestInferJSON(t *testing.T) {
	path := write(t, "o.json", `[{"id":"007","n":1,"o":{"a":[1,2]},"m":1},{"id":"b","n":2,"o":{"a":[]},"m":"x","late":true}]`)
	columns, rows, err := Infer(t.Context(), path)
	if err != nil || rows != 2 {
		t.Fatalf("Infer = %d rows, %v", rows, err)
	}
	var got []string
	for _, c := range columns {
		got = append(got, fmt.Sprintf("%s %s %t", c.Name, c.Type, c.Nullable))
	}
	equal(t, "columns", got, []string{"id utf8 false", "n int64 false", "o struct<a: list<item: int64, nullable> nullable> false", "m utf8 false", "late bool true"})
}

func TestFilesThatAreNot(t *testing.T) {
	for path, kind := range map[string]fault.Kind{
		"nosuch.csv":           fault.NotFound,
		write(t, "a.xyz", "x"): fault.Invalid,
		write(t, "broken.json", `{"a":1} nonsense`): fault.Invalid,
		write(t, "broken.parquet", `nonsense`):      fault.Invalid,
	} {
		rows, err := ReadFile(t.Context(), path, ReadOptions{})
		if err == nil {
			_, err = rows.Next(t.Context())
			if err := rows.Close(); err != nil {
				t.Error(err)
			}
		}
		if fault.KindOf(err) != kind {
			t.Errorf("%s: %v (%v); want %v", path, err, fault.KindOf(err), kind)
		}
	}
}
