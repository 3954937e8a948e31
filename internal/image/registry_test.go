package image

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/meshctl/meshctl/internal/fault"
)

// newRegistry is a registry on loopback and how many blobs it has been sent.
func newRegistry(t *testing.T) (host string, blobs *atomic.Int64) {
	t.Helper()
	blobs = new(atomic.Int64)
	real := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/blobs/uploads/") {
			blobs.Add(1)
		}
		real.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), blobs
}

func pulled(t *testing.T, ref string) v1.Image {
	t.Helper()
	r, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(r)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestPushAndPull(t *testing.T) {
	host, blobs := newRegistry(t)
	for _, c := range []Compression{Gzip, Zstd} {
		var done, total int64
		img := built(t, Options{Dir: folderOf(t, nil), Compression: c, Progress: func(what string, d, of int64) {
			if strings.HasPrefix(what, "push ") {
				done, total = d, of
			}
		}})
		to := ref(t, host+"/flights-"+string(c))
		if err := img.Push(t.Context(), to); err != nil {
			t.Fatal(err)
		}
		if done == 0 || done != total {
			t.Errorf("told of %d of %d bytes", done, total)
		}
		got := pulled(t, host+"/flights-"+string(c)+":1.2.0")
		if digest(t, got) != digest(t, img) {
			t.Errorf("%s: pulled %s, pushed %s", c, digest(t, got), digest(t, img))
		}
		whole(t, got)
		sent := blobs.Load()
		if err := img.Push(t.Context(), to); err != nil || blobs.Load() != sent || sent == 0 {
			t.Errorf("%s: %d blobs at first, %d more for the same image (%v)", c, sent, blobs.Load()-sent, err)
		}
	}
}

func TestRegistriesThatRefuse(t *testing.T) {
	for status, kind := range map[int]fault.Kind{
		http.StatusUnauthorized: fault.Denied, http.StatusForbidden: fault.Denied, http.StatusNotFound: fault.NotFound,
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v2/" || status == http.StatusUnauthorized {
				w.WriteHeader(status)
			}
		}))
		t.Cleanup(s.Close)
		host := strings.TrimPrefix(s.URL, "http://")
		if err := built(t, Options{}).Push(t.Context(), ref(t, host+"/x:1")); fault.KindOf(err) != kind || fault.HintOf(err) == "" {
			t.Errorf("%d: %v is %s", status, err, fault.KindOf(err))
		}
		if _, err := openBase(t.Context(), host+"/x:1", runtime.GOARCH); fault.KindOf(err) != kind {
			t.Errorf("base, %d: %v is %s", status, err, fault.KindOf(err))
		}
	}
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	host := strings.TrimPrefix(s.URL, "http://")
	if err := built(t, Options{}).Push(t.Context(), ref(t, host+"/x:1")); fault.KindOf(err) != fault.Unavailable || fault.HintOf(err) == "" {
		t.Errorf("nobody there: %v is %s", err, fault.KindOf(err))
	}
}

// baseImage is a base as Docker would have it, with a history and an environment.
func baseImage(t *testing.T, arch string) v1.Image {
	t.Helper()
	img, err := random.Image(1000, 2)
	if err != nil {
		t.Fatal(err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", arch
	file.History = []v1.History{{CreatedBy: "one"}, {CreatedBy: "ENV", EmptyLayer: true}, {CreatedBy: "two"}}
	file.Config = v1.Config{
		Env: []string{"PATH=/opt/python/bin:/usr/bin", "LANG=C.UTF-8", "HOME=/root"}, Cmd: []string{"python3"}, User: "root",
		Labels: map[string]string{"org.opencontainers.image.title": "python", "team": "x"},
	}
	if img, err = mutate.ConfigFile(img, file); err != nil {
		t.Fatal(err)
	}
	return img
}

// A base image stays below: its layers, its environment, its other labels.
func TestBaseImages(t *testing.T) {
	host, _ := newRegistry(t)
	base := baseImage(t, runtime.GOARCH)
	other := baseImage(t, "s390x")
	index := v1.ImageIndex(mutate.IndexMediaType(empty.Index, types.DockerManifestList))
	for arch, img := range map[string]v1.Image{"s390x": other, runtime.GOARCH: base} {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	tag, err := name.NewTag(host + "/python:3")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(tag, index); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := tarball.WriteToFile(filepath.Join(dir, "python.tar"), tag, base); err != nil {
		t.Fatal(err)
	}
	path, err := layout.Write(filepath.Join(dir, "layout"), empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := path.AppendIndex(index); err != nil {
		t.Fatal(err)
	}
	product := folderOf(t, map[string]string{"dataproduct.yaml": strings.Replace(commandDescriptor, "PROGRAM", "python3", 1)})
	for from, labelled := range map[string]string{
		host + "/python:3": host + "/python:3", filepath.Join(dir, "python.tar"): "python.tar", filepath.Join(dir, "layout"): "layout",
	} {
		img := built(t, Options{Dir: product, Base: from})
		if err := validate.Image(img); err != nil {
			t.Error(err)
		}
		if err := img.Push(t.Context(), ref(t, host+"/cut:1")); err != nil {
			t.Fatal(err)
		}
		checkOnBase(t, pulled(t, host+"/cut:1"), base, labelled)
	}
	for _, from := range []string{host + "/python:4", host + "/nothing:1", product, filepath.Join(product, "dataproduct.yaml"), "A B"} {
		_, err := Build(t.Context(), Options{Binary: open(t, small.static), Dir: product, Base: from})
		if kind := fault.KindOf(err); kind != fault.Invalid && kind != fault.NotFound || fault.HintOf(err) == "" {
			t.Errorf("base %s: %v is %s", from, err, kind)
		}
	}
	if err := tarball.WriteToFile(filepath.Join(dir, "other.tar"), tag, other); err != nil {
		t.Fatal(err)
	}
	if _, err := Build(t.Context(), Options{Binary: open(t, small.static), Dir: product, Base: filepath.Join(dir, "other.tar")}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a base for another processor: %v", err)
	}
}

func checkOnBase(t *testing.T, got, base v1.Image, label string) {
	t.Helper()
	layers, err := got.Layers()
	if err != nil {
		t.Fatal(err)
	}
	below, err := base.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range below {
		if fmt.Sprint(first(want.DiffID())) != fmt.Sprint(first(layers[i].DiffID())) {
			t.Errorf("layer %d is another", i)
		}
	}
	manifest, err := got.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range manifest.Layers {
		if l.MediaType != types.OCILayer {
			t.Errorf("a layer is %s", l.MediaType)
		}
	}
	file, err := got.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := file.Config
	if len(layers) != 4 || len(file.History) != 5 || manifest.MediaType != types.OCIManifestSchema1 || c.User != "65532:65532" ||
		!slices.Equal(c.Env, []string{"PATH=/opt/python/bin:/usr/bin", "LANG=C.UTF-8", "HOME=/tmp"}) {
		t.Errorf("%d layers, %s, %+v", len(layers), manifest.MediaType, file)
	}
	if c.Labels["org.opencontainers.image.title"] != "cut" || c.Labels["team"] != "x" || c.Labels["org.opencontainers.image.base.name"] != label ||
		c.Labels["org.opencontainers.image.base.digest"] == "" {
		t.Errorf("labels %v", c.Labels)
	}
	if headers, _ := files(t, got); headers["etc/passwd"] != nil || headers["usr/bin/meshctl"] == nil {
		t.Error("the base's users are covered, or meshctl is missing")
	}
}

// first is a value whose error would show in what is compared.
func first(h v1.Hash, err error) string { return fmt.Sprint(h, err) }

// Nothing of what a base's file cannot be read is taken for a reference to a registry.
func TestUnreadableBaseIsNoReference(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.tar")
	if err := os.WriteFile(file, []byte("no tar"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openBase(t.Context(), file, runtime.GOARCH); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
}
