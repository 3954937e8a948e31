package image

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/meshctl/meshctl/internal/binary"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// What a product's folder may hold. It is code and configuration; data comes by publishing.
const (
	maxFolderBytes = 1 << 30
	maxFolderFiles = 100_000
)

// folder is a product's folder as it goes into an image: sorted, without what version
// control and meshctl itself keep in it.
type folder struct {
	dir   string
	root  *os.Root
	files []found
	size  int64
}

// found is a file, folder or link below the product's folder, by its slashed path.
type found struct {
	name string
	info fs.FileInfo
	link string
}

// openFolder finds what goes into an image. Nothing outside of dir is ever read.
func openFolder(dir string, omit []string) (*folder, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "name a folder that holds "+product.FileName, "open product: %w", err)
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "name the product's folder", "open product: %w", err)
	}
	t := &folder{dir: dir, root: root}
	left := map[string]bool{}
	for _, o := range omit {
		if rel, ok := t.inside(o); ok {
			left[rel] = true
		}
	}
	if err := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fault.New(fault.Invalid, "make it readable", "read product's folder: %w", err)
		case name == ".":
			return nil
		case left[name], kept(name):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		return t.add(name, d)
	}); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return t, nil
}

// kept says whether something is kept for version control or by meshctl while it runs.
func kept(name string) bool {
	switch path.Base(name) {
	case ".git", ".hg", ".svn":
		return true
	}
	return name == ".meshctl" || name == ".meshctl-hub"
}

// inside is a path's name in the folder, if it is in there, through whatever links.
func (t *folder) inside(file string) (string, bool) {
	dir, err := filepath.EvalSymlinks(t.dir)
	if err != nil {
		return "", false
	}
	if parent, err := filepath.EvalSymlinks(filepath.Dir(file)); err == nil {
		file = filepath.Join(parent, filepath.Base(file))
	}
	rel, err := filepath.Rel(dir, file)
	if err != nil || !filepath.IsLocal(rel) || rel == "." {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

func (t *folder) add(name string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return fmt.Errorf("read product's folder: %w", err)
	}
	f := found{name: name, info: info}
	refuse := func(hint, format string, args ...any) error {
		return fault.New(fault.Invalid, hint, "%s: %s", filepath.Join(t.dir, name), fmt.Sprintf(format, args...))
	}
	switch mode := info.Mode(); {
	case !utf8.ValidString(name):
		return refuse("rename it", "its name is not UTF-8")
	case mode.IsRegular():
		t.size += info.Size()
	case mode.IsDir():
	case mode&fs.ModeSymlink != 0:
		if f.link, err = t.target(name); err != nil {
			return refuse("put the file itself into the folder, or into a base image", "%v", err)
		}
	default:
		return refuse("take it out of the folder", "it is %s; an image takes files, folders and links", kindOf(mode))
	}
	if t.size > maxFolderBytes {
		return refuse("publish data as records, and put large programs into a base image",
			"with it the folder holds %d MB; an image takes %d", t.size>>20, maxFolderBytes>>20)
	}
	if t.files = append(t.files, f); len(t.files) > maxFolderFiles {
		return refuse("put what the logic needs into a base image", "the folder holds more than %d files", maxFolderFiles)
	}
	return nil
}

// target is where a link leads, which must be something in the folder.
func (t *folder) target(name string) (string, error) {
	to, err := t.root.Readlink(name)
	if err != nil {
		return "", err
	}
	if filepath.IsAbs(to) || !filepath.IsLocal(filepath.Join(path.Dir(name), to)) {
		return "", fmt.Errorf("it is a link to %s, outside of the folder", to)
	}
	if _, err := t.root.Stat(name); err != nil {
		return "", fmt.Errorf("it is a link to %s, which leads nowhere in the folder", to)
	}
	return filepath.ToSlash(to), nil
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeDevice != 0:
		return "a device"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "of mode " + mode.String()
}

// product is the descriptor in the folder, which must be valid.
func (t *folder) product() (*product.Product, error) {
	p, err := product.Load(t.dir)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// checkCommand finds that an image FROM scratch cannot run the product's program.
func (t *folder) checkCommand(p *product.Product, arch string) error {
	if p.Spec.Logic == nil || p.Spec.Logic.Command == nil {
		return nil
	}
	program := p.Spec.Logic.Command.Run[0]
	hint := fmt.Sprintf("name a base image that has %s, such as --base docker.io/library/debian:12", path.Base(program))
	if !strings.Contains(program, "/") {
		return fault.New(fault.Invalid, hint, "the logic runs %s, which an image from scratch does not have", program)
	}
	if filepath.IsAbs(program) {
		return fault.New(fault.Invalid, hint, "the logic runs %s, which is not in the product's folder", program)
	}
	f, err := t.root.Open(program)
	if err != nil {
		return fault.New(fault.Invalid, "build the program first", "the logic runs %s: %w", program, err)
	}
	defer f.Close()
	if err := binary.Static(f, arch); err != nil {
		return fault.New(fault.Invalid, "link it statically for linux/"+arch+", or name a base image with --base",
			"the logic runs %s, and an image from scratch cannot: %w", program, err)
	}
	return nil
}

// write adds the folder at ProductDir. All of it belongs to root and is open to read;
// of modes, whether a file is executable is kept.
func (t *folder) write(e *entries) error {
	if err := e.folder(ProductDir[1:], 0o755, 0); err != nil {
		return err
	}
	for _, f := range t.files {
		if err := t.writeOne(e, f); err != nil {
			return err
		}
	}
	return nil
}

func (t *folder) writeOne(e *entries, f found) error {
	name := path.Join(ProductDir[1:], f.name)
	switch {
	case f.info.IsDir():
		return e.folder(name, 0o755, 0)
	case f.link != "":
		return e.link(name, f.link)
	}
	file, err := t.root.Open(f.name)
	if err != nil {
		return fault.New(fault.Invalid, "make it readable", "read product's folder: %w", err)
	}
	defer file.Close()
	mode := int64(0o644)
	if f.info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	return e.file(name, mode, f.info.Size(), io.LimitReader(file, f.info.Size()+1))
}
