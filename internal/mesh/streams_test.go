package mesh

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/meshctl/meshctl/internal/fault"
)

// makeStream makes a stream as somebody else would, by another library.
func makeStream(t testing.TB, nc *Conn, c jetstream.StreamConfig) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc.Conn)
	must(t, err)
	_, err = js.CreateStream(t.Context(), c)
	must(t, err)
	return js
}

func streamOf(t testing.TB, a *Admin, name string) Stream {
	t.Helper()
	all, err := a.Streams(t.Context(), StreamQuery{Stream: name, Consumers: true, Rates: true})
	must(t, err)
	if len(all) != 1 || all[0].Name != name {
		t.Fatalf("streams = %+v", all)
	}
	return all[0]
}

func TestStreamsTellAll(t *testing.T) {
	m := startMesh(t)
	nc := m.a.Conn()
	must(t, EnsureStream(t.Context(), nc, flightsSpec))
	appendAll(t, nc, "flights-v1", numbered(1, 120))
	must(t, DeleteMessage(t.Context(), nc, "flights-v1", 50))
	js := makeStream(t, nc, jetstream.StreamConfig{Name: "old", Subjects: []string{"old.>"}})
	c, err := js.CreateConsumer(t.Context(), "flights-v1", jetstream.ConsumerConfig{Durable: "slow", AckPolicy: jetstream.AckExplicitPolicy})
	must(t, err)
	_, err = c.Fetch(7)
	must(t, err)
	makeStream(t, nc, jetstream.StreamConfig{Name: "both", Sources: []*jetstream.StreamSource{
		{Name: "flights-v1", FilterSubject: "aviation.flights.flights.v1.k3"}, {Name: "old"}, {Name: "far", Domain: "delays"},
	}})
	a := NewAdmin(nc, "")
	eventually(t, "the consumer was given its messages", func() bool { return streamOf(t, a, "flights-v1").Consumers[0].Unacked == 7 })

	s := streamOf(t, a, "flights-v1")
	if s.Domain != "flights" || s.Messages != 119 || s.First != 1 || s.Last != 120 || s.Deleted != 1 || s.Subjects != 10 || s.Bytes == 0 {
		t.Errorf("stream = %+v", s)
	}
	if len(s.Consumers) != 1 || s.Consumers[0].Name != "slow" || s.Consumers[0].Pending != 112 || s.Lag() != 119 {
		t.Errorf("consumers = %+v", s.Consumers)
	}
	if s.Rate < 1 || s.Rate > 120 { // 120 messages in a stream that is some seconds old, or one
		t.Errorf("rate = %g", s.Rate)
	}
	eventually(t, "the sources are heard of", func() bool { return streamOf(t, a, "both").Messages == 12 })
	both := streamOf(t, a, "both")
	if len(both.Sources) != 3 || both.Sources[0].Domain != "flights" || both.Sources[2].Domain != "delays" || both.Sources[2].Active >= 0 {
		t.Errorf("sources = %+v", both.Sources)
	}
	all, err := a.Streams(t.Context(), StreamQuery{})
	must(t, err)
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	if want := []string{"both", "flights-v1", "old"}; !slices.Equal(names, want) {
		t.Errorf("streams = %v", names)
	}
	if old := streamOf(t, a, "old"); old.Rate != 0 || len(old.Consumers) != 0 {
		t.Errorf("an empty stream = %+v", old)
	}
	_, err = a.Streams(t.Context(), StreamQuery{Stream: "none"})
	wantKind(t, err, fault.NotFound)
	for _, bad := range []string{"a.b", ">", "a b", "a/b"} {
		_, err = a.Streams(t.Context(), StreamQuery{Stream: bad})
		wantKind(t, err, fault.Invalid)
	}
	// and from the hub, where somebody's credential reaches the API
	if far := streamOf(t, NewAdmin(m.hub.Conn(), "flights"), "flights-v1"); far.Messages != 119 || far.Domain != "flights" {
		t.Errorf("from afar: %+v", far)
	}
}

// More streams and consumers than one page of the server's answers has.
func TestStreamsOfManyPages(t *testing.T) {
	l := startLeaf(t, "flights", "")
	js, err := jetstream.New(l.Conn().Conn)
	must(t, err)
	const many = 300
	for i := range many {
		_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: fmt.Sprintf("s%03d", i), Subjects: []string{fmt.Sprintf("s.%d", i)}, Storage: jetstream.MemoryStorage})
		must(t, err)
		_, err = js.CreateConsumer(t.Context(), "s000", jetstream.ConsumerConfig{Durable: fmt.Sprintf("c%03d", i)})
		must(t, err)
	}
	all, err := NewAdmin(l.Conn(), "").Streams(t.Context(), StreamQuery{Consumers: true})
	must(t, err)
	if len(all) != many || len(all[0].Consumers) != many || all[many-1].Name != "s299" || all[0].Consumers[many-1].Name != "c299" {
		t.Errorf("%d streams, %d consumers", len(all), len(all[0].Consumers))
	}
}

func TestMessageOfAStream(t *testing.T) {
	l := startLeaf(t, "flights", "")
	ctx, nc := t.Context(), l.Conn()
	makeStream(t, nc, jetstream.StreamConfig{Name: "plain", Subjects: []string{"p.*"}}) // without direct get
	must(t, EnsureStream(ctx, nc, flightsSpec))
	appendAll(t, nc, "flights-v1", numbered(1, 30))
	_, err := Publish(ctx, nc, "p.a", []byte("one"), map[string]string{"K": "v"})
	must(t, err)
	_, err = Publish(ctx, nc, "p.b", []byte{0xff, 0}, nil)
	must(t, err)
	a := NewAdmin(nc, "")
	for _, c := range []struct {
		q    MessageQuery
		seq  uint64
		data string
	}{
		{MessageQuery{Stream: "plain"}, 2, "\xff\x00"},
		{MessageQuery{Stream: "plain", Sequence: 1}, 1, "one"},
		{MessageQuery{Stream: "plain", Last: "p.a"}, 1, "one"},
		{MessageQuery{Stream: "flights-v1", Next: "*.*.*.*.k3"}, 3, "3"},
		{MessageQuery{Stream: "flights-v1", Next: "*.*.*.*.k3", Sequence: 4}, 13, "13"},
		{MessageQuery{Stream: "flights-v1", Since: time.Now().Add(-time.Hour)}, 1, "1"},
	} {
		m, err := a.Message(ctx, c.q)
		if err != nil || m.Sequence != c.seq || string(m.Data) != c.data || time.Since(m.Time) > time.Minute {
			t.Errorf("%+v: %+v, %v", c.q, m, err)
		}
	}
	if m, err := a.Message(ctx, MessageQuery{Stream: "plain", Sequence: 1}); err != nil || !reflect.DeepEqual(m.Header, map[string][]string{"K": {"v"}}) {
		t.Errorf("header = %v, %v", m.Header, err)
	}
	for _, q := range []MessageQuery{
		{Stream: "plain", Sequence: 3}, {Stream: "plain", Last: "p.c"}, {Stream: "none"}, {Stream: "plain", Since: time.Now().Add(time.Hour)},
	} {
		_, err := a.Message(ctx, q)
		wantKind(t, err, fault.NotFound)
	}
	for _, q := range []MessageQuery{{Stream: "a.b"}, {Stream: "plain", Sequence: 1, Last: "p.a"}, {Stream: "plain", Sequence: 1, Since: time.Now()}} {
		_, err := a.Message(ctx, q)
		wantKind(t, err, fault.Invalid)
	}
}

func TestSubjectsOfAStream(t *testing.T) {
	l := startLeaf(t, "flights", "")
	must(t, EnsureStream(t.Context(), l.Conn(), flightsSpec))
	appendAll(t, l.Conn(), "flights-v1", numbered(1, 25))
	var got []SubjectCount
	collect := func(page []SubjectCount) error { got = append(got, page...); return nil }
	a := NewAdmin(l.Conn(), "")
	must(t, a.Subjects(t.Context(), SubjectsQuery{Stream: "flights-v1"}, collect))
	if len(got) != 10 || got[0] != (SubjectCount{"aviation.flights.flights.v1.k0", 2}) || got[5].Messages != 3 {
		t.Errorf("subjects = %+v", got)
	}
	got = nil
	must(t, a.Subjects(t.Context(), SubjectsQuery{Stream: "flights-v1", Filter: "*.*.*.*.k4"}, collect))
	if len(got) != 1 || got[0].Messages != 3 {
		t.Errorf("subjects = %+v", got)
	}
	wantKind(t, a.Subjects(t.Context(), SubjectsQuery{Stream: "none"}, collect), fault.NotFound)
	stop := fmt.Errorf("enough")
	if err := a.Subjects(t.Context(), SubjectsQuery{Stream: "flights-v1"}, func([]SubjectCount) error { return stop }); err != stop {
		t.Errorf("error = %v", err)
	}
}

func TestKeepers(t *testing.T) {
	for _, c := range []struct {
		config StreamConfig
		want   Keeper
	}{
		{StreamConfig{Name: "x"}, Keeper{}},
		{StreamConfig{Name: "flights-v1", Metadata: map[string]string{"meshctl.product": "flights", "meshctl.port": "flights"}}, Keeper{"meshctl", "log"}},
		{StreamConfig{Name: "in-flights-v1", Metadata: map[string]string{"meshctl.product": "flights", "meshctl.inbox": "flights"}}, Keeper{"meshctl", "inbox"}},
		{StreamConfig{Name: "dead", Metadata: map[string]string{"meshctl.product": "flights"}}, Keeper{"meshctl", "dead letters"}},
		{StreamConfig{Name: "again", Metadata: map[string]string{"meshctl.product": "flights"}}, Keeper{"meshctl", "dead letters taken again"}},
		{StreamConfig{Name: "from-a_b-v1", Metadata: map[string]string{"meshctl.source": "a.b"}}, Keeper{"meshctl", "mirror"}},
		{StreamConfig{Name: "KV_catalog"}, Keeper{"meshctl", "bucket catalog"}},
		{StreamConfig{Name: "KV_x"}, Keeper{"", "key-value bucket x"}},
		{StreamConfig{Name: "OBJ_x"}, Keeper{"", "object store x"}},
		{StreamConfig{Name: "KV_x", Metadata: map[string]string{"app.kubernetes.io/managed-by": "nack"}}, Keeper{"nack", "app.kubernetes.io/managed-by"}},
	} {
		if got := KeeperOf(&c.config); got != c.want {
			t.Errorf("%s %v: keeper %+v, want %+v", c.config.Name, c.config.Metadata, got, c.want)
		}
	}
}

func TestOriginDomains(t *testing.T) {
	for prefix, want := range map[string]string{"": "here", "$JS.flights.API": "flights", "$MIRROR.flights": "flights", "JS.acc": "JS.acc"} {
		var e *api.ExternalStream
		if prefix != "" {
			e = &api.ExternalStream{ApiPrefix: prefix}
		}
		if got := originDomain(e, "here"); got != want {
			t.Errorf("%q: %q, want %q", prefix, got, want)
		}
	}
}
