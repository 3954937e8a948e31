package scaffold

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/fault"
)

func TestWriteMakesAFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "above", "new")
	tree := Tree{"a": []byte("1"), "b/c": []byte("2")}
	if err := tree.Write(dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range tree {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != string(want) {
			t.Errorf("%s holds %q, %v", name, got, err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestWriteFillsAnEmptyFolder(t *testing.T) {
	dir := t.TempDir()
	if err := (Tree{"a": nil}).Write(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "a")); err != nil {
		t.Error(err)
	}
}

func TestWriteNeverOverwrites(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"mine1", "mine2", "mine3", "mine4", "mine5", "mine6"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := Tree{"mine1": []byte("yours"), "other": nil}.Write(dir)
	if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "mine1") || !strings.Contains(err.Error(), "and 1 more") {
		t.Errorf("err = %v", err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "mine1")); err != nil || string(got) != "mine" {
		t.Errorf("mine1 holds %q, %v", got, err)
	}
	file := filepath.Join(dir, "mine1")
	if err := (Tree{"a": nil}).Write(file); fault.KindOf(err) != fault.Conflict {
		t.Errorf("over a file: %v", err)
	}
}

func TestWriteLeavesNothingBehind(t *testing.T) {
	parent := t.TempDir()
	tree := Tree{"a": []byte("a file"), "a/b": []byte("cannot be below it")}
	if err := tree.Write(filepath.Join(parent, "new")); err == nil {
		t.Fatal("a file below a file was written")
	}
	entries, err := os.ReadDir(parent)
	if err != nil {
		t.Fatal(err)
	}
	if names := slices.Collect(func(yield func(string) bool) {
		for _, e := range entries {
			if !yield(e.Name()) {
				return
			}
		}
	}); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}
