package app

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
)

// How a file is put. The client asks at object-put, and the answer goes on for as long as
// the client is there: so its end, however it comes, is known. Meanwhile the client
// publishes chunks to the port's inbox. What it then says at object-commit makes a file of
// them in one message. Chunks of a put that ends without are removed.

const (
	mostName     = 1024      // bytes of a file's name
	mostMetadata = 256 << 10 // bytes of what is said of a file
)

// objectPut begins a put.
type objectPut struct {
	Port    string `json:"port"`
	Name    string `json:"name"`
	Content string `json:"content"`
}

// objectCommit ends one.
type objectCommit struct {
	objectPut
	Size     uint64            `json:"size"`
	Chunks   uint32            `json:"chunks"`
	Digest   string            `json:"digest"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

func (q *objectPut) check() error {
	switch {
	case q.Name == "" || len(q.Name) > mostName || !utf8.ValidString(q.Name) || strings.ContainsFunc(q.Name, unicode.IsControl):
		return fault.New(fault.Invalid, fmt.Sprintf("choose up to %d bytes of printable text", mostName), "%.100q cannot be the name of a file", q.Name)
	case !mesh.ValidContent(q.Content):
		return fault.New(fault.Invalid, "use letters and digits", "%.100q cannot be the name of a content", q.Content)
	}
	return nil
}

func (q *objectCommit) check() error {
	size := 0
	for k, v := range q.Metadata {
		size += len(k) + len(v)
		if k == "" || !utf8.ValidString(k) || !utf8.ValidString(v) {
			return fault.New(fault.Invalid, "use text, and a name for each value", "%.100q cannot be said of a file", k+"="+v)
		}
	}
	if size > mostMetadata {
		return fault.New(fault.Invalid, "put it into the file", "what is said of %s has %d bytes; it may have %d", q.Name, size, mostMetadata)
	}
	return q.objectPut.check()
}

// serveObjectPut lets a client publish chunks for as long as it is there.
func (p *Product) serveObjectPut(ctx context.Context, req []byte, send func([]byte) error) (_ []byte, err error) {
	q, err := decodeRequest[objectPut](req)
	if err != nil {
		return nil, err
	}
	pt, err := p.objectPort(q.Port)
	if err == nil {
		err = q.check()
	}
	if err != nil {
		return nil, err
	}
	one := p.uploads.begin(q.Content)
	if one == nil {
		return nil, fault.New(fault.Conflict, "", "content %s is on its way already", q.Content)
	}
	defer p.uploads.forget(q.Content)
	files := pt.files()
	if grown, err := files.Grown(ctx, q.Content); err != nil || !grown.IsZero() {
		return nil, orConflict(err, "content %s is there already", q.Content)
	}
	defer func() {
		if left := one.end(context.WithoutCancel(ctx), files, q.Content); left != nil && err == nil {
			err = left
		}
	}()
	if err := send([]byte("\n")); err != nil {
		return nil, err
	}
	return nil, p.attend(ctx, files, q.Name, q.Content)
}

func orConflict(err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	return fault.New(fault.Conflict, "", format, args...)
}

// attend returns when the client is gone, gives no chunk for long, or the product stops.
func (p *Product) attend(ctx context.Context, files mesh.Files, name, content string) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for moved := time.Now(); ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.ending.Done():
			return fault.New(fault.Unavailable, "try again when it is back", "product %s is stopping", p.Name())
		case <-tick.C:
		}
		grown, err := files.Grown(ctx, content)
		if err != nil {
			return err
		}
		if grown.After(moved) {
			moved = grown
		}
		if time.Since(moved) > uploadIdle {
			return fault.New(fault.Timeout, "put it again", "put %s: nothing has come of it for %s", name, uploadIdle)
		}
	}
}

// end removes what came of a put unless it was committed.
func (u *uploading) end(ctx context.Context, files mesh.Files, content string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ended = true
	if u.committed {
		return nil
	}
	return files.Drop(ctx, content)
}

// commitObject makes a file of what has been put, and returns when it is in every store.
func (p *Product) commitObject(ctx context.Context, q objectCommit) (mesh.File, error) {
	pt, err := p.objectPort(q.Port)
	if err == nil {
		err = q.check()
	}
	if err != nil {
		return mesh.File{}, err
	}
	one := p.uploads.find(q.Content)
	if one == nil {
		return mesh.File{}, errPutOver(q.Name)
	}
	f, err := p.commit(ctx, pt, one, q)
	if err != nil {
		return f, err
	}
	return f, pt.progress.Await(ctx, pt.id.Port, f.Seq)
}

func errPutOver(name string) error {
	return fault.New(fault.Conflict, "put it again", "put %s: the product has given it up meanwhile", name)
}

func (p *Product) commit(ctx context.Context, pt *port, one *uploading, q objectCommit) (f mesh.File, err error) {
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.ended || one.committed {
		return f, errPutOver(q.Name)
	}
	p.uploads.change.Lock()
	defer p.uploads.change.Unlock()
	f, err = pt.files().Commit(ctx, mesh.File{
		Name: q.Name, Size: q.Size, Digest: q.Digest, Metadata: q.Metadata, Content: q.Content, Chunks: q.Chunks,
	})
	if f.Seq > 0 {
		one.committed = true
	}
	if err != nil {
		return f, err
	}
	f, _, err = pt.files().Find(ctx, q.Name) // for its time
	return f, err
}

// objectsRequest asks for files of a port of the product, or of its copy of another's.
type objectsRequest struct {
	Product string   `json:"product,omitempty"` // whose port it is; "" for the product's own
	Port    string   `json:"port"`
	Names   []string `json:"names,omitempty"`
}

// filesOf are the files that a request asks for.
func (p *Product) filesOf(q objectsRequest) (mesh.Files, error) {
	if q.Product == "" || q.Product == p.Name() {
		pt, err := p.objectPort(q.Port)
		if err != nil {
			return mesh.Files{}, err
		}
		return pt.files(), nil
	}
	port, _, _ := strings.Cut(q.Port, "@")
	p.inputsMu.Lock()
	defer p.inputsMu.Unlock()
	for _, m := range p.mirrors {
		if m.id.Objects && m.id.Product == q.Product && (portName(m.id) == q.Port || m.id.Port == port && port == q.Port) {
			return mesh.FilesOf(p.leaf.Conn(), m.id), nil
		}
	}
	return mesh.Files{}, fault.New(fault.NotFound, "name a product that has the port as an input", "product %s has no copy of the files of %s.%s", p.Name(), q.Product, q.Port)
}

// serveObject answers with what is known of a file as a line of JSON, and then its content.
func (p *Product) serveObject(ctx context.Context, req []byte, send func([]byte) error) ([]byte, error) {
	q, err := decodeRequest[objectsRequest](req)
	if err != nil {
		return nil, err
	}
	if len(q.Names) != 1 {
		return nil, fault.New(fault.Invalid, "ask for one after the other", "%d files are asked for at once", len(q.Names))
	}
	files, err := p.filesOf(q)
	if err != nil {
		return nil, err
	}
	f, ok, err := files.Find(ctx, q.Names[0])
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fault.New(fault.Rejected, "see with meshctl object ls which there are", "there is no file %q", q.Names[0])
	}
	line, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	if err := send(append(line, '\n')); err != nil {
		return nil, err
	}
	return nil, files.Read(ctx, f, send)
}

// serveObjects answers with what is known of every file as NDJSON, in pieces.
func (p *Product) serveObjects(ctx context.Context, req []byte, send func([]byte) error) ([]byte, error) {
	q, err := decodeRequest[objectsRequest](req)
	if err != nil {
		return nil, err
	}
	files, err := p.filesOf(q)
	if err != nil {
		return nil, err
	}
	var lines []byte
	err = files.Each(ctx, func(f mesh.File) error {
		if f.Deleted {
			return nil
		}
		line, err := json.Marshal(f)
		if err != nil {
			return err
		}
		if lines = append(append(lines, line...), '\n'); len(lines) < chunkSize {
			return nil
		}
		defer func() { lines = lines[:0] }()
		return send(lines)
	})
	if err != nil || len(lines) == 0 {
		return nil, err
	}
	return nil, send(lines)
}

// objectsRemoved says which files there were none of.
type objectsRemoved struct {
	Missing []string `json:"missing,omitempty"`
}

// removeObjects removes files, and returns when they are in no store any more.
func (p *Product) removeObjects(ctx context.Context, q objectsRequest) (a objectsRemoved, err error) {
	pt, err := p.objectPort(q.Port)
	if err != nil {
		return a, err
	}
	for _, name := range q.Names {
		p.uploads.change.Lock()
		seq, ok, err := pt.files().Remove(ctx, name)
		p.uploads.change.Unlock()
		if err != nil {
			return a, err
		}
		if !ok {
			a.Missing = append(a.Missing, name)
			continue
		}
		if err := pt.progress.Await(ctx, pt.id.Port, seq); err != nil {
			return a, err
		}
	}
	return a, nil
}
