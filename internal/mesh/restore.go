package mesh

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/nats-io/jsm.go"

	"github.com/meshctl/meshctl/internal/fault"
)

// metaBuffer holds what jsm.go writes beside an archive.
type metaBuffer struct{ bytes.Buffer }

func (*metaBuffer) Close() error { return nil }

func (m *metaBuffer) decode(b *Backup) error {
	if err := json.Unmarshal(m.Bytes(), b); err != nil {
		return fmt.Errorf("read what the server says of the archive: %w", err)
	}
	return nil
}

// Put writes a piece of an archive that is to be restored, and says how much there is of
// it now. A piece that does not begin there is not written: go on from where it ends.
func (a *Admin) Put(id string, at int64, piece []byte) (size int64, err error) {
	path, err := a.spools.path("in-" + id)
	if err != nil {
		return 0, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, fmt.Errorf("write an archive: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if size, err = f.Seek(0, io.SeekEnd); err != nil || size != at || len(piece) == 0 {
		return size, err
	}
	n, err := f.Write(piece)
	if err != nil {
		return size + int64(n), fmt.Errorf("write an archive: %w", err)
	}
	return size + int64(n), nil
}

// Restoring is an archive that was put, and what is known of it.
type Restoring struct {
	ID     string `json:"id"`
	Backup Backup `json:"backup"`
}

// Restored is a stream that was made of an archive.
type Restored struct {
	Stream   string `json:"stream"`
	Messages uint64 `json:"messages"`
	First    uint64 `json:"firstSequence"`
	Last     uint64 `json:"lastSequence"`
}

// Restore makes streams of archives: equal to what was backed up, sequences and times
// included. A stream that is there already must be empty, and have been from the beginning.
// Each archive is checked before any stream is made.
func (a *Admin) Restore(ctx context.Context, all []Restoring) ([]Restored, error) {
	var empty []string
	own := false
	for i := range all {
		b := &all[i].Backup
		if err := a.content(b.Config.Name); err != nil {
			return nil, err
		}
		if err := a.whole(&all[i]); err != nil {
			return nil, err
		}
		have, err := a.info(ctx, b.Config.Name)
		switch {
		case fault.KindOf(err) == fault.NotFound:
		case err != nil:
			return nil, err
		case have.State.LastSeq > 0:
			return nil, fault.New(fault.Conflict, "restore where the stream is new, or delete it first", "restore stream %s: it is there, and has held %d messages", b.Config.Name, have.State.LastSeq)
		default:
			empty = append(empty, b.Config.Name)
		}
		own = own || KeeperOf(&b.Config).Name == KeptByMeshctl
	}
	if own {
		if err := a.wholeProduct(ctx, all); err != nil {
			return nil, err
		}
	}
	var done []Restored
	do := func(ctx context.Context) error {
		for i := range all {
			r, err := a.restore(ctx, &all[i], slices.Contains(empty, all[i].Backup.Config.Name))
			if err != nil {
				return fmt.Errorf("restore stream %s: %w", all[i].Backup.Config.Name, err)
			}
			done = append(done, r)
		}
		return nil
	}
	if own && a.Around != nil {
		return done, a.Around(ctx, do)
	}
	return done, do(ctx)
}

// wholeProduct refuses to restore some of a product's own streams without the others:
// a record's position in the inbox stands in the log, so the two must be of one age.
func (a *Admin) wholeProduct(ctx context.Context, all []Restoring) error {
	infos, err := a.infos(ctx, "")
	if err != nil {
		return err
	}
	for _, info := range infos {
		k := KeeperOf(&info.Config)
		if k.Name != KeptByMeshctl || k.What == keptMirror {
			continue // the origin of a mirror sends it again
		}
		if !slices.ContainsFunc(all, func(r Restoring) bool { return r.Backup.Config.Name == info.Config.Name }) {
			return fault.New(fault.Conflict, "back up and restore the product as a whole: meshctl stream backup PRODUCT DIR",
				"a product's own streams belong together, and stream %s is not among them", info.Config.Name)
		}
	}
	return nil
}

// whole refuses an archive that is not what was backed up.
func (a *Admin) whole(r *Restoring) error {
	path, err := a.spools.path("in-" + r.ID)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return fault.New(fault.NotFound, "send it again", "read the archive of stream %s: %w", r.Backup.Config.Name, err)
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	if err != nil {
		return fmt.Errorf("read the archive of stream %s: %w", r.Backup.Config.Name, err)
	}
	if n != r.Backup.Proof.Size || hex.EncodeToString(sum.Sum(nil)) != r.Backup.Proof.SHA256 {
		return fault.New(fault.Conflict, "take the archive from where it is whole", "the archive of stream %s is damaged: its digest is another one", r.Backup.Config.Name)
	}
	return nil
}

func (a *Admin) restore(ctx context.Context, r *Restoring, replace bool) (out Restored, err error) {
	path, err := a.spools.path("in-" + r.ID)
	if err != nil {
		return out, err
	}
	m, err := a.manager()
	if err != nil {
		return out, err
	}
	f, err := os.Open(path)
	if err != nil {
		return out, err
	}
	defer func() { _ = f.Close() }() // jsm.go has closed it, but for an early error
	name := r.Backup.Config.Name
	meta, err := json.Marshal(r.Backup)
	if err != nil {
		return out, err
	}
	if replace {
		if err := a.remove(ctx, name); err != nil {
			return out, err
		}
	}
	state, err := m.RestoreSnapshotFromBuffer(ctx, name, f, io.NopCloser(bytes.NewReader(meta)), jsm.SnapshotChunkSize(restoreChunk))
	if err != nil {
		return out, err
	}
	out = Restored{Stream: name, Messages: state.Msgs, First: state.FirstSeq, Last: state.LastSeq}
	want := r.Backup.State
	if r.Backup.Config.MaxAge == 0 && (state.Msgs != want.Msgs || state.LastSeq != want.LastSeq) {
		return out, fault.New(fault.Internal, "delete it and try again", "it has %d messages up to %d, not %d up to %d", state.Msgs, state.LastSeq, want.Msgs, want.LastSeq)
	}
	if err := os.Remove(path); err != nil {
		return out, fmt.Errorf("drop its archive: %w", err)
	}
	return out, nil
}
