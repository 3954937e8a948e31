package app

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/pipeline"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

// An object port is two streams. Its files are in an object store, and what that knows of
// them is the inbox of a door, which writes it to the port's log as the records of a state
// port. So there is one way only into tables, queries and other leaves.

const (
	// uploadIdle is how long a file on its way may give no chunk.
	uploadIdle = 30 * time.Minute
	// replicaGrace is how old chunks in a copy must be that belong to no file, before they go:
	// what is known of their file comes last, and an upload takes its time.
	replicaGrace = 2 * uploadIdle
	// sweepsOf is how many times maintenance is due between two sweeps.
	sweepsOf = 12
)

// filesSpec is the stream that holds an object port's files.
func filesSpec(id product.PortID, out *product.Output) (mesh.StreamSpec, error) {
	files := id.Files()
	spec := mesh.StreamSpec{
		Name: files.Stream(), Files: &files,
		Subjects: []string{files.InboxSubject("*"), files.ChunkSubject("*"), files.FileSubject("*")},
		Compress: out.Stream.Compression == product.CompressionS2,
		Metadata: map[string]string{catalog.MetaProduct: id.Product, catalog.MetaFiles: id.Port},
		LoseData: true, // beyond a smaller size it takes no more, and drops nothing
	}
	if age := time.Duration(out.Retention.Age); age > 0 {
		spec.Metadata[catalog.MetaAge] = age.String()
	}
	if out.Retention.Bytes == "" {
		return spec, nil
	}
	var err error
	spec.MaxBytes, err = out.Retention.Bytes.Bytes()
	return spec, err
}

// filesPlan is what a descriptor changes of the stream of a port's files. The age is none of
// the server's settings, for a file goes whole.
func filesPlan(ctx context.Context, nc *mesh.Conn, id product.PortID, out *product.Output) (*mesh.StreamPlan, error) {
	spec, err := filesSpec(id, out)
	if err != nil {
		return nil, err
	}
	plan, err := mesh.PlanStream(ctx, nc, spec)
	if err != nil || plan.Action == mesh.Create {
		return plan, err
	}
	state, err := mesh.State(ctx, nc, "", spec.Name)
	if err != nil {
		return nil, err
	}
	had, err := time.ParseDuration(cmp.Or(state.Metadata[catalog.MetaAge], "0"))
	if err != nil {
		return nil, fmt.Errorf("read how old the files of %s may be: %w", id, err)
	}
	age := time.Duration(out.Retention.Age)
	if age == had {
		return plan, nil
	}
	plan.Action = mesh.Change
	change := mesh.FieldChange{Field: "max_age", Old: fmt.Appendf(nil, "%d", had), New: fmt.Appendf(nil, "%d", age)}
	plan.Fields = append([]mesh.FieldChange{change}, plan.Fields...)
	if shorter := age > 0 && (had == 0 || age < had); !shorter || state.Msgs == 0 {
		return plan, nil
	}
	var oldest time.Time
	err = mesh.FilesOf(nc, id).Each(ctx, func(f mesh.File) error {
		if !f.Deleted && time.Since(f.Time) > age && (oldest.IsZero() || f.Time.Before(oldest)) {
			oldest = f.Time
		}
		return nil
	})
	if !oldest.IsZero() {
		plan.Refused = append(plan.Refused, mesh.Reason{
			Danger: mesh.LosesData, Hint: mesh.LoseDataHint,
			Text: fmt.Sprintf("age limit %s would remove files since %s", age, oldest.Format(time.RFC3339)),
		})
	}
	return plan, err
}

// openFiles makes the stream of the port's files. A shorter age that would remove files is
// refused, as it is for records, unless it may.
func (pt *port) openFiles(ctx context.Context, lose bool) error {
	nc := pt.p.leaf.Conn()
	plan, err := filesPlan(ctx, nc, pt.id, &pt.out)
	if err == nil && !lose {
		err = plan.Err()
	}
	if err != nil {
		return err
	}
	spec, err := filesSpec(pt.id, &pt.out)
	if err != nil {
		return err
	}
	return mesh.EnsureStream(ctx, nc, spec)
}

// files are the port's files.
func (pt *port) files() mesh.Files { return mesh.FilesOf(pt.p.leaf.Conn(), pt.id) }

// listing reads what is known of files, as lines that a door takes.
type listing struct{ pipeline.Source }

func (pt *port) openListing(ctx context.Context, after record.Seq) (pipeline.Source, error) {
	files := pt.files()
	s, err := openSubject(pt.p.leaf.Conn(), files.Stream(), files.Known())(ctx, after)
	if err != nil {
		return nil, err
	}
	return listing{s}, nil
}

func (l listing) Next(ctx context.Context, limit int) ([]pipeline.Message, error) {
	msgs, err := l.Source.Next(ctx, limit)
	for i := range msgs {
		m := &msgs[i]
		file, unreadable := mesh.FileOf(&mesh.Message{Seq: m.Seq, Time: m.Time, Subject: m.Subject, Data: m.Data})
		m.Header = nil // each is one line
		if unreadable == nil {
			if m.Data, unreadable = fileLine(file); unreadable != nil {
				return nil, unreadable
			}
		} // else it breaks the contract as it is, and becomes a dead letter
	}
	return msgs, err
}

// fileLine is the record of a file, or the line that deletes it.
func fileLine(f mesh.File) ([]byte, error) {
	if f.Deleted {
		return pipeline.DeleteLine([]string{f.Name})
	}
	line := struct {
		Name     string    `json:"name"`
		Size     uint64    `json:"size"`
		Time     time.Time `json:"time"`
		Digest   string    `json:"digest"`
		Metadata *string   `json:"metadata"`
	}{f.Name, f.Size, f.Time, f.Digest, nil}
	if len(f.Metadata) > 0 {
		text, err := json.Marshal(f.Metadata, json.Deterministic(true))
		if err != nil {
			return nil, err
		}
		said := string(text)
		line.Metadata = &said
	}
	return json.Marshal(line)
}

// uploads are the contents on their way into a product's object ports.
type uploads struct {
	mu     sync.Mutex
	under  map[string]*uploading
	change sync.Mutex // one file is committed, or removed, at a time
}

// uploading is one of them.
type uploading struct {
	mu        sync.Mutex
	ended     bool // nothing more can be made of it
	committed bool
}

// begin adds a content; nil when it is on its way already.
func (u *uploads) begin(content string) *uploading {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.under[content] != nil {
		return nil
	}
	if u.under == nil {
		u.under = map[string]*uploading{}
	}
	one := &uploading{}
	u.under[content] = one
	return one
}

func (u *uploads) find(content string) *uploading {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.under[content]
}

func (u *uploads) forget(content string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.under, content)
}

// strays are those of contents that belong to no file; seen is given each file that there is.
func strays(ctx context.Context, files mesh.Files, contents []string, seen func(mesh.File)) ([]string, error) {
	theirs := map[string]bool{}
	err := files.Each(ctx, func(f mesh.File) error {
		if !f.Deleted {
			theirs[f.Content] = true
			seen(f)
		}
		return nil
	})
	return slices.DeleteFunc(contents, func(c string) bool { return theirs[c] }), err
}

// sweep removes files that are too old, and chunks of what never became a file: of a put
// that was interrupted together with the product.
func (pt *port) sweep(ctx context.Context) error {
	files := pt.files()
	contents, err := files.Contents(ctx)
	if err != nil {
		return err
	}
	// Before it is looked what is a file: it may become one meanwhile.
	contents = slices.DeleteFunc(contents, func(c string) bool { return pt.p.uploads.find(c) != nil })
	var old []string
	stray, err := strays(ctx, files, contents, func(f mesh.File) {
		if age := time.Duration(pt.out.Retention.Age); age > 0 && time.Since(f.Time) > age {
			old = append(old, f.Name)
		}
	})
	if err != nil {
		return err
	}
	for _, content := range stray {
		pt.logger().Info("what is left of a put that was interrupted is removed", "content", content)
		if err := files.Drop(ctx, content); err != nil {
			return err
		}
	}
	for _, name := range old {
		if _, err := pt.expire(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// expire removes a file unless it was replaced meanwhile.
func (pt *port) expire(ctx context.Context, name string) (bool, error) {
	pt.p.uploads.change.Lock()
	defer pt.p.uploads.change.Unlock()
	f, ok, err := pt.files().Find(ctx, name)
	if err != nil || !ok || time.Since(f.Time) <= time.Duration(pt.out.Retention.Age) {
		return false, err
	}
	_, ok, err = pt.files().Remove(ctx, name)
	return ok, err
}

// sweepReplica removes chunks of a copy that belong to no file any more: what its origin
// removed does not go by itself. They must be as old as grace, and a copy that is behind is
// left alone.
func sweepReplica(ctx context.Context, nc *mesh.Conn, files mesh.Files, grace time.Duration) error {
	s, err := mesh.State(ctx, nc, "", files.Stream())
	if err != nil || s.MirrorLag > 0 || s.MirrorActive < 0 || s.MirrorActive > sourceQuiet {
		return err
	}
	contents, err := files.Contents(ctx)
	if err != nil || len(contents) == 0 {
		return err
	}
	stray, err := strays(ctx, files, contents, func(mesh.File) {})
	if err != nil {
		return err
	}
	for _, content := range stray {
		grown, err := files.Grown(ctx, content)
		if err != nil {
			return err
		}
		if time.Since(grown) < grace {
			continue
		}
		if err := files.Drop(ctx, content); err != nil {
			return err
		}
	}
	return nil
}

// sweeping sweeps at once, and then every now and then until ctx is done.
func sweeping(ctx context.Context, every time.Duration, log *slog.Logger, report func(error), sweep func(context.Context) error) {
	for patience := newPatience(); ; {
		err := sweep(ctx)
		if ctx.Err() != nil {
			return
		}
		report(err)
		if patience.over(err) {
			log.Warn("files are not tidied; trying on", "error", err, "hint", fault.HintOf(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepsOf * every):
		}
	}
}

// objectPort finds an object port.
func (p *Product) objectPort(name string) (*port, error) {
	pt, err := p.port(name)
	if err != nil {
		return nil, err
	}
	return pt, notFiles(pt.id, &pt.out)
}

// notFiles is the fault of a port that has no files.
func notFiles(id product.PortID, out *product.Output) error {
	if out.Type == product.Object {
		return nil
	}
	return fault.New(fault.Invalid, "see with meshctl catalog ls which ports are of type object", "%s is of type %s and has no files", id, out.Type)
}
