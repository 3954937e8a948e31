package serve

import (
	"time"

	"github.com/meshctl/meshctl/internal/record"
)

// Letter is a dead letter as it is shown.
type Letter struct {
	Seq    record.Seq `json:"seq"` // in the dead-letter stream; names the letter
	Port   string     `json:"port"`
	Time   time.Time  `json:"time"`
	Source string     `json:"source"` // the publishing session, "logic", or "log.foreign"
	Origin string     `json:"origin"` // <stream>:<seq>:<line>
	Reason string     `json:"reason"`
	Value  string     `json:"value"` // the original bytes
	// Bytes are those that are not UTF-8, which Value can show only in part.
	Bytes []byte `json:"bytes,omitempty"`
}
