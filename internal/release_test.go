package internal_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// A release's binaries are built as scripts/build builds them, and the files that it
// names exist. Whether the file is valid is for "goreleaser check", in scripts/check.
func TestReleaseIsBuiltAsScriptsBuildDoes(t *testing.T) {
	text, err := os.ReadFile("../.goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type build struct {
		ID            string
		Tags, LDFlags []string
	}
	var release struct {
		Before   struct{ Hooks []string }
		Builds   []build
		Archives []struct {
			Files []struct{ Src string }
		}
	}
	if err := yaml.Unmarshal(text, &release); err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("../scripts/build")
	if err != nil {
		t.Fatal(err)
	}
	linux := slices.IndexFunc(release.Builds, func(b build) bool { return b.ID == "linux" })
	if linux < 0 {
		t.Fatal("no build for linux")
	}
	b := release.Builds[linux]
	if tags := "tags=" + strings.Join(b.Tags, ","); !strings.Contains(string(script), tags+"\n") {
		t.Errorf("scripts/build has no %s", tags)
	}
	flags := strings.Join(b.LDFlags, " ")
	for _, part := range strings.SplitAfter(flags, "-w") {
		if part == "" || !strings.Contains(string(script), part) {
			t.Errorf("scripts/build has no %q of %q", part, flags)
		}
	}
	for _, hook := range release.Before.Hooks {
		if name := strings.Fields(hook)[0]; strings.HasPrefix(name, "scripts/") {
			exists(t, name)
		}
	}
	for _, a := range release.Archives {
		for _, f := range a.Files {
			if !strings.HasPrefix(f.Src, "bin/release/") { // made by scripts/release-files
				exists(t, f.Src)
			}
		}
	}
}

func exists(t *testing.T, name string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join("..", name)); err != nil {
		t.Error(err)
	}
}
