package objects_test

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/objects"
	"github.com/meshctl/meshctl/internal/objectstest"
)

func keys(id, secret string) objects.Keys {
	return objects.KeysOf(func(name string) string {
		return map[string]string{"AWS_ACCESS_KEY_ID": id, "AWS_SECRET_ACCESS_KEY": secret}[name]
	})
}

// folder is one of a bucket behind an endpoint.
func folder(t *testing.T, endpoint string) *objects.Bucket {
	t.Helper()
	return objectstest.Folder(t, endpoint, "mesh/orders")
}

// noise is a file of random bytes.
func noise(t *testing.T, size int) (path string, data []byte) {
	t.Helper()
	data = make([]byte, size)
	rng := rand.NewChaCha8([32]byte{1})
	if _, err := rng.Read(data); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "noise")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, data
}

func expectObject(t *testing.T, b *objects.Bucket, name string, want []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "got")
	if err := b.Download(t.Context(), name, file); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%s came back with %d bytes, %v; it went in with %d", name, len(got), err, len(want))
	}
}

func TestObjects(t *testing.T) {
	s := objectstest.New(t)
	b := folder(t, s.URL)
	for name, size := range map[string]int{"small-v1/1": 1000, "large-v1/1": 24 << 20} {
		path, data := noise(t, size)
		if err := b.Upload(t.Context(), name, path); err != nil {
			t.Fatal(err)
		}
		expectObject(t, b, name, data)
	}
	if names, err := b.List(t.Context(), "small-v1/"); err != nil || !slices.Equal(names, []string{"small-v1/1"}) {
		t.Errorf("listed are %v, %v", names, err)
	}
	if names, err := b.List(t.Context(), ""); err != nil || len(names) != 2 {
		t.Errorf("listed are %v, %v", names, err)
	}
	if err := b.Delete(t.Context(), "small-v1/1", "small-v1/1", "never"); err != nil {
		t.Error(err)
	}
	if err := b.Download(t.Context(), "small-v1/1", filepath.Join(t.TempDir(), "x")); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a deleted object: %v", err)
	}
	if got := s.Objects(); !slices.Equal(got, []string{"mesh/orders/large-v1/1"}) {
		t.Errorf("the bucket has %v", got)
	}
}

func TestReplaceOnlyWhatNobodyElseDid(t *testing.T) {
	b := folder(t, objectstest.New(t).URL)
	write := func(data, version string) (string, error) { return b.Replace(t.Context(), "m", []byte(data), version) }
	if _, _, err := b.Read(t.Context(), "m"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("an object that is not there: %v", err)
	}
	if _, err := write("0", "0123456789abcdef0123456789abcdef"); err == nil {
		t.Error("an object that is not there was replaced")
	}
	one, err := write("1", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := write("1", ""); fault.KindOf(err) != fault.Conflict {
		t.Errorf("made twice: %v", err)
	}
	two, err := write("2", one)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := write("3", one); fault.KindOf(err) != fault.Conflict {
		t.Errorf("of an old version: %v", err)
	}
	if data, version, err := b.Read(t.Context(), "m"); err != nil || string(data) != "2" || version != two {
		t.Errorf("%s %s, %v", data, version, err)
	}
}

// An endpoint that does not heed conditions would let two writers overwrite each other.
func TestEndpointWithoutConditionsIsRefused(t *testing.T) {
	p := objectstest.NewProxy(t, objectstest.New(t).URL)
	p.Set(func(r *http.Request) objectstest.Fault { return objectstest.Fault{Status: http.StatusOK} })
	_, err := folder(t, p.URL).Replace(t.Context(), "m", nil, "")
	if err == nil || !strings.Contains(err.Error(), "it was told not to") {
		t.Errorf("%v", err)
	}
}

func TestFaultsPass(t *testing.T) {
	p := objectstest.NewProxy(t, objectstest.New(t).URL)
	b := folder(t, p.URL)
	path, data := noise(t, 3<<20)
	few := func(f objectstest.Fault) {
		n := 0
		p.Set(func(*http.Request) objectstest.Fault {
			if n++; n > 2 {
				return objectstest.Fault{}
			}
			return f
		})
	}
	for name, f := range map[string]objectstest.Fault{
		"busy": {Status: http.StatusServiceUnavailable}, "cut": {Cut: 1 << 20}, "lost": {Drop: true}, "slow": {Slow: 20 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			few(f)
			if err := b.Upload(t.Context(), name, path); err != nil {
				t.Fatal(err)
			}
			few(f)
			expectObject(t, b, name, data)
			few(f)
			if names, err := b.List(t.Context(), name); err != nil || len(names) != 1 {
				t.Errorf("listed are %v, %v", names, err)
			}
		})
	}
}

func TestFaultsThatStay(t *testing.T) {
	s := objectstest.New(t)
	p := objectstest.NewProxy(t, s.URL)
	path, _ := noise(t, 1000)
	p.Set(func(*http.Request) objectstest.Fault { return objectstest.Fault{Status: http.StatusServiceUnavailable} })
	if err := folder(t, p.URL).Upload(t.Context(), "x", path); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("an endpoint that stays busy: %v", err)
	}
	if n := p.Seen(http.MethodPut); n != 5 {
		t.Errorf("it was asked %d times", n)
	}
	p.Set(nil)
	for name, c := range map[string]struct {
		change func(*objects.Options)
		kind   fault.Kind
		hint   string
	}{
		"no such bucket": {func(o *objects.Options) { o.Bucket = "nowhere" }, fault.NotFound, "create the bucket nowhere"},
		"wrong secret":   {func(o *objects.Options) { o.Keys = keys(objectstest.AccessKey, "wrong") }, fault.Denied, "AWS_SECRET_ACCESS_KEY"},
		"unknown user":   {func(o *objects.Options) { o.Keys = keys("nobody", "x") }, fault.Denied, "AWS_ACCESS_KEY_ID"},
		"no credentials": {func(o *objects.Options) { o.Keys = keys("", "") }, fault.Denied, "mount a Secret"},
		"nobody there":   {func(o *objects.Options) { o.Endpoint = "http://127.0.0.1:1" }, fault.Unavailable, "http://127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			o := objectstest.Options(s.URL, "mesh/orders")
			c.change(&o)
			b, err := objects.New(o)
			if err != nil {
				t.Fatal(err)
			}
			_, _, inRead := b.Read(t.Context(), "m")
			_, inWrite := b.Replace(t.Context(), "m", nil, "")
			_, inList := b.List(t.Context(), "")
			for _, err := range []error{inRead, inWrite, inList, b.Upload(t.Context(), "x", path)} {
				if fault.KindOf(err) != c.kind || !strings.Contains(fault.HintOf(err), c.hint) {
					t.Errorf("%v is %s, hint %q", err, fault.KindOf(err), fault.HintOf(err))
				}
			}
		})
	}
}

func TestAbandon(t *testing.T) {
	s := objectstest.New(t)
	b := folder(t, s.URL)
	raw, err := minio.NewCore(strings.TrimPrefix(s.URL, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(objectstest.AccessKey, objectstest.SecretKey, ""), Region: "us-east-1",
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.NewMultipartUpload(t.Context(), objectstest.Bucket, "mesh/orders/orders-v1/1", minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := b.Abandon(t.Context(), "orders-v/"); err != nil { // another folder
		t.Fatal(err)
	}
	left := 0
	for range raw.ListIncompleteUploads(t.Context(), objectstest.Bucket, "", true) {
		left++
	}
	if left != 1 {
		t.Errorf("%d uploads are left", left)
	}
	if err := b.Abandon(t.Context(), "orders-v1/"); err != nil {
		t.Fatal(err)
	}
	for u := range raw.ListIncompleteUploads(t.Context(), objectstest.Bucket, "", true) {
		t.Errorf("left is %+v", u)
	}
}
