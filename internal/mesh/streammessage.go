package mesh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jsm.go/api"

	"github.com/meshctl/meshctl/internal/fault"
)

// StreamMessage is one message of a stream as it is stored.
type StreamMessage struct {
	Sequence uint64              `json:"sequence"`
	Time     time.Time           `json:"time"`
	Subject  string              `json:"subject"`
	Header   map[string][]string `json:"header,omitempty"`
	Data     []byte              `json:"data"`
}

// MessageQuery says which message of a stream: that of a sequence, the last of a subject,
// or the first of a subject from a sequence or time on. Without any it is the last.
type MessageQuery struct {
	Stream   string    `json:"stream"`
	Sequence uint64    `json:"sequence,omitempty"`
	Last     string    `json:"last,omitempty"` // subjects, with wildcards
	Next     string    `json:"next,omitempty"`
	Since    time.Time `json:"since,omitzero"`
}

// Message is one message of a stream; NotFound when there is none.
func (a *Admin) Message(ctx context.Context, q MessageQuery) (StreamMessage, error) {
	if err := a.content(q.Stream); err != nil {
		return StreamMessage{}, err
	}
	req := api.JSApiMsgGetRequest{Seq: q.Sequence, LastFor: q.Last, NextFor: q.Next}
	switch {
	case q.Last != "" && (q.Sequence > 0 || q.Next != "" || !q.Since.IsZero()), q.Sequence > 0 && !q.Since.IsZero():
		return StreamMessage{}, fault.New(fault.Invalid, "ask for a sequence, the last of a subject, or the next one from a sequence or time on",
			"that names more than one message of stream %s", q.Stream)
	case !q.Since.IsZero():
		req.StartTime, req.NextFor = &q.Since, cmp.Or(q.Next, ">")
	case q.Sequence == 0 && q.Last == "" && q.Next == "":
		req.LastFor = ">"
	}
	return a.message(ctx, q.Stream, req)
}

const codeMessageNotFound = 10037

func (a *Admin) message(ctx context.Context, stream string, req api.JSApiMsgGetRequest) (StreamMessage, error) {
	answer, err := ask[api.JSApiMsgGetResponse](ctx, a.nc, a.domain, fmt.Sprintf(api.JSApiMsgGetT, stream), req)
	var told api.ApiError
	if errors.As(err, &told) && told.ErrCode == codeMessageNotFound {
		return StreamMessage{}, fault.New(fault.NotFound, "see what it holds with meshctl stream info", "stream %s has no such message", stream)
	}
	if err != nil {
		return StreamMessage{}, fmt.Errorf("get from stream %s: %w", stream, err)
	}
	stored := answer.Message
	if stored == nil {
		return StreamMessage{}, fault.New(fault.Internal, "", "get from stream %s: the server sent no message", stream)
	}
	m := StreamMessage{Sequence: stored.Sequence, Time: stored.Time, Subject: stored.Subject, Data: stored.Data}
	m.Header, err = parseHeader(stored.Header)
	if err != nil {
		return m, fmt.Errorf("get message %d of stream %s: %w", m.Sequence, stream, err)
	}
	for _, values := range m.Header {
		for i := range values {
			values[i] = strings.ToValidUTF8(values[i], "\uFFFD")
		}
	}
	return m, nil
}

// SubjectCount is how many messages a stream has of a subject.
type SubjectCount struct {
	Subject  string `json:"subject"`
	Messages uint64 `json:"messages"`
}

// SubjectsQuery asks for the subjects of a stream that match a filter; "" is all.
type SubjectsQuery struct {
	Stream string `json:"stream"`
	Filter string `json:"filter,omitempty"`
}

// Subjects gives emit the subjects of a stream in pages, each in their order.
func (a *Admin) Subjects(ctx context.Context, q SubjectsQuery, emit func([]SubjectCount) error) error {
	if err := a.content(q.Stream); err != nil {
		return err
	}
	return subjectPages(ctx, a.nc, a.domain, q.Stream, cmp.Or(q.Filter, ">"), func(page map[string]uint64) error {
		counts := make([]SubjectCount, 0, len(page))
		for subject, n := range page {
			counts = append(counts, SubjectCount{subject, n})
		}
		slices.SortFunc(counts, func(a, b SubjectCount) int { return cmp.Compare(a.Subject, b.Subject) })
		return emit(counts)
	})
}
