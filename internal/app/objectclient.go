package app

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"sync"

	"github.com/go-json-experiment/json"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
)

// Object is a file of an object port, as its product knows it.
type Object = mesh.File

// ObjectOptions say how a file is put.
type ObjectOptions struct {
	Metadata map[string]string
	Progress func(bytes uint64) // is told now and then how many bytes are there
}

// PutObject makes a file of an object port of what r holds, in place of the one of that
// name, and returns when it is in SQL. On an error nothing of it is left.
func (c *Client) PutObject(ctx context.Context, address, name string, r io.Reader, o ObjectOptions) (Object, error) {
	id, p, err := c.Port(ctx, address)
	if err == nil {
		err = notFiles(id, &p.Output)
	}
	if err != nil {
		return Object{}, err
	}
	if o.Progress == nil {
		o.Progress = func(uint64) {}
	}
	put := objectPut{Port: portName(id), Name: name, Content: mesh.NewContent()}
	held, end := context.WithCancel(context.WithoutCancel(ctx)) // until nothing more can be stored
	ctx, stop := context.WithCancelCause(ctx)
	began := make(chan struct{})
	var holding sync.WaitGroup
	holding.Go(func() { stop(c.hold(held, id.Product, put, sync.OnceFunc(func() { close(began) }))) })
	defer holding.Wait()
	defer end()
	select {
	case <-began:
	case <-ctx.Done():
		return Object{}, context.Cause(ctx)
	}
	f, err := mesh.Upload(ctx, c.nc, id, put.Content, r, o.Progress)
	if err != nil {
		if why := context.Cause(ctx); why != nil && errors.Is(err, context.Canceled) {
			err = why
		}
		return Object{}, err
	}
	return call[Object](ctx, c, id.Product, product.EndpointObjectCommit, objectCommit{put, f.Size, f.Chunks, f.Digest, o.Metadata})
}

// hold lets a product know that a client is there which puts a file.
func (c *Client) hold(ctx context.Context, service string, put objectPut, began func()) error {
	req, err := json.Marshal(put)
	if err != nil {
		return err
	}
	_, err = mesh.CallStream(ctx, c.nc, product.ServiceSubject(service, product.EndpointObjectPut), req, func([]byte) error {
		began()
		return nil
	})
	return err
}

// GetObject writes the content of a file to what open gives for it, from the product that
// has the port or the copy of the product from. A content that is not the one that was put
// is Rejected, after it was written.
func (c *Client) GetObject(ctx context.Context, address, name, from string, open func(Object) (io.Writer, error)) (Object, error) {
	id, err := c.address(ctx, address)
	if err != nil {
		return Object{}, err
	}
	req, err := json.Marshal(objectsRequest{Product: id.Product, Port: portName(id), Names: []string{name}})
	if err != nil {
		return Object{}, err
	}
	g := getting{open: open}
	digest := sha256.New()
	_, err = mesh.CallStream(ctx, c.nc, product.ServiceSubject(cmp.Or(from, id.Product), product.EndpointObject), req, func(chunk []byte) error {
		content, err := g.content(chunk)
		if err != nil || len(content) == 0 {
			return err
		}
		digest.Write(content)
		g.size += uint64(len(content))
		_, err = g.to.Write(content)
		return err
	})
	if err != nil {
		return g.file, err
	}
	if g.to == nil || g.size != g.file.Size || mesh.Digest(digest) != g.file.Digest {
		return g.file, fault.New(fault.Rejected, "put it again, or get the copy of a product that reads the port with --from",
			"get %s: its content is damaged: %d bytes with %s are not the %d bytes with %s that were put",
			name, g.size, mesh.Digest(digest), g.file.Size, g.file.Digest)
	}
	return g.file, nil
}

// getting is a file on its way here.
type getting struct {
	open func(Object) (io.Writer, error)
	head []byte // of the answer, up to the end of its first line
	file Object
	to   io.Writer
	size uint64
}

// content is what a piece of the answer holds of the file's content.
func (g *getting) content(chunk []byte) (content []byte, err error) {
	if g.to != nil {
		return chunk, nil
	}
	g.head = append(g.head, chunk...)
	line, content, whole := bytes.Cut(g.head, []byte{'\n'})
	if !whole {
		return nil, nil
	}
	if err := json.Unmarshal(line, &g.file); err != nil {
		return nil, err
	}
	g.to, err = g.open(g.file)
	return content, err
}

// Objects gives the files of an object port to emit, the one put there first first, as the
// product that has the port knows them, or the copy of the product from.
func (c *Client) Objects(ctx context.Context, address, from string, emit func(Object) error) error {
	id, err := c.address(ctx, address)
	if err != nil {
		return err
	}
	_, err = callLines(ctx, c, cmp.Or(from, id.Product), product.EndpointObjects, objectsRequest{Product: id.Product, Port: portName(id)}, emit)
	return err
}

// RemoveObjects removes files of an object port, and says which of them there were not.
func (c *Client) RemoveObjects(ctx context.Context, address string, names []string) (missing []string, err error) {
	id, err := c.address(ctx, address)
	if err != nil {
		return nil, err
	}
	a, err := call[objectsRemoved](ctx, c, id.Product, product.EndpointObjectRemove, objectsRequest{Port: portName(id), Names: names})
	return a.Missing, err
}
