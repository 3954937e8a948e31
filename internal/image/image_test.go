package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/meshctl/meshctl/internal/binary"
	"github.com/meshctl/meshctl/internal/fault"
)

// What the tests pack is a real static program that calls itself meshctl, made small.
var small struct{ dir, static, dynamic, foreign, other string }

func TestMain(m *testing.M) {
	code, err := withPrograms(m.Run)
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		code = 1
	}
	os.Exit(code)
}

func withPrograms(run func() int) (code int, err error) {
	dir, err := os.MkdirTemp("", "image-test-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	small.dir = dir
	const main = "package main\n\nimport \"os\"\n\nfunc main() { println(len(os.Args), os.Getuid()) }\n"
	for name, text := range map[string]string{
		"go.mod": "module github.com/meshctl/meshctl\n\ngo 1.24\n", "cmd/meshctl/main.go": main, "cmd/other/main.go": main,
		"cmd/meshctl/cgo.go": "package main\n\nimport \"C\"\n",
	} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			return 1, err
		}
	}
	otherArch := map[string]string{"amd64": "arm64"}[runtime.GOARCH]
	if otherArch == "" {
		otherArch = "amd64"
	}
	for _, p := range []struct {
		to        *string
		name, pkg string
		env       []string
	}{
		{&small.static, "static", "./cmd/meshctl", []string{"CGO_ENABLED=0", "GOOS=linux"}},
		{&small.foreign, "foreign", "./cmd/meshctl", []string{"CGO_ENABLED=0", "GOOS=darwin"}},
		{&small.other, "other", "./cmd/other", []string{"CGO_ENABLED=0", "GOOS=linux"}},
		{&small.dynamic, "dynamic", "./cmd/meshctl", []string{"CGO_ENABLED=1"}},
	} {
		*p.to = filepath.Join(dir, p.name)
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", *p.to, p.pkg)
		cmd.Dir, cmd.Env = dir, append(append(os.Environ(), "GOFLAGS=", "GOWORK=off"), p.env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return 1, errors.New(string(out))
		}
	}
	return run(), nil
}

const descriptor = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata:
  name: flights
  domain: aviation
  owner: flights@example.com
  description: All flights.
  version: 1.2.0
spec:
  outputs:
    - name: flights
      type: event
      schema:
        - name: id
          logicalType: string
`

const commandDescriptor = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata:
  name: cut
  domain: aviation
  owner: flights@example.com
  version: 1.0.0
spec:
  inputs:
    - name: raw
  logic:
    command:
      run: [PROGRAM]
  outputs:
    - name: cut
      type: event
      schema:
        - name: id
          logicalType: string
`

// folderOf makes a product's folder of these files beside its descriptor.
func folderOf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, map[string]string{"dataproduct.yaml": descriptor})
	write(t, dir, files)
	return dir
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T, path string) *binary.Binary {
	t.Helper()
	b, err := binary.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// built builds from the static program.
func built(t *testing.T, o Options) *Image {
	t.Helper()
	if o.Binary == nil {
		o.Binary = open(t, small.static)
	}
	img, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := img.Close(); err != nil {
			t.Error(err)
		}
	})
	return img
}

func digest(t *testing.T, img v1.Image) string {
	t.Helper()
	d, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

func ref(t *testing.T, s string) Ref {
	t.Helper()
	r, err := ParseRef(s, "1.2.0")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// files are the entries of an image, all layers in one, and the content of the files.
func files(t *testing.T, img v1.Image) (map[string]*tar.Header, map[string]string) {
	t.Helper()
	r := mutate.Extract(img)
	defer r.Close()
	headers, content := map[string]*tar.Header{}, map[string]string{}
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return headers, content
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(h.Name, "/")
		headers[name], content[name] = h, string(data)
	}
}

// The same input gives the same bytes, whatever the disk says of times, modes and places.
func TestSameInputSameDigest(t *testing.T) {
	content := map[string]string{"logic.sql": "select 1", "lib/b.txt": "b", "lib/a.txt": "a", "é/ü.txt": "x"}
	one, two := folderOf(t, content), folderOf(t, content)
	past := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	if err := errors.Join(
		os.Chtimes(filepath.Join(two, "lib", "a.txt"), past, past), os.Chmod(filepath.Join(two, "lib", "a.txt"), 0o600),
		os.Chmod(filepath.Join(two, "lib"), 0o700),
	); err != nil {
		t.Fatal(err)
	}
	write(t, two, map[string]string{
		".git/HEAD": "x", "lib/.git": "gitdir: elsewhere", ".meshctl/data": "x", "flights.tar": "an image of before",
	})
	for _, c := range []Compression{Gzip, Zstd} {
		a := built(t, Options{Dir: one, Compression: c})
		b := built(t, Options{Dir: two, Compression: c, Omit: []string{filepath.Join(two, "flights.tar")}})
		if digest(t, a) != digest(t, b) {
			t.Errorf("%s: %s and %s", c, digest(t, a), digest(t, b))
		}
		var tars [2][]byte
		for i, img := range []*Image{a, b} {
			file := filepath.Join(t.TempDir(), "x.tar")
			if err := img.WriteTar(t.Context(), file, ref(t, "localhost/flights")); err != nil {
				t.Fatal(err)
			}
			var err error
			if tars[i], err = os.ReadFile(file); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(tars[0], tars[1]) {
			t.Errorf("%s: the archives differ", c)
		}
	}
	later := built(t, Options{Dir: one, Created: past})
	if plain := built(t, Options{Dir: one}); digest(t, later) == digest(t, plain) {
		t.Error("the time of creation changes nothing")
	}
	if headers, _ := files(t, later); !headers["product/lib/a.txt"].ModTime.Equal(past) {
		t.Errorf("a file bears %s", headers["product/lib/a.txt"].ModTime)
	}
	if bare := built(t, Options{}); digest(t, bare) == digest(t, built(t, Options{Dir: one})) {
		t.Error("the product changes nothing")
	}
}

func TestWhatIsInAnImage(t *testing.T) {
	dir := folderOf(t, map[string]string{"run.sh": "#!/bin/sh\n", "lib/real.txt": "x"})
	if err := errors.Join(os.Chmod(filepath.Join(dir, "run.sh"), 0o4711), os.Symlink("lib/real.txt", filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	img := built(t, Options{Dir: dir})
	headers, content := files(t, img)
	program, err := os.ReadFile(small.static)
	if err != nil {
		t.Fatal(err)
	}
	if content["usr/bin/meshctl"] != string(program) {
		t.Error("the program is another")
	}
	for name, want := range map[string]struct {
		mode  int64
		owner int
	}{
		"usr/bin/meshctl": {0o755, 0}, "tmp": {0o1777, 0}, "data": {0o755, User}, "product": {0o755, 0},
		"product/dataproduct.yaml": {0o644, 0}, "product/run.sh": {0o755, 0}, "product/lib": {0o755, 0},
		"etc/passwd": {0o644, 0}, "etc/ssl/certs/ca-certificates.crt": {0o644, 0}, "usr/share/sbom/meshctl.spdx.json": {0o644, 0},
	} {
		h := headers[name]
		if h == nil || h.Mode != want.mode || h.Uid != want.owner || h.Gid != want.owner || h.ModTime.Unix() != 0 {
			t.Errorf("%s is %+v, want %o of %d", name, h, want.mode, want.owner)
		}
	}
	if h := headers["product/link"]; h == nil || h.Typeflag != tar.TypeSymlink || h.Linkname != "lib/real.txt" {
		t.Errorf("the link is %+v", h)
	}
	if n := strings.Count(content["etc/ssl/certs/ca-certificates.crt"], "BEGIN CERTIFICATE"); n < 100 {
		t.Errorf("%d root certificates", n)
	}
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := file.Config
	if c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/usr/bin/meshctl"}) || file.OS != "linux" || file.Architecture != runtime.GOARCH ||
		!slices.Equal(c.Cmd, []string{"run", "/product", "--data", "/data/product", "--http", "0.0.0.0:8080"}) {
		t.Errorf("configuration %+v of %s/%s", c, file.OS, file.Architecture)
	}
	if want := map[string]string{
		"org.opencontainers.image.title": "flights", "org.opencontainers.image.version": "1.2.0",
		"org.opencontainers.image.description": "All flights.", "org.opencontainers.image.vendor": "flights@example.com",
		"dev.meshctl.product": "flights", "dev.meshctl.domain": "aviation", "dev.meshctl.version": "devel",
	}; !maps.Equal(c.Labels, want) {
		t.Errorf("labels %v", c.Labels)
	}
}

// Two products of one meshctl share its layer, which is nearly all of their size.
func TestProductsShareALayer(t *testing.T) {
	bare, product := built(t, Options{}), built(t, Options{Dir: folderOf(t, nil)})
	a, err := bare.Layers()
	if err != nil {
		t.Fatal(err)
	}
	b, err := product.Layers()
	if err != nil {
		t.Fatal(err)
	}
	first, err := a[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	if second, err := b[0].Digest(); err != nil || first != second || len(a) != 1 || len(b) != 2 {
		t.Errorf("%d layers from %s, %d from %s (%v)", len(a), first, len(b), second, err)
	}
}

// What is written reads back, whole and with the same digest, by every reader there is.
func TestTarAndLayoutReadBack(t *testing.T) {
	dir := folderOf(t, nil)
	for _, c := range []Compression{Gzip, Zstd} {
		img := built(t, Options{Dir: dir, Compression: c})
		whole(t, img)
		out := t.TempDir()
		if err := img.WriteLayout(t.Context(), filepath.Join(out, "layout"), ref(t, "flights")); err != nil {
			t.Fatal(err)
		}
		if got := fromLayoutIn(t, filepath.Join(out, "layout")); digest(t, got) != digest(t, img) {
			t.Errorf("%s: the layout has %s", c, digest(t, got))
		}
		file := filepath.Join(out, "x.tar")
		if err := img.WriteTar(t.Context(), file, ref(t, "flights")); err != nil {
			t.Fatal(err)
		}
		docker, err := tarball.ImageFromPath(file, nil) // as "docker load" does
		if err != nil {
			t.Fatal(err)
		}
		want, _ := files(t, img)
		if got, _ := files(t, docker); len(got) != len(want) {
			t.Errorf("%s: the tar has %d files of %d", c, len(got), len(want))
		}
		if c == Gzip { // the reader calls each layer gzip
			whole(t, docker)
		}
		if out, err := exec.Command("tar", "-xf", file, "-C", out).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if got := fromLayoutIn(t, out); digest(t, got) != digest(t, img) {
			t.Errorf("%s: the tar as a layout has %s", c, digest(t, got))
		}
		left, err := filepath.Glob(filepath.Join(out, ".x.tar*"))
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	}
}

func fromLayoutIn(t *testing.T, dir string) v1.Image {
	t.Helper()
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 {
		t.Fatalf("index %+v: %v", manifest, err)
	}
	if name := manifest.Manifests[0].Annotations["io.containerd.image.name"]; name != "docker.io/library/flights:1.2.0" {
		t.Errorf("containerd would call it %q", name)
	}
	img, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	whole(t, img)
	return img
}

// whole checks that an image's parts are what its manifest says.
func whole(t *testing.T, img v1.Image) {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	kind, err := layers[0].MediaType()
	if err != nil {
		t.Fatal(err)
	}
	if kind == types.OCILayer {
		if err := validate.Image(img); err != nil {
			t.Error(err)
		}
		return
	}
	for _, l := range layers { // validate takes each layer for gzip
		for _, part := range []struct {
			open func() (io.ReadCloser, error)
			sum  func() (v1.Hash, error)
		}{{l.Compressed, l.Digest}, {l.Uncompressed, l.DiffID}} {
			r, err := part.open()
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := v1.SHA256(r)
			want, sumErr := part.sum()
			if err := errors.Join(err, sumErr, r.Close()); err != nil || got != want {
				t.Errorf("%s is %s (%v)", want, got, err)
			}
		}
	}
}

// A layout keeps its other images, and a folder with something else in it is left alone.
func TestLayoutKeepsWhatIsThere(t *testing.T) {
	img, dir := built(t, Options{}), filepath.Join(t.TempDir(), "layout")
	for _, name := range []string{"localhost/a:1", "localhost/b:1", "localhost/a:1"} {
		if err := img.WriteLayout(t.Context(), dir, ref(t, name)); err != nil {
			t.Fatal(err)
		}
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	if manifest, err := index.IndexManifest(); err != nil || len(manifest.Manifests) != 2 {
		t.Errorf("%+v, %v", manifest, err)
	}
	full := folderOf(t, nil)
	if err := img.WriteLayout(t.Context(), full, ref(t, "localhost/a:1")); fault.KindOf(err) != fault.Conflict {
		t.Errorf("into a folder with files: %v", err)
	}
}

func TestSBOMInImage(t *testing.T) {
	_, content := files(t, built(t, Options{}))
	var doc struct{ SPDXVersion, Name string }
	if err := json.Unmarshal([]byte(content["usr/share/sbom/meshctl.spdx.json"]), &doc); err != nil || doc.SPDXVersion != "SPDX-2.3" {
		t.Errorf("%+v, %v", doc, err)
	}
}

func TestBuildInterrupted(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Build(ctx, Options{Binary: open(t, small.static), Progress: func(string, int64, int64) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	img := built(t, Options{})
	file := filepath.Join(t.TempDir(), "x.tar")
	if err := img.WriteTar(ctx, file, ref(t, "x")); !errors.Is(err, context.Canceled) {
		t.Errorf("writing ended with %v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestRefs(t *testing.T) {
	for in, want := range map[string]string{
		"localhost/flights": "localhost/flights:1.2.0", "localhost:5000/flights": "localhost:5000/flights:1.2.0",
		"flights:7": "flights:7", "ghcr.io/acme/flights:v1": "ghcr.io/acme/flights:v1",
	} {
		if got := ref(t, in).String(); got != want {
			t.Errorf("%s is %s, want %s", in, got, want)
		}
	}
	for _, in := range []string{"", "UPPER/x:1", "a b", "x:latest", "x@sha256:" + strings.Repeat("0", 64)} {
		if _, err := ParseRef(in, "1"); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", in, err)
		}
	}
	if got := Tag("1.0.0+build.5"); got != "1.0.0-build.5" {
		t.Error(got)
	}
}
