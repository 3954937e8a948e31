package durable_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/meshctl/meshctl/internal/durable"
)

func TestReplaceKeepsTheOldFileWhenItFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	torn := errors.New("torn")
	for i, content := range []string{"old", "torn"} {
		err := durable.Replace(path, true, func(w io.Writer) error {
			_, err := io.WriteString(w, content)
			return errors.Join(err, []error{nil, torn}[i])
		})
		if (err != nil) != (i == 1) {
			t.Fatal(err)
		}
	}
	expect(t, path, "old")
}

func TestWriteMakesTheFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "f")
	for _, content := range []string{"longer than the next", "new"} {
		if err := durable.Write(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, path, "new")
}

// expect wants the file to hold content, and nothing beside it.
func expect(t *testing.T, path, content string) {
	t.Helper()
	got, err := os.ReadFile(path)
	left, globErr := filepath.Glob(path + "*")
	if err != nil || globErr != nil || string(got) != content || len(left) != 1 {
		t.Fatalf("%q, files %q, %v", got, left, err)
	}
}
