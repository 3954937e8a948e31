package mesh

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats.go"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

// Message is one message of a stream, as it is stored.
type Message struct {
	Seq     record.Seq
	Time    time.Time // when the stream stored it, UTC
	Subject string
	Header  Header // nil where there is none; Get works on it all the same
	Data    []byte
}

func (m *Message) size() int { return len(m.Subject) + len(m.Data) + 64 }

// LastMessage is the newest message of a stream whose subject matches filter
// (wildcards allowed, "" any); false when there is none.
func LastMessage(ctx context.Context, nc *Conn, domain, stream, filter string) (Message, bool, error) {
	if filter == "" {
		filter = ">"
	}
	return directGet(ctx, nc, domain, stream, api.JSApiMsgGetRequest{LastFor: filter})
}

// GetMessage is the message of that sequence; false when it is not there, or no longer.
func GetMessage(ctx context.Context, nc *Conn, domain, stream string, seq record.Seq) (Message, bool, error) {
	if seq == 0 {
		return Message{}, false, nil
	}
	return directGet(ctx, nc, domain, stream, api.JSApiMsgGetRequest{Seq: uint64(seq)})
}

func directGet(ctx context.Context, nc *Conn, domain, stream string, req api.JSApiMsgGetRequest) (Message, bool, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return Message{}, false, err
	}
	subject := jsm.APISubject(fmt.Sprintf(api.JSDirectMsgGetT, stream), "", domain)
	m, err := request(ctx, nc, &nats.Msg{Subject: subject, Data: body}, domainName(domain))
	if err != nil {
		return Message{}, false, fmt.Errorf("get from stream %s: %w", stream, directFault(ctx, nc, domain, stream, err))
	}
	switch status := m.Header.Get("Status"); status {
	case "":
	case "404":
		return Message{}, false, nil
	default:
		return Message{}, false, fault.New(fault.Internal, "", "get from stream %s: %s %s", stream, status, m.Header.Get("Description"))
	}
	out, err := directMessage(m)
	if err != nil {
		return Message{}, false, fmt.Errorf("get from stream %s: %w", stream, err)
	}
	return out, true, nil
}

// directFault tells a stream that does not exist from a domain that does not answer:
// to a direct get both are silence.
func directFault(ctx context.Context, nc *Conn, domain, stream string, err error) error {
	if fault.KindOf(err) == fault.Unavailable {
		if _, err := streamInfo(ctx, nc, domain, stream); err != nil {
			return err
		}
	}
	return err
}

// directMessage takes the server's own headers off an answer to a direct get.
func directMessage(m *nats.Msg) (Message, error) {
	h := m.Header
	seq, err := strconv.ParseUint(h.Get("Nats-Sequence"), 10, 64)
	if err != nil {
		return Message{}, fmt.Errorf("sequence: %w", err)
	}
	at, err := time.Parse(time.RFC3339Nano, h.Get("Nats-Time-Stamp"))
	if err != nil {
		return Message{}, fmt.Errorf("time: %w", err)
	}
	out := Message{Seq: record.Seq(seq), Time: at, Subject: h.Get("Nats-Subject"), Data: m.Data}
	for _, k := range []string{"Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp", "Nats-Num-Pending", "Nats-Last-Sequence"} {
		h.Del(k)
	}
	if len(h) > 0 {
		out.Header = h
	}
	return out, nil
}

// delivery is what the reply subject of a consumer's message says about it.
type delivery struct {
	seq      record.Seq
	consumer uint64 // place in the order of this consumer, from 1
	time     time.Time
	pending  uint64
}

// parseDelivery reads $JS.ACK.<stream>.<consumer>.<delivered>.<seq>.<consumer seq>.<time>.<pending>,
// or the longer form with domain and account hash after $JS.ACK and a token more at the end.
func parseDelivery(reply string) (delivery, bool) {
	const prefix = "$JS.ACK."
	rest, ok := strings.CutPrefix(reply, prefix)
	if !ok {
		return delivery{}, false
	}
	skip := 3
	if strings.Count(rest, ".") >= 8 {
		skip = 5
	}
	for range skip {
		if _, rest, ok = strings.Cut(rest, "."); !ok {
			return delivery{}, false
		}
	}
	var n [4]uint64
	for i := range n {
		var token string
		token, rest, _ = strings.Cut(rest, ".")
		v, err := strconv.ParseUint(token, 10, 64)
		if err != nil {
			return delivery{}, false
		}
		n[i] = v
	}
	return delivery{seq: record.Seq(n[0]), consumer: n[1], time: time.Unix(0, int64(n[2])).UTC(), pending: n[3]}, true
}

// MessageBefore is the newest message of a local stream before seq; false when there is
// none. It looks at one sequence after the other, so it is for short gaps.
func MessageBefore(ctx context.Context, nc *Conn, stream string, seq record.Seq) (Message, bool, error) {
	for seq--; seq > 0; seq-- {
		if m, ok, err := GetMessage(ctx, nc, "", stream, seq); err != nil || ok {
			return m, ok, err
		}
	}
	return Message{}, false, nil
}

// parseHeader reads headers as they are stored; nil where there are none.
func parseHeader(stored []byte) (Header, error) {
	if len(stored) == 0 {
		return nil, nil
	}
	h, err := nats.DecodeHeadersMsg(stored)
	if err != nil {
		return nil, fmt.Errorf("headers: %w", err)
	}
	return h, nil
}
