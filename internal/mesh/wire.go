package mesh

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// How a service answers.
//
// A request carries Meshctl-Call, a name of its own. The first answer goes to the
// request's reply subject. It is the whole answer, without headers, whenever that fits
// one message and is there within a second: then nothing else happens. Otherwise it is
// the first piece, or a sign of life, and carries Meshctl-Piece. The caller then
// subscribes an inbox and attaches it: it publishes on the product's control subject
// the call's name, what it wants (headerDo) and, as Meshctl-Piece, the number of the
// first piece that it has no room for. The owner sends numbered pieces while there is
// room, a sign of life when it has nothing to send, and gives the handler up when the
// caller cancels or falls silent.
const (
	headerCall  = "Meshctl-Call"
	headerDo    = "Meshctl-Do"    // to the control subject: take, or cancel
	headerPiece = "Meshctl-Piece" // the piece's number from 1; "alive" for a sign of life
	headerLast  = "Meshctl-Last"  // "more": of a final answer of several pieces; "end": the last piece of all
	headerKind  = "Meshctl-Kind"  // of an error
	headerHint  = "Meshctl-Hint"  // of an error
	doTake      = "take"          // send on, up to the piece named
	doCancel    = "cancel"        // give up
	pieceAlive  = "alive"         //
	lastMore    = "more"          //
	lastEnd     = "end"           //
)

const (
	// MaxChunk is the largest piece of an answer; a larger one is cut into several.
	MaxChunk = 512 << 10

	callWindow  = 8               // pieces under way
	callBeat    = time.Second     // between two signs of life
	callSilence = 5 * time.Second // then the other side is taken for gone
)

// controlSubject is where a call of subject is steered.
func controlSubject(subject string) string {
	return product.ServiceSubject(productOf(subject), product.EndpointControl)
}

var statusOf = map[fault.Kind]string{
	fault.Internal: "500", fault.Rejected: "422", fault.Invalid: "400", fault.NotFound: "404",
	fault.Conflict: "409", fault.Unavailable: "503", fault.Denied: "403", fault.Timeout: "504",
}

// setFault writes an error into an answer. The body has it whole; a header holds only
// one line.
func setFault(m *nats.Msg, err error) {
	if m.Header == nil {
		m.Header = nats.Header{}
	}
	kind := fault.KindOf(err)
	m.Header.Set(micro.ErrorHeader, oneLine(err.Error()))
	m.Header.Set(micro.ErrorCodeHeader, statusOf[kind])
	m.Header.Set(headerKind, kind.String())
	if hint := fault.HintOf(err); hint != "" {
		m.Header.Set(headerHint, oneLine(hint))
	}
	m.Data = []byte(err.Error())
}

// faultIn is the error that an answer carries, if it does.
func faultIn(m *nats.Msg) error {
	if m.Header == nil || m.Header.Get(micro.ErrorCodeHeader) == "" {
		return nil
	}
	text := string(m.Data)
	if text == "" {
		text = m.Header.Get(micro.ErrorHeader)
	}
	kind := fault.ParseKind(m.Header.Get(headerKind))
	return &fault.Error{Kind: kind, Hint: m.Header.Get(headerHint), Err: errors.New(text)}
}

func oneLine(s string) string {
	return strings.Join(strings.Fields(s), " ")
}

func pieceNumber(m *nats.Msg) (int, bool) {
	n, err := strconv.Atoi(m.Header.Get(headerPiece))
	return n, err == nil
}
