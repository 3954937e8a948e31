package mesh

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/meshctl/meshctl/internal/fault"
)

func changed(t testing.TB, a *Admin, q StreamChange) *StreamPlan {
	t.Helper()
	p, err := a.Change(t.Context(), q)
	must(t, err)
	return p
}

func patch(fields string) json.RawMessage { return json.RawMessage(fields) }

func TestStreamLife(t *testing.T) {
	l := startLeaf(t, "flights", "")
	nc, a := l.Conn(), NewMeshAdmin(l.Conn(), true)
	add := StreamChange{Do: AddStream, Stream: "work", Patch: patch(`{"subjects":["work.>"],"max_age":86400000000000,"storage":"file"}`), DryRun: true}
	if p := changed(t, a, add); p.Action != Create || p.Done || len(p.Refused) > 0 || len(p.Fields) == 0 {
		t.Fatalf("plan = %+v", p)
	}
	_, err := a.Streams(t.Context(), StreamQuery{Stream: "work"})
	wantKind(t, err, fault.NotFound) // a dry run does nothing
	add.DryRun = false
	if p := changed(t, a, add); !p.Done {
		t.Fatalf("plan = %+v", p)
	}
	_, err = a.Change(t.Context(), add)
	wantKind(t, err, fault.Conflict)
	for i := range 10 {
		_, err := Publish(t.Context(), nc, fmt.Sprintf("work.%d", i%2), []byte("x"), nil)
		must(t, err)
	}

	// what the patch does not name stays, to the nanosecond
	year := 365*24*time.Hour + 1
	p := changed(t, a, StreamChange{Do: EditStream, Stream: "work", Patch: patch(fmt.Sprintf(`{"max_age":%d,"metadata":{"a":"b"}}`, year))})
	if !p.Done || len(p.Fields) != 2 || p.Fields[0].Field != "max_age" || string(p.Fields[0].Old) != "86400000000000" || string(p.Fields[0].New) != fmt.Sprint(int64(year)) {
		t.Errorf("plan = %+v", p)
	}
	s := streamOf(t, a, "work")
	if s.Config.MaxAge != year || s.Config.Metadata["a"] != "b" || !slices.Equal(s.Config.Subjects, []string{"work.>"}) || s.Messages != 10 {
		t.Errorf("stream = %+v", s)
	}
	if p := changed(t, a, StreamChange{Do: EditStream, Stream: "work", Patch: patch(fmt.Sprintf(`{"max_age":%d}`, year))}); p.Action != Unchanged || p.Done {
		t.Errorf("plan of nothing = %+v", p)
	}
	for _, bad := range []string{`{"max_agee":1}`, `{"max_age":"long"}`, `[]`, `{`} {
		_, err := a.Change(t.Context(), StreamChange{Do: EditStream, Stream: "work", Patch: patch(bad)})
		wantKind(t, err, fault.Invalid)
	}

	// what loses data is refused until somebody insists
	for _, q := range []StreamChange{
		{Do: EditStream, Stream: "work", Patch: patch(`{"max_msgs":5}`)},
		{Do: EditStream, Stream: "work", Patch: patch(`{"max_msgs_per_subject":4}`)},
		{Do: EditStream, Stream: "work", Patch: patch(`{"max_bytes":100}`)},
		{Do: EditStream, Stream: "work", Patch: patch(`{"subjects":["other"]}`)},
		{Do: EditStream, Stream: "work", Patch: patch(`{"retention":"interest"}`)},
		{Do: PurgeStream, Stream: "work"}, {Do: RemoveStream, Stream: "work"},
		{Do: SealStream, Stream: "work"}, {Do: EditStream, Stream: "work", Patch: patch(`{"deny_purge":true}`)},
	} {
		p := changed(t, a, q)
		if p.Done || len(p.Refused) != 1 || p.Refused[0].Danger == "" || p.Err() == nil {
			t.Errorf("%+v: plan %+v", q, p)
		}
		if s := streamOf(t, a, "work"); s.Messages != 10 || s.Config.MaxAge != year || s.Config.Sealed {
			t.Fatalf("%+v has changed the stream: %+v", q, s)
		}
	}
	lose := []Danger{LosesData}
	if p := changed(t, a, StreamChange{Do: PurgeStream, Stream: "work", Subject: "work.1", Keep: 2, DryRun: true}); p.Loses != 3 {
		t.Errorf("purge would lose %d", p.Loses)
	}
	if p := changed(t, a, StreamChange{Do: PurgeStream, Stream: "work", Subject: "work.1", Keep: 2, Insist: lose}); !p.Done || p.Loses != 3 {
		t.Errorf("plan = %+v", p)
	}
	if p := changed(t, a, StreamChange{Do: PurgeStream, Stream: "work", Below: 4, Insist: lose}); !p.Done || streamOf(t, a, "work").First < 4 {
		t.Errorf("plan = %+v", p)
	}
	if p := changed(t, a, StreamChange{Do: PurgeStream, Stream: "work", Below: 4}); p.Action != Unchanged {
		t.Errorf("a purge of nothing = %+v", p)
	}
	if p := changed(t, a, StreamChange{Do: EditStream, Stream: "work", Patch: patch(`{"max_msgs":3}`), Insist: lose}); !p.Done || streamOf(t, a, "work").Messages != 3 {
		t.Errorf("plan = %+v", p)
	}
	if p := changed(t, a, StreamChange{Do: SealStream, Stream: "work", Insist: []Danger{ForGood}}); !p.Done || !streamOf(t, a, "work").Config.Sealed {
		t.Errorf("plan = %+v", p)
	}
	if p := changed(t, a, StreamChange{Do: PurgeStream, Stream: "work", Insist: lose}); p.Done || len(p.Refused) != 1 {
		t.Errorf("purge of a sealed stream = %+v", p)
	}
	if p := changed(t, a, StreamChange{Do: RemoveStream, Stream: "work", Insist: lose}); !p.Done {
		t.Errorf("plan = %+v", p)
	}
	for _, do := range []string{EditStream, RemoveStream, PurgeStream, SealStream} {
		_, err = a.Change(t.Context(), StreamChange{Do: do, Stream: "work"})
		wantKind(t, err, fault.NotFound)
	}
}

// What a product keeps for itself is refused, whatever is insisted on.
func TestAProductsOwnStreamsAreProtected(t *testing.T) {
	l := startLeaf(t, "flights", "")
	a := NewMeshAdmin(l.Conn(), true)
	all := []Danger{LosesData, ForGood, TakesOver}
	own := flightsSpec
	own.Metadata = map[string]string{"meshctl.product": "flights", "meshctl.port": "flights"}
	must(t, EnsureStream(t.Context(), l.Conn(), own))
	for _, q := range []StreamChange{
		{Do: EditStream, Patch: patch(`{"max_msgs":5}`)}, {Do: RemoveStream}, {Do: SealStream},
		{Do: EditStream, Patch: patch(`{"metadata":{"meshctl.port":""}}`)},
	} {
		q.Stream, q.Insist = own.Name, all
		p := changed(t, a, q)
		if p.Done || len(p.Refused) != 1 || !strings.Contains(p.Refused[0].Text, "log of a port") || p.Refused[0].Hint == "" {
			t.Errorf("%s: plan %+v", q.Do, p)
		}
	}
	for _, subjects := range []string{`["mesh.x.get"]`, `["*.flights.>"]`, `["_INBOX.>"]`, `["aviation.flights.flights.v1.x"]`} {
		if p := changed(t, a, StreamChange{Do: AddStream, Stream: "spy", Patch: patch(`{"subjects":` + subjects + `}`), Insist: all}); p.Done || len(p.Refused) == 0 {
			t.Errorf("%s: plan %+v", subjects, p)
		}
	}
	far := `{"mirror":{"name":"x","external":{"api":"$JS.delays.API","deliver":""}}}`
	if p := changed(t, a, StreamChange{Do: AddStream, Stream: "far", Patch: patch(far), Insist: all}); p.Done || len(p.Refused) != 1 {
		t.Errorf("a mirror of another leaf: plan %+v", p)
	}
}

// Another tool's stream is not fought over, unless somebody insists.
func TestAnotherKeepersStream(t *testing.T) {
	l := startLeaf(t, "flights", "")
	a := NewAdmin(l.Conn(), "")
	makeStream(t, l.Conn(), jetstream.StreamConfig{Name: "theirs", Subjects: []string{"t"}, Metadata: map[string]string{"app.kubernetes.io/managed-by": "nack"}})
	q := StreamChange{Do: EditStream, Stream: "theirs", Patch: patch(`{"max_msgs":5}`)}
	if p := changed(t, a, q); p.Done || len(p.Refused) != 1 || p.Refused[0].Danger != TakesOver || !strings.Contains(p.Refused[0].Text, "nack") {
		t.Errorf("plan = %+v", p)
	}
	q.Insist = []Danger{TakesOver}
	if p := changed(t, a, q); !p.Done {
		t.Errorf("plan = %+v", p)
	}
}

// Whatever the rules refuse the server refuses too, and what they let pass it takes.
func TestRulesAreTheServers(t *testing.T) {
	l := startLeaf(t, "flights", "")
	nc := l.Conn()
	a := NewAdmin(nc, "")
	a.single = true
	makeStream(t, nc, jetstream.StreamConfig{Name: "other", Subjects: []string{"o.>"}})
	base := func() StreamConfig {
		c := StreamConfig{Name: "s", Subjects: []string{"s.>"}}
		withDefaults(&c)
		return c
	}
	src := func(name string) *api.StreamSource { return &api.StreamSource{Name: name} }
	consumer := &api.StreamConsumerSource{Name: "c", DeliverSubject: "d"}
	rules := map[string]struct {
		refused bool
		first   func(*StreamConfig) // nil: it is about a new stream
		change  func(*StreamConfig)
	}{
		"nothing":                   {false, nil, func(*StreamConfig) {}},
		"replicas":                  {true, nil, func(c *StreamConfig) { c.Replicas = 3 }},
		"too many replicas":         {true, nil, func(c *StreamConfig) { c.Replicas = 7 }},
		"short age":                 {true, nil, func(c *StreamConfig) { c.MaxAge = time.Millisecond }},
		"age":                       {false, nil, func(c *StreamConfig) { c.MaxAge = time.Second }},
		"short window":              {true, nil, func(c *StreamConfig) { c.Duplicates = time.Millisecond }},
		"window beyond the age":     {true, nil, func(c *StreamConfig) { c.MaxAge, c.Duplicates = time.Minute, time.Hour }},
		"discard by subject":        {true, nil, func(c *StreamConfig) { c.DiscardNewPer = true }},
		"discard by subject, whole": {false, nil, func(c *StreamConfig) { c.DiscardNewPer, c.Discard, c.MaxMsgsPer = true, api.DiscardNew, 1 }},
		"roll-ups without purge":    {true, nil, func(c *StreamConfig) { c.DenyPurge, c.RollupAllowed = true, true }},
		"short markers":             {true, nil, func(c *StreamConfig) { c.SubjectDeleteMarkerTTL = time.Millisecond }},
		"counter with TTL":          {true, nil, func(c *StreamConfig) { c.AllowMsgCounter, c.AllowMsgTTL = true, true }},
		"counter":                   {false, nil, func(c *StreamConfig) { c.AllowMsgCounter = true }},
		"schedules":                 {false, nil, func(c *StreamConfig) { c.AllowMsgSchedules, c.RollupAllowed = true, true }},
		"schedules, discard new":    {true, nil, func(c *StreamConfig) { c.AllowMsgSchedules, c.RollupAllowed, c.Discard = true, true, api.DiscardNew }},
		"schedules and sources": {true, nil, func(c *StreamConfig) {
			c.AllowMsgSchedules, c.RollupAllowed, c.Sources = true, true, []*api.StreamSource{src("other")}
		}},
		"async in memory":      {true, nil, func(c *StreamConfig) { c.PersistMode, c.Storage = api.AsyncPersistMode, api.MemoryStorage }},
		"mirror with subjects": {true, nil, func(c *StreamConfig) { c.Mirror = src("other") }},
		"mirror":               {false, nil, func(c *StreamConfig) { c.Subjects, c.Mirror = nil, src("other") }},
		"mirror with batches":  {true, nil, func(c *StreamConfig) { c.Subjects, c.Mirror, c.AllowBatchPublish = nil, src("other"), true }},
		"mirror of a bad name": {true, nil, func(c *StreamConfig) { c.Subjects, c.Mirror = nil, src("a.b") }},
		"source twice":         {true, nil, func(c *StreamConfig) { c.Sources = []*api.StreamSource{src("other"), src("other")} }},
		"source":               {false, nil, func(c *StreamConfig) { c.Sources = []*api.StreamSource{src("other")} }},
		"filter and transform": {true, nil, func(c *StreamConfig) {
			c.Sources = []*api.StreamSource{{Name: "other", FilterSubject: "o.a", SubjectTransforms: []api.SubjectTransformConfig{{Source: "o.b", Destination: "x"}}}}
		}},
		"consumer and filter": {true, nil, func(c *StreamConfig) {
			c.Sources = []*api.StreamSource{{Name: "other", FilterSubject: "o.a", Consumer: consumer}}
		}},
		"prefix of this domain": {true, nil, func(c *StreamConfig) {
			c.Sources = []*api.StreamSource{{Name: "other", External: &api.ExternalStream{ApiPrefix: "$JS.API"}}}
		}},
		"overlap of its own":     {true, nil, func(c *StreamConfig) { c.Subjects = []string{"s.>", "s.a"} }},
		"overlap with another":   {true, nil, func(c *StreamConfig) { c.Subjects = []string{"o.a"} }},
		"no subject":             {true, nil, func(c *StreamConfig) { c.Subjects = []string{"a..b"} }},
		"the API's subjects":     {true, nil, func(c *StreamConfig) { c.Subjects = []string{"$JS.API.>"} }},
		"all subjects":           {true, nil, func(c *StreamConfig) { c.Subjects = []string{">"} }},
		"republish to itself":    {true, nil, func(c *StreamConfig) { c.RePublish = &api.RePublish{Source: ">", Destination: "s.a"} }},
		"republish":              {false, nil, func(c *StreamConfig) { c.RePublish = &api.RePublish{Source: ">", Destination: "r.>"} }},
		"another storage":        {true, func(*StreamConfig) {}, func(c *StreamConfig) { c.Storage = api.MemoryStorage }},
		"to a work queue":        {true, func(*StreamConfig) {}, func(c *StreamConfig) { c.Retention = api.WorkQueuePolicy }},
		"from a work queue":      {true, func(c *StreamConfig) { c.Retention = api.WorkQueuePolicy }, func(c *StreamConfig) { c.Retention = api.LimitsPolicy }},
		"to interest":            {false, func(*StreamConfig) {}, func(c *StreamConfig) { c.Retention = api.InterestPolicy }},
		"deny delete for good":   {true, func(c *StreamConfig) { c.DenyDelete = true }, func(c *StreamConfig) { c.DenyDelete = false }},
		"deny purge for good":    {true, func(c *StreamConfig) { c.DenyPurge = true }, func(c *StreamConfig) { c.DenyPurge = false }},
		"TTL for good":           {true, func(c *StreamConfig) { c.AllowMsgTTL = true }, func(c *StreamConfig) { c.AllowMsgTTL = false }},
		"counting":               {true, func(*StreamConfig) {}, func(c *StreamConfig) { c.AllowMsgCounter = true }},
		"async":                  {true, func(*StreamConfig) {}, func(c *StreamConfig) { c.PersistMode = api.AsyncPersistMode }},
		"to a mirror":            {true, func(*StreamConfig) {}, func(c *StreamConfig) { c.Subjects, c.Mirror = nil, src("other") }},
		"another mirror":         {true, func(c *StreamConfig) { c.Subjects, c.Mirror = nil, src("other") }, func(c *StreamConfig) { c.Mirror = src("third") }},
		"no mirror any more":     {false, func(c *StreamConfig) { c.Subjects, c.Mirror = nil, src("other") }, func(c *StreamConfig) { c.Mirror, c.Subjects = nil, []string{"s.>"} }},
		"more sources":           {false, func(c *StreamConfig) { c.Sources = []*api.StreamSource{src("other")} }, func(c *StreamConfig) { c.Sources = append(c.Sources, src("third")) }},
		"unsealed":               {true, func(c *StreamConfig) {}, nil},
		"overlap after a change": {true, func(*StreamConfig) {}, func(c *StreamConfig) { c.Subjects = []string{"s.>", "o.b"} }},
	}
	for name, r := range rules {
		t.Run(name, func(t *testing.T) {
			others, err := a.infos(t.Context(), "")
			must(t, err)
			want := base()
			send := a.create
			var reasons []Reason
			if r.first == nil {
				r.change(&want)
				reasons = configRules(&want, a.single)
			} else {
				r.first(&want)
				must(t, a.create(t.Context(), &want))
				if name == "unsealed" {
					changed(t, a, StreamChange{Do: SealStream, Stream: "s", Insist: []Danger{ForGood}})
					r.change = func(c *StreamConfig) { c.Sealed = false }
				}
				have, err := a.info(t.Context(), "s")
				must(t, err)
				want = have.Config
				r.change(&want)
				reasons, err = a.changeReasons(t.Context(), have, &want)
				must(t, err)
				send = a.update
			}
			reasons = append(reasons, neighbourRules(&want, others)...)
			reasons = slices.DeleteFunc(reasons, func(r Reason) bool { return r.Danger != "" })
			if (len(reasons) > 0) != r.refused {
				t.Errorf("reasons = %+v", reasons)
			}
			if err := send(t.Context(), &want); (err != nil) != r.refused {
				t.Errorf("the server says %v", err)
			}
			if err := a.remove(t.Context(), "s"); err != nil && fault.KindOf(err) != fault.NotFound {
				t.Error(err)
			}
		})
	}
}
