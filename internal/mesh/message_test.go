package mesh

import (
	"context"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
)

func TestLastMessage(t *testing.T) {
	m := startMesh(t)
	ctx := t.Context()
	must(t, EnsureStream(ctx, m.a.Conn(), flightsSpec))
	if _, ok, err := LastMessage(ctx, m.a.Conn(), "", "flights-v1", ""); ok || err != nil {
		t.Fatalf("last of an empty stream = %v, %v", ok, err)
	}
	appendAll(t, m.a.Conn(), "flights-v1", numbered(1, 100))
	for filter, want := range map[string]string{
		"": "100", ">": "100", "aviation.flights.flights.v1.k7": "97", "aviation.*.flights.v1.k8": "98", "aviation.flights.>": "100",
	} {
		got, ok, err := LastMessage(ctx, m.hub.Conn(), "flights", "flights-v1", filter)
		if err != nil || !ok || string(got.Data) != want || got.Header.Get("Meshctl-Position") != want || len(got.Header) != 1 {
			t.Errorf("last of %q = %+v, %v, %v; want %s", filter, got, ok, err, want)
		}
	}
	if _, ok, err := LastMessage(ctx, m.a.Conn(), "", "flights-v1", "aviation.flights.flights.v1.no"); ok || err != nil {
		t.Errorf("last of no subject = %v, %v", ok, err)
	}
	got, ok, err := GetMessage(ctx, m.b.Conn(), "flights", "flights-v1", 42)
	if err != nil || !ok || string(got.Data) != "42" || got.Seq != 42 || time.Since(got.Time) > time.Minute {
		t.Errorf("message 42 = %+v, %v, %v", got, ok, err)
	}
	if _, ok, err := GetMessage(ctx, m.b.Conn(), "flights", "flights-v1", 101); ok || err != nil {
		t.Errorf("message 101 = %v, %v", ok, err)
	}
	_, _, err = LastMessage(ctx, m.a.Conn(), "", "none", "")
	wantKind(t, err, fault.NotFound)
	_, _, err = LastMessage(ctx, m.a.Conn(), "nowhere", "none", "")
	wantKind(t, err, fault.Unavailable)
}

func TestParseDelivery(t *testing.T) {
	want := delivery{seq: 12, consumer: 7, time: time.Unix(0, 1700000000000000001).UTC(), pending: 9}
	for reply, ok := range map[string]bool{
		"$JS.ACK.orders-v1.c1.1.12.7.1700000000000000001.9":            true,
		"$JS.ACK.hub.abcdef.orders-v1.c1.1.12.7.1700000000000000001.9": true,
		"$JS.ACK.hub.abcdef.o.c1.1.12.7.1700000000000000001.9.random":  true,
		"$JS.ACK.orders-v1.c1.1.12.7.x.9":                              false,
		"$JS.ACK.orders-v1":                                            false,
		"$JS.FC.orders-v1.c1.x":                                        false,
		"":                                                             false,
	} {
		got, gotOK := parseDelivery(reply)
		if gotOK != ok || ok && got != want {
			t.Errorf("parseDelivery(%q) = %+v, %v", reply, got, gotOK)
		}
	}
}

func TestCatalogBucket(t *testing.T) {
	m := startMesh(t)
	ctx := t.Context()
	fromLeaf, atHub := CatalogOfHub(m.a), Catalog(m.hub.Conn())
	if all, err := atHub.List(ctx); err != nil || len(all) != 0 {
		t.Fatalf("list of an empty catalog = %v, %v", all, err)
	}
	must(t, fromLeaf.Put(ctx, "flights", []byte("one")))
	must(t, fromLeaf.Put(ctx, "flights", []byte("two")))
	must(t, fromLeaf.Put(ctx, "delays", []byte("three")))
	seen := make(chan Entry, 10)
	watched, listed := make(chan error, 1), make(chan struct{})
	watch, stop := context.WithCancel(ctx)
	go func() {
		watched <- atHub.Watch(watch, func(all map[string]Entry) error {
			for _, e := range all {
				seen <- e
			}
			close(listed)
			return nil
		}, func(e Entry) error { seen <- e; return nil })
	}()
	<-listed
	if len(seen) != 2 {
		t.Errorf("the watch began with %d entries; want 2", len(seen))
	}
	must(t, fromLeaf.Delete(ctx, "delays"))
	all, err := atHub.List(ctx)
	if err != nil || len(all) != 1 || string(all["flights"].Value) != "two" || time.Since(all["flights"].Time) > time.Minute {
		t.Fatalf("list = %v, %v", all, err)
	}
	for deleted := false; !deleted; {
		select {
		case e := <-seen:
			deleted = e.Key == "delays" && e.Deleted
		case <-time.After(30 * time.Second):
			t.Fatal("the watch did not tell of the deletion within 30s")
		}
	}
	stop()
	if err := <-watched; err == nil {
		t.Error("the watch ended without an error")
	}
	_, err = atHub.Get(ctx, "delays")
	wantKind(t, err, fault.NotFound)

	m.stopHub(t)
	_, err = fromLeaf.Get(ctx, "flights")
	wantKind(t, err, fault.Unavailable)
	wantKind(t, fromLeaf.Put(ctx, "flights", nil), fault.Unavailable)
}
