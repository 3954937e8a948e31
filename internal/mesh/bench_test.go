package mesh

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/micro"
)

// cpu is the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func reportPerMessage(b *testing.B, used time.Duration, n int) {
	b.Helper()
	b.ReportMetric(float64(used.Nanoseconds())/1000/float64(n), "cpu-µs/msg")
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "msg/s")
}

// records are n messages of 200 bytes with the header that a record has.
func records(n int) []Outgoing {
	out := make([]Outgoing, n)
	for i := range out {
		out[i] = Outgoing{
			Subject: fmt.Sprintf("shop.orders.orders.v1.key-%d", i%10000),
			Data:    fmt.Appendf(nil, `{"id":%d,"text":"%0180d"}`, i, i),
			Header:  [][2]string{{"Meshctl-Position", fmt.Sprintf("%d:%d", i/1000, i%1000)}},
		}
	}
	return out
}

func benchLeaf(b *testing.B, n int) *Leaf {
	b.Helper()
	l := startLeaf(b, "orders", "")
	if err := EnsureStream(b.Context(), l.Conn(), StreamSpec{Name: "orders-v1", Subjects: []string{"shop.orders.>"}}); err != nil {
		b.Fatal(err)
	}
	p := NewPublisher(l.Conn(), "orders-v1")
	defer p.Close()
	for n > 0 {
		part := records(min(n, 100_000))
		if _, err := p.Append(b.Context(), part); err != nil {
			b.Fatal(err)
		}
		n -= len(part)
	}
	return l
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1, 64, 10_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			l := benchLeaf(b, 0)
			p := NewPublisher(l.Conn(), "orders-v1")
			msgs := records(size)
			n := 0
			before := cpu(b)
			for b.Loop() {
				if _, err := p.Append(b.Context(), msgs); err != nil {
					b.Fatal(err)
				}
				n += size
			}
			reportPerMessage(b, cpu(b)-before, n)
		})
	}
}

func BenchmarkReader(b *testing.B) {
	const n = 300_000
	l := benchLeaf(b, n)
	for _, linger := range []time.Duration{0, 10 * time.Millisecond} {
		b.Run(linger.String(), func(b *testing.B) { benchReader(b, l, n, linger) })
	}
}

func benchReader(b *testing.B, l *Leaf, n int, linger time.Duration) {
	before, read := cpu(b), 0
	for b.Loop() {
		r, err := NewReader(b.Context(), l.Conn(), "", "orders-v1", 0, "")
		if err != nil {
			b.Fatal(err)
		}
		for got := 0; got < n; {
			ms, err := r.Next(b.Context(), 10_000, 0, linger, 0)
			if err != nil {
				b.Fatal(err)
			}
			got += len(ms)
		}
		r.Close()
		read += n
	}
	reportPerMessage(b, cpu(b)-before, read)
}

// BenchmarkCall compares a short answer with an empty request of a plain micro service,
// both through the hub.
func BenchmarkCall(b *testing.B) {
	m := startMesh(b)
	echo := func(context.Context, []byte, func([]byte) error) ([]byte, error) { return nil, nil }
	s, err := Serve(m.a.Conn(), ServiceSpec{Name: "flights", Version: "1.0.0", Endpoints: map[string]Handler{"do": echo}})
	must(b, err)
	defer closed(b, s)
	plain, err := micro.AddService(m.a.Conn().Conn, micro.Config{Name: "plain", Version: "1.0.0", QueueGroupDisabled: true})
	must(b, err)
	must(b, plain.AddEndpoint("do", micro.HandlerFunc(func(r micro.Request) { _ = r.Respond(nil) }), micro.WithEndpointSubject("mesh.plain.do")))
	for _, c := range []struct {
		name string
		call func() error
	}{
		{"mesh", func() error { _, err := Call(b.Context(), m.b.Conn(), "mesh.flights.do", nil); return err }},
		{"micro", func() error { _, err := m.b.Conn().RequestWithContext(b.Context(), "mesh.plain.do", nil); return err }},
	} {
		b.Run(c.name, func(b *testing.B) {
			eventually(b, "served", func() bool { return c.call() == nil })
			before, n := cpu(b), 0
			for b.Loop() {
				if err := c.call(); err != nil {
					b.Fatal(err)
				}
				n++
			}
			reportPerMessage(b, cpu(b)-before, n)
		})
	}
}

// BenchmarkStreamedAnswer sends 64 MiB from leaf to leaf.
func BenchmarkStreamedAnswer(b *testing.B) {
	m := startMesh(b)
	piece := make([]byte, MaxChunk)
	big := func(_ context.Context, _ []byte, send func([]byte) error) ([]byte, error) {
		for range 64 << 20 / MaxChunk {
			if err := send(piece); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
	s, err := Serve(m.a.Conn(), ServiceSpec{Name: "flights", Version: "1.0.0", Endpoints: map[string]Handler{"do": big}})
	must(b, err)
	defer closed(b, s)
	call := func() error {
		_, err := CallStream(b.Context(), m.b.Conn(), "mesh.flights.do", nil, func([]byte) error { return nil })
		return err
	}
	eventually(b, "served", func() bool { return call() == nil })
	b.SetBytes(64 << 20)
	for b.Loop() {
		must(b, call())
	}
}
