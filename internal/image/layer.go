package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	fastgzip "github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/meshctl/meshctl/internal/fault"
)

// Compression is how a layer is packed.
type Compression string

// The compressions.
const (
	Gzip Compression = "gzip"
	Zstd Compression = "zstd"
)

// layer is a packed layer in a file.
type layer struct {
	file           string
	compression    Compression
	digest, diffID v1.Hash
	size           int64
}

func (l *layer) Digest() (v1.Hash, error) { return l.digest, nil }
func (l *layer) DiffID() (v1.Hash, error) { return l.diffID, nil }
func (l *layer) Size() (int64, error)     { return l.size, nil }

func (l *layer) MediaType() (types.MediaType, error) {
	if l.compression == Zstd {
		return types.OCILayerZStd, nil
	}
	return types.OCILayer, nil
}

func (l *layer) Compressed() (io.ReadCloser, error) { return os.Open(l.file) }

func (l *layer) Uncompressed() (io.ReadCloser, error) {
	f, err := os.Open(l.file)
	if err != nil {
		return nil, err
	}
	if l.compression == Zstd {
		r, err := zstd.NewReader(f)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return &unpacked{Reader: r, close: func() error { r.Close(); return f.Close() }}, nil
	}
	r, err := gzip.NewReader(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &unpacked{Reader: r, close: func() error { return errors.Join(r.Close(), f.Close()) }}, nil
}

type unpacked struct {
	io.Reader
	close func() error
}

func (u *unpacked) Close() error { return u.close() }

// writeLayer packs what write puts into a tar, of about size bytes, which is only for
// telling how far it is.
func (b *builder) writeLayer(ctx context.Context, what string, size int64, write func(*entries) error) (l *layer, err error) {
	f, err := os.CreateTemp(b.temp, "layer-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	packed, plain := &meter{w: bufio.NewWriterSize(f, 1<<20), h: sha256.New()}, &meter{h: sha256.New()}
	z, err := b.Compression.writer(packed)
	if err != nil {
		return nil, err
	}
	plain.w = z
	plain.tell = func(n int64) error {
		b.Progress(what, n, size)
		return ctx.Err()
	}
	e := &entries{tar: tar.NewWriter(plain), time: b.Created}
	if err := write(e); err != nil {
		return nil, err
	}
	if err := errors.Join(e.tar.Close(), z.Close(), packed.w.(*bufio.Writer).Flush()); err != nil {
		return nil, err
	}
	return &layer{file: f.Name(), compression: b.Compression, digest: packed.sum(), diffID: plain.sum(), size: packed.n}, nil
}

// writer packs. One goroutine does, for bytes that do not depend on the processors.
func (c Compression) writer(w io.Writer) (io.WriteCloser, error) {
	switch c {
	case Gzip, "":
		return fastgzip.NewWriterLevel(w, fastgzip.BestCompression)
	case Zstd:
		return zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	}
	return nil, fault.New(fault.Invalid, "choose gzip or zstd", "unknown compression %q", string(c))
}

// meter counts and sums what it passes on.
type meter struct {
	w    io.Writer
	h    hash.Hash
	n    int64
	tell func(n int64) error
}

func (m *meter) Write(p []byte) (int, error) {
	n, err := m.w.Write(p)
	m.h.Write(p[:n])
	m.n += int64(n)
	if err == nil && m.tell != nil {
		err = m.tell(m.n)
	}
	return n, err
}

func (m *meter) sum() v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(m.h.Sum(nil))}
}

// entries is a layer's tar. Whoever fills it does so in the order of names; owners are
// root unless said otherwise, and each entry has the same time.
type entries struct {
	tar  *tar.Writer
	time time.Time
}

func (e *entries) add(h tar.Header) error {
	h.ModTime, h.Format = e.time, tar.FormatPAX
	if err := e.tar.WriteHeader(&h); err != nil {
		return fmt.Errorf("pack %s: %w", h.Name, err)
	}
	return nil
}

// folder adds a folder that belongs to a user.
func (e *entries) folder(name string, mode int64, owner int) error {
	return e.add(tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode, Uid: owner, Gid: owner})
}

// link adds a symbolic link.
func (e *entries) link(name, target string) error {
	return e.add(tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777})
}

// bytes adds a file that all may read.
func (e *entries) bytes(name string, data []byte) error {
	return e.file(name, 0o644, int64(len(data)), bytes.NewReader(data))
}

// file adds a file of exactly size bytes.
func (e *entries) file(name string, mode, size int64, r io.Reader) error {
	if err := e.add(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: size}); err != nil {
		return err
	}
	n, err := io.Copy(e.tar, r)
	if errors.Is(err, tar.ErrWriteTooLong) || err == nil && n != size {
		return fault.New(fault.Conflict, "build again when nothing writes to it", "pack %s: it changed meanwhile", name)
	}
	if err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	return nil
}
