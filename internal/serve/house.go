package serve

import (
	"context"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
)

// Health is the answer to both probes.
type Health struct {
	Status  string `json:"status" doc:"up or ready."`
	Version string `json:"version" doc:"The version of meshctl."`
}

func (h *handler) health(c *call) error {
	return c.writeJSON(Health{Status: "up", Version: h.options.Version})
}

func (h *handler) ready(c *call) error {
	if h.options.Ready != nil {
		ctx, cancel := context.WithTimeout(c.context(), 10*time.Second)
		defer cancel()
		if err := h.options.Ready(ctx); err != nil {
			return fault.New(fault.Unavailable, fault.HintOf(err), "not ready: %w", err)
		}
	}
	return c.writeJSON(Health{Status: "ready", Version: h.options.Version})
}
