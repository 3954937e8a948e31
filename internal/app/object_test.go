package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
)

const papersYAML = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: papers, domain: office, owner: office@example.org, version: 1.0.0}
spec:
  outputs:
  - name: scans
    type: object
`

const archiveYAML = `apiVersion: meshctl.dev/v1alpha1
kind: DataProduct
metadata: {name: archive, domain: office, owner: office@example.org, version: 1.0.0}
spec:
  inputs:
  - {name: scans, port: papers.scans}
  logic: {sql: {mode: table, interval: 10ms, query: "SELECT name, size FROM scans"}}
  outputs:
  - name: archive
    type: state
    key: [name]
    schema:
    - {name: name, logicalType: string}
    - {name: size, logicalType: integer}
`

// randomBytes are n bytes that do not compress, the same for the same n.
func randomBytes(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)}).Read(data) // never fails
	return data
}

func (w *world) put(t *testing.T, name string, data []byte) Object {
	t.Helper()
	f, err := w.client.PutObject(t.Context(), "papers.scans", name, bytes.NewReader(data), ObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// gotten is the content of a file as it comes to a client.
func gotten(ctx context.Context, c *Client, name, from string) ([]byte, error) {
	var got bytes.Buffer
	_, err := c.GetObject(ctx, "papers.scans", name, from, func(Object) (io.Writer, error) { return &got, nil })
	return got.Bytes(), err
}

func listed(t *testing.T, c *Client, from string) (names []string) {
	t.Helper()
	err := c.Objects(t.Context(), "papers.scans", from, func(f Object) error {
		names = append(names, f.Name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// awaiting waits until something holds, for less than a minute: then everything is swept.
func awaiting(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(40 * time.Second); !holds(); pause(t.Context(), 20*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in 40 s: %s", what)
		}
	}
}

// slowly gives noise without end, and tells when a lot has been taken.
type slowly struct {
	taken int
	much  chan struct{}
}

func (s *slowly) Read(p []byte) (int, error) {
	if s.taken += len(p); s.taken > 20<<20 {
		select {
		case <-s.much:
		default:
			close(s.much)
		}
		time.Sleep(time.Millisecond) // the disk is not to fill
	}
	return len(p), nil
}

// A product that is killed while a file is put, or files are replaced and removed, has
// each file as a whole, one of the two or none, and nothing is left of the others.
func TestKilledPutLeavesNothing(t *testing.T) {
	hub := childOptions{Data: t.TempDir(), State: t.TempDir(), ClientPort: freePort(t), LeafPort: freePort(t)}
	startChild(t, "hub", hub)
	o := childOptions{Dir: folder(t, papersYAML), Data: t.TempDir(), State: hub.State, HubLeaf: fmt.Sprintf("nats-leaf://127.0.0.1:%d", hub.LeafPort)}
	papers := startChild(t, "product", o)
	c, err := Dial(t.Context(), ClientOptions{StateDir: hub.State})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, c)
	w := &world{client: c}
	old := randomBytes(3 << 20)
	awaiting(t, "the product is in the catalog", func() bool { _, _, err := c.Port(t.Context(), "papers.scans"); return err == nil })
	w.put(t, "a", old)

	s := &slowly{much: make(chan struct{})}
	put := make(chan error)
	go func() {
		_, err := c.PutObject(t.Context(), "papers.scans", "a", s, ObjectOptions{})
		put <- err
	}()
	<-s.much
	papers.kill()
	if err := <-put; fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a put whose product was killed: %v", err)
	}
	startChild(t, "product", o)
	awaiting(t, "what is left of the put is removed", func() bool { return storedBytes(t, c) < 4<<20 })
	if got, err := gotten(t.Context(), c, "a", ""); err != nil || !bytes.Equal(got, old) {
		t.Errorf("the file of that name has %d bytes, %v", len(got), err)
	}
	if names := listed(t, c, ""); !slices.Equal(names, []string{"a"}) {
		t.Errorf("files %q", names)
	}

	// and one whose client is gone, without a word
	gone, err := Dial(t.Context(), ClientOptions{StateDir: hub.State})
	if err != nil {
		t.Fatal(err)
	}
	s = &slowly{much: make(chan struct{})}
	go func() {
		_, err := gone.PutObject(t.Context(), "papers.scans", "b", s, ObjectOptions{})
		put <- err
	}()
	<-s.much
	gone.Close()
	if err := <-put; err == nil {
		t.Error("a put over a connection that was closed has succeeded")
	}
	awaiting(t, "what is left of the put is removed", func() bool { return storedBytes(t, c) < 4<<20 })
	if names := listed(t, c, ""); !slices.Equal(names, []string{"a"}) {
		t.Errorf("files %q", names)
	}
}

// storedBytes is how much the files' stream of papers holds; much while it does not answer.
func storedBytes(t *testing.T, c *Client) uint64 {
	t.Helper()
	all, err := c.StreamsOf(t.Context(), StreamHome{Name: "papers"}, mesh.StreamQuery{})
	if err != nil {
		return 1 << 40
	}
	for i := range all {
		if all[i].Name == "OBJ_papers_scans-v1" {
			return all[i].Bytes
		}
	}
	t.Fatal("the stream of the files is not there")
	return 0
}

// An interrupted put leaves nothing either, and says that it was interrupted.
func TestInterruptedPutLeavesNothing(t *testing.T) {
	w := startWorld(t, t.TempDir(), folder(t, papersYAML))
	ctx, cancel := context.WithCancel(t.Context())
	s := &slowly{much: make(chan struct{})}
	put := make(chan error)
	go func() {
		_, err := w.client.PutObject(ctx, "papers.scans", "a", s, ObjectOptions{})
		put <- err
	}()
	<-s.much
	cancel()
	if err := <-put; !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted put: %v", err)
	}
	broken := errors.New("the disk is gone")
	_, err := w.client.PutObject(t.Context(), "papers.scans", "b", io.MultiReader(bytes.NewReader(randomBytes(20<<20)), failing{broken}), ObjectOptions{})
	if !errors.Is(err, broken) {
		t.Errorf("a put of a file that cannot be read: %v", err)
	}
	awaiting(t, "what is left of the puts is removed", func() bool { return storedBytes(t, w.client) == 0 })
	if names := listed(t, w.client, ""); names != nil {
		t.Errorf("files %q", names)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A content that is not what was put is told apart by its digest.
func TestDamagedFileIsRefused(t *testing.T) {
	w := startWorld(t, t.TempDir(), folder(t, papersYAML))
	w.put(t, "a", randomBytes(500_000))
	p := w.product(t, "papers")
	files := mesh.FilesOf(p.leaf.Conn(), p.desc.ID("scans"))
	f, _, err := files.Find(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	last, _, err := mesh.LastMessage(t.Context(), p.leaf.Conn(), "", files.Stream(), p.desc.ID("scans").ChunkSubject(f.Content))
	if err != nil {
		t.Fatal(err)
	}
	if err := mesh.DeleteMessage(t.Context(), p.leaf.Conn(), files.Stream(), last.Seq); err != nil {
		t.Fatal(err)
	}
	if _, err := gotten(t.Context(), w.client, "a", ""); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a file without one of its chunks: %v", err)
	}
	last.Data[7]++
	if _, err := mesh.Publish(t.Context(), p.leaf.Conn(), last.Subject, last.Data, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := gotten(t.Context(), w.client, "a", ""); fault.KindOf(err) != fault.Rejected || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a file of which a byte is another: %v", err)
	}
}

// Files go when they are too old: whole, and with a delete that tables see.
func TestFilesGoByAge(t *testing.T) {
	data, dir := t.TempDir(), folder(t, papersYAML+"    retention: {bytes: 1Mi}\n")
	w := startWorld(t, data, dir)
	w.put(t, "a", randomBytes(500_000))
	w.eventually(t, "SELECT name, size FROM papers.scans", "a|500000")
	const tighter = "    retention: {age: 1ms, bytes: 100Ki}\n"
	files, err := w.client.PlanStreams(t.Context(), parsed(t, papersYAML+tighter))
	if err != nil || len(files) != 2 || len(files[1].Fields) != 2 || len(files[1].Refused) != 1 || files[1].Refused[0].Danger != mesh.LosesData ||
		files[0].Action != mesh.Unchanged || files[1].Fields[0].Field != "max_age" || string(files[1].Fields[0].New) != "1000000" {
		t.Errorf("the plan is %+v, %v", files, err)
	}
	w.stop(t)

	// which is refused when the age is new, unless somebody insists; a smaller size drops nothing
	writeDescriptor(t, dir, papersYAML+tighter)
	o := meshOptions(t, data, t.TempDir(), dir)
	m, err := StartMesh(t.Context(), o)
	if err == nil {
		t.Fatal("a file goes though nobody insists", m.Close(t.Context()))
	}
	if fault.KindOf(err) != fault.Conflict || !strings.Contains(fault.HintOf(err), "--dangerous-lose-data") {
		t.Errorf("%v, hint %q", err, fault.HintOf(err))
	}
	o = meshOptions(t, data, t.TempDir(), dir)
	o.LoseData = true
	w = startWorldWith(t, o)
	pt, err := w.product(t, "papers").port("scans")
	if err != nil {
		t.Fatal(err)
	}
	awaiting(t, "the file goes", func() bool {
		if err := pt.sweep(t.Context()); err != nil { // which is due every minute
			t.Fatal(err)
		}
		return storedBytes(t, w.client) < 10_000
	})
	w.eventually(t, "SELECT count(*) FROM papers.scans", "0")
	if names := listed(t, w.client, ""); names != nil {
		t.Errorf("files %q", names)
	}
}

// Who reads the port has the files, also while the product that has it is away; and only
// who is granted it.
func TestReadersHaveCopies(t *testing.T) {
	papers := folder(t, strings.Replace(papersYAML, "type: object", "type: object\n    grants: []", 1))
	w := startWorld(t, t.TempDir(), papers, folder(t, archiveYAML))
	big := randomBytes(20<<20 + 13)
	w.put(t, "a/b", big)
	w.input(t, "archive", "scans", func(_ string, denied bool) bool { return denied })
	archive := w.product(t, "archive")
	copied := mesh.FilesOf(archive.leaf.Conn(), product.PortID{Product: "papers", Port: "scans", Major: 1})
	if s, err := mesh.State(t.Context(), archive.leaf.Conn(), "", copied.Stream()); err != nil || s.Last != 0 {
		t.Errorf("%d messages have come over without a grant, %v", s.Last, err)
	}

	writeDescriptor(t, papers, strings.Replace(papersYAML, "type: object", "type: object\n    grants: [archive]", 1))
	w.eventually(t, "SELECT name, size FROM archive", "a/b|20971533")
	awaiting(t, "the copy is whole", func() bool {
		got, err := gotten(t.Context(), w.client, "a/b", "archive")
		return err == nil && bytes.Equal(got, big)
	})
	w.put(t, "c", randomBytes(10))
	w.put(t, "c", randomBytes(11))
	if _, err := w.client.RemoveObjects(t.Context(), "papers.scans", []string{"a/b"}); err != nil {
		t.Fatal(err)
	}
	awaiting(t, "the copy follows", func() bool { return slices.Equal(listed(t, w.client, "archive"), []string{"c"}) })

	sweep := func(grace time.Duration, left int) func() bool {
		return func() bool {
			if err := sweepReplica(t.Context(), archive.leaf.Conn(), copied, grace); err != nil {
				t.Fatal(err)
			}
			contents, err := copied.Contents(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return len(contents) == left
		}
	}
	if !sweep(replicaGrace, 3)() {
		t.Error("the copy has lost contents that may still become files")
	}
	awaiting(t, "what belongs to no file goes", sweep(0, 1)) // unless nothing was heard of the origin just now

	if _, err := w.client.RemoveProduct(t.Context(), "papers"); err != nil {
		t.Fatal(err)
	}
	if _, err := gotten(t.Context(), w.client, "c", ""); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a file of a product that is away: %v", err)
	}
	if got, err := gotten(t.Context(), w.client, "c", "archive"); err != nil || !bytes.Equal(got, randomBytes(11)) {
		t.Errorf("its copy has %d bytes, %v", len(got), err)
	}
}
