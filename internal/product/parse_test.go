package product

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden problems")

// A bad descriptor ends in comments that say which problems it has.
const golden = "#! "

func TestBadDescriptors(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 100 {
		t.Fatalf("found %d bad descriptors, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text, want, _ := strings.Cut(string(data), golden)
			p, problems := Parse(filepath.Base(file), []byte(text))
			if p != nil || len(problems) == 0 {
				t.Errorf("Parse found nothing wrong")
			}
			var b strings.Builder
			for _, p := range problems {
				fmt.Fprintf(&b, "%s%d:%d %s: %s", golden, p.Line, p.Column, p.Path, p.Message)
				if p.Hint != "" {
					fmt.Fprintf(&b, " | %s", p.Hint)
				}
				b.WriteString("\n")
				if p.File != filepath.Base(file) {
					t.Errorf("problem in file %q", p.File)
				}
			}
			if *update {
				if err := os.WriteFile(file, []byte(text+b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got := b.String(); got != golden+want {
				t.Errorf("got\n%swant\n%s%s", got, golden, want)
			}
		})
	}
}

// goodFiles are the good descriptors by name.
func goodFiles(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d good descriptors, %v", len(files), err)
	}
	good := map[string][]byte{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		good[filepath.Base(file)] = data
	}
	return good
}

func mustParse(t testing.TB, file string, data []byte) *Product {
	t.Helper()
	p, problems := Parse(file, data)
	if err := problems.Err(); err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	return p
}

func TestGoodDescriptors(t *testing.T) {
	for file, data := range goodFiles(t) {
		t.Run(file, func(t *testing.T) {
			p := mustParse(t, file, data)
			written, err := p.YAML()
			if err != nil {
				t.Fatal(err)
			}
			if again := mustParse(t, file, written); !reflect.DeepEqual(again, p) {
				t.Errorf("read %+v\nwrote\n%s\nread %+v", p, written, again)
			}
		})
	}
}

// Every field of a descriptor is in full.yaml, so that all are read and written in tests.
func TestFullIsFull(t *testing.T) {
	l := parse("full.yaml", goodFiles(t)["full.yaml"])
	if err := l.Problems.Err(); err != nil {
		t.Fatal(err)
	}
	written := map[string]bool{}
	for path := range l.marks {
		written[last(path)] = true
	}
	written["compact"], written["interval"], written["file"], written["duplicates"] = true, true, true, true // contradict others there
	seen := map[reflect.Type]bool{reflect.TypeFor[CommandLogic](): true}
	var visit func(reflect.Type)
	visit = func(ty reflect.Type) {
		for ty.Kind() == reflect.Pointer || ty.Kind() == reflect.Slice {
			ty = ty.Elem()
		}
		if ty.Kind() != reflect.Struct || seen[ty] {
			return
		}
		seen[ty] = true
		names, _ := fields(ty)
		for i, name := range names {
			if !written[name] && name != "command" {
				t.Errorf("full.yaml lacks %s.%s", ty.Name(), name)
			}
			visit(ty.Field(i).Type)
		}
	}
	visit(reflect.TypeFor[Product]())
}

func TestDefaults(t *testing.T) {
	p := mustParse(t, "minimal.yaml", goodFiles(t)["minimal.yaml"])
	got := fmt.Sprint(p.Metadata.Status, " ", p.Spec.Storage, " ", p.Spec.Resources)
	if want := "active {10Gi  1000000 10m    false  } {500m 1Gi}"; got != want {
		t.Errorf("defaults are %s, want %s", got, want)
	}
	bucket := mustParse(t, "bucket", []byte(strings.Replace(string(goodFiles(t)["minimal.yaml"]), "spec:", "spec:\n  storage: {bucket: s3://lake/mesh/}", 1)))
	got = fmt.Sprint(bucket.Spec.Storage)
	if want := "{10Gi  1000000 10m s3://lake/mesh/  us-east-1 false " + bucket.Metadata.Name + "-bucket 2Gi}"; got != want {
		t.Errorf("defaults with a bucket are %s, want %s", got, want)
	}
	if name, folder := bucket.BucketFolder(); name != "lake" || folder != "mesh/"+bucket.Metadata.Name {
		t.Errorf("the bucket is %s, the folder %s", name, folder)
	}
	sql := mustParse(t, "batch", []byte(strings.ReplaceAll(batchProduct, "OVER", ""))).Spec.Logic.SQL
	if sql.Mode != ModeBatch || sql.Over != "a" || sql.Interval != 0 {
		t.Errorf("SQL logic in batch mode defaults to %+v", sql)
	}
	sql = mustParse(t, "batch", []byte(strings.ReplaceAll(batchProduct, "OVER", "over: b"))).Spec.Logic.SQL
	if sql.Over != "b" {
		t.Errorf("over = %q, want b", sql.Over)
	}
	sql = mustParse(t, "table", []byte(strings.ReplaceAll(batchProduct, "OVER", "mode: table"))).Spec.Logic.SQL
	if sql.Over != "" || sql.Interval.String() != "1s" {
		t.Errorf("SQL logic in table mode defaults to %+v", sql)
	}
	out := mustParse(t, "batch", []byte(strings.ReplaceAll(batchProduct, "OVER", ""))).Output("c")
	if !out.Schema[0].Required || out.Schema[1].Required {
		t.Errorf("required is %v and %v, want the key column's alone", out.Schema[0].Required, out.Schema[1].Required)
	}
	command := strings.ReplaceAll(strings.ReplaceAll(batchProduct, "sql: {query: SELECT 1, OVER}", "command: {run: [cat]}"), "OVER", "")
	cmd := mustParse(t, "command", []byte(command)).Spec.Logic.Command
	if cmd.BatchSize != 1000 || cmd.Timeout.String() != "30s" {
		t.Errorf("a command defaults to %+v", cmd)
	}
}

const batchProduct = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: c, domain: d, owner: o, version: 1.0.0}
spec:
  inputs: [{name: a, port: a}, {name: b, port: b}]
  logic: {sql: {query: SELECT 1, OVER}}
  outputs: [{name: c, type: state, key: [k], schema: [{name: k, logicalType: string}, {name: v, logicalType: string}]}]
`

func TestHostileInput(t *testing.T) {
	const aliases = "a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n" +
		"c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n" +
		"e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\nf: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]\n"
	for _, c := range []struct{ name, data, want string }{
		{"empty", "", `x:1:1: the file is empty (run meshctl init for one to begin with)`},
		{"blank", " \n\n", `x:1:1: the file is empty (run meshctl init for one to begin with)`},
		{"binary", "a: b\nc\x00d", `x:2:2: byte 0x00 is no text (save the file as UTF-8 text)`},
		{"latin-1", "a: ü\nb: \xfc", `x:2:4: byte 0xfc is no text (save the file as UTF-8 text)`},
		{"utf-16", "\xff\xfea\x00", `x:1:1: byte 0xff is no text (save the file as UTF-8 text)`},
		{"huge", strings.Repeat("a", maxSize+1), `x:1:1: the file is larger than 1048576 bytes`},
		{"text", "hello", `x:1:1: the descriptor must be a mapping, not text`},
		{"deep", strings.Repeat("[", 100) + strings.Repeat("]", 100), `x:1:1: the descriptor must be a mapping, not a list`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, problems := Parse("x", []byte(c.data)); problems.Error() != c.want {
				t.Errorf("got %v\nwant %s", problems, c.want)
			}
		})
	}
	for name, data := range map[string]string{
		"aliases": aliases + "metadata: {labels: {x: *f}}\nspec: {outputs: [{quality: [{mustBe: *f}]}]}\n",
		"nesting": "spec: {outputs: [{quality: [{mustBe: " + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "}]}]}",
		"merges":  "a: &a {<<: [*a, *a, *a, *a]}\nmetadata: *a",
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := Parse("x", []byte(data))
			if !strings.Contains(problems.Error(), "nested too deep or expands to too many values") {
				t.Errorf("got %v", problems)
			}
		})
	}
	t.Run("many problems", func(t *testing.T) {
		_, problems := Parse("x", []byte(strings.Repeat("a:\n", 1000)))
		if len(problems) != maxProblems || !strings.HasSuffix(problems[maxProblems-1].Message, "more problems are not listed") {
			t.Errorf("%d problems, the last %v", len(problems), problems[len(problems)-1])
		}
	})
	t.Run("byte order mark and CRLF", func(t *testing.T) {
		data := strings.ReplaceAll(string(goodFiles(t)["minimal.yaml"]), "\n", "\r\n")
		mustParse(t, "x", []byte("\ufeff"+data))
	})
}

// What looks like another type, or like YAML, is written so that it is read as it was.
func TestAwkwardTexts(t *testing.T) {
	texts := []string{
		"yes", "No", "on", "y", "~", "null", "Null", "true", "TRUE", "<<", "=", "0o17", "017", "0x1F", "0b11", "1_000", "1e3", "+1",
		".5", "5.", ".inf", ".NaN", "NaN", "12:30:45", "190:20:30", "2026-01-01", "2026-01-01T00:00:00Z", "2026-1-1 0:0:0",
		"- a", "? a", ": a", "a: b", "a #b", "#", "&a", "*a", "!a", "|", ">", "%a", "@a", "`a", "{a", "[a", "'", "\"", "---", "...",
		" a", "a ", "a\n", "\na", "a\n\n b\n", "a\tb", "\ta", "a\r\nb", "\r", "\x01", "\x7f", "\u0085", "\u00a0", "\u2028", "\u2029",
		"\ufeff", "a\ufeff", "\ufffd", "😀", "\u200e", strings.Repeat("long words ", 40), strings.Repeat("x", 300), "a\\b",
	}
	p := mustParse(t, "minimal.yaml", goodFiles(t)["minimal.yaml"])
	p.Metadata.Labels = map[string]string{}
	col := &p.Spec.Outputs[0].Schema[0]
	for _, text := range texts {
		if text != "<<" {
			p.Metadata.Labels[text] = text
		}
		p.Metadata.Tags = append(p.Metadata.Tags, "x"+text, text+"x")
		col.Examples = append(col.Examples, text)
	}
	for i, text := range texts {
		p.Metadata.Description, p.Metadata.Owner = text, "o"+text
		col.Options.Pattern = ""
		col.Examples = append(col.Examples[:len(texts)], text)
		written, err := p.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, problems := Parse("x", written)
		if again == nil {
			t.Fatalf("%q: %v\n%s", text, problems[0], written)
		}
		if !reflect.DeepEqual(p, again) {
			t.Errorf("text %d %q comes back otherwise: %+v", i, text, Compare(p, again))
		}
	}
}
