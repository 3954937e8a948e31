package mesh

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Drain reads the first n messages of a stream with the ordered consumer of the
// client library and drops them: what the benchmarks compare a product with.
func Drain(ctx context.Context, nc *Conn, stream string, n int) error {
	js, err := jetstream.New(nc.Conn)
	if err != nil {
		return fmt.Errorf("drain %s: %w", stream, err)
	}
	cons, err := js.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return fmt.Errorf("drain %s: %w", stream, err)
	}
	done := make(chan struct{})
	read := 0
	consume, err := cons.Consume(func(jetstream.Msg) {
		if read++; read == n {
			close(done)
		}
	})
	if err != nil {
		return fmt.Errorf("drain %s: %w", stream, err)
	}
	defer consume.Stop()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
