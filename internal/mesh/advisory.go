package mesh

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/meshctl/meshctl/internal/catalog"
)

// Advisories gives to each what the server that nc belongs to tells of its streams and
// consumers, in words, until nc is closed. What happens at every turn, such as a
// question to the API or a reader that comes and goes, is left out.
func Advisories(nc *Conn, each func(catalog.Event)) error {
	_, err := nc.Subscribe("$JS.EVENT.ADVISORY.>", func(m *nats.Msg) {
		if e, ok := advisoryEvent(m.Data); ok {
			each(e)
		}
	})
	if err != nil {
		return fmt.Errorf("listen to advisories: %w", connFault(err, "the server"))
	}
	return nil
}

// advisory is what the advisories have that are told.
type advisory struct {
	Type       string    `json:"type"`
	Time       time.Time `json:"timestamp"`
	Stream     string    `json:"stream"`
	Consumer   string    `json:"consumer"`
	Action     string    `json:"action"`
	StreamSeq  uint64    `json:"stream_seq"`
	Deliveries uint64    `json:"deliveries"`
	Reason     string    `json:"reason"`
	Leader     string    `json:"leader"`
	Server     string    `json:"server"`
	Paused     bool      `json:"paused"`
}

// advisoryWords are the kinds of advisories that are told, and how.
var advisoryWords = map[string]struct {
	kind, level string
	text        func(*advisory) string
}{
	server.JSStreamActionAdvisoryType: {"stream", catalog.LevelInfo, func(a *advisory) string { return "stream " + a.Stream + " was " + done(a.Action) }},
	server.JSConsumerActionAdvisoryType: {"consumer", catalog.LevelInfo, func(a *advisory) string {
		return "consumer " + a.Consumer + " of stream " + a.Stream + " was " + done(a.Action)
	}},
	server.JSConsumerPauseAdvisoryType: {"consumer-paused", catalog.LevelInfo, func(a *advisory) string {
		if a.Paused {
			return "consumer " + a.Consumer + " of stream " + a.Stream + " is paused"
		}
		return "consumer " + a.Consumer + " of stream " + a.Stream + " goes on"
	}},
	server.JSConsumerDeliveryExceededAdvisoryType: {"gave-up", catalog.LevelWarning, func(a *advisory) string {
		return fmt.Sprintf("message %d of stream %s was given to consumer %s %d times in vain", a.StreamSeq, a.Stream, a.Consumer, a.Deliveries)
	}},
	server.JSConsumerDeliveryNakAdvisoryType: {"refused", catalog.LevelInfo, func(a *advisory) string {
		return fmt.Sprintf("consumer %s gave message %d of stream %s back", a.Consumer, a.StreamSeq, a.Stream)
	}},
	server.JSConsumerDeliveryTerminatedAdvisoryType: {"ended", catalog.LevelWarning, func(a *advisory) string {
		return fmt.Sprintf("consumer %s wants message %d of stream %s no more%s", a.Consumer, a.StreamSeq, a.Stream, because(a.Reason))
	}},
	server.JSSnapshotCreatedAdvisoryType:     {"backup-began", catalog.LevelInfo, func(a *advisory) string { return "a backup of stream " + a.Stream + " began" }},
	server.JSSnapshotCompleteAdvisoryType:    {"backup-ended", catalog.LevelInfo, func(a *advisory) string { return "a backup of stream " + a.Stream + " ended" }},
	server.JSRestoreCreateAdvisoryType:       {"restore-began", catalog.LevelInfo, func(a *advisory) string { return "stream " + a.Stream + " is being restored" }},
	server.JSRestoreCompleteAdvisoryType:     {"restore-ended", catalog.LevelInfo, func(a *advisory) string { return "stream " + a.Stream + " was restored" }},
	server.JSDomainLeaderElectedAdvisoryType: {"hub-leader", catalog.LevelInfo, func(a *advisory) string { return "node " + a.Leader + " leads the hub" }},
	server.JSStreamLeaderElectedAdvisoryType: {"stream-leader", catalog.LevelInfo, func(a *advisory) string { return "node " + a.Leader + " leads stream " + a.Stream }},
	server.JSStreamQuorumLostAdvisoryType:    {"stream-quorum-lost", catalog.LevelWarning, func(a *advisory) string { return "stream " + a.Stream + " has lost the majority of its replicas" }},
	server.JSConsumerQuorumLostAdvisoryType: {"consumer-quorum-lost", catalog.LevelWarning, func(a *advisory) string {
		return "consumer " + a.Consumer + " of stream " + a.Stream + " has lost the majority of its replicas"
	}},
	server.JSServerOutOfStorageAdvisoryType: {"out-of-space", catalog.LevelWarning, func(a *advisory) string { return "server " + a.Server + " has no room for its streams any more" }},
	server.JSServerRemovedAdvisoryType:      {"node-removed", catalog.LevelWarning, func(a *advisory) string { return "node " + a.Server + " was removed" }},
	server.JSStreamBatchAbandonedAdvisoryType: {"batch-abandoned", catalog.LevelWarning, func(a *advisory) string {
		return "a batch for stream " + a.Stream + " was abandoned" + because(a.Reason)
	}},
	server.JSAPILimitReachedAdvisoryType: {"api-limit", catalog.LevelWarning, func(a *advisory) string { return "more is asked of JetStream than it takes; questions are dropped" }},
}

// done is what an action has come to.
func done(action string) string {
	switch action {
	case "create":
		return "created"
	case "delete":
		return "deleted"
	case "modify":
		return "changed"
	}
	return action
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func advisoryEvent(data []byte) (e catalog.Event, ok bool) {
	var a advisory
	if json.Unmarshal(data, &a) != nil {
		return e, false
	}
	words, ok := advisoryWords[a.Type]
	if !ok || isRun(a.Consumer) {
		return e, false
	}
	e = catalog.Event{Time: a.Time.UTC(), Kind: words.kind, Level: words.level, Subject: a.Stream, Text: words.text(&a)}
	if a.Action != "" {
		e.Kind += "-" + done(a.Action)
	}
	if a.Consumer != "" {
		e.Subject += "/" + a.Consumer
	}
	if e.Kind == "stream-deleted" {
		e.Level = catalog.LevelWarning
	}
	return e, true
}

// isRun says whether a consumer is one of a Reader's, which come and go.
func isRun(consumer string) bool {
	return strings.HasPrefix(consumer, "r") && len(consumer) == 1+nuidLength
}

// LinkEvents gives to each when the leaf joins the hub and when it has lost it.
func (l *Leaf) LinkEvents(each func(catalog.Event)) { l.link.tell(each) }
