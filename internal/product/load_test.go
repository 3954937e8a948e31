package product

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/fault"
)

const fileProduct = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: c, domain: d, owner: o, version: 1.0.0}
spec:
  inputs: [{name: a, port: a}]
  logic: {sql: {file: sql/logic.sql}}
  outputs: [{name: c, type: event, schema: [{name: k, logicalType: string}]}]
`

// write makes a folder of files, and is its path.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoad(t *testing.T) {
	dir := write(t, map[string]string{FileName: fileProduct, "sql/logic.sql": "SELECT 1"})
	for _, path := range []string{dir, filepath.Join(dir, FileName)} {
		p, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if p.Metadata.Name != "c" {
			t.Errorf("loaded %+v", p)
		}
		if text, err := p.Spec.Logic.SQL.Text(dir); text != "SELECT 1" || err != nil {
			t.Errorf("the statement is %q, %v", text, err)
		}
	}
}

func TestLoadProblems(t *testing.T) {
	dir := write(t, map[string]string{FileName: strings.Replace(fileProduct, "kind: DataProduct", "kind: Pod", 1)})
	p, err := Load(dir)
	var problems Problems
	if p != nil || fault.KindOf(err) != fault.Invalid || !errors.As(err, &problems) || len(problems) != 2 {
		t.Fatalf("Load is %v, %v", p, err)
	}
	file := filepath.Join(dir, FileName)
	want := file + ":2:7: kind \"Pod\" is not known (write DataProduct)\n" +
		file + ":6:23: file sql/logic.sql does not exist (name a file in the product's folder)"
	if err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestLoadNothing(t *testing.T) {
	for _, path := range []string{t.TempDir(), filepath.Join(t.TempDir(), "nowhere")} {
		if _, err := Load(path); fault.KindOf(err) != fault.NotFound || !errors.Is(err, fs.ErrNotExist) || fault.HintOf(err) == "" {
			t.Errorf("Load(%s): %v", path, err)
		}
	}
}

// The statement's file is not read from outside the folder, not even by a link.
func TestLoadLinkOutside(t *testing.T) {
	outside := write(t, map[string]string{"logic.sql": "SELECT 1"})
	dir := write(t, map[string]string{FileName: fileProduct, "sql/other.sql": " "})
	link := filepath.Join(dir, "sql", "logic.sql")
	if err := os.Symlink(filepath.Join(outside, "logic.sql"), link); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "escapes") {
		t.Errorf("a link that leads outside: %v", err)
	}
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("other.sql", link); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "file sql/logic.sql is empty") {
		t.Errorf("an empty statement: %v", err)
	}
}

func TestReadSet(t *testing.T) {
	sound := write(t, map[string]string{FileName: fileProduct, "sql/logic.sql": "SELECT 1"})
	broken := write(t, map[string]string{FileName: strings.NewReplacer("metadata: {name: c,", "metadata: {name: a,", "kind: DataProduct", "kind: Pod", "port: a}", "port: z}").Replace(fileProduct), "sql/logic.sql": "SELECT 1"})
	all, err := ReadSet([]string{sound, broken}, nil)
	var problems Problems
	if len(all) != 2 || !errors.As(err, &problems) || len(problems) != 2 {
		t.Fatalf("ReadSet is %d products, %v", len(all), err)
	}
	if problems[0].Path != "kind" || problems[1].Path != "spec.inputs[0].port" || problems[1].File != filepath.Join(broken, FileName) {
		t.Errorf("got %v", problems)
	}
	if _, err := ReadSet([]string{sound}, func(id PortID) bool { return id == PortID{Product: "a", Port: "a", Major: 1} }); err != nil {
		t.Errorf("with a known port: %v", err)
	}
	if _, err := ReadSet([]string{sound, t.TempDir()}, nil); fault.KindOf(err) != fault.NotFound {
		t.Errorf("with a folder without a descriptor: %v", err)
	}
}
