package app

import (
	"maps"
	"strconv"

	"github.com/meshctl/meshctl/internal/product"
)

// The metadata by which the checks of NATS tools know how a stream may fare.
const (
	monitorEnabled = "io.nats.monitor.enabled"
	monitorSeen    = "io.nats.monitor.seen-critical" // a source must have been heard of within this
	monitorLag     = "io.nats.monitor.lag-critical"  // and may be this many messages ahead
)

// The properties of an SLA that a copy of the port can be held to.
const (
	slaFreshness = "freshness"
	slaLag       = "lag"
)

// monitored is metadata and what the port's SLA says of how its streams may fare: the log
// is to be looked at, and a mirror is to hear of its origin as often as the port promises
// to be fresh.
func monitored(metadata map[string]string, out *product.Output, mirror bool) map[string]string {
	m := maps.Clone(metadata)
	m[monitorEnabled] = "true"
	if !mirror {
		return m
	}
	if fresh, ok := out.Promised(slaFreshness); ok && fresh > 0 {
		m[monitorSeen] = fresh.String()
	}
	if lag, ok := out.PromisedCount(slaLag); ok && lag > 0 {
		m[monitorLag] = strconv.FormatUint(lag, 10)
	}
	return m
}
