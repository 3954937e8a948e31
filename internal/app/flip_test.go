package app

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshctl/meshctl/internal/fault"
)

// A flipped bit in the log, whose record the server passes over without a word, does not
// take that record from the stores too: a rebuild is refused, everything is served as
// before, and with the log restored it works.
func TestFlippedBitInTheLog(t *testing.T) {
	data, dir := t.TempDir(), folder(t, eventsYAML)
	w := startWorld(t, data, dir)
	var lines []string
	for i := range 100 {
		lines = append(lines, fmt.Sprintf(`{"id":%d,"text":"marker-%03d"}`, i, i))
	}
	w.publish(t, "events", lines...)
	w.stop(t)
	// flip changes one bit of record 51, or changes it back.
	flip := func() {
		t.Helper()
		spoilFile(t, filepath.Join(data, "products/events/jetstream/jetstream/$G/streams/events-v1/msgs/1.blk"), func(b []byte) []byte {
			i := bytes.Index(b, []byte("arker-050"))
			if i < 1 {
				t.Fatal("the log has no such record")
			}
			b[i-1] ^= 4
			return b
		})
	}
	const sql = "SELECT count(*), count(DISTINCT text) FROM events"
	flip()
	w = startWorld(t, data, dir)
	_, err := w.client.Rebuild(t.Context(), "events", RebuildRequest{KV: true, Table: true})
	if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "1 records of the log of events.events cannot be read, the first of them 51") ||
		!strings.Contains(fault.HintOf(err), "backup") {
		t.Fatalf("rebuild: %v, hint %q", err, fault.HintOf(err))
	}
	w.eventually(t, sql, "100|100")
	if got, err := w.client.Get(t.Context(), "events.events", []string{"50"}); err != nil || len(got.Records) != 1 {
		t.Errorf("get = %+v, %v", got, err)
	}
	w.stop(t)

	flip() // as a backup has it
	w = startWorld(t, data, dir)
	if _, err := w.client.Rebuild(t.Context(), "events", RebuildRequest{KV: true, Table: true}); err != nil {
		t.Fatal(err)
	}
	w.eventually(t, sql, "100|100")
	w.stop(t)

	flip()
	w = startWorld(t, data, dir)
	if _, err := w.client.Rebuild(t.Context(), "events", RebuildRequest{KV: true, Table: true, LoseExpired: true}); err != nil {
		t.Fatal(err)
	}
	w.eventually(t, sql, "99|99")
}
