package pipeline

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/product"
)

// fickle is a transform that answers differently each time, and remembers what.
type fickle struct {
	plan  *plan
	calls []map[string][]string // outcomes by origin, of each call
}

func (f *fickle) Apply(_ context.Context, _ uint64, input string, items []Item) ([]Emitted, []Rejected, error) {
	call := map[string][]string{}
	f.calls = append(f.calls, call)
	var emitted []Emitted
	var rejected []Rejected
	for _, it := range items {
		call[it.Origin] = []string{}
		say := func(outcome string) string {
			outcome = fmt.Sprintf(`{"id":"%s","n":%d,"text":"%s"}`, strings.ReplaceAll(it.Origin, ":", "-"), len(f.calls), outcome)
			call[it.Origin] = append(call[it.Origin], outcome)
			return outcome
		}
		switch f.plan.upTo(5) {
		case 0: // nothing
		case 1:
			rejected = append(rejected, Rejected{Value: []byte(say("rejected")), Reason: "no", Origin: it.Origin})
		case 2:
			emitted = append(emitted, Emitted{Value: []byte(say("this text is far too long for the contract"))})
		case 3:
			emitted = append(emitted, Emitted{Value: []byte(say("one"))}, Emitted{Value: []byte(say("two"))})
		default:
			emitted = append(emitted, Emitted{Value: []byte(say(input))})
		}
	}
	if f.plan.crashes() {
		return nil, nil, errCrash
	}
	return emitted, rejected, nil
}

// logicWorld is all that survives a crash of logic.
type logicWorld struct {
	rng              *rand.Rand
	own, more, other *stream
	again            *stream
	log, dead        *stream
	logic            Logic
	transform        *fickle
	origins          []string
	unreadableDelete int
	n                int // letters taken again
}

func newLogicWorld(t *testing.T, rng *rand.Rand, p *plan, dir string) *logicWorld {
	w := &logicWorld{rng: rng, own: newStream(p), more: newStream(p), other: newStream(p), again: newStream(p), log: newStream(p), dead: newStream(p)}
	w.transform = &fickle{plan: p}
	w.logic = Logic{
		Inputs: []LogicInput{
			{Name: "own", Stream: "in-own", Source: w.own.open, Trim: w.own.trim},
			{Name: "more", Stream: "in-more", Source: w.more.open, Trim: w.more.trim},
			{Name: "other", Stream: "from-other", Source: w.other.open, Limit: 3},
			{Name: "other.again", Again: "other", Stream: "again", Source: w.again.open, Trim: w.again.trim},
		},
		Transform: w.transform, Logger: quiet,
		Emitter: Emitter{
			Port: port, Contract: orders(t, product.State), Log: w.log, Dead: w.dead,
			Outbox: Outbox{Path: file(dir, "outbox"), lazy: true},
		},
	}
	return w
}

func (w *logicWorld) run(ctx context.Context) error {
	l := w.logic
	l.Emitter.Progress = NewProgress()
	return l.Run(ctx)
}

func (w *logicWorld) feed() {
	switch w.rng.IntN(7) {
	case 6: // a dead letter that is taken again
		w.n++
		h := header{product.HeaderOrigin: fmt.Sprintf("from-other:%d:7", w.n)}
		var data []byte
		if w.rng.IntN(2) == 0 {
			h[product.HeaderDelete], h[product.HeaderKey] = "1", `["k"]`
		} else {
			data = []byte("{}")
		}
		w.again.put(fmt.Sprintf("again.other.%d", w.n), h, data)
		w.origins = append(w.origins, h[product.HeaderOrigin])
	case 5:
		seq := w.more.put("in.more.s", nil, []byte("{}"))
		w.origins = append(w.origins, fmt.Sprintf("in-more:%d:1", seq))
	case 0:
		seq := w.own.put("in.own.import-x", header{product.HeaderRows: "9"}, []byte("{}\n{}\n{}"))
		for i := range 3 {
			w.origins = append(w.origins, fmt.Sprintf("in-own:%d:%d", seq, i+1))
		}
	case 1:
		seq := w.own.put(fmt.Sprintf("in.own.s%d", w.rng.IntN(100)), nil, []byte("{}"))
		w.origins = append(w.origins, fmt.Sprintf("in-own:%d:1", seq))
	case 2:
		seq := w.other.put("other", header{product.HeaderDelete: "1", product.HeaderKey: `["k"]`}, nil)
		w.origins = append(w.origins, fmt.Sprintf("from-other:%d:1", seq))
	case 3:
		w.other.put("other", header{product.HeaderDelete: "1", product.HeaderKey: `k`}, nil)
		w.unreadableDelete++
	default:
		seq := w.other.put("other", nil, []byte("{}"))
		w.origins = append(w.origins, fmt.Sprintf("from-other:%d:1", seq))
	}
}

// check finds for every input record one call whose whole outcome is what came of it.
func (w *logicWorld) check(t *testing.T) {
	t.Helper()
	inOrder(t, "the log", w.log.ever)
	inOrder(t, "the dead letters", w.dead.ever)
	came := map[string]int{}
	for _, text := range append(texts(w.log.ever), texts(w.dead.ever)...) {
		came[text]++
		if text != "" && came[text] > 1 {
			t.Fatalf("%s came twice", text)
		}
	}
	if came[""] != w.unreadableDelete {
		t.Fatalf("%d unreadable deletes are buried, want %d", came[""], w.unreadableDelete)
	}
	delete(came, "")
	explained := 0
	for _, origin := range w.origins {
		n, ok := w.outcome(origin, came)
		if !ok {
			t.Fatalf("what came of %s is not the outcome of one call", origin)
		}
		explained += n
	}
	if explained != len(came) {
		t.Fatalf("%d records came of nothing", len(came)-explained)
	}
}

func (w *logicWorld) outcome(origin string, came map[string]int) (records int, ok bool) {
	empty := false
	for _, call := range w.transform.calls {
		outcome, called := call[origin]
		if called && len(outcome) == 0 {
			empty = true
		}
		n := 0
		for _, text := range outcome {
			n += came[text]
		}
		switch {
		case n > 0 && (n != len(outcome) || ok):
			return 0, false // half an outcome, or a second one
		case n > 0:
			records, ok = n, true
		}
	}
	return records, ok || empty
}

// Promise 3: whatever crashes, each input record has the whole outcome of one call of
// logic, though logic answers differently each time; also when the log's retention has
// dropped what was written.
func TestPromise3LogicIsExactlyOnce(t *testing.T) {
	rounds(t, 150, func(t *testing.T, rng *rand.Rand, p *plan, dir string) {
		w := newLogicWorld(t, rng, p, dir)
		for range 10 {
			for range rng.IntN(5) {
				w.feed()
			}
			p.arm(1 + rng.IntN(20))
			attempt(t, time.Duration(rng.IntN(12))*time.Second, w.run)
			if rng.IntN(4) == 0 {
				w.log.empty()
			}
		}
		finish(t, p, 2*trimEvery, w.run)
		w.check(t)
		imports := 0
		for i := range w.own.ever {
			if w.own.ever[i].Header != nil {
				imports = 1
			}
		}
		if len(w.own.msgs) != imports || len(w.more.msgs) != 0 || len(w.again.msgs) != 0 {
			t.Fatalf("%d, %d and %d messages are left in the inboxes, want the import's last, %d",
				len(w.own.msgs), len(w.more.msgs), len(w.again.msgs), imports)
		}
	})
}

// Those who wait for an input see it reached after a restart too.
func TestLogicTellsItsInputsAfterARestart(t *testing.T) {
	rounds(t, 1, func(t *testing.T, rng *rand.Rand, p *plan, dir string) {
		w := newLogicWorld(t, rng, p, dir)
		last := w.own.put("in.own.s", nil, []byte("{}"))
		finish(t, p, 2*trimEvery, w.run)
		progress := NewProgress()
		progress.setVisible(100)
		finish(t, p, 0, func(ctx context.Context) error {
			l := w.logic
			l.Emitter.Progress = progress
			return l.Run(ctx)
		})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := progress.Await(ctx, "own", last); err != nil {
			t.Fatalf("await message %d, which is worked off: %v", last, err)
		}
	})
}

// A port that gets logic, or loses it, goes on without losing what the other writes.
func TestDoorAndLogicTakeTurns(t *testing.T) {
	rounds(t, 50, func(t *testing.T, rng *rand.Rand, p *plan, dir string) {
		d, l := newDoorWorld(t, rng, p, dir), newLogicWorld(t, rng, p, dir)
		d.log, d.dead = l.log, l.dead
		d.door.Log, d.door.Dead = l.log, l.dead
		for range 5 {
			for range 1 + rng.IntN(4) {
				d.publish()
				l.feed()
			}
			if rng.IntN(2) == 0 {
				finish(t, p, 2*trimEvery, d.run)
			} else {
				finish(t, p, 2*trimEvery, l.run)
			}
		}
		finish(t, p, 2*trimEvery, d.run)
		finish(t, p, 2*trimEvery, l.run)
		split := func(msgs []Message) (door, logic []Message) {
			for _, m := range msgs {
				if at, err := ParsePosition(m.header(product.HeaderPosition)); err != nil || at.ofLogic() {
					logic = append(logic, m)
				} else {
					door = append(door, m)
				}
			}
			return door, logic
		}
		doorLog, logicLog := split(l.log.ever)
		doorDead, logicDead := split(l.dead.ever)
		d.log, d.dead = &stream{ever: doorLog}, &stream{ever: doorDead}
		l.log, l.dead = &stream{ever: logicLog}, &stream{ever: logicDead}
		d.check(t)
		l.check(t)
	})
}

// A letter that is taken again is a record of the input that it came from, with the
// origin that it had at first.
func TestLogicTakesALetterAgain(t *testing.T) {
	rounds(t, 1, func(t *testing.T, rng *rand.Rand, p *plan, dir string) {
		w := newLogicWorld(t, rng, p, dir)
		var inputs []string
		var seen []Item
		w.logic.Transform = applies(func(input string, items []Item) ([]Emitted, []Rejected, error) {
			inputs, seen = append(inputs, input), append(seen, items...)
			return nil, []Rejected{{Value: items[0].Value, Reason: "still no", Origin: items[0].Origin, Input: input}}, nil
		})
		w.again.put("again.other.1", header{product.HeaderOrigin: "from-other:4:1"}, []byte(`{"id":"a"}`))
		finish(t, p, 0, w.run)
		if len(seen) != 1 || inputs[0] != "other" || string(seen[0].Value) != `{"id":"a"}` || seen[0].Origin != "from-other:4:1" {
			t.Fatalf("the logic saw %+v of %v", seen, inputs)
		}
		if len(w.dead.ever) != 1 || w.dead.ever[0].header(product.HeaderOrigin) != "from-other:4:1" || w.dead.ever[0].header(product.HeaderInput) != "other" {
			t.Fatalf("the dead letters are %+v", w.dead.ever)
		}
		// What the logic made goes to the contract alone.
		w.logic.Inputs = append(w.logic.Inputs, LogicInput{
			Name: ".again", Again: "made", Stream: "again", Transform: Made{}, Source: w.more.open, Trim: w.more.trim,
		})
		w.more.put("again.2", header{product.HeaderOrigin: "logic:3:1"}, []byte(`{"id":"b"}`))
		w.more.put("again.3", header{product.HeaderOrigin: "logic:3:2", product.HeaderDelete: "1", product.HeaderKey: `["c"]`}, nil)
		w.logic.Inputs = slices.DeleteFunc(w.logic.Inputs, func(in LogicInput) bool { return in.Name == "more" })
		finish(t, p, 0, w.run)
		equal(t, "the log", texts(w.log.ever), []string{`{"id":"b"}`, `delete ["c"]`})
	})
}

// applies is a transform made of a function.
type applies func(input string, items []Item) ([]Emitted, []Rejected, error)

func (f applies) Apply(_ context.Context, _ uint64, input string, items []Item) ([]Emitted, []Rejected, error) {
	return f(input, items)
}
