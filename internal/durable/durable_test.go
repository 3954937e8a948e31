package durable_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

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

func TestDigest(t *testing.T) {
	sum, size, err := durable.Digest(strings.NewReader("abc"))
	if want := "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; sum != want || size != 3 || err != nil {
		t.Errorf("Digest = %s, %d, %v; want %s", sum, size, err, want)
	}
	check, err := durable.Checksum(strings.NewReader("123456789")) // the check value that CRC-32C is published with
	if want := "e3069283"; check != want || err != nil {
		t.Errorf("Checksum = %s, %v; want %s", check, err, want)
	}
	broken := errors.New("broken")
	if check, err := durable.Checksum(iotest.ErrReader(broken)); check != "" || !errors.Is(err, broken) {
		t.Errorf("Checksum of what breaks = %q, %v", check, err)
	}
	if sum, _, err := durable.Digest(iotest.ErrReader(broken)); sum != "" || !errors.Is(err, broken) {
		t.Errorf("Digest of what breaks = %q, %v", sum, err)
	}
}
