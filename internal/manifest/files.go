package manifest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// ProductFiles reads those files of a product's folder that it runs with, by slash
// paths: the descriptor, the file of its SQL and, where a program makes its records and
// no image of its own holds that, everything that is not hidden. Files beyond what a
// ConfigMap holds are a fault that says to build them into an image. A link that leads
// out of the folder is not followed.
func ProductFiles(l *product.Loaded) (map[string][]byte, error) {
	p := l.Product
	root, err := os.OpenRoot(l.Dir)
	if err != nil {
		return nil, fmt.Errorf("read product %s: %w", p.Metadata.Name, err)
	}
	defer root.Close()
	descriptor, err := os.ReadFile(l.File)
	if err != nil {
		return nil, fmt.Errorf("read product %s: %w", p.Metadata.Name, err)
	}
	files := map[string][]byte{}
	switch logic := p.Spec.Logic; {
	case logic == nil:
	case logic.SQL != nil && logic.SQL.File != "":
		name := filepath.ToSlash(filepath.Clean(logic.SQL.File))
		files[name], err = root.ReadFile(logic.SQL.File)
	case logic.Command != nil && p.Spec.Image == "":
		err = readAll(root, files)
	}
	if err != nil {
		return nil, fmt.Errorf("read product %s: %w", p.Metadata.Name, err)
	}
	files[product.FileName] = descriptor
	return files, checkConfig(p.Metadata.Name, files)
}

// readAll reads every file of the folder that is not hidden, until they are too much.
func readAll(root *os.Root, files map[string][]byte) error {
	size := int64(0)
	return fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(d.Name(), ".") && path != "."
		if d.IsDir() {
			if hidden || d.Name() == "__pycache__" {
				return fs.SkipDir
			}
			return nil
		}
		if hidden {
			return nil
		}
		info, err := root.Stat(path)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fault.New(fault.Invalid, "take it away, or build the folder into an image and name that as spec.image", "%s is not a file", path)
		}
		if size += info.Size(); size > maxConfigBytes { // before much is read
			return fault.New(fault.Invalid, "build the folder into an image and name that as spec.image",
				"its files take more than the %d KiB that a ConfigMap holds", maxConfigBytes>>10)
		}
		files[path], err = root.ReadFile(path)
		return err
	})
}
