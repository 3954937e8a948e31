package binary

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
)

func TestDuckDBVersion(t *testing.T) {
	for driver, want := range map[string]string{"v2.10505.0": "v1.5.5", "v2.20100.3": "v2.1.0", "v2.5.0": "", "devel": ""} {
		if got := DuckDBVersion(driver); got != want {
			t.Errorf("DuckDBVersion(%q) = %q, want %q", driver, got, want)
		}
	}
}

// built is a small program that calls itself meshctl.
func built(t *testing.T, env ...string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module github.com/meshctl/meshctl\n\ngo 1.24\n", "cmd/meshctl/main.go": "package main\n\nfunc main() {}\n",
	} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "meshctl")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", path, "./cmd/meshctl")
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// A binary for another processor is read as well as one's own.
func TestOpenForAnotherPlatform(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		b, err := Open(built(t, "GOOS=linux", "GOARCH="+arch))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.CheckStatic(); err != nil || b.Build.Platform != "linux/"+arch || b.Arch() != arch || b.Build.Go != runtime.Version() {
			t.Errorf("%+v: %v", b.Build, err)
		}
		f, err := os.Open(b.Path)
		if err != nil {
			t.Fatal(err)
		}
		other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[arch]
		if err := Static(f, other); err == nil {
			t.Errorf("a program for %s is one for %s", arch, other)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStaticRefusesWhatIsNoProgram(t *testing.T) {
	for _, text := range []string{"", "#!/bin/sh\necho\n", "\x7fELF", strings.Repeat("x", 100)} {
		if err := Static(strings.NewReader(text), "amd64"); !errors.Is(err, ErrNotLinux) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	self, err := os.Executable() // built by Go, and no meshctl
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(self); fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "" {
		t.Errorf("the test itself: %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "nothing")); fault.KindOf(err) != fault.NotFound {
		t.Errorf("nothing: %v", err)
	}
}

// withParts is a binary whose linker recorded what meshctl's does.
func withParts(t *testing.T) *Binary {
	t.Helper()
	b, err := Open(built(t, "GOOS=linux", "GOARCH=amd64"))
	if err != nil {
		t.Fatal(err)
	}
	b.info = &debug.BuildInfo{
		GoVersion: b.info.GoVersion, Path: b.info.Path, Main: debug.Module{Path: "github.com/meshctl/meshctl", Version: "v1.2.3+dirty"}, Settings: b.info.Settings,
		Deps: []*debug.Module{
			{Path: duckDBDriver, Version: "v2.10505.0", Sum: "h1:abc="},
			{Path: "github.com/docker/cli", Version: "v29.7.2+incompatible"},
			{Path: "example.com/old", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/new", Version: "v1.0.1"}},
		},
	}
	b.Build = buildOf(b.info)
	return b
}

// The document has what SPDX 2.3 requires, and nothing in it refers to what is not there.
func TestSPDXIsComplete(t *testing.T) {
	b := withParts(t)
	text, err := b.SPDX(time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.SPDX(time.Unix(0, 0))
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("the same binary gives other bytes (%v)", err)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	creation, _ := doc["creationInfo"].(map[string]any)
	if doc["spdxVersion"] != "SPDX-2.3" || doc["dataLicense"] != "CC0-1.0" || doc["SPDXID"] != "SPDXRef-DOCUMENT" ||
		creation["created"] != "1970-01-01T00:00:00Z" || len(creation["creators"].([]any)) == 0 {
		t.Errorf("the head is %v", doc)
	}
	if namespace, _ := doc["documentNamespace"].(string); !regexp.MustCompile(`^https://\S+-[0-9a-f]{64}$`).MatchString(namespace) || strings.Contains(namespace, "#") {
		t.Errorf("namespace %q", namespace)
	}
	ids, locators := checkPackages(t, doc["packages"].([]any))
	described := 0
	for _, r := range doc["relationships"].([]any) {
		r := r.(map[string]any)
		if from, to := r["spdxElementId"].(string), r["relatedSpdxElement"].(string); !ids[from] && from != documentID || !ids[to] {
			t.Errorf("%s %s %s: nothing is called so", from, r["relationshipType"], to)
		}
		if r["relationshipType"] == "DESCRIBES" {
			described++
		}
	}
	if described != 1 {
		t.Errorf("%d packages are described", described)
	}
	for _, want := range []string{
		"pkg:golang/github.com/meshctl/meshctl@v1.2.3%2Bdirty", "pkg:golang/stdlib@" + strings.TrimPrefix(runtime.Version(), "go"), "pkg:github/duckdb/duckdb@v1.5.5",
		"pkg:golang/github.com/duckdb/duckdb-go/v2@v2.10505.0", "pkg:golang/github.com/docker/cli@v29.7.2%2Bincompatible", "pkg:golang/example.com/new@v1.0.1",
	} {
		if !locators[want] {
			t.Errorf("%s is missing in %v", want, locators)
		}
	}
}

// checkPackages checks that packages have what is required, and is their identifiers and locators.
func checkPackages(t *testing.T, packages []any) (ids, locators map[string]bool) {
	t.Helper()
	ids, locators = map[string]bool{}, map[string]bool{}
	valid := regexp.MustCompile(`^SPDXRef-[A-Za-z0-9.-]+$`)
	for _, p := range packages {
		p := p.(map[string]any)
		id, _ := p["SPDXID"].(string)
		if !valid.MatchString(id) || ids[id] {
			t.Errorf("identifier %q is wrong or there twice", id)
		}
		ids[id] = true
		for _, field := range []string{"name", "downloadLocation", "licenseConcluded", "licenseDeclared", "copyrightText"} {
			if s, _ := p[field].(string); s == "" {
				t.Errorf("%s has no %s", id, field)
			}
		}
		if p["filesAnalyzed"] != false {
			t.Errorf("%s does not say that its files were not analysed", id)
		}
		for _, r := range p["externalRefs"].([]any) {
			locators[r.(map[string]any)["referenceLocator"].(string)] = true
		}
	}
	return ids, locators
}
