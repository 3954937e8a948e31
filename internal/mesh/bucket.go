package mesh

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// Bucket is a key-value bucket on the hub. It asks for nothing that a
// narrow credential could not have: no consumer, for whoever may make one can have
// messages sent wherever they like, and no information on the stream.
type Bucket struct {
	nc   *Conn
	name string
	leaf bool // of the hub's leaves, which reach the catalog alone
}

// Entry is one key of a bucket.
type Entry struct {
	Key      string
	Value    []byte
	Revision uint64
	Time     time.Time // of this revision
	Deleted  bool      // only in a watch
}

// Catalog is the catalog as clients of the hub reach it, the hub's own among them.
func Catalog(nc *Conn) *Bucket { return &Bucket{nc: nc, name: product.CatalogBucket} }

// CatalogOfHub is the catalog as a leaf reaches it.
func CatalogOfHub(l *Leaf) *Bucket { return &Bucket{l.Conn(), product.CatalogBucket, true} }

// Credentials is the bucket of the credentials that the hub knows.
func (h *Hub) Credentials() *Bucket { return &Bucket{nc: h.Conn(), name: product.CredentialsBucket} }

// makeBuckets makes the buckets that the hub does not have.
func makeBuckets(ctx context.Context, nc *Conn, replicas int) error {
	js, err := jetstream.New(nc.Conn)
	if err != nil {
		return err
	}
	for bucket, about := range map[string]string{
		product.CatalogBucket:     "what each product says about itself",
		product.CredentialsBucket: "which credentials there are",
	} {
		config := jetstream.KeyValueConfig{Bucket: bucket, Description: about, Replicas: replicas}
		if _, err := js.CreateOrUpdateKeyValue(ctx, config); err != nil {
			return err
		}
	}
	return nil
}

// Put sets a key's value.
func (b *Bucket) Put(ctx context.Context, key string, value []byte) error {
	return b.put(ctx, key, &nats.Msg{Data: value})
}

// Delete removes a key; it is no error when it is not there.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	return b.put(ctx, key, &nats.Msg{Header: nats.Header{kvOperation: {kvDelete}}})
}

// The header that says what a message of a bucket does, unless it sets a value.
const (
	kvOperation = "KV-Operation"
	kvDelete    = "DEL"
)

func (b *Bucket) put(ctx context.Context, key string, m *nats.Msg) error {
	if m.Subject = product.BucketKey(b.name, key); b.leaf {
		m.Subject = product.CatalogPut(key)
	}
	answer, err := request(ctx, b.nc, m, "the hub")
	var stored flowAnswer
	if err == nil {
		err = json.Unmarshal(answer.Data, &stored)
	}
	if err == nil && stored.Error != nil {
		err = apiFault(stored.Error)
	}
	if err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	return nil
}

// Get is a key's entry. A key that is not there is NotFound.
func (b *Bucket) Get(ctx context.Context, key string) (Entry, error) {
	subject := product.BucketGet(b.name, key)
	if b.leaf {
		subject = product.CatalogGet(key)
	}
	answer, err := request(ctx, b.nc, &nats.Msg{Subject: subject}, "the hub")
	if err != nil {
		return Entry{}, fmt.Errorf("get %s: %w", key, err)
	}
	e, ok, err := b.entry(answer)
	if err == nil && !ok {
		err = fault.New(fault.NotFound, "list what there is with meshctl catalog list", "no such key")
	}
	if err != nil {
		return Entry{}, fmt.Errorf("get %s: %w", key, err)
	}
	return e, nil
}

// entry is the entry in an answer to a direct get, false where there is none.
func (b *Bucket) entry(m *nats.Msg) (Entry, bool, error) {
	switch status := m.Header.Get("Status"); status {
	case "":
	case "404":
		return Entry{}, false, nil
	default:
		return Entry{}, false, fault.New(fault.Internal, "", "the hub answers %s %s", status, m.Header.Get("Description"))
	}
	d, err := directMessage(m)
	if err != nil {
		return Entry{}, false, err
	}
	e := Entry{
		Key: strings.TrimPrefix(d.Subject, product.BucketKey(b.name, "")), Value: d.Data,
		Revision: uint64(d.Seq), Time: d.Time,
	}
	return e, d.Header.Get(kvOperation) == "", nil
}

// A list is asked for in pages.
const (
	listPage    = 1000
	listSilence = 5 * time.Second // for the next entry of a page
)

// List is every key's entry. Only clients of the hub may ask for it.
func (b *Bucket) List(ctx context.Context) (map[string]Entry, error) {
	watched, _, end := b.nc.denials.watch(ctx, product.BucketGet(b.name, ""))
	defer end()
	inbox := b.nc.NewInbox()
	sub, err := b.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, fmt.Errorf("list: %w", connFault(err, "the hub"))
	}
	defer func() { _ = sub.Unsubscribe() }()
	all := map[string]Entry{}
	for next, more := uint64(1), true; more; {
		if next, more, err = b.page(watched, sub, next, all); err != nil {
			if watched.Err() != nil {
				err = context.Cause(watched)
			}
			return nil, fmt.Errorf("list: %w", askFault(ctx, err, "the hub"))
		}
	}
	return all, nil
}

// page adds the entries from revision first on to all, and says where to go on and
// whether there is more. Each key has one revision, its last.
func (b *Bucket) page(ctx context.Context, sub *nats.Subscription, first uint64, all map[string]Entry) (next uint64, more bool, err error) {
	ask, err := json.Marshal(map[string]any{"next_by_subj": product.BucketKey(b.name, ">"), "seq": first, "batch": listPage})
	if err != nil {
		return 0, false, err
	}
	if err := b.nc.PublishRequest(product.BucketGet(b.name, ""), sub.Subject, ask); err != nil {
		return 0, false, err
	}
	for next = first; ; {
		wait, cancel := context.WithTimeout(ctx, listSilence)
		m, err := sub.NextMsgWithContext(wait)
		cancel()
		if err != nil {
			return 0, false, err
		}
		switch m.Header.Get("Status") {
		case "204": // the end of the page
			return next, m.Header.Get("Nats-Num-Pending") != "0", nil
		case "404": // nothing from there on
			return next, false, nil
		case "503":
			return 0, false, nats.ErrNoResponders
		}
		e, ok, err := b.entry(m)
		if err != nil {
			return 0, false, err
		}
		if next = e.Revision + 1; ok {
			all[e.Key] = e
		} else {
			delete(all, e.Key)
		}
	}
}

// Watch calls all with every entry there is, then each with every change, until ctx is
// done or one of them returns an error, and returns that error. Only clients of the hub
// may watch. After an interruption of the connection, all is called again.
func (b *Bucket) Watch(ctx context.Context, all func(map[string]Entry) error, each func(Entry) error) error {
	changed := make(chan *nats.Msg, watchBacklog)
	sub, err := b.nc.ChanSubscribe(product.BucketKey(b.name, ">"), changed)
	if err != nil {
		return fmt.Errorf("watch: %w", connFault(err, "the hub"))
	}
	defer func() { _ = sub.Unsubscribe() }()
	status := b.nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer b.nc.RemoveStatusListener(status)
	for {
		// What is put from now on is told, so nothing falls between the list and that.
		there, err := b.List(ctx)
		if err == nil {
			err = all(there)
		}
		for again := false; err == nil && !again; {
			select {
			case m := <-changed:
				err = each(Entry{
					Key: strings.TrimPrefix(m.Subject, product.BucketKey(b.name, "")), Value: m.Data,
					Time: time.Now().UTC(), Deleted: m.Header.Get(kvOperation) != "",
				})
			case now := <-status:
				if again = now == nats.CONNECTED; !again {
					err = Ended(b.nc)
				}
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		if err != nil {
			return err
		}
	}
}

// watchBacklog is how many changes may wait for whoever watches.
const watchBacklog = 4096
