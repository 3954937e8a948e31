package pipeline

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/product"
)

// doorWorld is all that survives a crash of a door, and what it should lead to.
type doorWorld struct {
	plan             *plan
	rng              *rand.Rand
	inbox, log, dead *stream
	door             Door
	n                int
	rows             map[string]int // sent, by session
	good, bad        []string
}

func newDoorWorld(t *testing.T, rng *rand.Rand, p *plan, dir string) *doorWorld {
	w := &doorWorld{plan: p, rng: rng, inbox: newStream(p), log: newStream(p), dead: newStream(p), rows: map[string]int{}}
	c, out := ordersOf(t, product.State, 20)
	w.door = Door{
		Port: port, Contract: c, Output: out, Inbox: w.inbox.open, Stream: port.InboxStream(), Log: w.log, Dead: w.dead,
		Checkpoint: Checkpoint{Path: file(dir, "door.position"), lazy: true}, Trim: w.inbox.trim,
	}
	return w
}

// run is the door of a process that has just started.
func (w *doorWorld) run(ctx context.Context) error {
	d := w.door
	d.Progress = NewProgress()
	return d.Run(ctx)
}

// record is a line for the inbox.
func (w *doorWorld) record() string {
	w.n++
	id := fmt.Sprintf("k%d", w.rng.IntN(5))
	good := fmt.Sprintf(`{"id":"%s","n":%d}`, id, w.n)
	bad := []string{
		fmt.Sprintf(`{"id":"%s","n":"%d"}`, id, w.n), fmt.Sprintf(`{"n":%d}`, w.n), fmt.Sprintf(`not JSON %d`, w.n),
		fmt.Sprintf(`{"id":"%s","text":"far too long a text %d"}`, id, w.n), fmt.Sprintf(`{"$delete":["a","%d"]}`, w.n),
	}
	switch w.rng.IntN(6) {
	case 0:
		line := bad[w.rng.IntN(len(bad))]
		w.bad = append(w.bad, line)
		return line
	case 1:
		w.good = append(w.good, fmt.Sprintf(`delete ["%s"]`, id))
		return fmt.Sprintf(`{"$delete":"%s"}`, id)
	}
	w.good = append(w.good, good)
	return good
}

func (w *doorWorld) publish() {
	if w.rng.IntN(2) == 0 {
		w.inbox.put(port.InboxSubject("me"), nil, []byte(w.record()))
		return
	}
	session := []string{"import-a", "import-b", "pipe"}[w.rng.IntN(3)]
	var lines []string
	for range 1 + w.rng.IntN(5) {
		lines = append(lines, w.record())
	}
	w.rows[session] += len(lines)
	body := strings.Join(lines, "\n")
	if w.rng.IntN(2) == 0 {
		body += "\n"
	}
	w.inbox.put(port.InboxSubject(session), header{product.HeaderRows: fmt.Sprint(w.rows[session])}, []byte(body))
}

func (w *doorWorld) check(t *testing.T) {
	t.Helper()
	own, foreign := w.log.ever[:0:0], 0
	for i := range w.log.ever {
		if w.log.ever[i].header(product.HeaderPosition) == "" {
			foreign++
			continue
		}
		own = append(own, w.log.ever[i])
	}
	equal(t, "the log", texts(own), w.good)
	equal(t, "the dead letters", texts(w.dead.ever), w.bad)
	inOrder(t, "the log", own)
	inOrder(t, "the dead letters", w.dead.ever)
	for i := range w.dead.ever {
		m := &w.dead.ever[i]
		if m.header(product.HeaderReason) == "" || !strings.HasPrefix(m.header(product.HeaderOrigin), port.InboxStream()+":") {
			t.Fatalf("dead letter without reason or origin: %v", m.Header)
		}
	}
	left := map[string]int{}
	for _, m := range w.inbox.msgs {
		left[m.Subject]++
		if !strings.Contains(m.Subject, "."+ImportSession) || left[m.Subject] > 1 {
			t.Fatalf("the inbox keeps message %d of %s", m.Seq, m.Subject)
		}
	}
	for session := range w.rows {
		if strings.HasPrefix(session, ImportSession) && left[port.InboxSubject(session)] != 1 {
			t.Fatalf("the inbox has lost the last message of %s", session)
		}
	}
}

// Promises 2 and 6: whatever crashes, each good record is in the log once and in order,
// each bad one is in the dead letters once, and what is done leaves the inbox.
func TestPromise2DoorIsExactlyOnce(t *testing.T) {
	rounds(t, 300, func(t *testing.T, rng *rand.Rand, p *plan, dir string) {
		w := newDoorWorld(t, rng, p, dir)
		shrinks := rng.IntN(3) == 0
		for range 12 {
			for range rng.IntN(6) {
				w.publish()
			}
			if !shrinks && rng.IntN(5) == 0 {
				w.log.put(port.Subject(), nil, []byte("foreign"))
			}
			p.arm(1 + rng.IntN(15))
			attempt(t, time.Duration(rng.IntN(12))*time.Second, w.run)
			if shrinks && rng.IntN(3) == 0 {
				w.log.empty()
			}
		}
		finish(t, p, 2*trimEvery, w.run)
		w.check(t)
		finish(t, p, 0, w.run) // nothing is left to do
		w.check(t)
	})
}

// Promise 1: a store that is dropped is made again of the log. Promise 6: a message that
// was put into the log past the door is buried once, however often stores pass it.
func TestPromise1And6StoresFollowFromTheLog(t *testing.T) {
	rounds(t, 100, func(t *testing.T, rng *rand.Rand, p *plan, dir string) {
		w := newDoorWorld(t, rng, p, dir)
		stores := []*store{newStore(p), newStore(p)}
		foreign, strangers := newStream(p), 0
		materialise := func(ctx context.Context) error {
			m := Materialiser{
				Port: port, Contract: w.door.Contract, Source: w.log.open, Dead: foreign,
				Stores: []Store{stores[0], stores[1]}, Progress: NewProgress(), Logger: quiet,
			}
			return m.Run(ctx)
		}
		for range 8 {
			for range rng.IntN(6) {
				w.publish()
			}
			p.arm(1 + rng.IntN(15))
			attempt(t, 0, w.run)
			p.arm(1 + rng.IntN(10))
			attempt(t, 0, materialise)
			if rng.IntN(4) == 0 {
				w.log.put(port.Subject(), nil, []byte("foreign"))
				strangers++
			}
			if rng.IntN(6) == 0 {
				stores[rng.IntN(2)] = newStore(p)
			}
		}
		finish(t, p, 2*trimEvery, w.run)
		finish(t, p, 0, materialise)
		w.check(t)
		for _, s := range stores {
			same(t, "a store", s.rows, latest(w.log.ever))
			if len(s.seqs) != len(w.log.ever)-strangers || s.at != w.log.last {
				t.Fatalf("a store applied %d records up to %d of %d", len(s.seqs), s.at, len(w.log.ever))
			}
		}
		if len(foreign.ever) != strangers {
			t.Fatalf("%d of %d foreign messages are buried", len(foreign.ever), strangers)
		}
	})
}

// The log of another product is read as it is: what is foreign there is its to bury.
func TestMaterialiserPassesOverForeignMessages(t *testing.T) {
	rounds(t, 1, func(t *testing.T, _ *rand.Rand, p *plan, _ string) {
		log, s := newStream(p), newStore(p)
		log.put(port.Subject()+".a", nil, []byte(`{"id":"a"}`))
		log.put(port.Subject(), nil, []byte("foreign"))
		m := Materialiser{Port: port, Contract: orders(t, product.State), Source: log.open, Stores: []Store{s}, Skip: true, Logger: quiet}
		finish(t, p, 0, m.Run)
		if s.at != 2 || len(s.rows) != 1 {
			t.Fatalf("the store is at %d with %d rows", s.at, len(s.rows))
		}
	})
}

// Promise 6: whatever crashes, and whatever the contract becomes meanwhile, each line is
// in the log or in the dead letters, never in both and never in neither.
func TestPromise6DoorSortsALineOnceThoughTheContractChanges(t *testing.T) {
	rounds(t, 300, func(t *testing.T, rng *rand.Rand, p *plan, dir string) {
		w := newDoorWorld(t, rng, p, dir)
		shrinks := rng.IntN(3) == 0
		for range 12 {
			for range rng.IntN(4) {
				var lines []string
				for range 1 + rng.IntN(6) {
					w.n++
					lines = append(lines, fmt.Sprintf(`{"id":"k","n":%d,"text":"%s"}`, w.n, strings.Repeat("x", rng.IntN(40))))
				}
				w.good = append(w.good, lines...)
				w.inbox.put(port.InboxSubject("pipe"), header{product.HeaderRows: fmt.Sprint(w.n)}, []byte(strings.Join(lines, "\n")))
			}
			if rng.IntN(2) == 0 {
				w.door.Contract, w.door.Output = ordersOf(t, product.State, []int{10, 20, 30}[rng.IntN(3)])
			}
			p.arm(1 + rng.IntN(12))
			attempt(t, time.Duration(rng.IntN(12))*time.Second, w.run)
			if shrinks && rng.IntN(3) == 0 {
				w.log.empty()
			}
		}
		finish(t, p, 2*trimEvery, w.run)
		inOrder(t, "the log", w.log.ever)
		inOrder(t, "the dead letters", w.dead.ever)
		places := map[string]int{}
		for _, text := range append(texts(w.log.ever), texts(w.dead.ever)...) {
			places[text]++
		}
		for _, line := range w.good {
			if places[line] != 1 {
				t.Fatalf("%s is in %d places", line, places[line])
			}
		}
	})
}
