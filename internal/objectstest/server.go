// Package objectstest is a real S3 server on this machine's loopback for tests, and a
// proxy before it that answers as busy, slow and broken endpoints do.
package objectstest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/objects"
)

// The credentials that a Server takes, and its only bucket.
const (
	AccessKey = "tester"
	SecretKey = "tester-secret"
	Bucket    = "lake"
)

// Server is versitygw over a folder.
type Server struct {
	URL  string
	Root string // its buckets are folders here, their objects files

	t          testing.TB
	binary     string
	port       int
	attributes string // what the server knows of objects: a disk may lack extended attributes
	process    *exec.Cmd
}

// New is a server with an empty bucket. It ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{Root: t.TempDir(), attributes: t.TempDir(), t: t, binary: build(t), port: freePort(t)}
	s.URL = fmt.Sprintf("http://127.0.0.1:%d", s.port)
	if err := os.Mkdir(filepath.Join(s.Root, Bucket), 0o755); err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// Start runs the server, where it was stopped, with the objects it has.
func (s *Server) Start() {
	s.t.Helper()
	s.process = exec.Command(s.binary, "--port", fmt.Sprintf("127.0.0.1:%d", s.port), "--access", AccessKey, "--secret", SecretKey, "--quiet",
		"posix", "--sidecar", s.attributes, s.Root)
	s.process.Stderr = s.t.Output()
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		c, err := net.DialTimeout("tcp", strings.TrimPrefix(s.URL, "http://"), time.Second)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the S3 server does not answer: %v", err)
		}
		time.Sleep(20 * time.Millisecond) // until it listens
	}
}

// Stop kills the server.
func (s *Server) Stop() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill() // it may have ended by itself
	_ = s.process.Wait()         // a killed process has no clean status
	s.process = nil
}

// Objects are the names of the bucket's objects.
func (s *Server) Objects() []string {
	s.t.Helper()
	var names []string
	root := filepath.Join(s.Root, Bucket)
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			if os.IsNotExist(err) { // deleted meanwhile
				return nil
			}
			return err
		}
		if name, _ := filepath.Rel(root, path); !d.IsDir() && !strings.HasPrefix(name, ".") {
			names = append(names, filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return names
}

// Options are those of a folder of the bucket behind an endpoint, a Server's or a Proxy's.
func Options(endpoint, prefix string) objects.Options {
	return objects.Options{
		Bucket: Bucket, Prefix: prefix, Endpoint: endpoint, Region: "us-east-1", PathStyle: true,
		Keys: objects.KeysOf(func(name string) string {
			return map[string]string{"AWS_ACCESS_KEY_ID": AccessKey, "AWS_SECRET_ACCESS_KEY": SecretKey}[name]
		}),
	}
}

// Folder is that folder.
func Folder(t testing.TB, endpoint, prefix string) *objects.Bucket {
	t.Helper()
	b, err := objects.New(Options(endpoint, prefix))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// build is the server's executable, which the go command makes and keeps in its cache.
// Its version is pinned by a module of its own.
func build(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		module := filepath.Join(dir, "scripts", "_s3")
		if _, err := os.Stat(filepath.Join(module, "go.mod")); err == nil {
			cmd := exec.Command("go", "tool", "-n", "versitygw")
			cmd.Dir = module
			cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
			cmd.Stderr = t.Output()
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("build the S3 server: %v", err)
			}
			return strings.TrimSpace(string(out))
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("scripts/_s3 is not above the test's folder")
		}
		dir = filepath.Dir(dir)
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
