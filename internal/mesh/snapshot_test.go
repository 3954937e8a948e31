package mesh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/meshctl/meshctl/internal/fault"
)

func spooling(t testing.TB, nc *Conn) *Admin {
	t.Helper()
	a := NewMeshAdmin(nc, true)
	must(t, a.SpoolIn(filepath.Join(t.TempDir(), "spool")))
	return a
}

// snapshot takes an archive, from a byte on, until stop says so.
func snapshot(t testing.TB, a *Admin, q SnapshotQuery, stop func(int64) bool) ([]byte, Backup, error) {
	t.Helper()
	var all []byte
	b, err := a.Snapshot(t.Context(), q, func(piece []byte) error {
		all = append(all, piece...)
		if stop != nil && stop(int64(len(all))) {
			return errStopped
		}
		return nil
	})
	return all, b, err
}

var errStopped = errors.New("stopped")

// everyMessage is all that a stream holds.
func everyMessage(t testing.TB, nc *Conn, stream string) (all []StreamMessage) {
	t.Helper()
	a := NewAdmin(nc, "")
	for seq := uint64(1); ; {
		m, err := a.Message(t.Context(), MessageQuery{Stream: stream, Sequence: seq, Next: ">"})
		if fault.KindOf(err) == fault.NotFound {
			return all
		}
		must(t, err)
		all = append(all, m)
		seq = m.Sequence + 1
	}
}

// A stream is backed up from one leaf and restored into another one, through interruptions
// on both ways, and is equal to the record.
func TestBackupAndRestore(t *testing.T) {
	from, to := startLeaf(t, "flights", ""), startLeaf(t, "delays", "")
	makeStream(t, from.Conn(), jetstream.StreamConfig{Name: "audit", Subjects: []string{"audit.>"}, MaxMsgsPerSubject: 50, Description: "who did what"})
	noise := make([]byte, 3000)
	for i := range 600 {
		for j := range noise {
			noise[j] = byte(i*7 + j*j*13 + j>>3*i)
		}
		_, err := Publish(t.Context(), from.Conn(), fmt.Sprintf("audit.%d", i%7), append([]byte(fmt.Sprint(i)), noise...), map[string]string{"N": fmt.Sprint(i)})
		must(t, err)
	}
	must(t, DeleteMessage(t.Context(), from.Conn(), "audit", 590))
	want := everyMessage(t, from.Conn(), "audit")
	out, in := spooling(t, from.Conn()), spooling(t, to.Conn())

	q := SnapshotQuery{Stream: "audit", ID: "backup-one"}
	begun, _, err := snapshot(t, out, q, func(n int64) bool { return n > 1000 })
	if !errors.Is(err, errStopped) || len(begun) == 0 {
		t.Fatalf("%d bytes, %v", len(begun), err)
	}
	q.From = int64(len(begun))
	rest, b, err := snapshot(t, out, q, nil)
	must(t, err)
	archive := slices.Concat(begun, rest)
	if b.Proof.Size != int64(len(archive)) || b.Proof.Domain != "flights" || b.State.Msgs != uint64(len(want)) {
		t.Fatalf("%d bytes, backup %+v", len(archive), b)
	}
	_, err = out.Snapshot(t.Context(), SnapshotQuery{Stream: "audit", ID: q.ID, Drop: true}, nil)
	must(t, err)
	if left, err := os.ReadDir(out.spools.dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	_, _, err = snapshot(t, out, q, nil)
	wantKind(t, err, fault.NotFound) // so that nobody goes on with another archive

	// what lies on the disk is read back
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, ArchiveFile), archive, 0o600))
	must(t, WriteBackup(dir, &b))
	read, err := ReadBackup(dir)
	if err != nil || !reflect.DeepEqual(read.Proof, b.Proof) {
		t.Errorf("read %+v, %v", read, err)
	}
	wrong := b
	wrong.State.Msgs++
	wantKind(t, WriteBackup(dir, &wrong), fault.Conflict)
	must(t, os.WriteFile(filepath.Join(dir, ArchiveFile), archive[:len(archive)-9], 0o600))
	wantKind(t, WriteBackup(dir, &b), fault.Conflict)
	_, err = ReadBackup(dir)
	wantKind(t, err, fault.NotFound) // a damaged one is none

	// put in pieces; one that is sent twice, or too early, is not written
	put := func(at int, piece []byte, size int) {
		t.Helper()
		if n, err := in.Put("restore-one", int64(at), piece); err != nil || n != int64(size) {
			t.Fatalf("put at %d = %d, %v; want %d", at, n, err, size)
		}
	}
	half := len(archive) / 2
	put(0, archive[:half], half)
	put(0, archive[:half], half)
	put(half+1, archive[half+1:], half)
	put(0, nil, half)
	_, err = in.Restore(t.Context(), []Restoring{{"restore-one", b}})
	wantKind(t, err, fault.Conflict) // it is not whole
	put(half, archive[half:], len(archive))
	done, err := in.Restore(t.Context(), []Restoring{{"restore-one", b}})
	must(t, err)
	if len(done) != 1 || done[0].Messages != uint64(len(want)) || done[0].Last != 600 {
		t.Errorf("restored %+v", done)
	}
	if got := everyMessage(t, to.Conn(), "audit"); !reflect.DeepEqual(got, want) {
		t.Errorf("%d messages differ from the %d there were", len(got), len(want))
	}
	if s := streamOf(t, in, "audit"); s.Config.Description != "who did what" || s.Domain != "delays" || s.Config.MaxMsgsPer != 50 {
		t.Errorf("stream = %+v", s)
	}
	put2, err := in.Put("restore-two", 0, archive)
	if err != nil || put2 != int64(len(archive)) {
		t.Fatal(put2, err)
	}
	_, err = in.Restore(t.Context(), []Restoring{{"restore-two", b}})
	wantKind(t, err, fault.Conflict) // it is there already
	flipped := bytes.Clone(archive)
	flipped[half] ^= 1
	_, err = in.Put("restore-bad", 0, flipped)
	must(t, err)
	_, err = in.Restore(t.Context(), []Restoring{{"restore-bad", b}})
	wantKind(t, err, fault.Conflict)
}

func TestArchivesHaveTheirPlace(t *testing.T) {
	l := startLeaf(t, "flights", "")
	a := spooling(t, l.Conn())
	for _, id := range []string{"", "../../etc/x", "a/b/c/d/e/f", "short"} {
		_, err := a.Put(id, 0, []byte("x"))
		if id == "short" || id == "" {
			_, _, err = snapshot(t, a, SnapshotQuery{Stream: "s", ID: id}, nil)
		}
		wantKind(t, err, fault.Invalid)
	}
	_, _, err := snapshot(t, a, SnapshotQuery{Stream: "none", ID: "backup-one"}, nil)
	wantKind(t, err, fault.NotFound)
	_, err = NewMeshAdmin(l.Conn(), true).Put("backup-one", 0, nil)
	wantKind(t, err, fault.Unavailable)
	_, _, err = snapshot(t, NewMeshAdmin(l.Conn(), true, "credentials"), SnapshotQuery{Stream: "KV_credentials", ID: "backup-one"}, nil)
	wantKind(t, err, fault.Denied)
}

// A product's own streams are restored together or not at all.
func TestAProductsStreamsAreRestoredTogether(t *testing.T) {
	from, to := startLeaf(t, "flights", ""), startLeaf(t, "flights", "")
	var all []Restoring
	out, in := spooling(t, from.Conn()), spooling(t, to.Conn())
	meta := map[string]string{"meshctl.product": "flights"}
	for i, spec := range []StreamSpec{
		{Name: "flights-v1", Subjects: []string{"f.>"}, Metadata: map[string]string{"meshctl.product": "flights", "meshctl.port": "flights"}},
		{Name: "dead", Subjects: []string{"dead.>"}, Metadata: meta},
	} {
		must(t, EnsureStream(t.Context(), from.Conn(), spec))
		must(t, EnsureStream(t.Context(), to.Conn(), spec))
		_, err := Publish(t.Context(), from.Conn(), []string{"f.x", "dead.x"}[i], []byte("x"), nil)
		must(t, err)
		archive, b, err := snapshot(t, out, SnapshotQuery{Stream: spec.Name, ID: "backup-" + spec.Name}, nil)
		must(t, err)
		_, err = in.Put("restore-"+spec.Name, 0, archive)
		must(t, err)
		all = append(all, Restoring{"restore-" + spec.Name, b})
	}
	around := 0
	in.Around = func(ctx context.Context, do func(context.Context) error) error { around++; return do(ctx) }
	_, err := in.Restore(t.Context(), all[:1])
	wantKind(t, err, fault.Conflict)
	if s := streamOf(t, in, "flights-v1"); s.Last != 0 || around != 0 {
		t.Errorf("stream = %+v", s)
	}
	_, err = in.Restore(t.Context(), all)
	must(t, err)
	if s := streamOf(t, in, "flights-v1"); s.Messages != 1 || around != 1 {
		t.Errorf("stream = %+v", s)
	}
	_, err = in.Restore(t.Context(), all)
	wantKind(t, err, fault.NotFound) // their archives are gone
}
