// Package binary is a meshctl executable as a file: what it was made of, where it runs,
// and whether it needs anything of the system that it runs on.
//
// All of it is read from the file; nothing is executed, so a binary for another platform
// is judged as well as one's own.
package binary

import (
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"strings"

	"github.com/meshctl/meshctl/internal/fault"
)

// Binary is a meshctl executable.
type Binary struct {
	Path  string
	Build Build
	info  *debug.BuildInfo
}

// Open reads what the executable says of itself. A file that is no meshctl is a fault of
// kind Invalid.
func Open(path string) (*Binary, error) {
	info, err := buildinfo.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.New(fault.NotFound, "", "read binary: %w", err)
	case errors.Is(err, fs.ErrPermission):
		return nil, fault.New(fault.Invalid, "make the file readable", "read binary: %w", err)
	case err != nil:
		return nil, fault.New(fault.Invalid, notMeshctl, "read binary %s: it was not built by Go", path)
	case !strings.HasSuffix(info.Path, "/cmd/meshctl"):
		return nil, fault.New(fault.Invalid, notMeshctl, "read binary %s: it is %s", path, info.Path)
	}
	return &Binary{Path: path, Build: buildOf(info), info: info}, nil
}

const notMeshctl = "name a meshctl that scripts/build or a release made"

// Arch is the processor that the binary is for, as Go names it.
func (b *Binary) Arch() string {
	_, arch, _ := strings.Cut(b.Build.Platform, "/")
	return arch
}

// ErrDynamic is what a binary is that needs the system's loader and libraries.
var ErrDynamic = errors.New("it is linked dynamically")

// ErrNotLinux is what a file is that Linux cannot execute by itself.
var ErrNotLinux = errors.New("it is no Linux executable")

// CheckStatic tells why the binary cannot run where nothing else is installed: it is
// not for Linux, or it is linked dynamically. The error is a fault of kind Invalid.
func (b *Binary) CheckStatic() error {
	const hint = `name a static Linux binary with --binary, such as a release's or scripts/build's on Linux`
	if !strings.HasPrefix(b.Build.Platform, "linux/") {
		return fault.New(fault.Invalid, hint, "%s is for %s: %w", b.Path, b.Build.Platform, ErrNotLinux)
	}
	f, err := os.Open(b.Path)
	if err != nil {
		return fault.New(fault.Invalid, "make the file readable", "read binary: %w", err)
	}
	defer f.Close()
	if err := Static(f, b.Arch()); err != nil {
		return fault.New(fault.Invalid, hint, "%s cannot run in an image: %w", b.Path, err)
	}
	return nil
}

// Static tells why a program cannot run on a bare Linux kernel of that
// architecture, or nil.
func Static(program io.ReaderAt, arch string) error {
	f, err := elf.NewFile(program)
	if err != nil {
		var format *elf.FormatError
		if errors.As(err, &format) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return ErrNotLinux
		}
		return err
	}
	if f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN {
		return ErrNotLinux
	}
	if want, ok := machines[arch]; ok && f.Machine != want {
		return errors.New("it is for another processor than " + arch)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return ErrDynamic
		}
	}
	return nil
}

// machines are the processors that DuckDB's libraries exist for.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
