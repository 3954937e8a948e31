package pipeline

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

// row is a row of an answer; n is a float, so that it can be what JSON cannot hold.
type row struct {
	id, text string
	n        float64
}

// rowsOf is an answer of one batch.
type rowsOf []row

func (r *rowsOf) Next(context.Context) (arrow.RecordBatch, error) {
	if len(*r) == 0 {
		return nil, io.EOF
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.BinaryTypes.String}, {Name: "n", Type: arrow.PrimitiveTypes.Float64},
		{Name: "text", Type: arrow.BinaryTypes.String},
	}, nil))
	defer b.Release()
	for _, row := range *r {
		b.Field(0).(*array.StringBuilder).Append(row.id)
		b.Field(1).(*array.Float64Builder).Append(row.n)
		b.Field(2).(*array.StringBuilder).Append(row.text)
	}
	*r = nil
	return b.NewRecordBatch(), nil
}

func (r *rowsOf) Close() error { return nil }

// sqlWorld is a statement over one input: rows of some ids, by the input's sequence.
type sqlWorld struct {
	plan      *plan
	log, dead *stream
	input     record.Seq
	behind    record.Seq // how far the input's table is behind, while it is made again
	bad       bool
	table     SQLTable
}

// want is what the statement gives at a sequence, the bad rows aside.
func want(seq record.Seq) map[string]string {
	rows := map[string]string{}
	for i := range 6 {
		if (int(seq)+i)%3 != 0 {
			rows[fmt.Sprintf("k%d", i)] = fmt.Sprintf(`{"id":"k%d","n":%d,"text":"t"}`, i, int(seq)/4)
		}
	}
	return rows
}

func (w *sqlWorld) diff(context.Context) (Diff, error) {
	if w.plan.crashes() {
		return Diff{}, errCrash
	}
	at := w.input - min(w.input, w.behind)
	now, before := want(at), latest(w.log.ever)
	var changed rowsOf
	d := Diff{Changed: &changed, Inputs: map[string]record.Seq{"in": at}}
	for i := range 6 {
		id := fmt.Sprintf("k%d", i)
		switch {
		case now[id] != "" && now[id] != before[id]:
			changed = append(changed, row{id, "t", float64(int(at) / 4)})
		case now[id] == "" && before[id] != "":
			d.Deleted = append(d.Deleted, []string{id})
		}
	}
	if w.bad {
		changed = append(changed, row{"x", "a text that is too long", 1}, row{"y", "t", math.NaN()})
	}
	return d, nil
}

func (w *sqlWorld) run(ctx context.Context) error {
	progress := NewProgress()
	progress.setVisible(w.log.last)
	w.log.appended = func(seq record.Seq) { progress.setVisible(seq) }
	s := SQLTable{
		Diff: w.diff, Interval: time.Second, Logger: quiet, Emitter: w.table.Emitter,
		Changed: func(ctx context.Context, than map[string]record.Seq) error {
			if w.input-min(w.input, w.behind) > than["in"] {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		},
	}
	s.Emitter.Progress = progress
	return s.Run(ctx)
}

func newSQLWorld(t *testing.T, p *plan, dir string) *sqlWorld {
	w := &sqlWorld{plan: p, log: newStream(p), dead: newStream(p)}
	w.table.Emitter = Emitter{
		Port: port, Contract: orders(t, product.State), Log: w.log, Dead: w.dead,
		Outbox: Outbox{Path: file(dir, "outbox"), lazy: true},
	}
	return w
}

// Promise 3: whatever crashes, the output becomes what the statement says, and a row
// that breaks the contract is buried once though every run finds it.
func TestPromise3SQLTableIsExactlyOnce(t *testing.T) {
	rounds(t, 150, func(t *testing.T, rng *rand.Rand, p *plan, dir string) {
		w := newSQLWorld(t, p, dir)
		w.bad = rng.IntN(2) == 0
		for range 8 {
			w.input += record.Seq(rng.IntN(5))
			w.behind = record.Seq(rng.IntN(2) * rng.IntN(9))
			p.arm(1 + rng.IntN(9))
			attempt(t, time.Duration(rng.IntN(4))*time.Second, w.run)
		}
		w.input, w.behind = w.input+1, 0
		finish(t, p, 3*time.Second, w.run)
		same(t, "the output", latest(w.log.ever), want(w.input))
		inOrder(t, "the log", w.log.ever)
		buried := 0
		if w.bad {
			buried = 2
		}
		if len(w.dead.ever) != buried {
			t.Fatalf("%d dead letters, want %d: %q", len(w.dead.ever), buried, texts(w.dead.ever))
		}
	})
}

// A table that is being made again does not make the output vanish.
func TestSQLTableDoesNotRunOnAnInputThatIsBehind(t *testing.T) {
	rounds(t, 1, func(t *testing.T, _ *rand.Rand, p *plan, dir string) {
		w := newSQLWorld(t, p, dir)
		w.input = 8
		finish(t, p, 3*time.Second, w.run)
		n := len(w.log.ever)
		w.behind = 7
		finish(t, p, 3*time.Second, w.run)
		if len(w.log.ever) != n {
			t.Fatalf("%d records were written of a table that is behind", len(w.log.ever)-n)
		}
	})
}

func TestSQLBatch(t *testing.T) {
	refused := false
	s := SQLBatch{
		Input: orders(t, product.State),
		Query: func(_ context.Context, batch arrow.RecordBatch) (Rows, error) {
			if refused {
				return nil, fault.New(fault.Rejected, "", "cast error")
			}
			out := rowsOf{{"bad", "t", math.Inf(1)}}
			for i := range int(batch.NumRows()) {
				out = append(out, row{batch.Column(0).(*array.String).Value(i), "t", 1})
			}
			return &out, nil
		},
	}
	items := []Item{{Value: []byte(`{"id":"a"}`)}, {Delete: []string{"b"}}, {Value: []byte(`{"n":1}`), Origin: "in:1:1"}, {Value: []byte(`{"id":"c"}`)}}
	emitted, rejected, err := s.Apply(t.Context(), 7, "in", items)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "emitted", values(emitted), []string{`{"id":"a","n":1,"text":"t"}`, `{"id":"c","n":1,"text":"t"}`})
	equal(t, "rejected", reasons(rejected), []string{
		`in:1:1 {"n":1}: input: id: is required but missing`,
		`logic:7 {"id":"bad","n":null,"text":"t"}: n: the value is NaN, infinite or not UTF-8, which JSON cannot hold`,
	})
	refused = true
	if _, _, err := s.Apply(t.Context(), 7, "in", items); !isBatch(err) {
		t.Fatalf("a statement that a record may have failed: %v, want ErrBatch", err)
	}
}
