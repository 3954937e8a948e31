package mesh

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

// File is what is known of one file of an object port.
type File struct {
	Name     string            `json:"name"`
	Size     uint64            `json:"size"`
	Time     time.Time         `json:"time"` // when it was put there, to the microsecond
	Digest   string            `json:"digest"`
	Metadata map[string]string `json:"metadata,omitempty"`

	Content string     `json:"-"` // names its chunks
	Chunks  uint32     `json:"-"`
	Deleted bool       `json:"-"`
	Seq     record.Seq `json:"-"` // of what is known
}

// ChunkSize is how many bytes of a file one message holds, as NATS clients have it.
const ChunkSize = 128 << 10

// fileSilence is how long nothing may come of a content before it is looked whether it is
// still there.
const (
	fileSilence = 3 * time.Second
	fileTries   = 4
)

// Files are the files of an object port in the leaf that nc belongs to: the port's own,
// or a mirror of them. They are kept as NATS clients keep an object store, which can
// therefore read them from a backup.
type Files struct {
	nc *Conn
	id product.PortID // with Objects
}

// FilesOf are the files of a port.
func FilesOf(nc *Conn, id product.PortID) Files { return Files{nc, id.Files()} }

// Stream is the stream that the files are in.
func (f Files) Stream() string { return f.id.Stream() }

// Known matches the messages that FileOf reads.
func (f Files) Known() string { return f.id.FileSubject("*") }

// FileOf is what a message says of a file.
func FileOf(m *Message) (File, error) {
	var info jetstream.ObjectInfo
	if err := json.Unmarshal(m.Data, &info); err != nil {
		return File{}, fmt.Errorf("read what is known of a file: %w", err)
	}
	f := File{
		Name: info.Name, Size: info.Size, Time: m.Time.Truncate(time.Microsecond), Digest: info.Digest, Metadata: info.Metadata,
		Content: info.NUID, Chunks: info.Chunks, Deleted: info.Deleted, Seq: m.Seq,
	}
	switch {
	case f.Name == "" || !strings.HasSuffix(m.Subject, "."+fileToken(f.Name)):
		return f, errors.New("read what is known of a file: it is of another file")
	case !ValidContent(f.Content):
		return f, fmt.Errorf("read what is known of %s: its content has no name", f.Name)
	case info.Opts != nil && info.Opts.Link != nil:
		return f, fmt.Errorf("read what is known of %s: it is a link, which an object port does not have", f.Name)
	}
	return f, nil
}

func fileToken(name string) string { return base64.URLEncoding.EncodeToString([]byte(name)) }

// ValidContent says whether s can name a content.
func ValidContent(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// Find is the file of that name; false where there is none, or none any more.
func (f Files) Find(ctx context.Context, name string) (File, bool, error) {
	m, ok, err := LastMessage(ctx, f.nc, "", f.Stream(), f.id.FileSubject(fileToken(name)))
	if err != nil || !ok {
		return File{}, false, err
	}
	file, err := FileOf(&m)
	return file, err == nil && !file.Deleted, err
}

// Each gives every file to do, the one put there first first, and what is known of files
// that were removed too.
func (f Files) Each(ctx context.Context, do func(File) error) error {
	last, ok, err := LastMessage(ctx, f.nc, "", f.Stream(), f.Known())
	if err != nil || !ok {
		return err
	}
	r, err := NewReader(ctx, f.nc, "", f.Stream(), 0, f.Known())
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		msgs, err := f.next(ctx, r, func() (bool, error) {
			now, ok, err := LastMessage(ctx, f.nc, "", f.Stream(), f.Known())
			return ok && now.Seq >= last.Seq, err
		})
		if err != nil || msgs == nil { // what was last has been purged
			return err
		}
		for i := range msgs {
			if msgs[i].Seq > last.Seq {
				return nil
			}
			file, err := FileOf(&msgs[i])
			if err == nil {
				err = do(file)
			}
			if err != nil || msgs[i].Seq == last.Seq {
				return err
			}
		}
	}
}

// Read gives the chunks of a file to do. A content that is not there as a whole, or not
// any more, is a Conflict. Whether it is what was put there only its digest tells.
func (f Files) Read(ctx context.Context, file File, do func(chunk []byte) error) error {
	gone := fault.New(fault.Conflict, "try again", "%s was replaced or removed, or has not come over as a whole yet", file.Name)
	subject := f.id.ChunkSubject(file.Content)
	whole := func() (bool, error) {
		n, err := f.chunks(ctx, file.Content)
		return n == uint64(file.Chunks), err
	}
	if ok, err := whole(); err != nil || !ok {
		return orCause(err, gone)
	}
	if file.Chunks == 0 {
		return nil
	}
	r, err := NewReader(ctx, f.nc, "", f.Stream(), 0, subject)
	if err != nil {
		return err
	}
	defer r.Close()
	for n := uint32(0); n < file.Chunks; {
		msgs, err := f.next(ctx, r, whole)
		if err != nil {
			return err
		}
		if msgs == nil {
			return gone
		}
		for i := range msgs {
			if err := do(msgs[i].Data); err != nil {
				return err
			}
		}
		n += uint32(len(msgs))
	}
	return nil
}

// next is the next messages; none where there says that none are to be waited for. A
// stream that has them and does not give them is a Conflict.
func (f Files) next(ctx context.Context, r *Reader, there func() (bool, error)) ([]Message, error) {
	for tries := 1; ; tries++ {
		wait, cancel := context.WithTimeout(ctx, fileSilence)
		msgs, err := r.Next(wait, 0, 1<<20, 0, 0)
		cancel()
		if err == nil || ctx.Err() != nil || wait.Err() == nil {
			return msgs, err
		}
		if ok, err := there(); err != nil || !ok {
			return nil, err
		}
		if tries == fileTries {
			return nil, fault.New(fault.Conflict, "restore the stream from a backup", "stream %s does not give all that it has: its files are damaged", f.Stream())
		}
	}
}

// chunks is how many chunks of a content there are.
func (f Files) chunks(ctx context.Context, content string) (uint64, error) {
	subject := f.id.ChunkSubject(content)
	counts, err := SubjectCounts(ctx, f.nc, "", f.Stream(), subject)
	return counts[subject], err
}

// Commit makes a file of a content whose chunks are all there, in place of the one of that
// name. A content that is not whole is a Conflict.
func (f Files) Commit(ctx context.Context, file File) (File, error) {
	n, err := f.chunks(ctx, file.Content)
	if err != nil {
		return file, err
	}
	if n != uint64(file.Chunks) {
		return file, fault.New(fault.Conflict, "put it again", "put %s: %d of its %d chunks have arrived", file.Name, n, file.Chunks)
	}
	before, replaces, err := f.Find(ctx, file.Name)
	if err != nil {
		return file, err
	}
	if file.Seq, err = f.know(ctx, file); err != nil {
		return file, err
	}
	if replaces {
		err = f.Drop(ctx, before.Content)
	}
	return file, err
}

// Remove removes a file; false where there is none.
func (f Files) Remove(ctx context.Context, name string) (record.Seq, bool, error) {
	file, ok, err := f.Find(ctx, name)
	if err != nil || !ok {
		return 0, false, err
	}
	file.Deleted, file.Size, file.Chunks, file.Digest = true, 0, 0, ""
	seq, err := f.know(ctx, file)
	if isFull(err) { // without room even for that: the content makes it
		if err = f.Drop(ctx, file.Content); err == nil {
			seq, err = f.know(ctx, file)
		}
	}
	if err != nil {
		return 0, false, err
	}
	return seq, true, f.Drop(ctx, file.Content)
}

// know stores what is known of a file, in place of what was.
func (f Files) know(ctx context.Context, file File) (record.Seq, error) {
	data, err := json.Marshal(jetstream.ObjectInfo{
		ObjectMeta: jetstream.ObjectMeta{
			Name: file.Name, Metadata: file.Metadata, Opts: &jetstream.ObjectMetaOptions{ChunkSize: ChunkSize},
		},
		Bucket: f.id.Bucket(), NUID: file.Content, Size: file.Size, Chunks: file.Chunks, Digest: file.Digest, Deleted: file.Deleted,
	})
	if err != nil {
		return 0, err
	}
	return Publish(ctx, f.nc, f.id.FileSubject(fileToken(file.Name)), data, map[string]string{nats.MsgRollup: nats.MsgRollupSubject})
}

// Drop removes the chunks of a content.
func (f Files) Drop(ctx context.Context, content string) error {
	_, err := Purge(ctx, f.nc, "", f.Stream(), f.id.ChunkSubject(content), 0)
	return err
}

// Contents are the contents of which there are chunks.
func (f Files) Contents(ctx context.Context) ([]string, error) {
	counts, err := SubjectCounts(ctx, f.nc, "", f.Stream(), f.id.ChunkSubject("*"))
	var all []string
	for subject := range counts {
		all = append(all, strings.TrimPrefix(subject, f.id.ChunkSubject("")))
	}
	return all, err
}

// Grown is when the last chunk of a content was stored; zero where there is none.
func (f Files) Grown(ctx context.Context, content string) (time.Time, error) {
	m, _, err := LastMessage(ctx, f.nc, "", f.Stream(), f.id.ChunkSubject(content))
	return m.Time, err
}

// isFull says whether a stream has not taken a message because it is full.
func isFull(err error) bool {
	var told api.ApiError
	return errors.As(err, &told) && full(&told)
}
