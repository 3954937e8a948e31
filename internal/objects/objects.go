// Package objects is a folder of an S3-compatible bucket: files that are uploaded once and
// never changed, and small ones that are replaced only where nobody else did.
//
// A large upload goes out in parts, one in memory at a time, each with its checksum, so
// that what arrives is what was sent. What the endpoint answers in a hurry (503, a cut
// connection) is tried again a few times with a pause that grows and varies; nothing waits for
// longer than stall without a byte. Whoever calls decides how to go on when that is over.
//
// Writers are kept apart by conditional requests (If-None-Match, If-Match), which S3,
// MinIO, Ceph, R2 and others know. An endpoint that does not heed them is refused before
// the first of them: two products could overwrite each other there.
package objects

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"path"
	"strings"
	"sync"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/meshctl/meshctl/internal/fault"
)

// Options say which bucket and how to reach it.
type Options struct {
	Bucket    string // its name
	Prefix    string // of every object's name, without slashes at its ends; may be empty
	Endpoint  string // URL; Amazon's for the region when empty
	Region    string
	PathStyle bool // the bucket stands in the path instead of in the host's name
	Keys      Keys
}

// tries is how often a request is made before its error counts.
const tries = 5

// Bucket is a folder of a bucket. Its methods are safe for use by several goroutines.
// Their errors are faults: NotFound for a bucket or, with fs.ErrNotExist, an object that is
// not there, Denied for
// credentials that are wrong or may not do that, Unavailable for an endpoint that does not answer.
type Bucket struct {
	o      Options
	client minio.Core

	mu     sync.Mutex
	heeded bool // the endpoint was seen to refuse a condition that does not hold
}

// New is that folder. It asks nothing yet, so the endpoint may be away.
func New(o Options) (*Bucket, error) {
	host, secure, err := address(o)
	if err != nil {
		return nil, err
	}
	lookup := minio.BucketLookupDNS
	if o.PathStyle {
		lookup = minio.BucketLookupPath
	}
	client, err := minio.New(host, &minio.Options{
		Creds: credentials.New(&provider{keys: o.Keys}), Secure: secure, Transport: newTransport(stall),
		Region: o.Region, BucketLookup: lookup, MaxRetries: tries,
	})
	if err != nil {
		return nil, fault.New(fault.Invalid, "correct spec.storage in the descriptor", "use the bucket %s at %s: %w", o.Bucket, host, err)
	}
	return &Bucket{o: o, client: minio.Core{Client: client}}, nil
}

// address is the endpoint's host and whether it is to be spoken to by TLS.
func address(o Options) (host string, secure bool, err error) {
	if o.Endpoint == "" {
		return "s3." + o.Region + ".amazonaws.com", true, nil
	}
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", false, fault.New(fault.Invalid, "write it as https://host or https://host:port", "the bucket's endpoint %q is not a URL", o.Endpoint)
	}
	return u.Host, u.Scheme == "https", nil
}

// String is the folder's URL.
func (b *Bucket) String() string { return "s3://" + path.Join(b.o.Bucket, b.o.Prefix) }

func (b *Bucket) key(name string) string { return path.Join(b.o.Prefix, name) }

// begin is how names in the bucket begin that begin so in the folder.
func (b *Bucket) begin(prefix string) string {
	if dir, ok := strings.CutSuffix(prefix, "/"); ok {
		return b.key(dir) + "/"
	}
	return b.key(prefix)
}

// Read is a small object and its version.
func (b *Bucket) Read(ctx context.Context, name string) ([]byte, string, error) {
	for try := 1; ; try++ {
		data, version, err := b.read(ctx, name)
		if err == nil || try == tries || !passing(err) || pause(ctx, try) != nil {
			return data, version, b.fault("read", name, err)
		}
	}
}

func (b *Bucket) read(ctx context.Context, name string) (_ []byte, version string, err error) {
	body, info, _, err := b.client.GetObject(ctx, b.o.Bucket, b.key(name), minio.GetObjectOptions{})
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	var data bytes.Buffer
	if _, err := io.Copy(&data, body); err != nil {
		return nil, "", cut{err}
	}
	if int64(data.Len()) != info.Size {
		return nil, "", cut{io.ErrUnexpectedEOF}
	}
	return data.Bytes(), info.ETag, nil
}

// Replace writes a small object if it still has that version, "" if there is none yet, and
// returns its new version. It is a Conflict when it has another one. After any other error it
// may have been written, now or later, until somebody else has replaced it.
func (b *Bucket) Replace(ctx context.Context, name string, data []byte, version string) (string, error) {
	if err := b.checkConditions(ctx); err != nil {
		return "", err
	}
	version, err := b.replace(ctx, name, data, version)
	return version, b.fault("write", name, err)
}

func (b *Bucket) replace(ctx context.Context, name string, data []byte, version string) (string, error) {
	o := minio.PutObjectOptions{ContentType: "application/json", SendContentMd5: true}
	if version == "" {
		o.SetMatchETagExcept("*")
	} else {
		o.SetMatchETag(version)
	}
	info, err := b.client.Client.PutObject(ctx, b.o.Bucket, b.key(name), bytes.NewReader(data), int64(len(data)), o)
	return info.ETag, err
}

// marker is an object that says whose folder it is.
const marker = "meshctl.json"

// checkConditions makes sure, once, that the endpoint refuses to write where a condition
// does not hold.
func (b *Bucket) checkConditions(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.heeded {
		return nil
	}
	for range 2 { // the first may make it
		_, err := b.replace(ctx, marker, []byte(`{"kind":"product"}`+"\n"), "")
		if err == nil {
			continue
		}
		err = b.fault("write", marker, err)
		if b.heeded = fault.KindOf(err) == fault.Conflict; !b.heeded {
			return err
		}
		return nil
	}
	return fault.New(fault.Invalid, "use an endpoint that knows conditional writes (If-None-Match), as S3 and MinIO do",
		"use %s: its endpoint overwrites an object that it was told not to", b)
}

// List are the names that begin so, of whole objects.
func (b *Bucket) List(ctx context.Context, prefix string) ([]string, error) {
	ctx, cancel := context.WithCancel(ctx) // ends the listing also when this returns early
	defer cancel()
	var names []string
	for o := range b.client.Client.ListObjects(ctx, b.o.Bucket, minio.ListObjectsOptions{Prefix: b.begin(prefix), Recursive: true}) {
		if o.Err != nil {
			return nil, b.fault("list", prefix, o.Err)
		}
		names = append(names, strings.TrimPrefix(strings.TrimPrefix(o.Key, b.o.Prefix), "/"))
	}
	return names, nil
}

// Delete removes objects; it is no error when one is not there.
func (b *Bucket) Delete(ctx context.Context, names ...string) error {
	for _, name := range names {
		err := b.client.Client.RemoveObject(ctx, b.o.Bucket, b.key(name), minio.RemoveObjectOptions{})
		if err != nil && !missing(err) {
			return b.fault("delete", name, err)
		}
	}
	return nil
}

// Abandon removes what uploads left behind that were never finished, of names that begin so.
func (b *Bucket) Abandon(ctx context.Context, prefix string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for u := range b.client.ListIncompleteUploads(ctx, b.o.Bucket, b.begin(prefix), true) {
		if u.Err != nil {
			return b.fault("list unfinished uploads of", prefix, u.Err)
		}
		if err := b.client.AbortMultipartUpload(ctx, b.o.Bucket, u.Key, u.UploadID); err != nil && !missing(err) {
			return b.fault("abandon the upload of", u.Key, err)
		}
	}
	return nil
}

// fault says what was tried on which object and why it did not work.
func (b *Bucket) fault(act, name string, err error) error {
	if err == nil {
		return nil
	}
	if missing(err) {
		err = errMissing
	}
	kind, hint := judge(err, b.o.Bucket, b.client.EndpointURL().String())
	return fault.New(kind, hint, "%s %s/%s: %w", act, b, name, err)
}

var errMissing = fmt.Errorf("there is no such object: %w", fs.ErrNotExist)
