package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/meshctl/meshctl/internal/contract"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

var (
	port     = product.PortID{Product: "shop", Domain: "sales", Port: "orders", Major: 1}
	quiet    = slog.New(slog.DiscardHandler)
	errCrash = errors.New("crash")
)

// orders is a state port: id is its key, text has at most 20 characters.
func orders(t testing.TB, kind string) *contract.Contract {
	t.Helper()
	c, _ := ordersOf(t, kind, 20)
	return c
}

// ordersOf is such a port whose text has at most so many characters.
func ordersOf(t testing.TB, kind string, text int) (*contract.Contract, product.Output) {
	t.Helper()
	out := product.Output{Name: "orders", Type: kind, Key: []string{"id"}, Schema: []product.Column{
		{Name: "id", LogicalType: "string"},
		{Name: "n", LogicalType: "integer"},
		{Name: "text", LogicalType: "string", Options: product.TypeOptions{MaxLength: new(text)}},
	}}
	c, err := contract.New(&out)
	if err != nil {
		t.Fatal(err)
	}
	return c, out
}

// plan crashes the process at one of its steps; from then on nothing succeeds until it
// is armed anew.
type plan struct {
	mu    sync.Mutex
	rng   *rand.Rand
	left  int // steps until the crash; negative: none
	steps int
}

func (p *plan) arm(left int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = left
}

func (p *plan) crashes() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.steps++
	if p.left > 0 {
		p.left--
	}
	return p.left == 0
}

func (p *plan) upTo(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rng.IntN(n + 1)
}

type header map[string]string

func (h header) Get(name string) string { return h[name] }

// stream is a stream that survives crashes.
type stream struct {
	plan *plan

	mu       sync.Mutex
	msgs     []Message
	ever     []Message // also those that are gone
	last     record.Seq
	grown    chan struct{}
	appended func(record.Seq)
}

func newStream(p *plan) *stream { return &stream{plan: p, grown: make(chan struct{})} }

func (s *stream) put(subject string, h header, data []byte) record.Seq {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	m := Message{Seq: s.last, Time: time.Unix(int64(s.last), 0).UTC(), Subject: subject, Data: data}
	if len(h) > 0 {
		m.Header = h
	}
	s.msgs, s.ever = append(s.msgs, m), append(s.ever, m)
	close(s.grown)
	s.grown = make(chan struct{})
	return s.last
}

func (s *stream) Append(_ context.Context, msgs []Outgoing) (record.Seq, error) {
	stored, crash := len(msgs), s.plan.crashes()
	if crash {
		stored = s.plan.upTo(len(msgs))
	}
	var last record.Seq
	for _, m := range msgs[:stored] {
		h := header{}
		for _, kv := range m.Header {
			h[kv[0]] = kv[1]
		}
		last = s.put(m.Subject, h, slices.Clone(m.Data))
	}
	if crash {
		return 0, errCrash
	}
	if s.appended != nil {
		s.appended(last)
	}
	return last, nil
}

func (s *stream) Last(context.Context) (record.Seq, string, error) {
	if s.plan.crashes() {
		return 0, "", errCrash
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.msgs) == 0 && s.last > 0 {
		return s.last, Emptied, nil
	}
	for _, m := range slices.Backward(s.msgs) {
		if at := m.header(product.HeaderPosition); at != "" {
			return s.last, at, nil
		}
	}
	return s.last, "", nil
}

// empty is what retention does.
func (s *stream) empty() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.msgs = nil
}

func (s *stream) trim(_ context.Context, subject string, upTo record.Seq) error {
	if s.plan.crashes() {
		return errCrash
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.msgs = slices.DeleteFunc(s.msgs, func(m Message) bool { return m.Subject == subject && m.Seq < upTo })
	return nil
}

func (s *stream) open(_ context.Context, after record.Seq) (Source, error) {
	if s.plan.crashes() {
		return nil, errCrash
	}
	return &cursor{s, after}, nil
}

type cursor struct {
	*stream
	at record.Seq
}

func (c *cursor) Next(ctx context.Context, limit int) ([]Message, error) {
	for {
		if c.plan.crashes() {
			return nil, errCrash
		}
		c.mu.Lock()
		grown := c.grown
		var out []Message
		for _, m := range c.msgs {
			if m.Seq > c.at {
				out = append(out, m)
			}
		}
		c.mu.Unlock()
		if n := min(limit, len(out)); n > 0 {
			n = min(n, 1+c.plan.upTo(n)) // as many as have arrived
			c.at = out[n-1].Seq
			return out[:n], nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-grown:
		}
	}
}

func (c *cursor) Close() {}

// store is a materialisation that survives crashes; a commit is atomic.
type store struct {
	plan *plan
	at   record.Seq
	rows map[string]string
	seqs []record.Seq // of every record that was applied
}

func newStore(p *plan) *store { return &store{plan: p, rows: map[string]string{}} }

func (s *store) Position(context.Context) (record.Seq, error) {
	if s.plan.crashes() {
		return 0, errCrash
	}
	return s.at, nil
}

func (s *store) Commit(_ context.Context, b record.Batch, upTo record.Seq) error {
	crash := s.plan.crashes()
	if crash && s.plan.upTo(1) == 0 {
		return errCrash // before the transaction's end
	}
	if int(b.Columns.NumRows()) != len(b.Records) {
		return fmt.Errorf("%d rows for %d records", b.Columns.NumRows(), len(b.Records))
	}
	ids := b.Columns.Column(0).(*array.String)
	for i, r := range b.Records {
		if r.Seq <= s.at {
			continue
		}
		if r.Key.String() != ids.Value(i) {
			return fmt.Errorf("row %d has key %s, its record %s", i, ids.Value(i), r.Key)
		}
		if r.Deleted {
			delete(s.rows, r.Key.String())
		} else {
			s.rows[r.Key.String()] = string(r.Value)
		}
		s.seqs = append(s.seqs, r.Seq)
	}
	s.at = upTo
	if crash {
		return errCrash // behind it
	}
	return nil
}

// attempt runs step until it crashes, or until all that is left for it to do is to
// wait. It must be called in a synctest bubble. idle is for how long it may wait then.
func attempt(t *testing.T, idle time.Duration, step func(context.Context) error) (crashed bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- step(ctx) }()
	synctest.Wait()
	time.Sleep(idle) // of the bubble's clock
	synctest.Wait()
	cancel()
	err := <-ended
	switch {
	case errors.Is(err, errCrash):
		return true
	case !errors.Is(err, context.Canceled):
		t.Fatalf("the step ended with %v", err)
	}
	return false
}

// finish attempts step without any crash.
func finish(t *testing.T, p *plan, idle time.Duration, step func(context.Context) error) {
	t.Helper()
	p.arm(-1)
	if attempt(t, idle, step) {
		t.Fatal("crashed without a plan")
	}
}

// rounds runs a model test in many bubbles, each from a seed that a failure names.
func rounds(t *testing.T, n int, round func(t *testing.T, rng *rand.Rand, p *plan, dir string)) {
	if testing.Short() {
		n /= 10
	}
	for seed := range n {
		ok := t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(uint64(seed), 7))
				round(t, rng, &plan{rng: rng, left: -1}, dir)
			})
		})
		if !ok {
			return
		}
	}
}

// inOrder checks that the positions of a stream grow.
func inOrder(t *testing.T, what string, msgs []Message) {
	t.Helper()
	var last Position
	for i := range msgs {
		text := msgs[i].header(product.HeaderPosition)
		if text == "" {
			continue // foreign
		}
		at, err := ParsePosition(text)
		if err != nil {
			t.Fatal(err)
		}
		if !at.After(last) {
			t.Fatalf("%s: position %s comes behind %s", what, at, last)
		}
		last = at
	}
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("%s: got %d, want %d; first difference at %d:\n got  %.300q\n want %.300q",
				what, len(got), len(want), i, got[min(i, len(got)):], want[min(i, len(want)):])
		}
	}
}

// texts are messages as a line each: deletes by their key.
func texts(msgs []Message) []string {
	var out []string
	for i := range msgs {
		if m := &msgs[i]; m.header(product.HeaderDelete) != "" {
			out = append(out, "delete "+m.header(product.HeaderKey))
		} else {
			out = append(out, string(m.Data))
		}
	}
	return out
}

// latest is the state that a log leads to.
func latest(msgs []Message) map[string]string {
	rows := map[string]string{}
	for i := range msgs {
		m := &msgs[i]
		id := strings.TrimPrefix(m.Subject, port.Subject()+".")
		if m.header(product.HeaderDelete) != "" {
			delete(rows, id)
		} else if strings.Contains(string(m.Data), `"id":"`+id+`"`) {
			rows[id] = string(m.Data)
		}
	}
	return rows
}

func same(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Fatalf("%s: %d rows, want %d:\n got  %v\n want %v", what, len(got), len(want), got, want)
	}
}

func file(dir, name string) string { return filepath.Join(dir, name) }
