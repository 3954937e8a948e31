package app

import (
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
)

// A retention that became shorter is refused while it would drop records, all is as it was
// then, and it drops them when somebody insists.
func TestShorterRetentionIsInsistedOn(t *testing.T) {
	data, dir := t.TempDir(), folder(t, eventsYAML)
	w := startWorld(t, data, dir)
	w.publish(t, "events", `{"id":1,"text":"one"}`, `{"id":2,"text":"two"}`, `{"id":3,"text":"three"}`)
	w.stop(t)
	shorter := strings.Replace(eventsYAML, "key: [id]", "key: [id]\n    retention: {records: 2}", 1)
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
