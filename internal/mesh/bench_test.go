package mesh

import (
	"fmt"
	"syscall"
	"testing"
	"time"
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
			ms, err := r.Next(b.Context(), 10_000, 0, linger)
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
