package mesh

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// Bucket is the catalog's key-value bucket on the hub.
type Bucket struct {
	kv jetstream.KeyValue
}

// Entry is one key of a bucket.
type Entry struct {
	Key      string
	Value    []byte
	Revision uint64
	Time     time.Time // of this revision
	Deleted  bool      // only in a watch
}

// Catalog opens the catalog, and makes it where the hub has none. domain is "" for a
// client of the hub and product.HubDomain for a leaf. Without a hub it is Unavailable.
func Catalog(ctx context.Context, nc *nats.Conn, domain string) (*Bucket, error) {
	js, err := jetstream.New(nc)
	if domain != "" {
		js, err = jetstream.NewWithDomain(nc, domain)
	}
	if err != nil {
		return nil, fmt.Errorf("open catalog: %w", err)
	}
	kv, err := js.KeyValue(ctx, product.CatalogBucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = js.CreateKeyValue(ctx, catalogConfig())
	}
	if err != nil {
		return nil, fmt.Errorf("open catalog: %w", bucketFault(ctx, err))
	}
	return &Bucket{kv: kv}, nil
}

func catalogConfig() jetstream.KeyValueConfig {
	return jetstream.KeyValueConfig{Bucket: product.CatalogBucket, Description: "what each product says about itself"}
}

func bucketFault(ctx context.Context, err error) error {
	if errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) {
		err = nats.ErrNoResponders
	}
	return askFault(ctx, err, "the hub")
}

// Put sets a key's value.
func (b *Bucket) Put(ctx context.Context, key string, value []byte) error {
	if _, err := b.kv.Put(ctx, key, value); err != nil {
		return fmt.Errorf("put %s: %w", key, bucketFault(ctx, err))
	}
	return nil
}

// Get is a key's entry. A key that is not there is NotFound.
func (b *Bucket) Get(ctx context.Context, key string) (Entry, error) {
	e, err := b.kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Entry{}, fault.New(fault.NotFound, "list what there is with meshctl catalog list", "get %s: no such key", key)
	}
	if err != nil {
		return Entry{}, fmt.Errorf("get %s: %w", key, bucketFault(ctx, err))
	}
	return entryOf(e), nil
}

// Delete removes a key; it is no error when it is not there.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	if err := b.kv.Delete(ctx, key); err != nil {
		return fmt.Errorf("delete %s: %w", key, bucketFault(ctx, err))
	}
	return nil
}

// List is every key's entry.
func (b *Bucket) List(ctx context.Context) (out map[string]Entry, err error) {
	err = b.Watch(ctx, func(all map[string]Entry) error { out = all; return errListed }, nil)
	if !errors.Is(err, errListed) {
		return nil, err
	}
	return out, nil
}

var errListed = errors.New("all there was")

// Watch calls all with every entry there is, then each with every change, until ctx is
// done or one of them returns an error, and returns that error.
func (b *Bucket) Watch(ctx context.Context, all func(map[string]Entry) error, each func(Entry) error) error {
	w, err := b.kv.WatchAll(ctx)
	if err != nil {
		return fmt.Errorf("watch: %w", bucketFault(ctx, err))
	}
	defer func() { _ = w.Stop() }()
	there := map[string]Entry{}
	for {
		select {
		case e, open := <-w.Updates():
			switch {
			case !open:
				return fault.New(fault.Unavailable, "", "watch: the watch ended")
			case e == nil: // all there was
				err, there = all(there), nil
			case there == nil:
				err = each(entryOf(e))
			case e.Operation() == jetstream.KeyValuePut:
				there[e.Key()] = entryOf(e)
			}
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func entryOf(e jetstream.KeyValueEntry) Entry {
	return Entry{
		Key: e.Key(), Value: e.Value(), Revision: e.Revision(), Time: e.Created().UTC(),
		Deleted: e.Operation() != jetstream.KeyValuePut,
	}
}
