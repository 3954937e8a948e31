package image

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// What is in an image from scratch is all that the program needs: it runs in it, with
// nothing around, as the image's user. The test needs the right to change the root folder
// of a process, by itself or in a user namespace; where a system grants neither it says so.
func TestImageFromScratchRuns(t *testing.T) {
	img := built(t, Options{Dir: folderOf(t, nil)})
	root := t.TempDir()
	unpack(t, mutate.Extract(img), root)
	cmd := exec.Command(Program, "run", ProductDir)
	cmd.Env, cmd.Dir = []string{"PATH=/usr/bin"}, "/"
	want := "3 65532\n"
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: User, Gid: User}}
	} else {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Chroot: root, Cloneflags: syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: User, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: User, HostID: os.Getgid(), Size: 1}},
		}
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Logf("NOT RUN in its image: this system allows neither chroot nor user namespaces (%v)", err)
		return
	}
	if err != nil || string(out) != want {
		t.Errorf("printed %q, want %q; %v", out, want, err)
	}
}

// unpack puts an image's files where a program can run among them.
func unpack(t *testing.T, r io.ReadCloser, root string) {
	t.Helper()
	defer r.Close()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(root, filepath.Clean("/"+h.Name))
		err = os.MkdirAll(filepath.Dir(path), 0o755)
		switch h.Typeflag {
		case tar.TypeDir:
			err = errors.Join(err, os.MkdirAll(path, 0o755))
		case tar.TypeReg:
			var text strings.Builder
			_, copied := io.Copy(&text, in)
			err = errors.Join(err, copied, os.WriteFile(path, []byte(text.String()), h.FileInfo().Mode()))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
