package app

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
)

// A retention that became shorter is refused while it would drop records, all is as it was
// then, and it drops them when somebody insists.
func TestShorterRetentionIsInsistedOn(t *testing.T) {
	data, dir := t.TempDir(), folder(t, eventsYAML)
	w := startWorld(t, data, dir)
	w.publish(t, "events", `{"id":1,"text":"one"}`, `{"id":2,"text":"two"}`, `{"id":3,"text":"three"}`)
	shorter := strings.Replace(eventsYAML, "key: [id]", "key: [id]\n    retention: {records: 2}\n    stream: {compression: s2, duplicates: 5m}", 1)
	w.checkPlan(t, eventsYAML, "events-v1 unchanged", "in-events-v1 unchanged")
	w.checkPlan(t, shorter, `events-v1 change compression= "s2" max_msgs=-1 2 lose-data=limit of 2 messages is below the 3 there are`,
		"in-events-v1 change duplicate_window=120000000000 300000000000")
	w.checkPlan(t, strings.Replace(shorter, "1.0.0", "2.0.0", 1), "events-v2 create", "in-events-v2 create")
	w.stop(t)
	writeDescriptor(t, dir, shorter)
	o := meshOptions(t, data, t.TempDir(), dir)
	m, err := StartMesh(t.Context(), o)
	if err == nil {
		t.Fatal("it drops a record though nobody insists", m.Close(t.Context()))
	}
	if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "limit of 2 messages is below the 3 there are") ||
		!strings.Contains(fault.HintOf(err), "--dangerous-lose-data") {
		t.Errorf("%v, hint %q", err, fault.HintOf(err))
	}
	has := func(w *world) uint64 {
		t.Helper()
		state, err := mesh.State(t.Context(), w.product(t, "events").leaf.Conn(), "", "events-v1")
		if err != nil {
			t.Fatal(err)
		}
		return state.Msgs
	}
	writeDescriptor(t, dir, eventsYAML)
	w = startWorld(t, data, dir)
	if n := has(w); n != 3 {
		t.Errorf("after the refusal the log has %d records", n)
	}
	w.stop(t)
	writeDescriptor(t, dir, shorter)
	o = meshOptions(t, data, t.TempDir(), dir)
	o.LoseData = true
	w = startWorldWith(t, o)
	for deadline := time.Now().Add(10 * time.Second); has(w) != 2; <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log has %d records", has(w))
		}
	}
}

// What somebody has insisted on once counts for that descriptor, and for no second time.
func TestShorterRetentionIsInsistedOnOnce(t *testing.T) {
	data, dir := t.TempDir(), folder(t, eventsYAML)
	shorter := func(records int) string {
		return strings.Replace(eventsYAML, "key: [id]", fmt.Sprintf("key: [id]\n    retention: {records: %d}", records), 1)
	}
	said := parsed(t, shorter(2)).LoseOnce("2026-01-01T00:00:00Z")
	o := ProductOptions{Dir: dir, Data: data, Version: "test", Logger: slog.New(slog.DiscardHandler)}
	run := func(yaml, once string) (uint64, error) {
		t.Helper()
		writeDescriptor(t, dir, yaml)
		o.LoseOnce = once
		p, err := StartProduct(t.Context(), o)
		if err != nil {
			return 0, err
		}
		defer func() {
			if err := p.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}()
		state, err := mesh.State(t.Context(), p.leaf.Conn(), "", "events-v1")
		if err != nil {
			t.Fatal(err)
		}
		for n := state.Msgs; n < 3 && yaml == eventsYAML; n++ {
			if _, err := mesh.Publish(t.Context(), p.leaf.Conn(), "shop.events.events.v1.x", []byte(`{"id":1}`), nil); err != nil {
				t.Fatal(err)
			}
		}
		return state.Msgs, nil
	}
	for _, step := range []struct {
		yaml, once string
		refused    bool
		has        uint64
	}{
		{yaml: eventsYAML},
		{yaml: shorter(2), refused: true},
		{yaml: shorter(1), once: said, refused: true}, // which was said of another retention
		{yaml: shorter(2), once: said, has: 2},
		{yaml: shorter(2), once: said, has: 2},
		{yaml: eventsYAML, once: said, has: 2},        // three again
		{yaml: shorter(2), once: said, refused: true}, // it has been done
		{yaml: shorter(2), once: parsed(t, shorter(2)).LoseOnce("2026-01-02T00:00:00Z"), has: 2},
		{yaml: eventsYAML, has: 2},
		{yaml: shorter(2), once: said, refused: true},
	} {
		has, err := run(step.yaml, step.once)
		if step.refused != (fault.KindOf(err) == fault.Conflict) || has != step.has {
			t.Errorf("%+v: %d records, %v", step, has, err)
		}
	}
}

// checkPlan checks what a descriptor would change of its product's streams.
func (w *world) checkPlan(t *testing.T, yaml string, want ...string) {
	t.Helper()
	plans, err := w.client.PlanStreams(t.Context(), parsed(t, yaml))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range plans {
		text := p.Stream + " " + p.Action
		for _, f := range p.Fields {
			text += fmt.Sprintf(" %s=%s %s", f.Field, f.Old, f.New)
		}
		for _, r := range p.Refused {
			text += fmt.Sprintf(" %s=%s", r.Danger, r.Text)
		}
		got = append(got, text)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the plan is %q, not %q", got, want)
	}
}

func parsed(t *testing.T, yaml string) *product.Product {
	t.Helper()
	desc, problems := product.Parse("x", []byte(yaml))
	if problems != nil {
		t.Fatal(problems)
	}
	return desc
}
