package image

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/meshctl/meshctl/internal/binary"
	"github.com/meshctl/meshctl/internal/fault"
)

func TestRefusedFolders(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(t *testing.T, dir string) error
		want string
	}{
		{"absolute link", func(_ *testing.T, dir string) error { return os.Symlink("/etc/passwd", filepath.Join(dir, "x")) }, "x: it is a link to /etc/passwd, outside"},
		{"link up and out", func(_ *testing.T, dir string) error { return os.Symlink("../../etc", filepath.Join(dir, "x")) }, "outside"},
		{"link out in steps", func(t *testing.T, dir string) error {
			write(t, dir, map[string]string{"a/b/c": ""})
			return os.Symlink("b/../../../x", filepath.Join(dir, "a", "x"))
		}, "outside"},
		{"link to nothing", func(_ *testing.T, dir string) error { return os.Symlink("nothing", filepath.Join(dir, "x")) }, "leads nowhere"},
		{"link to itself", func(_ *testing.T, dir string) error { return os.Symlink("x", filepath.Join(dir, "x")) }, "leads nowhere"},
		{"named pipe", func(_ *testing.T, dir string) error { return syscall.Mkfifo(filepath.Join(dir, "x"), 0o600) }, "it is a named pipe"},
		{"socket", func(t *testing.T, dir string) error {
			t.Chdir(dir) // a socket's path is short
			l, err := net.Listen("unix", "x")
			if err == nil {
				t.Cleanup(func() { l.Close() })
			}
			return err
		}, "it is a socket"},
		{"huge file", func(_ *testing.T, dir string) error {
			f, err := os.Create(filepath.Join(dir, "x"))
			if err != nil {
				return err
			}
			defer f.Close()
			return f.Truncate(maxFolderBytes + 1)
		}, "the folder holds 1024 MB"},
		{"name that is no text", func(_ *testing.T, dir string) error { return os.WriteFile(filepath.Join(dir, "\xff"), nil, 0o600) }, "not UTF-8"},
		{"wrong descriptor", func(t *testing.T, dir string) error {
			write(t, dir, map[string]string{"dataproduct.yaml": strings.Replace(descriptor, "logicalType: string", "logicalType: strng", 1)})
			return nil
		}, `unknown logicalType "strng"`},
		{"no descriptor", func(_ *testing.T, dir string) error { return os.Remove(filepath.Join(dir, "dataproduct.yaml")) }, "no such file"},
		{"program of the system", func(t *testing.T, dir string) error {
			write(t, dir, map[string]string{"dataproduct.yaml": strings.Replace(commandDescriptor, "PROGRAM", "python3", 1)})
			return nil
		}, "the logic runs python3, which an image from scratch does not have"},
		{"script", func(t *testing.T, dir string) error {
			write(t, dir, map[string]string{"dataproduct.yaml": strings.Replace(commandDescriptor, "PROGRAM", "./x.sh", 1), "x.sh": "#!/bin/sh\n"})
			return nil
		}, "no Linux executable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := folderOf(t, nil)
			if err := c.make(t, dir); err != nil {
				t.Fatal(err)
			}
			_, err := Build(t.Context(), Options{Binary: open(t, small.static), Dir: dir})
			if kind := fault.KindOf(err); kind != fault.Invalid && kind != fault.NotFound {
				t.Fatalf("%v is %s", err, kind)
			}
			hinted := fault.HintOf(err) != "" || strings.Contains(err.Error(), "did you mean")
			if !strings.Contains(err.Error(), c.want) || !hinted {
				t.Errorf("%q with the hint %q, want %q", err, fault.HintOf(err), c.want)
			}
		})
	}
}

// A device cannot be made by everybody, so its file is judged without one.
func TestDeviceIsNamed(t *testing.T) {
	info, err := os.Lstat("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	if got := kindOf(info.Mode()); got != "a device" {
		t.Errorf("/dev/null is %s", got)
	}
}

// A program that is linked statically needs no base image.
func TestStaticCommandNeedsNoBase(t *testing.T) {
	dir := folderOf(t, map[string]string{"dataproduct.yaml": strings.Replace(commandDescriptor, "PROGRAM", "bin/cut", 1)})
	program, err := os.ReadFile(small.other)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{"bin/cut": string(program)})
	built(t, Options{Dir: dir})
}

func TestRefusedBinaries(t *testing.T) {
	for _, c := range []struct{ name, path, want string }{
		{"dynamic", small.dynamic, "dynamically"},
		{"for another system", small.foreign, "for darwin/"},
	} {
		if c.name == "dynamic" && runtime.GOOS != "linux" {
			c.want = "for " + runtime.GOOS
		}
		_, err := Build(t.Context(), Options{Binary: open(t, c.path)})
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.want) || !strings.Contains(fault.HintOf(err), "--binary") {
			t.Errorf("%s: %v, hint %q", c.name, err, fault.HintOf(err))
		}
	}
	for _, path := range []string{small.other, "/bin/sh", filepath.Join(small.dir, "go.mod"), filepath.Join(small.dir, "nothing")} {
		if _, err := binary.Open(path); fault.KindOf(err) != fault.Invalid && fault.KindOf(err) != fault.NotFound {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := Build(t.Context(), Options{Binary: open(t, small.static), Platform: "linux/riscv64"}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("another platform: %v", err)
	}
	if _, err := Build(t.Context(), Options{Binary: open(t, small.static), Compression: "lzma"}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("unknown compression: %v", err)
	}
}
