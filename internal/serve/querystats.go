package serve

import (
	"io"
	"maps"
	"slices"
	"sync"
	"time"
)

// QueryStats counts what a product was queried, over HTTP and the mesh, for /metrics.
type QueryStats struct {
	busy func() (running, waiting int)

	mu    sync.Mutex
	byEnd map[string]uint64
	times histogram
	rows  int64
	bytes int64
}

// NewQueryStats counts from nothing; busy says how many queries there are now.
func NewQueryStats(busy func() (running, waiting int)) *QueryStats {
	return &QueryStats{busy: busy, byEnd: map[string]uint64{"ok": 0}}
}

// Observe counts one query; outcome is ok, cancelled, or a fault's kind.
func (s *QueryStats) Observe(outcome string, took time.Duration, rows, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byEnd[outcome]++
	s.times.observe(took)
	s.rows += rows
	s.bytes += bytes
}

// Write writes the counts in the Prometheus text format.
func (s *QueryStats) Write(w io.Writer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	running, waiting := s.busy()
	family(w, "meshctl_queries_running", "gauge", "Queries at work.")
	sample(w, "meshctl_queries_running", float64(running))
	family(w, "meshctl_queries_waiting", "gauge", "Queries that wait until others have ended.")
	sample(w, "meshctl_queries_waiting", float64(waiting))
	family(w, "meshctl_queries_total", "counter", "Queries by outcome: ok, cancelled, or why not.")
	for _, outcome := range slices.Sorted(maps.Keys(s.byEnd)) {
		sample(w, "meshctl_queries_total", float64(s.byEnd[outcome]), "outcome", outcome)
	}
	family(w, "meshctl_query_rows_total", "counter", "Rows that queries were answered with.")
	sample(w, "meshctl_query_rows_total", float64(s.rows))
	family(w, "meshctl_query_bytes_total", "counter", "Bytes of these rows, as Arrow.")
	sample(w, "meshctl_query_bytes_total", float64(s.bytes))
	const name = "meshctl_query_duration_seconds"
	family(w, name, "histogram", "Time from a query's request to its answer's end, waiting included.")
	s.times.write(w, name)
	return nil
}
