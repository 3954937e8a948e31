package catalog

import "time"

// Event is something that happened at a product's leaf, or at the hub.
type Event struct {
	Seq     uint64    `json:"seq"` // counts up from 1 since the process started
	Time    time.Time `json:"time"`
	Product string    `json:"product"` // or the hub's name
	Kind    string    `json:"kind"`    // such as stream-created
	Level   string    `json:"level"`   // info, or warning where somebody should look
	Subject string    `json:"subject"` // the stream, or stream/consumer, that it is about
	Text    string    `json:"text"`    // the same for people
}

// The levels of events.
const (
	LevelInfo    = "info"
	LevelWarning = "warning"
)
