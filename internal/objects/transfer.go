package objects

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"github.com/minio/minio-go/v7"
)

// partSize is what an upload holds in memory; a larger file goes out in parts of it.
const partSize = 16 << 20

// Upload makes an object of a file. It returns once the endpoint has all of it, and says so
// of each part by its checksum.
func (b *Bucket) Upload(ctx context.Context, name, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	_, err = b.client.Client.PutObject(ctx, b.o.Bucket, b.key(name), f, info.Size(), minio.PutObjectOptions{
		ContentType: "application/octet-stream", PartSize: partSize, SendContentMd5: true, NumThreads: 1,
	})
	return b.fault("upload", name, err)
}

// Download makes a file of an object. One that was begun goes on where a connection was
// cut. What the file holds is not compared with anything: whoever knows its sum does that.
func (b *Bucket) Download(ctx context.Context, name, file string) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var had int64
	version := ""
	for try := 1; ; try++ {
		n, err := b.pull(ctx, name, f, had, &version)
		if had += n; n > 0 {
			try = 1
		}
		if err == nil || try == tries || !passing(err) || pause(ctx, try) != nil {
			return b.fault("download", name, err)
		}
	}
}

// pull appends what the object has from offset on.
func (b *Bucket) pull(ctx context.Context, name string, to io.Writer, offset int64, version *string) (n int64, err error) {
	var o minio.GetObjectOptions
	if offset > 0 {
		if err := errors.Join(o.SetRange(offset, 0), o.SetMatchETag(*version)); err != nil {
			return 0, err
		}
	}
	body, info, _, err := b.client.GetObject(ctx, b.o.Bucket, b.key(name), o)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	*version = info.ETag
	n, err = io.Copy(to, body)
	if err == nil && n != info.Size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		err = cut{err}
	}
	return n, err
}

// The pause before a request is made again doubles between these.
const (
	shortestPause = 200 * time.Millisecond
	longestPause  = 3 * time.Second
)

// pause waits before the next try. Half of it is left to chance, so that those who were
// turned away together do not come back together.
func pause(ctx context.Context, try int) error {
	d := min(shortestPause<<min(try-1, 10), longestPause)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d/2 + rand.N(d/2)):
		return nil
	}
}
