package app

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/doctor"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/serve"
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
	p := &patient{world: w, limits: doctor.Usual()}
	if found := p.damage(t, "events"); len(found) != 1 || !strings.Contains(found[0].Seen, "1 records of the log of events.events cannot be read, the first of them 51") {
		t.Errorf("the doctor finds %+v", found)
	}
	w.eventually(t, sql, "100|100")
	if got, err := w.client.Get(t.Context(), "events.events", []string{"50"}); err != nil || len(got.Records) != 1 {
		t.Errorf("get = %+v, %v", got, err)
	}
	w.stop(t)

	flip() // as a backup has it
	w = startWorld(t, data, dir)
	p.world = w
	if found := p.damage(t, "events"); len(found) != 0 {
		t.Errorf("of a log that is whole the doctor finds %+v", found)
	}
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

// damage makes a product read all it has, and is what the doctor says of it then.
func (p *patient) damage(t *testing.T, name string) (found []doctor.Finding) {
	t.Helper()
	l, err := p.client.Examine(t.Context(), time.Now(), p.limits, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range doctor.OfMesh(l).Findings() {
		if f.Check == "failing" && strings.HasPrefix(f.Where, name) {
			found = append(found, f)
		}
	}
	return found
}

// Of a compacted log nobody can say which record is missing, but that one is: the doctor
// tells when it may read, and a rebuild is refused.
func TestFlippedBitInACompactedLog(t *testing.T) {
	data, dir := t.TempDir(), folder(t, strings.Replace(ordersYAML, "key: [id]", "key: [id]\n    retention: {compact: true}", 1))
	w := startWorld(t, data, dir)
	var lines []string
	for i := range 90 {
		lines = append(lines, fmt.Sprintf(`{"id":"%d","customer":"marker-%03d","total":1}`, i%60, i))
	}
	w.publish(t, "orders", lines...)
	w.eventually(t, "SELECT count(*) FROM orders", "60")
	p := &patient{world: w, limits: doctor.Usual()}
	if found := p.damage(t, "orders"); len(found) != 0 {
		t.Errorf("of a log that is whole the doctor finds %+v", found)
	}
	w.stop(t)
	spoilFile(t, filepath.Join(data, "products/orders/jetstream/jetstream/$G/streams/orders-v1/msgs/1.blk"), func(b []byte) []byte {
		b[bytes.Index(b, []byte("arker-070"))-1] ^= 4
		return b
	})
	w = startWorld(t, data, dir)
	p.world = w
	const want = "1 records of the compacted log of orders.orders cannot be read"
	if found := p.damage(t, "orders"); len(found) != 1 || !strings.Contains(found[0].Seen, want) {
		t.Errorf("the doctor finds %+v", found)
	}
	_, err := w.client.Rebuild(t.Context(), "orders", RebuildRequest{KV: true, Table: true})
	if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), want) {
		t.Errorf("rebuild: %v", err)
	}
	w.eventually(t, "SELECT count(*) FROM orders", "60")
}

// What the server drops of a log when it starts after a crash and meets a flipped bit, the
// doctor sees without reading anything.
func TestDoctorOfALogThatLostRecords(t *testing.T) {
	data, dir := t.TempDir(), folder(t, eventsYAML)
	w := startWorld(t, data, dir)
	var lines []string
	for i := range 3000 { // in two blocks
		lines = append(lines, fmt.Sprintf(`{"id":%d,"text":"marker-%04d%s"}`, i, i, strings.Repeat("x", 4000)))
	}
	w.publish(t, "events", lines...)
	w.stop(t)
	msgs := filepath.Join(data, "products/events/jetstream/jetstream/$G/streams/events-v1/msgs")
	spoilFile(t, filepath.Join(msgs, "1.blk"), func(b []byte) []byte {
		b[bytes.Index(b, []byte("arker-1050"))-1] ^= 4
		return b
	})
	spoilFile(t, filepath.Join(msgs, "index.db"), func([]byte) []byte { return nil }) // as a crash leaves it
	w = startWorld(t, data, dir)
	p := &patient{world: w, limits: doctor.Usual()}
	if f := p.finds(t, "log-gaps"); f.Where != "events/events-v1" {
		t.Errorf("finding = %+v", f)
	} else {
		t.Log(f.Seen)
	}
}

// The key-value store is read as well.
func TestDoctorReadsTheKeyValueStore(t *testing.T) {
	data, dir := t.TempDir(), folder(t, eventsYAML)
	w := startWorld(t, data, dir)
	var lines []string
	for i := range 3000 {
		lines = append(lines, fmt.Sprintf(`{"id":%d,"text":"%0200d"}`, i, i))
	}
	w.publish(t, "events", lines...)
	w.eventually(t, "SELECT count(*) FROM events", "3000")
	w.stop(t)
	spoilFile(t, filepath.Join(data, "products/events/kv/*.sst"), func(b []byte) []byte {
		for i := len(b) / 4; i < len(b)/2; i += 997 { // one alone may come out the same when it is unpacked
			b[i] ^= 4
		}
		return b
	})
	w = startWorld(t, data, dir)
	p := &patient{world: w, limits: doctor.Usual()}
	if found := p.damage(t, "events"); len(found) != 1 || !strings.Contains(found[0].Seen, "key-value: ") {
		t.Errorf("the doctor finds %+v", found)
	}
	if _, err := w.client.Rebuild(t.Context(), "events", RebuildRequest{KV: true}); err != nil {
		t.Fatal(err)
	}
	if found := p.damage(t, "events"); len(found) != 0 {
		t.Errorf("rebuilt, the doctor finds %+v", found)
	}
}

// A flipped byte in a segment is no answer, only an error that names the file; all else is
// served as before, the doctor tells, and a rebuild repairs it.
func TestFlippedByteInASegment(t *testing.T) {
	data, dirs := t.TempDir(), []string{folder(t, eventsYAML), folder(t, ordersYAML)}
	w := startWorld(t, data, dirs...)
	w.publish(t, "orders", `{"id":"1","customer":"Ann","total":1.50}`)
	w.publish(t, "events", `{"id":1,"text":"one"}`, `{"id":2,"text":"two"}`)
	const sql = "SELECT sum(id), count(DISTINCT text) FROM events"
	w.eventually(t, sql, "3|2")
	w.roll(t, "events")
	w.stop(t)
	spoilFile(t, filepath.Join(data, "products/events/table/events-v1/*.parquet"), func(b []byte) []byte {
		b[len(b)/3] ^= 4
		return b
	})
	w = startWorld(t, data, dirs...)
	p := &patient{world: w, limits: doctor.Usual()}
	_, err := w.client.Query(t.Context(), serve.QueryRequest{SQL: sql})
	if err == nil || !strings.Contains(err.Error(), "table/events-v1/") || !strings.Contains(err.Error(), "has not what was written to it") ||
		fault.HintOf(err) != "run meshctl rebuild PRODUCT --table" {
		t.Fatalf("query: %v, hint %q", err, fault.HintOf(err))
	}
	if n := w.get(t, "events.events", "2"); n != 1 {
		t.Errorf("get finds %d records", n)
	}
	w.publish(t, "events", `{"id":4,"text":"four"}`)
	w.eventually(t, "SELECT count(*) FROM orders", "1")
	if f := p.finds(t, "failing"); f.Where != "events.events" || !strings.Contains(f.Seen, "has not what was written to it") {
		t.Errorf("the doctor finds %+v", f)
	}
	if _, err := w.client.Rebuild(t.Context(), "events", RebuildRequest{Table: true}); err != nil {
		t.Fatal(err)
	}
	w.eventually(t, sql, "7|3")
	for _, f := range p.examine(t).Findings() {
		if f.Check == "failing" {
			t.Errorf("rebuilt, the doctor finds %+v", f)
		}
	}
}
