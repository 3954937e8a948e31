package mesh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

// PublishExpect stores one message if expect is still the sequence of the last one of
// its subject (0: there is none), and returns its own. It is a Conflict when another
// got there first, Unavailable when no stream in reach takes the subject. After any
// other error the message may be stored or not: ask LastMessage.
func PublishExpect(ctx context.Context, nc *Conn, subject string, data []byte, header map[string]string, expect uint64) (record.Seq, error) {
	m := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{}}
	for k, v := range header {
		m.Header.Set(k, v)
	}
	m.Header.Set("Nats-Expected-Last-Subject-Sequence", strconv.FormatUint(expect, 10))
	return publish(ctx, nc, m)
}

// Publish stores one message, wherever in reach its stream is, and returns its sequence.
func Publish(ctx context.Context, nc *Conn, subject string, data []byte, header map[string]string) (record.Seq, error) {
	m := &nats.Msg{Subject: subject, Data: data}
	for k, v := range header {
		if m.Header == nil {
			m.Header = nats.Header{}
		}
		m.Header.Set(k, v)
	}
	return publish(ctx, nc, m)
}

func publish(ctx context.Context, nc *Conn, m *nats.Msg) (record.Seq, error) {
	answer, err := nc.request(ctx, m, askTimeout)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return 0, fmt.Errorf("publish to %s: %w", m.Subject, notRunning(m.Subject))
	case errors.Is(err, nats.ErrMaxPayload):
		return 0, fault.New(fault.Invalid, "publish it in smaller parts",
			"publish to %s: %d bytes are more than a message may have", m.Subject, len(m.Data))
	case err != nil:
		return 0, fmt.Errorf("publish to %s: %w", m.Subject, askFault(ctx, err, "product "+productOf(m.Subject)))
	}
	var a flowAnswer
	if err := json.Unmarshal(answer.Data, &a); err != nil {
		return 0, fmt.Errorf("publish to %s: read the answer: %w", m.Subject, err)
	}
	if a.Error != nil {
		return 0, fmt.Errorf("publish to %s: %w", m.Subject, apiFault(a.Error))
	}
	return record.Seq(a.Seq), nil
}
