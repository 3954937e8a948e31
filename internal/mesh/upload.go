package mesh

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash"
	"io"

	"github.com/nats-io/nuid"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// uploadChunks is how many chunks of a file are published at a time.
const uploadChunks = 64

// upload is a part of a file on its way to its port.
type upload struct {
	data []byte
	err  error // why no other follows; io.EOF at the file's end
}

// NewContent is a name for a content that no other has.
func NewContent() string { return nuid.Next() }

// Upload stores what r holds as the chunks of one content, and returns what is then known
// of it. Nothing is a file of the port until its owner commits it. sent is told now and
// then how many bytes are stored. On an error some chunks may be stored, none any more
// once Upload has returned.
func Upload(ctx context.Context, nc *Conn, id product.PortID, content string, r io.Reader, sent func(uint64)) (File, error) {
	f := File{Content: content}
	interrupted := ctx
	ctx, cancel := context.WithCancel(ctx)
	digest := sha256.New()
	full, empty := make(chan upload), make(chan []byte, 2)
	for range cap(empty) {
		empty <- make([]byte, uploadChunks*ChunkSize)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		readParts(ctx, r, digest, empty, full)
	}()
	defer func() {
		cancel()
		select {
		case <-done:
		case <-interrupted.Done(): // what it reads, such as a terminal, may never come: the process ends now
		}
	}()
	p := NewPublisher(nc, id.Files().Stream())
	defer p.Close()
	subject := id.InboxSubject(content)
	var msgs []Outgoing
	for {
		var part upload
		select {
		case part = <-full:
		case <-ctx.Done():
			return f, ctx.Err()
		}
		msgs = msgs[:0]
		for at := 0; at < len(part.data); at += ChunkSize {
			msgs = append(msgs, Outgoing{Subject: subject, Data: part.data[at:min(at+ChunkSize, len(part.data))]})
		}
		if part.err != nil && !errors.Is(part.err, io.EOF) {
			return f, part.err
		}
		switch _, err := p.Append(ctx, msgs); {
		case fault.KindOf(err) == fault.NotFound: // the stream was there when the upload began
			return f, notRunning(subject)
		case err != nil:
			return f, err
		}
		f.Size, f.Chunks = f.Size+uint64(len(part.data)), f.Chunks+uint32(len(msgs))
		sent(f.Size)
		if part.err != nil {
			f.Digest = Digest(digest)
			return f, nil
		}
		empty <- part.data[:cap(part.data)]
	}
}

// readParts reads r to its end, part by part into the buffers that are empty.
func readParts(ctx context.Context, r io.Reader, digest hash.Hash, empty <-chan []byte, full chan<- upload) {
	for {
		var part upload
		select {
		case buf := <-empty:
			n, err := io.ReadFull(r, buf)
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = io.EOF
			}
			part = upload{buf[:n], err}
		case <-ctx.Done():
			return
		}
		digest.Write(part.data)
		select {
		case full <- part:
		case <-ctx.Done():
			return
		}
		if part.err != nil {
			return
		}
	}
}

// Digest is a SHA-256 as it is written of a file.
func Digest(h hash.Hash) string { return "SHA-256=" + base64.URLEncoding.EncodeToString(h.Sum(nil)) }
