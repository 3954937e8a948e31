package mesh

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/meshctl/meshctl/internal/fault"
)

// serve serves endpoint "do" of product flights, and waits until all can call it.
func serve(t *testing.T, m *testMesh, h Handler) *Service {
	t.Helper()
	s, err := Serve(m.a.Conn(), ServiceSpec{Name: "flights", Version: "1.2.3", Endpoints: map[string]Handler{
		"do":   h,
		"ping": func(context.Context, []byte, func([]byte) error) ([]byte, error) { return nil, nil },
	}})
	must(t, err)
	for _, nc := range []*Conn{m.hub.Conn(), m.b.Conn()} {
		eventually(t, "the service is known", func() bool {
			_, err := Call(t.Context(), nc, "mesh.flights.ping", nil)
			return err == nil
		})
	}
	return s
}

// Ask answers as Call does, also what one message without a name cannot bring.
func TestAsk(t *testing.T) {
	m := startMesh(t)
	var named, plain atomic.Int64
	large := bytes.Repeat([]byte("x"), 3*MaxChunk)
	s := serve(t, m, func(ctx context.Context, req []byte, send func([]byte) error) ([]byte, error) {
		switch string(req) {
		case "large":
			return large, nil
		case "pieces":
			return []byte("end"), errors.Join(send([]byte("a ")), send([]byte("b ")))
		case "bad":
			return nil, fault.New(fault.NotFound, "look again", "no such thing")
		}
		return append([]byte("hi "), req...), nil
	})
	defer closed(t, s)
	sub, err := m.hub.Conn().Subscribe("mesh.flights.do", func(m *nats.Msg) {
		if m.Header.Get(headerCall) == "" {
			plain.Add(1)
			return
		}
		named.Add(1)
	})
	must(t, err)
	defer func() { must(t, sub.Unsubscribe()) }()
	for req, want := range map[string]string{"you": "hi you", "large": string(large), "pieces": "a b end"} {
		if got, err := Ask(t.Context(), m.b.Conn(), "mesh.flights.do", []byte(req)); err != nil || string(got) != want {
			t.Errorf("Ask(%s) = %d bytes, %v", req, len(got), err)
		}
	}
	_, err = Ask(t.Context(), m.b.Conn(), "mesh.flights.do", []byte("bad"))
	wantKind(t, err, fault.NotFound)
	eventually(t, "each was asked plainly, and those that need it called", func() bool { return plain.Load() == 4 && named.Load() == 3 })
	_, err = Ask(t.Context(), m.b.Conn(), "mesh.orders.do", nil)
	wantKind(t, err, fault.Unavailable)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Ask(ctx, m.b.Conn(), "mesh.flights.do", []byte("you")); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is over: %v", err)
	}
}

func TestCall(t *testing.T) {
	m := startMesh(t)
	s := serve(t, m, func(_ context.Context, req []byte, _ func([]byte) error) ([]byte, error) {
		return append([]byte("hi "), req...), nil
	})
	defer closed(t, s)
	for _, nc := range []*Conn{m.hub.Conn(), m.a.Conn(), m.b.Conn()} {
		if got, err := Call(t.Context(), nc, "mesh.flights.do", []byte("you")); err != nil || string(got) != "hi you" {
			t.Errorf("Call = %q, %v", got, err)
		}
	}
	// Any NATS client can call it, and sees it as a micro service.
	if got, err := m.hub.Conn().Request("mesh.flights.do", []byte("you"), 5*time.Second); err != nil || string(got.Data) != "hi you" || got.Header != nil {
		t.Errorf("plain request = %+v, %v", got, err)
	}
	if got, err := m.hub.Conn().Request("$SRV.INFO.flights", nil, 5*time.Second); err != nil || !strings.Contains(string(got.Data), `"mesh.flights.do"`) {
		t.Errorf("service information = %+v, %v", got, err)
	}
	_, err := Call(t.Context(), m.b.Conn(), "mesh.orders.do", nil)
	wantKind(t, err, fault.Unavailable)
	if !strings.Contains(err.Error(), "product orders") || fault.HintOf(err) == "" {
		t.Errorf("error %q (hint %q) does not name the product", err, fault.HintOf(err))
	}
}

// A leaf that listens to other products' calls in micro's default queue group gets
// none of them instead of their owner.
func TestNoLeafTakesAnothersCalls(t *testing.T) {
	m := startMesh(t)
	s := serve(t, m, func(context.Context, []byte, func([]byte) error) ([]byte, error) { return nil, nil })
	defer closed(t, s)
	_, err := m.b.Conn().QueueSubscribe("mesh.>", "q", func(*nats.Msg) {})
	must(t, err)
	for range 50 {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		_, err := Call(ctx, m.b.Conn(), "mesh.flights.do", nil)
		cancel()
		must(t, err)
	}
}

func TestFaultsCrossTheWire(t *testing.T) {
	m := startMesh(t)
	var late atomic.Bool
	s := serve(t, m, func(_ context.Context, req []byte, send func([]byte) error) ([]byte, error) {
		if late.Load() {
			if err := send([]byte("some")); err != nil {
				return nil, err
			}
		}
		if string(req) == "panic" {
			panic("on purpose")
		}
		kind := fault.ParseKind(string(req))
		return nil, fault.New(kind, "do it\nbetter", "line one\nline two of %s", req)
	})
	defer closed(t, s)
	for _, after := range []bool{false, true} {
		late.Store(after)
		for kind := fault.Internal; kind <= fault.Timeout; kind++ {
			_, err := Call(t.Context(), m.b.Conn(), "mesh.flights.do", []byte(kind.String()))
			wantKind(t, err, kind)
			if !strings.Contains(err.Error(), "line one\nline two of "+kind.String()) || fault.HintOf(err) != "do it better" {
				t.Errorf("error %q, hint %q", err, fault.HintOf(err))
			}
		}
		_, err := Call(t.Context(), m.b.Conn(), "mesh.flights.do", []byte("panic"))
		wantKind(t, err, fault.Internal)
	}
	got, err := m.hub.Conn().Request("mesh.flights.do", []byte("not-found"), 5*time.Second)
	must(t, err)
	// A plain caller takes no pieces, and is told so.
	if got.Header.Get("Nats-Service-Error-Code") != "400" || got.Header.Get("Nats-Service-Error") == "" {
		t.Errorf("plain error answer = %+v", got)
	}
}

func TestStreamedAnswer(t *testing.T) {
	m := startMesh(t)
	const pieces, size = 64, 1 << 20
	s := serve(t, m, func(_ context.Context, _ []byte, send func([]byte) error) ([]byte, error) {
		buf := make([]byte, size)
		for i := range pieces {
			for j := range buf {
				buf[j] = byte(i)
			}
			if err := send(buf); err != nil {
				return nil, err
			}
		}
		return bytes.Repeat([]byte("z"), 3*MaxChunk+1), nil
	})
	defer closed(t, s)
	got, largest := 0, 0
	final, err := CallStream(t.Context(), m.b.Conn(), "mesh.flights.do", nil, func(chunk []byte) error {
		largest = max(largest, len(chunk))
		if bytes.Count(chunk, []byte{byte(got / size)}) != len(chunk) {
			t.Fatalf("after %d bytes come wrong ones", got)
		}
		got += len(chunk)
		return nil
	})
	must(t, err)
	if got != pieces*size || largest > MaxChunk || len(final) != 3*MaxChunk+1 || bytes.Trim(final, "z") != nil {
		t.Fatalf("got %d bytes in pieces of up to %d, and %d at the end", got, largest, len(final))
	}
}

// A caller that takes its time stops the owner, and is not taken for gone.
func TestSlowCallerHoldsTheOwnerBack(t *testing.T) {
	t.Parallel()
	m := startMesh(t)
	var sent atomic.Int64
	s := serve(t, m, func(_ context.Context, _ []byte, send func([]byte) error) ([]byte, error) {
		for range 40 {
			if err := send(make([]byte, MaxChunk)); err != nil {
				return nil, err
			}
			sent.Add(1)
		}
		return nil, nil
	})
	defer closed(t, s)
	n := 0
	_, err := CallStream(t.Context(), m.b.Conn(), "mesh.flights.do", nil, func([]byte) error {
		if n++; n == 5 {
			<-time.After(callSilence + 2*callBeat)
			if ahead := int(sent.Load()) - n; ahead > callWindow+1 {
				t.Errorf("the owner is %d pieces ahead; want no more than %d", ahead, callWindow+1)
			}
		}
		return nil
	})
	if err != nil || n != 40 {
		t.Fatalf("got %d pieces, %v", n, err)
	}
}

func TestSilentHandlerIsWaitedFor(t *testing.T) {
	t.Parallel()
	m := startMesh(t)
	s := serve(t, m, func(ctx context.Context, _ []byte, _ func([]byte) error) ([]byte, error) {
		select {
		case <-time.After(callSilence + callBeat):
			return []byte("done"), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	defer closed(t, s)
	if got, err := Call(t.Context(), m.b.Conn(), "mesh.flights.do", nil); err != nil || string(got) != "done" {
		t.Fatalf("Call = %q, %v", got, err)
	}
}

func TestCancelReachesTheHandler(t *testing.T) {
	m := startMesh(t)
	began, ended := make(chan struct{}, 1), make(chan error, 1)
	var pieces atomic.Bool
	s := serve(t, m, func(ctx context.Context, _ []byte, send func([]byte) error) ([]byte, error) {
		began <- struct{}{}
		if !pieces.Load() {
			<-ctx.Done()
			ended <- ctx.Err()
			return nil, ctx.Err()
		}
		for {
			if err := send(make([]byte, 1000)); err != nil {
				ended <- err
				return nil, err
			}
		}
	})
	defer closed(t, s)
	own := errors.New("enough")
	for name, c := range map[string]struct {
		pieces bool
		chunk  error
	}{"before the first piece": {false, nil}, "between pieces": {true, nil}, "by the caller's own error": {true, own}} {
		t.Run(name, func(t *testing.T) {
			pieces.Store(c.pieces)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			result := make(chan error, 1)
			n := 0
			go func() {
				_, err := CallStream(ctx, m.b.Conn(), "mesh.flights.do", nil, func([]byte) error {
					if n++; n == 20 {
						cancel()
					}
					return c.chunk
				})
				result <- err
			}()
			<-began
			if !c.pieces {
				cancel()
			}
			want := context.Canceled
			if c.chunk != nil {
				want = c.chunk
			}
			if err := <-result; !errors.Is(err, want) {
				t.Errorf("call ended with %v; want %v", err, want)
			}
			select {
			case <-ended:
			case <-time.After(callSilence / 2):
				t.Error("the handler was not told")
			}
		})
	}
}

func TestOwnerOrHubGone(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(*testing.T, *testMesh){
		"owner": func(t *testing.T, m *testMesh) { m.a.Conn().Close() },
		"hub":   func(t *testing.T, m *testMesh) { m.stopHub(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := startMesh(t)
			left := make(chan struct{})
			s := serve(t, m, func(ctx context.Context, _ []byte, send func([]byte) error) ([]byte, error) {
				if err := send([]byte("first")); err != nil {
					return nil, err
				}
				<-ctx.Done()
				close(left)
				return nil, ctx.Err()
			})
			start := time.Now()
			_, err := CallStream(t.Context(), m.b.Conn(), "mesh.flights.do", nil, func([]byte) error {
				kill(t, m)
				return nil
			})
			wantKind(t, err, fault.Unavailable)
			if took := time.Since(start); took > 3*callSilence {
				t.Errorf("it took %s", took)
			}
			select {
			case <-left:
			case <-time.After(4 * callSilence):
				t.Error("the handler still waits for a caller that is gone")
			}
			if err := s.Close(t.Context()); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
				t.Error(err)
			}
		})
	}
}

func TestServiceCloseWaitsForHandlers(t *testing.T) {
	m := startMesh(t)
	began, finish := make(chan struct{}, 1), make(chan struct{})
	s := serve(t, m, func(context.Context, []byte, func([]byte) error) ([]byte, error) {
		began <- struct{}{}
		<-finish
		return []byte("done"), nil
	})
	answer := make(chan string, 1)
	go func() {
		got, err := Call(t.Context(), m.a.Conn(), "mesh.flights.do", nil)
		if err != nil {
			got = []byte(err.Error())
		}
		answer <- string(got)
	}()
	<-began
	done := make(chan error, 1)
	go func() { done <- s.Close(t.Context()) }()
	eventually(t, "no further calls are taken", func() bool {
		_, err := Call(t.Context(), m.a.Conn(), "mesh.flights.ping", nil)
		return fault.KindOf(err) == fault.Unavailable
	})
	select {
	case err := <-done:
		t.Fatalf("Close returned %v before the handler", err)
	default:
	}
	close(finish)
	must(t, <-done)
	if got := <-answer; got != "done" {
		t.Errorf("the running call got %q", got)
	}
}

func TestTooManyCallsAreRefused(t *testing.T) {
	l := startLeaf(t, "flights", "")
	began, finish := make(chan struct{}, 2), make(chan struct{})
	s, err := Serve(l.Conn(), ServiceSpec{Name: "flights", Version: "1.0.0", MaxCalls: 2, Endpoints: map[string]Handler{
		"do": func(context.Context, []byte, func([]byte) error) ([]byte, error) {
			began <- struct{}{}
			<-finish
			return nil, nil
		},
	}})
	must(t, err)
	defer closed(t, s)
	done := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := Call(t.Context(), l.Conn(), "mesh.flights.do", nil)
			done <- err
		}()
		<-began
	}
	_, err = Call(t.Context(), l.Conn(), "mesh.flights.do", nil)
	wantKind(t, err, fault.Unavailable)
	close(finish)
	must(t, <-done)
	must(t, <-done)
}
