package mesh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// RawObjects is the object store of the client library in the leaf of a plain server, over
// TCP and through a plain hub: what the benchmarks compare object ports with.
type RawObjects struct {
	hub, leaf *server.Server
	nc        *nats.Conn
	store     jetstream.ObjectStore
}

// StartRawObjects starts the servers, the leaf's in a folder, and makes a store there.
func StartRawObjects(ctx context.Context, dir string) (_ *RawObjects, err error) {
	r := &RawObjects{}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	r.hub, err = startPlain(&server.Options{
		LeafNode: server.LeafNodeOpts{Host: "127.0.0.1", Port: server.RANDOM_PORT, Compression: linkCompression()},
	})
	if err != nil {
		return nil, err
	}
	at, err := r.hub.Varz(nil)
	if err != nil {
		return nil, err
	}
	r.leaf, err = startPlain(&server.Options{
		JetStream: true, JetStreamDomain: "raw", StoreDir: dir,
		LeafNode: server.LeafNodeOpts{Remotes: []*server.RemoteLeafOpts{{
			URLs:        []*url.URL{{Scheme: "nats-leaf", Host: fmt.Sprintf("127.0.0.1:%d", at.LeafNode.Port)}},
			Compression: linkCompression(),
		}}},
		// The client sends as fast as it can, and the server would refuse what it cannot buffer.
		StreamMaxBufferedSize: 1 << 30,
	})
	if err != nil {
		return nil, err
	}
	if r.nc, err = nats.Connect(r.hub.ClientURL()); err != nil {
		return nil, err
	}
	js, err := jetstream.NewWithDomain(r.nc, "raw")
	if err != nil {
		return nil, err
	}
	for { // until the leaf has joined
		r.store, err = js.CreateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: "raw"})
		if !errors.Is(err, nats.ErrNoResponders) && !errors.Is(err, jetstream.ErrJetStreamNotEnabled) {
			return r, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func startPlain(o *server.Options) (*server.Server, error) {
	o.Host, o.Port, o.NoSigs, o.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	srv, err := server.NewServer(o)
	if err != nil {
		return nil, err
	}
	srv.Start()
	if !srv.ReadyForConnections(startTimeout) {
		return srv, errors.New("start a plain server: it is not ready")
	}
	return srv, nil
}

// Put stores what from holds as an object.
func (r *RawObjects) Put(ctx context.Context, name string, from io.Reader) error {
	_, err := r.store.Put(ctx, jetstream.ObjectMeta{Name: name}, from)
	return err
}

// Get writes an object's content.
func (r *RawObjects) Get(ctx context.Context, name string, to io.Writer) error {
	got, err := r.store.Get(ctx, name)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, got)
	return errors.Join(err, got.Close())
}

// Delete removes an object.
func (r *RawObjects) Delete(ctx context.Context, name string) error { return r.store.Delete(ctx, name) }

// Close stops the servers.
func (r *RawObjects) Close() {
	if r.nc != nil {
		r.nc.Close()
	}
	for _, srv := range []*server.Server{r.leaf, r.hub} {
		if srv != nil {
			srv.Shutdown()
			srv.WaitForShutdown()
		}
	}
}
