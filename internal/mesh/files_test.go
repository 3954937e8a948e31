package mesh

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

var docsPort = product.PortID{Product: "papers", Domain: "office", Port: "docs", Major: 1}

func docsSpec(maxBytes int64) StreamSpec {
	id := docsPort.Files()
	return StreamSpec{
		Name: id.Stream(), Subjects: []string{id.InboxSubject("*"), id.ChunkSubject("*"), id.FileSubject("*")},
		MaxBytes: maxBytes, Files: &id,
	}
}

// noise is n bytes that do not compress, the same for the same n.
func noise(n int) []byte {
	data := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	_, _ = rng.Read(data) // never fails
	return data
}

func digestOf(data []byte) string {
	h := sha256.New()
	h.Write(data)
	return Digest(h)
}

func putFile(t *testing.T, nc *Conn, name, content string, data []byte) File {
	t.Helper()
	f, err := Upload(t.Context(), nc, docsPort, content, bytes.NewReader(data), func(uint64) {})
	must(t, err)
	f.Name, f.Metadata = name, map[string]string{"of": content}
	f, err = FilesOf(nc, docsPort).Commit(t.Context(), f)
	must(t, err)
	return f
}

func readFile(t *testing.T, files Files, f File) []byte {
	t.Helper()
	var got []byte
	must(t, files.Read(t.Context(), f, func(chunk []byte) error {
		got = append(got, chunk...)
		return nil
	}))
	return got
}

// Files of every size come back as they were, and NATS clients read and write the same.
func TestFilesAreAnObjectStore(t *testing.T) {
	l := startLeaf(t, "papers", "")
	ctx, nc := t.Context(), l.Conn()
	must(t, EnsureStream(ctx, nc, docsSpec(0)))
	must(t, EnsureStream(ctx, nc, docsSpec(0))) // which changes nothing
	files := FilesOf(nc, docsPort)
	js, err := jetstream.New(nc.Conn)
	must(t, err)
	store, err := js.ObjectStore(ctx, docsPort.Bucket())
	must(t, err)

	for i, n := range []int{0, 1, ChunkSize, ChunkSize + 1, 2*uploadChunks*ChunkSize + 7} {
		name, data := []string{"nothing", "a/b.c", "ü x", ".", "big"}[i], noise(n)
		put := putFile(t, nc, name, fmt.Sprintf("content%d", i), data)
		found, ok, err := files.Find(ctx, name)
		must(t, err)
		if !ok || found.Size != uint64(n) || found.Digest != digestOf(data) || found.Seq != put.Seq || found.Metadata["of"] != put.Content || found.Time.IsZero() {
			t.Errorf("%q: found %+v, %t; put %+v", name, found, ok, put)
		}
		if got := readFile(t, files, found); !bytes.Equal(got, data) {
			t.Errorf("%q: read %d other bytes than the %d put", name, len(got), n)
		}
		theirs, err := store.GetBytes(ctx, name)
		must(t, err)
		if !bytes.Equal(theirs, data) {
			t.Errorf("%q: a NATS client reads %d other bytes", name, len(theirs))
		}
	}

	_, err = store.PutBytes(ctx, "theirs", noise(300_000))
	must(t, err)
	theirs, ok, err := files.Find(ctx, "theirs")
	must(t, err)
	if !ok || !bytes.Equal(readFile(t, files, theirs), noise(300_000)) || theirs.Digest != digestOf(noise(300_000)) {
		t.Errorf("what a NATS client has put is %+v", theirs)
	}
}

// allFiles are all files by name, and what is known of those that were removed.
func allFiles(t *testing.T, files Files) (there, removed []string) {
	t.Helper()
	must(t, files.Each(t.Context(), func(f File) error {
		if f.Deleted {
			removed = append(removed, f.Name)
		} else {
			there = append(there, f.Name)
		}
		return nil
	}))
	return there, removed
}

func TestFilesAreReplacedAndRemovedWhole(t *testing.T) {
	l := startLeaf(t, "papers", "")
	ctx, nc := t.Context(), l.Conn()
	must(t, EnsureStream(ctx, nc, docsSpec(0)))
	files := FilesOf(nc, docsPort)
	if there, _ := allFiles(t, files); there != nil {
		t.Errorf("a new store has files %q", there)
	}
	old := putFile(t, nc, "a", "one", noise(500_000))
	putFile(t, nc, "b", "two", noise(10))
	putFile(t, nc, "a", "three", noise(200_000))
	wantKind(t, files.Read(ctx, old, func([]byte) error { return nil }), fault.Conflict)
	if there, _ := allFiles(t, files); !slices.Equal(there, []string{"b", "a"}) {
		t.Errorf("files %q", there)
	}
	_, ok, err := files.Remove(ctx, "b")
	must(t, err)
	_, again, err := files.Remove(ctx, "b")
	must(t, err)
	there, removed := allFiles(t, files)
	contents, err := files.Contents(ctx)
	must(t, err)
	if !ok || again || !slices.Equal(there, []string{"a"}) || !slices.Equal(removed, []string{"b"}) || !slices.Equal(contents, []string{"three"}) {
		t.Errorf("removed %t, again %t; left %q, removed %q, contents %q", ok, again, there, removed, contents)
	}
}

// What is not there as a whole does not become a file.
func TestPartsAreNoFile(t *testing.T) {
	l := startLeaf(t, "papers", "")
	ctx, nc := t.Context(), l.Conn()
	must(t, EnsureStream(ctx, nc, docsSpec(0)))
	files := FilesOf(nc, docsPort)
	broken := errors.New("the disk is gone")
	_, err := Upload(ctx, nc, docsPort, "half", io.MultiReader(bytes.NewReader(noise(3*uploadChunks*ChunkSize)), &failing{broken}), func(uint64) {})
	if !errors.Is(err, broken) {
		t.Fatalf("upload: %v", err)
	}
	_, err = files.Commit(ctx, File{Name: "half", Content: "half", Chunks: 1, Size: 1})
	wantKind(t, err, fault.Conflict)
	if there, _ := allFiles(t, files); there != nil {
		t.Errorf("files %q", there)
	}

	stopped, cancel := context.WithCancel(ctx)
	_, err = Upload(stopped, nc, docsPort, "stopped", &endless{}, func(n uint64) {
		if n > 20<<20 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("an upload that was interrupted: %v", err)
	}
	must(t, files.Drop(ctx, "stopped"))
	if s, err := State(ctx, nc, "", files.Stream()); err != nil || s.Bytes > 30<<20 {
		t.Errorf("state %+v, %v", s, err)
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

type endless struct{}

func (*endless) Read(p []byte) (int, error) { return len(p), nil }

// A store that is full says so, and files can be removed from it all the same.
func TestFullStoreTakesNoMore(t *testing.T) {
	l := startLeaf(t, "papers", "")
	ctx, nc := t.Context(), l.Conn()
	must(t, EnsureStream(ctx, nc, docsSpec(3<<20)))
	files := FilesOf(nc, docsPort)
	putFile(t, nc, "a", "one", noise(2<<20))
	_, err := Upload(ctx, nc, docsPort, "two", bytes.NewReader(noise(2<<20)), func(uint64) {})
	wantKind(t, err, fault.Rejected)
	if fault.HintOf(err) == "" {
		t.Errorf("no hint: %v", err)
	}
	for { // to the last byte
		if _, err := Publish(ctx, nc, docsPort.ChunkSubject("three"), []byte("x"), nil); err != nil {
			wantKind(t, err, fault.Rejected)
			break
		}
		if _, err := Publish(ctx, nc, docsPort.ChunkSubject("three"), noise(100<<10), nil); err != nil {
			wantKind(t, err, fault.Rejected)
		}
	}
	if _, ok, err := files.Remove(ctx, "a"); err != nil || !ok {
		t.Fatalf("remove from a full store: %t, %v", ok, err)
	}
	if there, removed := allFiles(t, files); there != nil || !slices.Equal(removed, []string{"a"}) {
		t.Errorf("files %q, removed %q", there, removed)
	}
	must(t, files.Drop(ctx, "two"))
	if f := putFile(t, nc, "b", "four", noise(2<<20)); f.Seq == 0 {
		t.Errorf("put %+v", f)
	}
}
