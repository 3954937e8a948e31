package mesh

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

var flightsPort = product.PortID{Product: "flights", Domain: "aviation", Port: "flights", Major: 1}

// mirrorOf is the mirror of the flights at a reader's leaf.
func mirrorOf(reader string) StreamSpec {
	return StreamSpec{Name: flightsPort.MirrorStream(), Mirror: &MirrorSpec{Port: flightsPort, Reader: reader}}
}

var mirrorOfFlights = mirrorOf("delays")

// subscription is what a reader asks an origin for in these tests.
type subscription struct{ After record.Seq }

// deliverFrom makes a leaf answer what readers ask, unless deny returns an error.
func deliverFrom(t testing.TB, l *Leaf, deny func() error) {
	t.Helper()
	deliverPort(t, l, flightsPort, deny)
}

func deliverPort(t testing.TB, l *Leaf, id product.PortID, deny func() error) {
	t.Helper()
	s, err := Serve(l.Conn(), ServiceSpec{Name: id.Product, Version: "1.0.0", ByReader: func(reader string) Handler {
		return func(ctx context.Context, req []byte, _ func([]byte) error) ([]byte, error) {
			var q subscription
			if err := errors.Join(deny(), json.Unmarshal(req, &q)); err != nil {
				return nil, err
			}
			return Deliver(ctx, l.Conn(), id, reader, q.After)
		}
	}})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close(context.Background())) })
}

// keepMirror makes the mirror of the flights at a leaf and keeps it until the test ends.
func keepMirror(t testing.TB, l *Leaf, report func(MirrorState)) {
	t.Helper()
	keepMirrorOf(t, l, flightsPort, report)
}

func keepMirrorOf(t testing.TB, l *Leaf, id product.PortID, report func(MirrorState)) {
	t.Helper()
	spec := StreamSpec{Name: id.MirrorStream(), Mirror: &MirrorSpec{Port: id, Reader: l.Domain()}}
	must(t, EnsureMirror(t.Context(), l.Conn(), spec))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- l.KeepMirror(ctx, spec, func(ctx context.Context, after record.Seq) ([]byte, error) {
			req, err := json.Marshal(subscription{after})
			if err != nil {
				return nil, err
			}
			return CallOrigin(ctx, l.Conn(), id.Product, l.Domain(), req)
		}, report)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("keep mirror: %v", err)
		}
	})
}

// mirrored is a mirror of leaf a's flights at leaf b.
type mirrored struct {
	*testMesh
	mu    sync.Mutex
	state MirrorState
	deny  error // what the origin answers, unless nil
}

func startMirror(t testing.TB, m *testMesh, deny error) *mirrored {
	t.Helper()
	r := &mirrored{testMesh: m, deny: deny}
	deliverFrom(t, m.a, func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.deny
	})
	keepMirror(t, m.b, func(s MirrorState) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.state = s
	})
	return r
}

// reaches waits until the mirror ends at last and says how long that took.
func (r *mirrored) reaches(t testing.TB, last int) time.Duration {
	t.Helper()
	began := time.Now()
	eventually(t, "the mirror catches up", func() bool {
		s, err := State(t.Context(), r.b.Conn(), "", mirrorOfFlights.Name)
		return err == nil && s.Mirror && int(s.Last) == last
	})
	return time.Since(began)
}

func (r *mirrored) trouble() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.Err
}

func TestMirrorAcrossLeaves(t *testing.T) {
	m := startProducts(t)
	must(t, EnsureStream(t.Context(), m.a.Conn(), flightsSpec))
	appendAll(t, m.a.Conn(), "flights-v1", numbered(1, 1000))
	r := startMirror(t, m, nil)
	t.Logf("1000 records after %s", r.reaches(t, 1000))

	start := m.stopHub(t)
	appendAll(t, m.a.Conn(), "flights-v1", numbered(1001, 2000))
	if s, err := State(t.Context(), m.b.Conn(), "", mirrorOfFlights.Name); err != nil || s.Last != 1000 {
		t.Fatalf("state without the hub = %+v, %v", s, err)
	}
	start()
	t.Logf("hub back, 1000 more after %s", r.reaches(t, 2000))
	got := readAll(t, m.b.Conn(), "", mirrorOfFlights.Name, 0, 2000)
	checkNumbers(t, got, 1)
}

// A mirror that somebody deletes is made again, whole; so is the consumer that sends to it.
func TestMirrorIsMadeAgain(t *testing.T) {
	m := startProducts(t)
	ctx := t.Context()
	must(t, EnsureStream(ctx, m.a.Conn(), flightsSpec))
	appendAll(t, m.a.Conn(), "flights-v1", numbered(1, 500))
	_, err := Purge(ctx, m.a.Conn(), "", "flights-v1", "", 101)
	must(t, err)
	r := startMirror(t, m, nil)
	r.reaches(t, 500)
	must(t, DeleteStream(ctx, m.b.Conn(), mirrorOfFlights.Name))
	t.Logf("deleted mirror whole after %s", r.reaches(t, 500))
	if s, err := State(ctx, m.b.Conn(), "", mirrorOfFlights.Name); err != nil || s.First != 101 || s.Msgs != 400 {
		t.Fatalf("state of the new mirror = %+v, %v; want 101 to 500", s, err)
	}
	checkNumbers(t, readAll(t, m.b.Conn(), "", mirrorOfFlights.Name, 0, 400), 101)
}

// A mirror goes on from what it holds itself, even if its origin believes that it has more.
func TestMirrorGoesOnFromWhatItHolds(t *testing.T) {
	m := startProducts(t)
	ctx := t.Context()
	must(t, EnsureStream(ctx, m.a.Conn(), flightsSpec))
	appendAll(t, m.a.Conn(), "flights-v1", numbered(1, 300))
	_, err := Deliver(ctx, m.a.Conn(), flightsPort, "delays", 200)
	must(t, err)
	r := startMirror(t, m, nil)
	r.reaches(t, 300)
	checkNumbers(t, readAll(t, m.b.Conn(), "", mirrorOfFlights.Name, 0, 300), 1)
}

func TestDeliverRefusesAReaderThatIsAhead(t *testing.T) {
	l := startLeaf(t, "flights", "")
	must(t, EnsureStream(t.Context(), l.Conn(), flightsSpec))
	appendAll(t, l.Conn(), "flights-v1", numbered(1, 10))
	_, err := Deliver(t.Context(), l.Conn(), flightsPort, "delays", 11)
	wantKind(t, err, fault.Conflict)
}

// A refused mirror says why, and moves as soon as it is not refused any more.
func TestRefusedMirrorSaysWhyAndGoesOn(t *testing.T) {
	m := startProducts(t)
	must(t, EnsureStream(t.Context(), m.a.Conn(), flightsSpec))
	appendAll(t, m.a.Conn(), "flights-v1", numbered(1, 10))
	r := startMirror(t, m, fault.New(fault.Denied, "", "not granted"))
	began := time.Now()
	eventually(t, "the refusal is told, also after the mirror lost patience", func() bool {
		return fault.KindOf(r.trouble()) == fault.Denied && time.Since(began) > mirrorPatience+2*time.Second
	})
	r.mu.Lock()
	r.deny = nil
	r.mu.Unlock()
	if took := r.reaches(t, 10); took > 5*time.Second {
		t.Errorf("the mirror moved %s after it was let in", took)
	}
	eventually(t, "all is well", func() bool { return r.trouble() == nil })
}
