package cli

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/manifest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// testImage is a reference as a person would write it.
const testImage = "registry.example.org/meshctl:0.3.0"

// golden compares text with a golden file, which scripts/manifests judges in its turn.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", "manifests", name+".yaml")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != text {
		t.Errorf("%s is not what it was (-update rewrites it): %s", path, difference(string(want), text))
	}
}

// difference is the first line that differs.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return "\n- " + w[i] + "\n+ " + g[i]
		}
	}
	return "one of them goes on"
}

// ok runs a command that must succeed and is what it writes to stdout.
func ok(t *testing.T, dir string, args ...string) string {
	t.Helper()
	code, out, errs := run(t.Context(), t, dir, args...)
	if code != 0 {
		t.Fatalf("meshctl %s ends with %d: %s", strings.Join(args, " "), code, errs)
	}
	return out
}

// edit replaces text of a file.
func edit(t *testing.T, file, old, text string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(data), old, text, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Every template and every product of the demo makes the manifests that review has
// read, the same bytes each time.
func TestGenerateGoldens(t *testing.T) {
	demo, err := filepath.Abs(filepath.Join("..", "..", "testdata", "demo"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(demo)); err != nil {
		t.Fatal(err)
	}
	for _, template := range []string{"event", "state", "sql", "command", "command-go"} {
		ok(t, dir, "init", template, "--template", template, "--owner", "ada")
	}
	ok(t, dir, "init", "lake", "--template", "event", "--owner", "ada")
	edit(t, filepath.Join(dir, "lake", "dataproduct.yaml"), "spec:\n", "spec:\n  storage: {bucket: s3://lake/mesh, endpoint: \"https://s3.example.org:9000\"}\n")
	ok(t, dir, "init", "flights", "--from", "flights.parquet", "--domain", "aviation", "--owner", "ada")
	ok(t, dir, "init", "airports", "--from", "airports.csv", "--key", "iata", "--domain", "aviation", "--owner", "ada")
	for name, args := range map[string][]string{
		"template-event":      {"generate", "event"},
		"template-state":      {"generate", "state"},
		"template-sql":        {"generate", "sql"},
		"template-command":    {"generate", "command"},
		"template-command-go": {"generate", "command-go"},
		"demo":                {"generate", "flights", "airports", "delays", "-n", "aviation", "--create-namespace"},
		"bucket":              {"generate", "lake"},
		"far-hub":             {"generate", "event", "--hub", "nats-leaf://hub.example.org:443", "--image-pull-policy", "Always", "--image-pull-secret", "registry"},
		"hub":                 {"hub", "generate", "-n", "aviation", "--create-namespace"},
		"hub-of-three":        {"hub", "generate", "--replicas", "3", "--storage", "1Gi", "--storage-class", "fast", "--cpu", "2", "--memory", "1Gi"},
	} {
		t.Run(name, func(t *testing.T) {
			args = append(args, "--image", testImage)
			text := ok(t, dir, args...)
			golden(t, name, text)
			if again := ok(t, dir, args...); again != text {
				t.Errorf("a second run differs: %s", difference(text, again))
			}
		})
	}
	t.Run("every golden is generated", func(t *testing.T) {
		files, err := filepath.Glob(filepath.Join("testdata", "manifests", "*.yaml"))
		if err != nil || len(files) != 10 {
			t.Errorf("%d goldens, %v; want 10", len(files), err)
		}
	})
}

// A folder holds what stdout would, in files that are only ever written over when they
// were generated.
func TestGenerateIntoAFolder(t *testing.T) {
	dir := t.TempDir()
	ok(t, dir, "init", "a", "--owner", "ada")
	ok(t, dir, "init", "b", "--owner", "ada")
	code, out, errs := run(t.Context(), t, dir, "generate", "a", "b", "--image", testImage, "-o", "out", "--create-namespace")
	if code != 0 || out != "" || strings.Count(errs, "wrote out/") != 16 {
		t.Fatalf("%d, stdout %q, stderr\n%s", code, out, errs)
	}
	list := read(t, dir, "out/kustomization.yaml")
	for _, name := range []string{"default-namespace.yaml", "a-statefulset.yaml", "b-headless-service.yaml"} {
		if !strings.Contains(list, "- "+name+"\n") {
			t.Errorf("kustomization.yaml lacks %s:\n%s", name, list)
		}
		if !strings.HasPrefix(read(t, dir, "out/"+name), manifest.Marker) {
			t.Errorf("%s lacks the marker", name)
		}
	}
	_, _, errs = run(t.Context(), t, dir, "generate", "a", "--image", "x:2", "-o", "out")
	for _, want := range []string{"wrote out/a-statefulset.yaml\n", "wrote out/kustomization.yaml\n", "6 files unchanged\n", "out/b-service.yaml is of an earlier run"} {
		if !strings.Contains(errs, want) {
			t.Errorf("the second run does not say %q:\n%s", want, errs)
		}
	}
	if strings.Contains(errs, "wrote out/a-service.yaml") {
		t.Errorf("a file that is the same was written:\n%s", errs)
	}

	mine := filepath.Join(dir, "out", "a-service.yaml")
	if err := os.WriteFile(mine, []byte("# mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := read(t, dir, "out/a-statefulset.yaml")
	code, _, errs = run(t.Context(), t, dir, "generate", "a", "--image", "x:3", "-o", "out")
	if code != exitUsage || !strings.Contains(errs, "out/a-service.yaml") || !strings.Contains(errs, "hint: ") {
		t.Errorf("a foreign file ends with %d: %s", code, errs)
	}
	if read(t, dir, "out/a-service.yaml") != "# mine\n" || read(t, dir, "out/a-statefulset.yaml") != before {
		t.Error("something was written beside a foreign file")
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What cannot be deployed is refused with all there is to say, and nothing on stdout.
func TestGenerateRefuses(t *testing.T) {
	dir := t.TempDir()
	ok(t, dir, "init", "good", "--owner", "ada")
	ok(t, dir, "init", "one", "--owner", "ada")
	ok(t, dir, "init", "two", "--owner", "ada")
	for _, name := range []string{"one", "two"} {
		path := filepath.Join(dir, name, "dataproduct.yaml")
		text := strings.Replace(read(t, dir, name+"/dataproduct.yaml"), "spec:\n", "spec:\n  replicas: 3\n", 1)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"descriptors", []string{"generate", "good", "one", "two", "--image", testImage}, exitNo,
			[]string{"one/dataproduct.yaml:", "two/dataproduct.yaml:", "3 replicas cannot share its log", "hint: leave it out"}},
		{"no folder", []string{"generate", "nowhere", "--image", testImage}, exitUsage, []string{"nowhere"}},
		{"no image", []string{"generate", "good"}, exitUsage, []string{"product good", "--image"}},
		{"latest", []string{"generate", "good", "--image", "example.org/meshctl:latest"}, exitUsage, []string{"latest"}},
		{"no tag", []string{"generate", "good", "--image", "example.org/meshctl"}, exitUsage, []string{"no tag"}},
		{"namespace", []string{"generate", "good", "--image", testImage, "-n", "No_Such"}, exitUsage, []string{`namespace "No_Such"`}},
		{"pull policy", []string{"generate", "good", "--image", testImage, "--image-pull-policy", "Maybe"}, exitUsage, []string{"Maybe"}},
		{"hub", []string{"generate", "good", "--image", testImage, "--hub", "nowhere"}, exitUsage, []string{`"nowhere"`, "nats-leaf://host:port"}},
		{"hub of two", []string{"hub", "generate", "--image", testImage, "--replicas", "2"}, exitUsage, []string{"2 replicas", "1, or 3"}},
		{"hub of none", []string{"hub", "generate", "--image", testImage, "--replicas", "0"}, exitUsage, []string{"replicas"}},
		{"hub without image", []string{"hub", "generate"}, exitUsage, []string{"--image"}},
		{"hub's volume", []string{"hub", "generate", "--image", testImage, "--storage", "big"}, exitUsage, []string{`"big"`}},
		{"hub's memory", []string{"hub", "generate", "--image", testImage, "--memory", ""}, exitUsage, []string{"memory"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, errs := run(t.Context(), t, dir, c.args...)
			if code != c.code || out != "" {
				t.Errorf("ends with %d, want %d; stdout %q, stderr\n%s", code, c.code, out, errs)
			}
			for _, want := range c.says {
				if !strings.Contains(errs, want) {
					t.Errorf("does not say %q:\n%s", want, errs)
				}
			}
		})
	}
}
