package mesh

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/meshctl/meshctl/internal/product"
)

// A hub that asked nobody for credentials becomes one that does, and keeps its catalog.
func TestHubTakesOverAnOldCatalog(t *testing.T) {
	o := hubOptions(t)
	old, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: o.Dir, JetStreamDomain: product.HubDomain, NoLog: true, NoSigs: true,
	})
	must(t, err)
	old.Start()
	if !old.ReadyForConnections(20 * time.Second) {
		t.Fatal("the old hub does not start")
	}
	nc, err := nats.Connect(old.ClientURL())
	must(t, err)
	js, err := jetstream.New(nc)
	must(t, err)
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: product.CatalogBucket})
	must(t, err)
	_, err = kv.PutString(t.Context(), "flights", "what it was")
	must(t, err)
	nc.Close()
	old.Shutdown()
	old.WaitForShutdown()

	for range 2 { // the second time it is as it is
		hub, err := StartHub(t.Context(), o)
		must(t, err)
		all, err := Catalog(hub.Conn()).List(t.Context())
		if err != nil || len(all) != 1 || string(all["flights"].Value) != "what it was" {
			t.Errorf("catalog = %v, %v", all, err)
		}
		closed(t, hub)
	}
}
