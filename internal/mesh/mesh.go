// Package mesh is NATS as meshctl uses it: the embedded hub and leaf, streams and
// their administration, reading and appending, the services a product answers, and
// the catalog's bucket. It alone imports nats-server, nats.go and jsm.go.
//
// Decisions, and what would change them:
//
//   - A Reader is a pull consumer of our own that acknowledges nothing, rather than the
//     ordered one of nats.go/jetstream: it hands out slices instead of single messages,
//     and what it asks for bounds what is under way. Measured with 200-byte messages
//     with a header, on one quiet machine, in CPU µs a message: raw pull 4.0, ordered
//     consumer 5.1, push consumer with flow control 5.2, direct batch get 9.9.
//   - A Publisher speaks the fast batch protocol (ADR-50) itself, since nats.go has no
//     call for it; it costs half of an asynchronous publish and keeps order on errors.
//   - A service answers a short answer with one plain message, so that any NATS client
//     can call it. Only a longer answer brings a credit window and heartbeats with it.
//   - Stream administration sends jsm.go's request types itself, because jsm.go's
//     manager takes a fixed timeout where everything here takes a context.
package mesh

import (
	"log/slog"

	"github.com/nats-io/nats.go"

	"github.com/meshctl/meshctl/internal/product"
)

// maxPayload is the largest message of the mesh. Hub and leaves must agree, or a
// message that one takes never reaches the other.
const maxPayload = product.MaxPayload

// Header is the headers of a message.
type Header = nats.Header

func orDiscard(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}
