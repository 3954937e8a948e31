package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/meshctl/meshctl/internal/fault"
)

// Write makes dir with the files of t in it. A folder that has anything in it is a
// Conflict and stays as it is; so does everything when a file cannot be written.
func (t Tree) Write(dir string) (err error) {
	if err := free(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("make the folder above %s: %w", dir, err)
	}
	// A sibling, so that the rename stays on one file system and is atomic.
	staged, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+"-*")
	if err != nil {
		return fmt.Errorf("make folder %s: %w", dir, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(staged))
		}
	}()
	for _, name := range t.Names() {
		file := filepath.Join(staged, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return fmt.Errorf("make folder of %s: %w", name, err)
		}
		if err := os.WriteFile(file, t[name], 0o644); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	if err := os.Chmod(staged, 0o755); err != nil {
		return fmt.Errorf("make folder %s: %w", dir, err)
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) { // takes an empty folder only
		return fmt.Errorf("replace the empty folder %s: %w", dir, err)
	}
	if err := os.Rename(staged, dir); err != nil {
		return fmt.Errorf("make folder %s: %w", dir, err)
	}
	return nil
}

// free says that dir may be made: it does not exist, or is an empty folder.
func free(dir string) error {
	const hint = "choose another name, or move the folder away; nothing was changed"
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if info, statErr := os.Lstat(dir); statErr == nil && !info.IsDir() {
		return fault.New(fault.Conflict, hint, "make folder %s: a file or link of that name exists", dir)
	}
	if err != nil {
		return fmt.Errorf("make folder %s: %w", dir, err)
	}
	if len(entries) == 0 {
		return nil
	}
	const most = 5
	var names []string
	for _, e := range entries[:min(len(entries), most)] {
		names = append(names, e.Name())
	}
	if more := len(entries) - most; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return fault.New(fault.Conflict, hint, "make folder %s: it exists and holds %s", dir, strings.Join(names, ", "))
}
