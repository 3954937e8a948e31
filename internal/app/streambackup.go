package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/meshctl/meshctl/internal/durable"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
)

// archives adds to endpoints those that carry archives of streams.
func archives(a *mesh.Admin, endpoints map[string]mesh.Handler) {
	endpoints[product.EndpointSnapshot] = func(ctx context.Context, req []byte, send func([]byte) error) ([]byte, error) {
		q, err := decodeRequest[mesh.SnapshotQuery](req)
		if err != nil {
			return nil, err
		}
		b, err := a.Snapshot(ctx, q, send)
		if err != nil {
			return nil, err
		}
		return json.Marshal(b, asWire)
	}
	endpoints[product.EndpointPut] = func(_ context.Context, req []byte, _ func([]byte) error) ([]byte, error) {
		head, piece, _ := bytes.Cut(req, []byte("\n"))
		q, err := decodeRequest[putRequest](head)
		if err != nil {
			return nil, err
		}
		size, err := a.Put(q.ID, q.At, piece)
		if err != nil {
			return nil, err
		}
		return json.Marshal(putAnswer{size})
	}
	endpoints[product.EndpointRestore] = answerJSON(a.Restore)
}

// putRequest is the line before a piece of an archive.
type putRequest struct {
	ID string `json:"id"`
	At int64  `json:"at"`
}

type putAnswer struct {
	Size int64 `json:"size"`
}

// whileStopped does something to the product's own streams while none of its steps runs.
// They then go on from what they find.
func (p *Product) whileStopped(ctx context.Context, do func(context.Context) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopPorts()
	err := do(ctx)
	return errors.Join(err, mesh.EnsureStream(ctx, p.leaf.Conn(), deadSpec(p.desc)), p.openPorts(ctx), p.startPorts(ctx))
}

const (
	putBytes   = 4 << 20 // of an archive, in a request
	retryPause = 500 * time.Millisecond
	retryLimit = 2 * time.Minute // without anything new
)

// retried does something that may be interrupted, again as long as some of it gets done:
// at says how much.
func retried(ctx context.Context, at func() int64, do func() error) error {
	had, since := at(), time.Now()
	for {
		err := do()
		if kind := fault.KindOf(err); err == nil || kind != fault.Unavailable {
			return err
		}
		if now := at(); now > had {
			had, since = now, time.Now()
		}
		if time.Since(since) > retryLimit {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retryPause):
		}
	}
}

// The files of a backup that is not whole yet.
const (
	partFile = "stream.part"
	partName = "stream.part.id"
)

// BackupStream writes the backup of a stream into a folder, and goes on where an earlier
// attempt ended. What is there is checked before it becomes a backup. told is told how much
// there is.
func (c *Client) BackupStream(ctx context.Context, a StreamAddress, dir string, told func(int64)) (*mesh.Backup, error) {
	if _, err := mesh.ReadBackup(dir); fault.KindOf(err) != fault.NotFound {
		return nil, fault.New(fault.Conflict, "choose another folder", "%s holds a backup already", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.New(fault.Invalid, "choose another folder", "back up stream %s: %w", a, err)
	}
	part, err := openPart(dir)
	if err != nil {
		return nil, fmt.Errorf("back up stream %s: %w", a, err)
	}
	defer func() { _ = part.Close() }()
	var b mesh.Backup
	err = retried(ctx, func() int64 { return part.size }, func() error {
		q := mesh.SnapshotQuery{Stream: a.Stream, ID: part.id, From: part.size}
		take := func(piece []byte) error {
			_, err := part.Write(piece)
			told(part.size)
			return err
		}
		b, err = askHome(ctx, c, a.Home, func() (mesh.Backup, error) { return callSnapshot(ctx, c, a.Home.Name, q, take) },
			direct(func(ad *mesh.Admin) (mesh.Backup, error) { return ad.Snapshot(ctx, q, take) }))
		if fault.KindOf(err) == fault.NotFound && part.size > 0 { // that archive is gone, so what there is of it is of no use
			if err := part.again(); err != nil {
				return err
			}
			return fault.New(fault.Unavailable, "", "begin again")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if part.size != b.Proof.Size || part.digest() != b.Proof.SHA256 {
		return nil, errors.Join(fault.New(fault.Conflict, "take the backup again", "back up stream %s: what arrived is not what was sent", a), part.again())
	}
	if err := part.whole(); err != nil {
		return nil, fmt.Errorf("back up stream %s: %w", a, err)
	}
	if err := mesh.WriteBackup(dir, &b); err != nil {
		return nil, err
	}
	_, err = askHome(ctx, c, a.Home, func() (mesh.Backup, error) {
		return callSnapshot(ctx, c, a.Home.Name, mesh.SnapshotQuery{Stream: a.Stream, ID: part.id, Drop: true}, nil)
	}, func(*mesh.Admin) (mesh.Backup, error) { return b, nil })
	return &b, err
}

func callSnapshot(ctx context.Context, c *Client, home string, q mesh.SnapshotQuery, take func([]byte) error) (b mesh.Backup, err error) {
	req, err := json.Marshal(q)
	if err != nil {
		return b, err
	}
	final, err := mesh.CallStream(ctx, c.nc, product.ServiceSubject(home, product.EndpointSnapshot), req, take)
	if err != nil {
		return b, err
	}
	return b, json.Unmarshal(final, &b, asWire)
}

// direct lets archives go through a folder here, where no product does it.
func direct[A any](do func(*mesh.Admin) (A, error)) func(*mesh.Admin) (A, error) {
	return func(a *mesh.Admin) (none A, err error) {
		dir, err := os.MkdirTemp("", "meshctl-stream-")
		if err != nil {
			return none, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		if err := a.SpoolIn(filepath.Join(dir, "spool")); err != nil {
			return none, err
		}
		return do(a)
	}
}

// part is an archive that is not whole yet.
type part struct {
	*os.File
	dir  string
	id   string
	size int64
}

func openPart(dir string) (*part, error) {
	f, err := os.OpenFile(filepath.Join(dir, partFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	p := &part{File: f, dir: dir}
	id, err := os.ReadFile(filepath.Join(dir, partName))
	if err == nil {
		p.id = string(id)
		p.size, err = f.Seek(0, io.SeekEnd)
		return p, err
	}
	return p, p.again()
}

// again begins anew, under another name.
func (p *part) again() error {
	p.id, p.size = strings.ToLower(rand.Text()), 0
	if err := p.Truncate(0); err != nil {
		return err
	}
	if _, err := p.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return durable.Write(filepath.Join(p.dir, partName), []byte(p.id))
}

func (p *part) Write(piece []byte) (int, error) {
	n, err := p.File.Write(piece)
	p.size += int64(n)
	return n, err
}

// digest is that of all there is, "" where it cannot be read.
func (p *part) digest() string {
	sum, _, err := durable.Digest(io.NewSectionReader(p.File, 0, p.size))
	if err != nil {
		return ""
	}
	return sum
}

// whole makes the part the archive.
func (p *part) whole() error {
	if err := p.Sync(); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(p.dir, partFile), filepath.Join(p.dir, mesh.ArchiveFile)); err != nil {
		return err
	}
	return os.Remove(filepath.Join(p.dir, partName))
}

// RestoreStreams makes streams of a home of the backups in folders, all or, where
// something speaks against one of them, none. told is told how much was sent.
func (c *Client) RestoreStreams(ctx context.Context, h StreamHome, dirs []string, told func(int64)) ([]mesh.Restored, error) {
	all := make([]mesh.Restoring, len(dirs))
	sent := int64(0)
	restore := func(put func(string, int64, []byte) (int64, error)) error {
		for i, dir := range dirs {
			b, err := mesh.ReadBackup(dir)
			if err != nil {
				return err
			}
			before := sent
			if all[i], err = putArchive(ctx, b, dir, put, func(n int64) { sent = before + n; told(sent) }); err != nil {
				return err
			}
		}
		return nil
	}
	return askHome(ctx, c, h, func() ([]mesh.Restored, error) {
		err := restore(func(id string, at int64, piece []byte) (int64, error) { return c.put(ctx, h.Name, id, at, piece) })
		if err != nil {
			return nil, err
		}
		return call[[]mesh.Restored](ctx, c, h.Name, product.EndpointRestore, all)
	}, direct(func(a *mesh.Admin) ([]mesh.Restored, error) {
		if err := restore(a.Put); err != nil {
			return nil, err
		}
		return a.Restore(ctx, all)
	}))
}

func (c *Client) put(ctx context.Context, home, id string, at int64, piece []byte) (int64, error) {
	head, err := json.Marshal(putRequest{id, at})
	if err != nil {
		return 0, err
	}
	answer, err := mesh.Call(ctx, c.nc, product.ServiceSubject(home, product.EndpointPut), append(append(head, '\n'), piece...))
	if err != nil {
		return 0, err
	}
	var a putAnswer
	return a.Size, json.Unmarshal(answer, &a)
}

// putArchive sends an archive, from where it is there already.
func putArchive(ctx context.Context, b *mesh.Backup, dir string, put func(string, int64, []byte) (int64, error), told func(int64)) (r mesh.Restoring, err error) {
	path := filepath.Join(dir, mesh.ArchiveFile)
	f, err := os.Open(path)
	if err != nil {
		return r, fault.New(fault.NotFound, "name the folder that meshctl stream backup wrote", "read the archive of stream %s: %w", b.Config.Name, err)
	}
	defer func() { _ = f.Close() }()
	digest, size, err := durable.Digest(f)
	if err != nil {
		return r, fmt.Errorf("read the archive of stream %s: %w", b.Config.Name, err)
	}
	switch { // the nats command line keeps no proof
	case b.Proof.SHA256 == "":
		b.Proof.SHA256, b.Proof.Size = digest, size
	case b.Proof.SHA256 != digest || b.Proof.Size != size:
		return r, fault.New(fault.Conflict, "take the archive from where it is whole", "the archive %s is damaged: its digest is not that of the backup", path)
	}
	r = mesh.Restoring{ID: digest, Backup: *b}
	at, buf := int64(0), make([]byte, putBytes)
	return r, retried(ctx, func() int64 { return at }, func() error {
		there, err := put(r.ID, 0, nil)
		for at = there; err == nil && at < size; told(at) {
			n, rerr := f.ReadAt(buf[:min(putBytes, size-at)], at)
			if rerr != nil {
				return fmt.Errorf("read the archive of stream %s: %w", b.Config.Name, rerr)
			}
			at, err = put(r.ID, at, buf[:n])
		}
		return err
	})
}
