package manifest

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// sameFiles checks that a ConfigMap holds the files.
func sameFiles(t *testing.T, config map[string]any, files map[string][]byte) {
	t.Helper()
	got := map[string][]byte{}
	data, _ := config["data"].(map[string]any)
	for key, v := range data {
		got[pathOf(t, key)] = []byte(v.(string))
	}
	binary, _ := config["binaryData"].(map[string]any)
	for key, v := range binary {
		content, err := base64.StdEncoding.DecodeString(v.(string))
		if err != nil {
			t.Fatal(err)
		}
		got[pathOf(t, key)] = content
	}
	if len(got) != len(files) {
		t.Errorf("%d files, want %d", len(got), len(files))
	}
	for path, want := range files {
		if content, ok := got[path]; !ok || !bytes.Equal(content, want) {
			t.Errorf("file %s is %q, want %q", path, content, want)
		}
	}
}

// pathOf is the inverse of configKey.
func pathOf(t *testing.T, key string) string {
	t.Helper()
	var b strings.Builder
	for i := 0; i < len(key); i++ {
		switch {
		case key[i] != '_':
			b.WriteByte(key[i])
		case key[i+1] == '_':
			b.WriteByte('_')
			i++
		case key[i+1] == '.':
			b.WriteByte('/')
			i++
		default:
			n, err := strconv.ParseUint(key[i+1:i+3], 16, 8)
			if err != nil {
				t.Fatalf("key %q: %v", key, err)
			}
			b.WriteByte(byte(n))
			i += 2
		}
	}
	return b.String()
}

// validKey is what the API server asks of a ConfigMap's key.
var validKey = regexp.MustCompile(`^[-._a-zA-Z0-9]+$`)

func FuzzConfigKey(f *testing.F) {
	for _, path := range []string{"dataproduct.yaml", "a/b.sql", "a_b", "a__b", "a_.b", "..data", ".", "größe.sql", "a b", "_2f", "sub/.x"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if path == "" {
			return
		}
		key := configKey(path)
		if !validKey.MatchString(key) || strings.HasPrefix(key, ".") {
			t.Errorf("%q has the key %q", path, key)
		}
		if back := pathOf(t, key); back != path {
			t.Errorf("%q comes back as %q", path, back)
		}
	})
}

// folder makes a product's folder of these files.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const head = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: p, domain: d, owner: o, version: 1.0.0}
spec:
  inputs: [{name: in, port: other.out}]
  outputs: [{name: out, type: event, schema: [{name: id, logicalType: string}]}]
`

const (
	withSQL     = head + "  logic: {sql: {file: ./sql/logic.sql}}\n"
	withCommand = head + "  logic: {command: {run: [./main]}}\n"
)

func TestProductFiles(t *testing.T) {
	more := map[string]string{
		"sql/logic.sql": "SELECT id FROM \"in\"", "README.md": "about", "main": "#!/bin/sh\n", "lib/a.py": "x", "lib/__pycache__/a.pyc": "y",
		".git/HEAD": "z", ".meshctl/LOCK": "", ".hidden": "h", "lib/.env": "SECRET=1",
	}
	for _, c := range []struct {
		name, descriptor string
		want             []string
	}{
		{"published", strings.Replace(head, "  inputs: [{name: in, port: other.out}]\n", "", 1), []string{"dataproduct.yaml"}},
		{"SQL in a file", withSQL, []string{"dataproduct.yaml", "sql/logic.sql"}},
		{"a program", withCommand, []string{"README.md", "dataproduct.yaml", "lib/a.py", "main", "sql/logic.sql"}},
		{"a program in an image", strings.Replace(withCommand, "spec:\n", "spec:\n  image: example.org/p:1\n", 1), []string{"dataproduct.yaml"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := folder(t, more)
			if err := os.WriteFile(filepath.Join(dir, product.FileName), []byte(c.descriptor), 0o600); err != nil {
				t.Fatal(err)
			}
			files := productFiles(t, dir)
			if got := sortedKeys(files); !slices.Equal(got, c.want) {
				t.Errorf("files %v, want %v", got, c.want)
			}
			if string(files[product.FileName]) != c.descriptor {
				t.Error("the descriptor is not what was written")
			}
		})
	}
}

func productFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files, err := ProductFiles(readValid(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func readValid(t *testing.T, dir string) *product.Loaded {
	t.Helper()
	l, err := product.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Problems.Err(); err != nil {
		t.Fatal(err)
	}
	return l
}

// The pod finds the descriptor under the usual name, whatever its file is called here.
func TestDescriptorOfAnotherName(t *testing.T) {
	dir := folder(t, map[string]string{"p.yaml": withSQL, "sql/logic.sql": "SELECT 1 AS id"})
	files := productFiles(t, filepath.Join(dir, "p.yaml"))
	if got := sortedKeys(files); !slices.Equal(got, []string{"dataproduct.yaml", "sql/logic.sql"}) {
		t.Errorf("files %v", got)
	}
}

func TestFilesThatDoNotFit(t *testing.T) {
	many := map[string]string{product.FileName: withCommand}
	for i := range maxConfigFiles {
		many["f"+strconv.Itoa(i)] = ""
	}
	for name, files := range map[string]map[string]string{
		"a large file":   {product.FileName: withCommand, "main": strings.Repeat("x", maxConfigBytes+1)},
		"together large": {product.FileName: withCommand, "main": strings.Repeat("x", maxConfigBytes-1)},
		"many files":     many,
		"a long path":    {product.FileName: withCommand, strings.Repeat("größe/", 20) + "f": ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ProductFiles(readValid(t, folder(t, files)))
			if fault.KindOf(err) != fault.Invalid || !strings.Contains(fault.HintOf(err), "image") {
				t.Errorf("%v (hint %q)", err, fault.HintOf(err))
			}
		})
	}
}

// A link may lead to a file of the folder and nowhere else.
func TestLinks(t *testing.T) {
	dir := folder(t, map[string]string{product.FileName: withCommand, "main": "x"})
	if err := os.Symlink("main", filepath.Join(dir, "inside")); err != nil {
		t.Fatal(err)
	}
	if files := productFiles(t, dir); string(files["inside"]) != "x" {
		t.Errorf("a link within the folder is %q", files["inside"])
	}
	secret := folder(t, map[string]string{"secret": "s"})
	if err := os.Symlink(filepath.Join(secret, "secret"), filepath.Join(dir, "outside")); err != nil {
		t.Fatal(err)
	}
	if files, err := ProductFiles(readValid(t, dir)); err == nil {
		t.Errorf("a link out of the folder is %q", files["outside"])
	}
}

// Product does not take paths that would be mounted elsewhere.
func TestPathsBelowTheFolder(t *testing.T) {
	p, files := descriptor(t)
	for _, path := range []string{"../x", "/etc/passwd", "a/../../x", "a//b", "./a", ".."} {
		files[path] = []byte("x")
		if _, err := Product(p, files, Options{Namespace: "mesh", Image: testImage}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s is taken: %v", path, err)
		}
		delete(files, path)
	}
	if _, err := Product(p, nil, Options{Namespace: "mesh", Image: testImage}); err == nil {
		t.Error("a product without descriptor is taken")
	}
}
