package cli

import (
	"os"

	"github.com/meshctl/meshctl/internal/fault"
)

// file is the path of a file to read rows from. It refuses a folder, and a file without a
// byte where that has no columns, before a reader says so in its own words.
func (g *globals) file(path string, mayBeEmpty bool) (string, error) {
	abs := g.Abs(path)
	info, err := os.Stat(abs)
	switch {
	case err != nil: // whoever opens it says so
	case info.IsDir():
		return "", fault.New(fault.Invalid, "name the files in it", "read %s: it is a folder", path)
	case info.Mode().IsRegular() && info.Size() == 0 && !mayBeEmpty:
		return "", fault.New(fault.Invalid, "name a file that has rows, or at least a header", "read %s: it is empty", path)
	}
	return abs, nil
}
