package mesh

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/nats-io/jsm.go/api"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

func TestEnsureStreamConverges(t *testing.T) {
	l := startLeaf(t, "flights", "")
	ctx, nc := t.Context(), l.Conn()
	spec := flightsSpec
	spec.MaxAge, spec.Metadata = 24*time.Hour, map[string]string{"product": "flights"}
	must(t, EnsureStream(ctx, nc, spec))
	must(t, EnsureStream(ctx, nc, spec))
	appendAll(t, nc, spec.Name, numbered(1, 100)) // ten a subject

	spec.MaxAge, spec.Metadata = 48*time.Hour, map[string]string{"product": "flights", "version": "2"}
	spec.Subjects = append(spec.Subjects, "aviation.more")
	must(t, EnsureStream(ctx, nc, spec))
	info, err := streamInfo(ctx, nc, "", spec.Name)
	must(t, err)
	if info.Config.MaxAge != 48*time.Hour || info.Config.Metadata["version"] != "2" || len(info.Config.Subjects) != 3 {
		t.Fatalf("config = %+v", info.Config)
	}
	if !info.Config.AllowDirect || !info.Config.AllowBatchPublish {
		t.Fatalf("config lacks direct get or batches: %+v", info.Config)
	}
	before := info.Created
	must(t, EnsureStream(ctx, nc, spec))
	if info, err = streamInfo(ctx, nc, "", spec.Name); err != nil || !info.Created.Equal(before) || info.State.Msgs != 100 {
		t.Fatalf("the stream was made anew: %+v, %v", info, err)
	}
}

func TestEnsureStreamRefusesToLoseData(t *testing.T) {
	l := startLeaf(t, "flights", "")
	ctx, nc := t.Context(), l.Conn()
	must(t, EnsureStream(ctx, nc, flightsSpec))
	appendAll(t, nc, flightsSpec.Name, numbered(1, 100))
	changes := map[string]func(*StreamSpec){
		"subject":     func(s *StreamSpec) { s.Subjects = []string{"aviation.other"} },
		"bytes":       func(s *StreamSpec) { s.MaxBytes = 1000 },
		"per subject": func(s *StreamSpec) { s.MaxMsgsPerSubject = 9 },
		"age":         func(s *StreamSpec) { s.MaxAge = time.Nanosecond },
		"mirror": func(s *StreamSpec) {
			s.Subjects, s.Mirror = nil, &MirrorSpec{Port: product.PortID{Product: "y", Domain: "aviation", Port: "x", Major: 1}, Reader: "flights"}
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			spec := flightsSpec
			change(&spec)
			err := EnsureStream(ctx, nc, spec)
			wantKind(t, err, fault.Conflict)
			if s, err := State(ctx, nc, "", spec.Name); err != nil || s.Msgs != 100 {
				t.Fatalf("state = %+v, %v; want all 100 messages", s, err)
			}
		})
	}
	spec := flightsSpec
	spec.MaxMsgsPerSubject = 10 // loses nothing
	must(t, EnsureStream(ctx, nc, spec))
	spec.MaxMsgsPerSubject, spec.LoseData = 3, true
	must(t, EnsureStream(ctx, nc, spec))
	if s, err := State(ctx, nc, "", spec.Name); err != nil || s.Msgs != 30 {
		t.Fatalf("state = %+v, %v; want 30 messages", s, err)
	}
}

// What a descriptor says of how a log is kept is applied to one that holds records.
func TestEnsureStreamChangesHowItIsKept(t *testing.T) {
	l := startLeaf(t, "flights", "")
	ctx, nc := t.Context(), l.Conn()
	must(t, EnsureStream(ctx, nc, flightsSpec))
	appendAll(t, nc, flightsSpec.Name, numbered(1, 100))
	spec := flightsSpec
	spec.Compress, spec.MaxMsgs, spec.Duplicates = true, 100, 5*time.Minute
	must(t, EnsureStream(ctx, nc, spec))
	info, err := streamInfo(ctx, nc, "", spec.Name)
	must(t, err)
	if c := info.Config; c.Compression != api.S2Compression || c.MaxMsgs != 100 || c.Duplicates != 5*time.Minute {
		t.Errorf("config = %+v", c)
	}
	spec.MaxMsgs = 99
	wantKind(t, EnsureStream(ctx, nc, spec), fault.Conflict)
	must(t, EnsureStream(ctx, nc, flightsSpec)) // what it does not say any more is as if it never had
	if info, err = streamInfo(ctx, nc, "", spec.Name); err != nil || info.Config.Duplicates != 2*time.Minute {
		t.Errorf("duplicates are known for %s, %v", info.Config.Duplicates, err)
	}
	spec = flightsSpec
	spec.MaxAge = time.Minute // shorter than a message's id was known
	must(t, EnsureStream(ctx, nc, spec))
	if info, err = streamInfo(ctx, nc, "", spec.Name); err != nil || info.Config.Duplicates != time.Minute || info.Config.Compression != api.NoCompression || info.State.Msgs != 100 {
		t.Errorf("stream = %+v, %v", info, err)
	}
}

// A plan says what EnsureStream would do, without doing it.
func TestPlanStream(t *testing.T) {
	l := startLeaf(t, "flights", "")
	ctx, nc := t.Context(), l.Conn()
	planned := func(spec StreamSpec) string {
		t.Helper()
		p, err := PlanStream(ctx, nc, spec)
		must(t, err)
		text := p.Action
		for _, f := range p.Fields {
			text += fmt.Sprintf("; %s %s -> %s", f.Field, f.Old, f.New)
		}
		for _, r := range p.Refused {
			text += fmt.Sprintf("; %s: %s (%s)", r.Danger, r.Text, r.Hint)
		}
		return text
	}
	check := func(what, want string, spec StreamSpec) {
		t.Helper()
		if got := planned(spec); got != want {
			t.Errorf("%s: the plan is %q, not %q", what, got, want)
		}
	}
	check("a new stream", "create", flightsSpec)
	must(t, EnsureStream(ctx, nc, flightsSpec))
	appendAll(t, nc, flightsSpec.Name, numbered(1, 100))
	spec := flightsSpec
	spec.Metadata = map[string]string{"version": "2"}
	check("metadata", "unchanged", spec)
	spec.Compress, spec.Duplicates = true, 5*time.Minute
	check("settings", `change; compression  -> "s2"; duplicate_window 120000000000 -> 300000000000`, spec)
	spec = flightsSpec
	spec.MaxMsgs = 99
	lost := "change; max_msgs -1 -> 99; lose-data: limit of 99 messages is below the 100 there are (" + LoseDataHint + ")"
	check("a limit that drops", lost, spec)
	spec.LoseData = true
	check("a limit that may drop", "change; max_msgs -1 -> 99", spec)
	if s, err := State(ctx, nc, "", spec.Name); err != nil || s.Msgs != 100 {
		t.Errorf("after all plans the stream has %d messages, %v", s.Msgs, err)
	}
}

func TestStreamsOfOneSubjectConflict(t *testing.T) {
	l := startLeaf(t, "flights", "")
	must(t, EnsureStream(t.Context(), l.Conn(), flightsSpec))
	other := flightsSpec
	other.Name = "other"
	wantKind(t, EnsureStream(t.Context(), l.Conn(), other), fault.Conflict)
}

func TestPurgeKeepsFromUpTo(t *testing.T) {
	m := startMesh(t)
	ctx, nc := t.Context(), m.a.Conn()
	must(t, EnsureStream(ctx, nc, flightsSpec))
	appendAll(t, nc, "flights-v1", numbered(1, 100))
	hub := m.hub.Conn()

	n, err := Purge(ctx, hub, "flights", "flights-v1", "", 51)
	if err != nil || n != 50 {
		t.Fatalf("purge below 51 = %d, %v; want 50", n, err)
	}
	if s, err := State(ctx, hub, "flights", "flights-v1"); err != nil || s.First != 51 || s.Last != 100 || s.Msgs != 50 {
		t.Fatalf("state = %+v, %v", s, err)
	}
	n, err = Purge(ctx, nc, "", "flights-v1", "aviation.flights.flights.v1.k3", 73)
	if err != nil || n != 2 { // 53 and 63
		t.Fatalf("purge of a subject = %d, %v; want 2", n, err)
	}
	counts, err := SubjectCounts(ctx, hub, "flights", "flights-v1", "aviation.flights.flights.v1.k3")
	if want := map[string]uint64{"aviation.flights.flights.v1.k3": 3}; err != nil || !maps.Equal(counts, want) {
		t.Fatalf("counts = %v, %v; want %v", counts, err, want)
	}
	if n, err = Purge(ctx, nc, "", "flights-v1", "", 0); err != nil || n != 48 {
		t.Fatalf("purge of all = %d, %v; want 48", n, err)
	}
	if s, err := State(ctx, nc, "", "flights-v1"); err != nil || s.First != 101 || s.Last != 100 {
		t.Fatalf("state of the empty stream = %+v, %v", s, err)
	}
	_, err = Purge(ctx, nc, "", "none", "", 0)
	wantKind(t, err, fault.NotFound)
}

func TestDeleteStream(t *testing.T) {
	l := startLeaf(t, "flights", "")
	must(t, EnsureStream(t.Context(), l.Conn(), flightsSpec))
	must(t, DeleteStream(t.Context(), l.Conn(), flightsSpec.Name))
	wantKind(t, DeleteStream(t.Context(), l.Conn(), flightsSpec.Name), fault.NotFound)
}
