package mesh

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/jsm.go/api"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

const (
	// deliverAhead is how many messages are under way to a mirror at most.
	deliverAhead = 10_000
	// deliverChunks is the same of a file's chunks, which are large.
	deliverChunks = 200
	// deliverKept is how long the consumer of a reader that is away stays. Nothing is lost
	// with it, for it is the mirror that knows where to go on.
	deliverKept = time.Hour
)

// metaReader names, on a consumer, the product that it is for.
const metaReader = "meshctl.reader"

// Deliver makes the leaf that nc belongs to send the port's log to the mirror of reader,
// from the message behind after on. It may be asked for again at any time. The answer is
// what the mirror wants to hear. A log that ends before after is a Conflict.
func Deliver(ctx context.Context, nc *Conn, id product.PortID, reader string, after record.Seq) ([]byte, error) {
	stream := id.Stream()
	state, err := State(ctx, nc, "", stream)
	if err != nil {
		return nil, err
	}
	if after > state.Last {
		return nil, fault.New(fault.Conflict, "restore it, or delete the mirror to read it again from its beginning",
			"stream %s ends at %d, but %s has read it up to %d: it has been made anew", stream, state.Last, reader, after)
	}
	ahead := deliverAhead
	if id.Objects {
		ahead = deliverChunks
	}
	config := api.ConsumerConfig{
		Name: reader, Durable: reader, DeliverSubject: id.DeliverSubject(reader),
		DeliverPolicy: api.DeliverAll, AckPolicy: api.AckFlowControl, ReplayPolicy: api.ReplayInstant,
		FlowControl: true, Heartbeat: time.Second, MaxAckPending: ahead, InactiveThreshold: deliverKept,
		Metadata: map[string]string{metaReader: reader},
	}
	_, err = ask[api.JSApiConsumerCreateResponse](ctx, nc, "", fmt.Sprintf(api.JSApiConsumerCreateWithNameT, stream, reader),
		api.JSApiConsumerCreateRequest{Stream: stream, Config: config})
	if err != nil {
		return nil, fmt.Errorf("deliver stream %s to %s: %w", stream, reader, err)
	}
	answer, err := ask[json.RawMessage](ctx, nc, "", fmt.Sprintf(api.JSApiConsumerResetT, stream, reader),
		api.JSApiConsumerResetRequest{Seq: uint64(after) + 1})
	if err != nil {
		return nil, fmt.Errorf("deliver stream %s to %s from %d: %w", stream, reader, after+1, err)
	}
	return answer, nil
}

// StopDelivering ends what Deliver began for readers of the port that may not read it any
// more, and says which they were.
func StopDelivering(ctx context.Context, nc *Conn, id product.PortID, may func(reader string) bool) (gone []string, err error) {
	stream := id.Stream()
	for offset := 0; ; {
		req := api.JSApiConsumerListRequest{JSApiIterableRequest: api.JSApiIterableRequest{Offset: offset}}
		page, err := ask[api.JSApiConsumerListResponse](ctx, nc, "", fmt.Sprintf(api.JSApiConsumerListT, stream), req)
		if err != nil {
			return gone, fmt.Errorf("list who reads stream %s: %w", stream, err)
		}
		ended := 0
		for _, c := range page.Consumers {
			reader := c.Config.Metadata[metaReader]
			if reader == "" || may(reader) {
				offset++
				continue
			}
			_, err := ask[api.JSApiConsumerDeleteResponse](ctx, nc, "", fmt.Sprintf(api.JSApiConsumerDeleteT, stream, c.Name), nil)
			if err != nil && fault.KindOf(err) != fault.NotFound {
				return gone, fmt.Errorf("stop delivering stream %s to %s: %w", stream, reader, err)
			}
			gone = append(gone, reader)
			ended++
		}
		if len(page.Consumers) == 0 || offset+ended >= page.Total {
			return gone, nil
		}
	}
}
