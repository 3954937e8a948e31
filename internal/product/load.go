package product

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/meshctl/meshctl/internal/fault"
)

// maxSize is the largest descriptor, in bytes.
const maxSize = 1 << 20

// Loaded is a descriptor as it was read, with everything that is wrong with it.
type Loaded struct {
	File     string   // the descriptor's path
	Dir      string   // its folder, the product's
	Product  *Product // with defaults; as much of it as could be read, nil if nothing
	Problems Problems
	marks    marks
}

// Load reads the descriptor in folder dir; dir may also be the path of the file
// itself. An error over its content is a fault of kind Invalid that wraps Problems.
func Load(dir string) (*Product, error) {
	l, err := Read(dir)
	if err != nil {
		return nil, err
	}
	if err := l.Problems.Err(); err != nil {
		return nil, err
	}
	return l.Product, nil
}

// Parse reads a descriptor; file is the name that problems bear. The product is nil
// when there are problems. Parse touches no file, so it does not know whether a file
// that the descriptor names is there; Load and Read do.
func Parse(file string, data []byte) (*Product, Problems) {
	l := parse(file, data)
	if len(l.Problems) > 0 {
		return nil, l.Problems
	}
	return l.Product, nil
}

// Read is Load for a caller that goes on when there are problems. Its error says only
// that the file could not be read.
func Read(dir string) (*Loaded, error) {
	file := dir
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		file = filepath.Join(dir, FileName)
	}
	data, err := readFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "name a folder that holds "+FileName+", or make one with meshctl init", "read descriptor: %w", err)
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "", "read descriptor: %w", err)
	}
	l := parse(file, data)
	l.checkFiles()
	return l, nil
}

// ReadSet reads several products that are to run in one mesh and checks them one by
// one and together; known is that of ValidateSet. The error wraps all their problems.
func ReadSet(dirs []string, known func(PortID) bool) ([]Loaded, error) {
	var all []Loaded
	var problems Problems
	for _, dir := range dirs {
		l, err := Read(dir)
		if err != nil {
			return nil, err
		}
		all = append(all, *l)
		problems = append(problems, l.Problems...)
	}
	problems = append(problems, ValidateSet(all, known)...)
	return all, problems.Err()
}

// readFile reads one byte more than maxSize at most, so that parse can tell.
func readFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxSize+1))
}

// Text is the statement, read from its file in the product's folder dir if need be. A
// link that leads out of the folder is not followed.
func (s *SQLLogic) Text(dir string) (string, error) {
	if s.File == "" {
		return s.Query, nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", fmt.Errorf("read SQL logic: %w", err)
	}
	defer root.Close()
	data, err := root.ReadFile(s.File)
	if err != nil {
		return "", fmt.Errorf("read SQL logic: %w", err)
	}
	return string(data), nil
}

// checkFiles finds what the descriptor names in the product's folder and is not there.
func (l *Loaded) checkFiles() {
	if l.Product == nil || l.Product.Spec.Logic == nil || l.Product.Spec.Logic.SQL == nil {
		return
	}
	sql := l.Product.Spec.Logic.SQL
	if sql.File == "" || !filepath.IsLocal(sql.File) {
		return // a rule complains of the latter
	}
	text, err := sql.Text(l.Dir)
	at := l.marks.of("spec.logic.sql.file")
	p := Problem{File: l.File, Line: at.line, Column: at.column, Path: "spec.logic.sql.file"}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.Message, p.Hint = fmt.Sprintf("file %s does not exist", sql.File), "name a file in the product's folder"
	case err != nil:
		p.Message = err.Error()
	case strings.TrimSpace(text) == "":
		p.Message, p.Hint = fmt.Sprintf("file %s is empty", sql.File), "write a SELECT whose columns are the output's"
	default:
		return
	}
	l.Problems = append(l.Problems, p).limit()
}
