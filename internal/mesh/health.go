package mesh

import (
	"fmt"
	"strings"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

const freeSpace = "free disk space"

// Err says why the node's streams do not work; nil when they do. One that could not be
// written once, because its disk was full, refuses everything until the server or its
// JetStream is started again; so does a server that has turned its JetStream off.
func (n *node) Err() error {
	if !n.srv.JetStreamEnabled() {
		return fault.New(fault.Unavailable, freeSpace, "the log has stopped: its disk is full or broken")
	}
	for _, e := range n.srv.Healthz(&server.HealthzOptions{Details: true}).Errors {
		if _, why, ok := strings.Cut(e.Error, "write error: "); ok {
			return fault.New(fault.Unavailable, freeSpace, "the log has stopped: stream %s: %s", e.Stream, why)
		}
	}
	return nil
}

// Revive starts the hub's JetStream again, with all its streams as they were; leaves and
// clients stay connected.
func (h *Hub) Revive() error {
	err := h.srv.ShutdownJetStream()
	if err == nil {
		err = h.srv.EnableJetStream(&server.JetStreamConfig{
			StoreDir: h.opts.Dir, MaxMemory: maxMemory, Domain: product.HubDomain, Strict: true, CompressOK: true,
		})
	}
	if err != nil {
		return fmt.Errorf("start the hub's log again: %w", err)
	}
	return nil
}
