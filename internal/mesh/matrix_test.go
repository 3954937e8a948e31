package mesh

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/trust"
)

// What each kind of credential reaches is written down here once more, subject by subject
// and without the code that makes the lists: product delays reads the port flights of
// product flights, and airports is a stranger to both.
var matrixSubjects = []string{
	// services
	"mesh.flights.get", "mesh.flights.query", "mesh.flights.tail", "mesh.flights.letters", "mesh.flights.control",
	"mesh.flights.purge", "mesh.flights.rebuild", "mesh.flights.replay", "mesh.flights.session", "mesh.flights.leaf",
	"mesh.flights.subscribe", "mesh.flights.subscribe.delays", "mesh.flights.subscribe.airports",
	"mesh.flights.vitals", "mesh.delays.vitals", "mesh.hub.vitals", "mesh.up_.vitals", "mesh.up_.cut", "mesh.flights.events", "mesh.hub.events",
	"mesh.delays.get", "mesh.delays.purge", "mesh.delays.control", "mesh.delays.leaf", "mesh.delays.subscribe.flights",
	"mesh.airports.get", "mesh.airports.subscribe.delays", "mesh.airports.control", "mesh.other",
	"mesh.flights.streams", "mesh.flights.message", "mesh.flights.subjects", "mesh.delays.streams", "mesh.hub.streams", "mesh.hub.message",
	"mesh.flights.alter", "mesh.flights.put", "mesh.flights.restore", "mesh.flights.snapshot", "mesh.delays.alter", "mesh.hub.alter",
	"mesh.flights.object", "mesh.flights.objects", "mesh.flights.object-put", "mesh.flights.object-commit", "mesh.flights.object-rm", "mesh.delays.object",
	"mesh.hub.issue", "mesh.hub.revoke", "mesh.hub.credentials", "mesh.hub.present", "mesh.up_.add", "mesh.up_.remove",
	// records
	"aviation.flights.flights.v1.k1", "aviation.delays.delays.v1", "in.aviation.flights.flights.v1.session",
	"in.aviation.delays.delays.v1.session", "dead.aviation.flights.flights.v1.s", "again.aviation.delays.delays.v1.flights.s",
	// what mirrors need
	"deliver.delays.flights.flights.v1", "deliver.delays.flights.flights.v1.objects", "deliver.delays.flights.ANSWER.call", "deliver.delays.airports.airports.v1",
	"$JS.FC.flights.hash.OBJ_flights_flights-v1.delays.x", "$JS.FC.flights.hash.OBJ_flights_flights-v1.airports.x", "$JS.FC.flights.hash.OBJ_flights_other-v1.delays.x",
	"$MIRROR.flights.CONSUMER.RESET.OBJ_flights_flights-v1.delays", "$O.flights_flights-v1.C.x", "$O.flights_flights-v1.M.x", "$O.delays_delays-v1.M.x",
	"$JS.flights.API.STREAM.PURGE.OBJ_flights_flights-v1", "$JS.flights.API.DIRECT.GET.OBJ_flights_flights-v1", "$JS.API.DIRECT.GET.OBJ_flights_flights-v1",
	"deliver.flights.delays.delays.v1", "deliver.airports.flights.flights.v1", "deliver.airports.delays.delays.v1",
	"$JS.FC.flights.hash.flights-v1.delays.x", "$JS.FC.flights.hash.flights-v1.airports.x", "$JS.FC.flights.hash.other-v1.delays.x",
	"$JS.FC.delays.hash.delays-v1.flights.x", "$JS.FC.airports.hash.airports-v1.delays.x",
	"$MIRROR.flights.CONSUMER.RESET.flights-v1.delays", "$JSC.R.flights.hash.flights-v1.delays.x",
	// answers
	"_INBOX.product.flights.x", "_INBOX.product.delays.x", "_INBOX.product.airports.x",
	"_INBOX.user.ann.x", "_INBOX.user.bob.x", "_INBOX.user.hub.x", "_INBOX.x", "_INBOX.product.x",
	// the hub's JetStream
	"$KV.catalog.flights", "$JS.hub.API.$KV.catalog.flights", "$JS.hub.API.$KV.catalog.delays", "$JS.hub.API.$KV.catalog.airports",
	"$JS.hub.API.$KV.credentials.k", "$KV.credentials.k",
	"$JS.hub.API.DIRECT.GET.KV_catalog", "$JS.hub.API.DIRECT.GET.KV_catalog.$KV.catalog.flights",
	"$JS.hub.API.DIRECT.GET.KV_catalog.$KV.catalog.delays", "$JS.hub.API.DIRECT.GET.KV_catalog.$KV.catalog.airports",
	"$JS.API.DIRECT.GET.KV_catalog", "$JS.API.DIRECT.GET.KV_credentials", "$JS.hub.API.DIRECT.GET.KV_credentials",
	"$JS.hub.API.DIRECT.GET.KV_credentials.$KV.credentials.k",
	"$JS.API.INFO", "$JS.hub.API.INFO", "$JS.API.STREAM.NAMES", "$JS.hub.API.STREAM.NAMES",
	"$JS.API.STREAM.CREATE.evil", "$JS.hub.API.STREAM.CREATE.evil", "$JS.API.STREAM.DELETE.KV_catalog", "$JS.hub.API.STREAM.DELETE.KV_catalog",
	"$JS.API.STREAM.PURGE.KV_catalog", "$JS.hub.API.STREAM.PURGE.KV_catalog", "$JS.hub.API.STREAM.MSG.GET.KV_credentials",
	"$JS.API.CONSUMER.CREATE.KV_catalog.evil", "$JS.hub.API.CONSUMER.CREATE.KV_catalog.evil", "$JS.hub.API.CONSUMER.DURABLE.CREATE.KV_catalog.evil",
	"$JS.hub.API.CONSUMER.MSG.NEXT.KV_catalog.evil",
	// the leaves' JetStream
	"$JS.flights.API.INFO", "$JS.flights.API.STREAM.INFO.flights-v1", "$JS.flights.API.STREAM.DELETE.flights-v1", "$JS.flights.API.STREAM.CREATE.evil",
	"$JS.flights.API.STREAM.PURGE.flights-v1", "$JS.flights.API.CONSUMER.CREATE.flights-v1.evil", "$JS.flights.API.CONSUMER.RESET.flights-v1.delays",
	"$JS.flights.API.DIRECT.GET.flights-v1", "$JS.flights.API.CONSUMER.DELETE.flights-v1.delays",
	"$JS.delays.API.STREAM.DELETE.delays-v1", "$JS.delays.API.CONSUMER.CREATE.delays-v1.evil", "$JS.delays.API.DIRECT.GET.delays-v1",
	// discovery, and what is the system's
	"$SRV.PING", "$SRV.INFO", "$SRV.STATS", "$SRV.PING.flights", "$SRV.PING.flights.id", "$SRV.PING.delays", "$SRV.INFO.delays.id",
	"$SYS.REQ.CLAIMS.UPDATE", "$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.PING.CONNZ", "$SYS.ACCOUNT.x.CONNECT", "$G.x", "anything", "a.b.c",
}

var flightsPublishes = []string{
	"deliver.delays.flights.flights.v1", "deliver.delays.flights.flights.v1.objects", "deliver.delays.flights.ANSWER.call", "deliver.airports.flights.flights.v1",
	"_INBOX.user.ann.x", "_INBOX.user.bob.x", "_INBOX.user.hub.x", "_INBOX.product.flights.x", "mesh.flights.leaf",
	"$JS.hub.API.$KV.catalog.flights", "$JS.hub.API.DIRECT.GET.KV_catalog.$KV.catalog.flights", "mesh.hub.present",
}

var flightsSubscribes = []string{
	"mesh.flights.vitals", "mesh.flights.events",
	"mesh.flights.object", "mesh.flights.objects", "mesh.flights.object-put", "mesh.flights.object-commit", "mesh.flights.object-rm",
	"$JS.FC.flights.hash.OBJ_flights_flights-v1.delays.x", "$JS.FC.flights.hash.OBJ_flights_flights-v1.airports.x", "$JS.FC.flights.hash.OBJ_flights_other-v1.delays.x",
	"mesh.flights.get", "mesh.flights.query", "mesh.flights.tail", "mesh.flights.letters", "mesh.flights.control",
	"mesh.flights.purge", "mesh.flights.rebuild", "mesh.flights.replay", "mesh.flights.session", "mesh.flights.leaf",
	"mesh.flights.subscribe", "mesh.flights.subscribe.delays", "mesh.flights.subscribe.airports",
	"mesh.flights.streams", "mesh.flights.message", "mesh.flights.subjects", "mesh.flights.alter", "mesh.flights.put", "mesh.flights.restore", "mesh.flights.snapshot",
	"in.aviation.flights.flights.v1.session", "deliver.flights.delays.delays.v1", "_INBOX.product.flights.x",
	"$JS.FC.flights.hash.flights-v1.delays.x", "$JS.FC.flights.hash.flights-v1.airports.x", "$JS.FC.flights.hash.other-v1.delays.x",
	"$SRV.PING", "$SRV.INFO", "$SRV.STATS", "$SRV.PING.flights", "$SRV.PING.flights.id",
}

var delaysPublishes = []string{
	"deliver.flights.delays.delays.v1", "deliver.airports.delays.delays.v1",
	"_INBOX.user.ann.x", "_INBOX.user.bob.x", "_INBOX.user.hub.x", "_INBOX.product.delays.x", "mesh.delays.leaf",
	"mesh.flights.subscribe.delays", "mesh.flights.control", "$JS.FC.flights.hash.flights-v1.delays.x",
	"$JS.FC.flights.hash.OBJ_flights_flights-v1.delays.x",
	"$JS.hub.API.$KV.catalog.delays", "$JS.hub.API.DIRECT.GET.KV_catalog.$KV.catalog.delays",
	"$JS.hub.API.DIRECT.GET.KV_catalog.$KV.catalog.flights", "mesh.hub.present",
}

var delaysSubscribes = []string{
	"mesh.delays.vitals", "mesh.delays.object", "deliver.delays.flights.flights.v1.objects",
	"mesh.delays.get", "mesh.delays.purge", "mesh.delays.control", "mesh.delays.leaf", "mesh.delays.subscribe.flights", "mesh.delays.streams", "mesh.delays.alter",
	"in.aviation.delays.delays.v1.session", "_INBOX.product.delays.x",
	"deliver.delays.flights.flights.v1", "deliver.delays.flights.ANSWER.call", "deliver.delays.airports.airports.v1",
	"$JS.FC.delays.hash.delays-v1.flights.x",
	"$SRV.PING", "$SRV.INFO", "$SRV.STATS", "$SRV.PING.delays", "$SRV.INFO.delays.id",
}

var readerPublishes = []string{
	"mesh.flights.vitals", "mesh.delays.vitals", "mesh.hub.vitals", "mesh.up_.vitals", "mesh.flights.events", "mesh.hub.events",
	"mesh.flights.object", "mesh.flights.objects", "mesh.delays.object",
	"mesh.flights.get", "mesh.flights.query", "mesh.flights.tail", "mesh.flights.letters", "mesh.flights.control",
	"mesh.delays.get", "mesh.delays.control", "mesh.airports.get", "mesh.airports.control",
	"mesh.flights.streams", "mesh.flights.message", "mesh.flights.subjects", "mesh.delays.streams", "mesh.hub.streams", "mesh.hub.message",
	"$JS.API.DIRECT.GET.KV_catalog", "$JS.hub.API.DIRECT.GET.KV_catalog", // which is the same to a client
	"$SRV.PING", "$SRV.INFO", "$SRV.STATS", "$SRV.PING.flights", "$SRV.PING.flights.id", "$SRV.PING.delays", "$SRV.INFO.delays.id",
}

var adminPublishes = append([]string{
	"mesh.flights.object-put", "mesh.flights.object-commit", "mesh.flights.object-rm",
	"mesh.flights.purge", "mesh.flights.rebuild", "mesh.flights.replay", "mesh.flights.session", "mesh.delays.purge",
	"mesh.flights.alter", "mesh.flights.put", "mesh.flights.restore", "mesh.flights.snapshot", "mesh.delays.alter", "mesh.hub.alter",
	"in.aviation.flights.flights.v1.session", "in.aviation.delays.delays.v1.session",
	"mesh.hub.issue", "mesh.hub.revoke", "mesh.hub.credentials", "mesh.hub.present", "mesh.up_.add", "mesh.up_.remove", "mesh.up_.cut",
}, readerPublishes...)

// matrix is a hub with everything that somebody could want to reach.
type matrix struct {
	*testMesh
	watch *Conn
	all   *nats.Subscription // every message of the account
	seen  map[string]bool    // by their data
}

func startMatrix(t *testing.T) *matrix {
	t.Helper()
	m := &matrix{testMesh: &testMesh{options: hubOptions(t), narrow: true}, seen: map[string]bool{}}
	m.startHub(t, -1, -1)
	t.Cleanup(func() { closed(t, m.hub) })
	m.watch = m.hub.Conn()
	var err error
	m.all, err = m.watch.SubscribeSync(">")
	must(t, err)
	must(t, m.watch.Flush())
	must(t, Catalog(m.hub.Conn()).Put(t.Context(), "flights", []byte(hubMark)))
	return m
}

// arrived says whether the message with that data has come to the hub.
func (m *matrix) arrived(t *testing.T, data string) bool {
	t.Helper()
	must(t, m.watch.Flush()) // what was on its way to the watcher is there
	for {
		n, _, err := m.all.Pending()
		must(t, err)
		if n == 0 {
			return m.seen[data]
		}
		msg, err := m.all.NextMsg(time.Second)
		must(t, err)
		m.seen[string(msg.Data)] = true
	}
}

// check compares what passed with what may.
func check(t *testing.T, who, what string, may []string, passes func(subject string) bool) {
	t.Helper()
	for _, s := range may {
		if !slices.Contains(matrixSubjects, s) {
			t.Errorf("%s is not among the subjects of the matrix", s)
		}
	}
	for _, subject := range matrixSubjects {
		if got, want := passes(subject), slices.Contains(may, subject); got != want {
			t.Errorf("%s: %s %s: passes %t, want %t", who, what, subject, got, want)
		}
	}
}

func TestPromise9RawLeavesReachNoMoreThanTheyMay(t *testing.T) {
	m := startMatrix(t)
	for _, c := range []struct {
		creds                 *trust.Creds
		publishes, subscribes []string
	}{
		{productCreds(t, "flights"), flightsPublishes, flightsSubscribes},
		{productCreds(t, "delays", flightsPort), delaysPublishes, delaysSubscribes},
	} {
		check(t, c.creds.Name, "publish", c.publishes, func(subject string) bool {
			l, err := joinRaw(m.hub.LeafURL(), c.creds)
			must(t, err)
			defer l.close(t)
			mark := "raw " + c.creds.Name + " " + subject
			must(t, l.publish(subject, mark))
			must(t, l.send("PING\r\n"))
			_, err = l.await("PONG", "")
			passed := m.arrived(t, mark)
			if passed == (err != nil) {
				t.Errorf("%s: publish %s: passes %t, and the hub says %v", c.creds.Name, subject, passed, err)
			}
			return passed
		})
		check(t, c.creds.Name, "subscribe", c.subscribes, func(subject string) bool {
			l, err := joinRaw(m.hub.LeafURL(), c.creds)
			must(t, err)
			defer l.close(t)
			must(t, l.subscribe(subject))
			if _, err := l.await("PONG", ""); err != nil {
				return false // the hub has ended the connection
			}
			barrier := product.ProductInbox(c.creds.Name) + ".barrier"
			must(t, l.subscribe(barrier))
			_, err = l.await("PONG", "")
			must(t, err)
			must(t, m.watch.Publish(subject, []byte(hubMark)))
			must(t, m.watch.Publish(barrier, []byte("barrier")))
			before, err := l.await("LMSG", "barrier")
			must(t, err)
			return before[hubMark] > 0
		})
	}
	m.untouched(t)
}

// An honest leaf keeps back what it may not send, and hears nothing that it may not.
func TestPromise9HonestLeavesReachNoMoreThanTheyMay(t *testing.T) {
	m := startMatrix(t)
	flights := startProductLeaf(t, m.hub.LeafURL(), "flights")
	delays := startProductLeaf(t, m.hub.LeafURL(), "delays", flightsPort)
	eventually(t, "both join", func() bool { return flights.Connected() && delays.Connected() })
	for _, c := range []struct {
		leaf                  *Leaf
		publishes, subscribes []string
	}{{flights, flightsPublishes, flightsSubscribes}, {delays, delaysPublishes, delaysSubscribes}} {
		nc, err := c.leaf.Dial("a program beside the product")
		must(t, err)
		defer nc.Close()
		barrier := func() {
			t.Helper()
			mark := fmt.Sprint("barrier ", time.Now().UnixNano())
			must(t, nc.Publish(product.ClientInbox("x")+".barrier", []byte(mark)))
			eventually(t, "the barrier passes", func() bool { return m.arrived(t, mark) })
		}
		check(t, c.leaf.Domain(), "publish", c.publishes, func(subject string) bool {
			mark := "honest " + c.leaf.Domain() + " " + subject
			must(t, nc.Publish(subject, []byte(mark)))
			barrier()
			return m.arrived(t, mark)
		})
		check(t, c.leaf.Domain(), "subscribe", c.subscribes, func(subject string) bool {
			sub, err := nc.SubscribeSync(subject)
			must(t, err)
			defer func() { must(t, sub.Unsubscribe()) }()
			own, err := nc.SubscribeSync(product.ProductInbox(c.leaf.Domain()) + ".barrier")
			must(t, err)
			defer func() { must(t, own.Unsubscribe()) }()
			barrier() // the hub knows of both, if they were told
			must(t, m.watch.Publish(subject, []byte(hubMark)))
			must(t, m.watch.Publish(own.Subject, nil))
			_, err = own.NextMsg(20 * time.Second)
			must(t, err)
			n, _, err := sub.Pending()
			must(t, err)
			return n > 0
		})
	}
	m.untouched(t)
}

func TestPromise9PeopleReachNoMoreThanTheyMay(t *testing.T) {
	m := startMatrix(t)
	for _, c := range []struct {
		name      string
		role      trust.Role
		publishes []string
	}{{"ann", trust.ReadOnly, readerPublishes}, {"bob", trust.Admin, adminPublishes}} {
		creds, err := keys(t).Issue(trust.Holder{Name: c.name, Role: c.role}, time.Time{})
		must(t, err)
		nc, err := connect(m.hub.ClientURL(), creds, clientOptions(c.name)...)
		must(t, err)
		defer nc.Close()
		check(t, c.name, "publish", c.publishes, func(subject string) bool {
			mark := c.name + " " + subject
			must(t, nc.Publish(subject, []byte(mark)))
			must(t, nc.Flush())
			return m.arrived(t, mark)
		})
		check(t, c.name, "subscribe", []string{"_INBOX.user." + c.name + ".x", "$KV.catalog.flights"}, func(subject string) bool {
			sub, err := nc.SubscribeSync(subject)
			must(t, err)
			must(t, nc.Flush())
			must(t, m.watch.Publish(subject, []byte(hubMark)))
			must(t, m.watch.Flush())
			must(t, nc.Flush())
			_, err = sub.NextMsg(50 * time.Millisecond)
			if err != nil && !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("%s: subscribe %s: %v", c.name, subject, err)
			}
			return err == nil
		})
		for _, wide := range []string{">", "mesh.>", "_INBOX.>", "_INBOX.user.>", "deliver.>", "$KV.>", "*.*.*", "_INBOX.user.*.x"} {
			sub, err := nc.SubscribeSync(wide)
			must(t, err)
			if _, err = sub.NextMsg(20 * time.Second); !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("%s subscribes %s: %v", c.name, wide, err)
			}
		}
	}
	m.untouched(t)
}

// hubMark is what the hub's own client publishes.
const hubMark = "by the hub"

// untouched says that nothing of all that has had an effect on what the hub holds.
func (m *matrix) untouched(t *testing.T) {
	t.Helper()
	for _, stream := range []string{"KV_catalog", "KV_credentials"} {
		if _, err := State(t.Context(), m.hub.Conn(), "", stream); err != nil {
			t.Errorf("the hub's stream: %v", err)
		}
	}
	_, err := State(t.Context(), m.hub.Conn(), "", "evil")
	wantKind(t, err, fault.NotFound)
	for _, bucket := range []*Bucket{m.hub.Credentials(), Catalog(m.hub.Conn())} {
		all, err := bucket.List(t.Context())
		must(t, err)
		for key, e := range all {
			own := bucket.name == product.CatalogBucket && strings.Contains(string(e.Value), " "+key+" ")
			if string(e.Value) != hubMark && !own {
				t.Errorf("bucket %s has %s = %s", bucket.name, key, e.Value)
			}
		}
	}
}

// Nobody gets in with a credential that is not right, nor as what it is not.
func TestPromise9WrongCredentialsDoNotGetIn(t *testing.T) {
	m := startMatrix(t)
	stranger, err := trust.NewKeys()
	must(t, err)
	person := func(k *trust.Keys, expires time.Time) *trust.Creds {
		c, err := k.Issue(trust.Holder{Name: "ann", Role: trust.Admin}, expires)
		must(t, err)
		return c
	}
	of := func(k *trust.Keys, expires time.Time) *trust.Creds {
		c, err := k.Issue(trust.Holder{Name: "flights", Role: trust.Product}, expires)
		must(t, err)
		return c
	}
	revoked, gone := of(keys(t), time.Time{}), person(keys(t), time.Time{})
	must(t, m.hub.Revoke(t.Context(), revoked.Key, gone.Key))
	own, err := keys(t).Own()
	must(t, err)
	system, err := keys(t).System()
	must(t, err)
	past := time.Now().Add(-time.Second)
	for name, c := range map[string]*trust.Creds{
		"none": nil, "of another mesh": of(stranger, time.Time{}), "expired": of(keys(t), past), "revoked": revoked,
		"a person's": person(keys(t), time.Time{}), "the hub's own": own, "the system's": system,
	} {
		if l, err := joinRaw(m.hub.LeafURL(), c); err == nil {
			l.close(t)
			t.Errorf("a leaf joins with credentials: %s", name)
		}
	}
	for name, c := range map[string]*trust.Creds{
		"none": nil, "of another mesh": person(stranger, time.Time{}), "expired": person(keys(t), past), "revoked": gone,
		"a product's": of(keys(t), time.Time{}), "the hub's own": own, "the system's": system,
	} {
		nc, err := connect(m.hub.ClientURL(), c, append(clientOptions("x"), nats.MaxReconnects(0))...)
		if err == nil {
			nc.Close()
			t.Errorf("a client connects with credentials: %s", name)
		} else if !isDenied(err) {
			t.Errorf("%s: %v; want a denial", name, err)
		}
	}
}

// Who is connected when a credential is revoked, or expires, is out at once.
func TestPromise9RevokedConnectionsEnd(t *testing.T) {
	m := startMatrix(t)
	leaf := startProductLeaf(t, m.hub.LeafURL(), "flights")
	other := startProductLeaf(t, m.hub.LeafURL(), "delays", flightsPort)
	person, err := keys(t).Issue(trust.Holder{Name: "ann", Role: trust.Admin}, time.Time{})
	must(t, err)
	nc, err := connect(m.hub.ClientURL(), person, append(clientOptions("ann"), nats.MaxReconnects(0))...)
	must(t, err)
	defer nc.Close()
	eventually(t, "all are in", func() bool { return leaf.Connected() && other.Connected() && nc.IsConnected() })
	began := time.Now()
	must(t, m.hub.Revoke(t.Context(), leaf.held(t).Key, person.Key))
	eventually(t, "the leaf is out", func() bool { return m.hub.Leaves() == 1 })
	eventually(t, "the person is out", nc.IsClosed)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	if !other.Connected() {
		t.Error("another leaf is out too")
	}
	// it holds when the hub starts again
	closed(t, m.hub)
	m.startHub(t, -1, -1)
	if l, err := joinRaw(m.hub.LeafURL(), leaf.held(t)); err == nil {
		l.close(t)
		t.Error("a revoked credential is good again after the hub was restarted")
	}
}

// A denied request fails at once and says so, however long its caller would wait.
func TestDenialsAreClearAtOnce(t *testing.T) {
	m := startMatrix(t)
	flights := startProductLeaf(t, m.hub.LeafURL(), "flights")
	s, err := Serve(flights.Conn(), ServiceSpec{Name: "flights", Version: "1.0.0", Endpoints: map[string]Handler{
		"get":   func(context.Context, []byte, func([]byte) error) ([]byte, error) { return []byte("got"), nil },
		"purge": func(context.Context, []byte, func([]byte) error) ([]byte, error) { return []byte("purged"), nil },
	}})
	must(t, err)
	defer closed(t, s)
	nc, err := Connect(t.Context(), ConnectOptions{URL: m.hub.ClientURL(), Creds: credsFile(t, "ann", trust.ReadOnly)})
	must(t, err)
	defer nc.Close()
	eventually(t, "the product answers", func() bool {
		got, err := Call(t.Context(), nc, "mesh.flights.get", nil)
		return err == nil && string(got) == "got"
	})
	began := time.Now()
	_, err = Call(t.Context(), nc, "mesh.flights.purge", nil)
	wantKind(t, err, fault.Denied)
	if !strings.Contains(err.Error(), "flights") || fault.HintOf(err) == "" {
		t.Errorf("error %q, hint %q", err, fault.HintOf(err))
	}
	_, err = Publish(t.Context(), nc, "in.aviation.flights.flights.v1.s", nil, nil)
	wantKind(t, err, fault.Denied)
	_, err = State(t.Context(), nc, "flights", "flights-v1")
	wantKind(t, err, fault.Denied)
	wantKind(t, Catalog(nc).Put(t.Context(), "flights", nil), fault.Denied)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("four denials took %s", took)
	}
}
