package mesh

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/nats-io/jsm.go/api"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/record"
)

// StreamState is what a stream holds now.
type StreamState struct {
	First, Last record.Seq // of an empty stream, First is Last + 1
	Msgs, Bytes uint64
	FirstTime   time.Time
	LastTime    time.Time
	Subjects    int
	Metadata    map[string]string

	// Of a mirror.
	Mirror       bool
	MirrorLag    uint64        // messages behind, as of when the origin was last heard of
	MirrorActive time.Duration // since the origin was last heard of; negative when never
	MirrorError  string
}

// State is what a stream of a domain holds; domain "" is the local one. A stream that
// does not exist is NotFound, a domain that does not answer is Unavailable.
func State(ctx context.Context, nc *Conn, domain, stream string) (StreamState, error) {
	info, err := streamInfo(ctx, nc, domain, stream)
	if err != nil {
		return StreamState{}, err
	}
	s := info.State
	out := StreamState{
		First: record.Seq(s.FirstSeq), Last: record.Seq(s.LastSeq), Msgs: s.Msgs, Bytes: s.Bytes,
		FirstTime: s.FirstTime, LastTime: s.LastTime, Subjects: s.NumSubjects, Metadata: info.Config.Metadata,
	}
	if info.Config.Mirror != nil {
		out.Mirror, out.MirrorActive = true, -1
	}
	if m := info.Mirror; m != nil {
		out.MirrorLag, out.MirrorActive = m.Lag, m.Active
		if m.Error != nil {
			out.MirrorError = m.Error.Error()
		}
	}
	return out, nil
}

// SubjectCounts is how many messages each subject that matches filter has.
func SubjectCounts(ctx context.Context, nc *Conn, domain, stream, filter string) (map[string]uint64, error) {
	out := map[string]uint64{}
	err := subjectPages(ctx, nc, domain, stream, filter, func(page map[string]uint64) error {
		maps.Copy(out, page)
		return nil
	})
	return out, err
}

// subjectPages gives emit the subjects that match filter, page by page.
func subjectPages(ctx context.Context, nc *Conn, domain, stream, filter string, emit func(map[string]uint64) error) error {
	for got := 0; ; {
		req := api.JSApiStreamInfoRequest{SubjectsFilter: filter}
		req.Offset = got
		answer, err := ask[api.JSApiStreamInfoResponse](ctx, nc, domain, fmt.Sprintf(api.JSApiStreamInfoT, stream), req)
		if err != nil {
			return fmt.Errorf("stream %s: %w", stream, err)
		}
		if answer.StreamInfo == nil || len(answer.State.Subjects) == 0 {
			return nil
		}
		if err := emit(answer.State.Subjects); err != nil {
			return err
		}
		if got += len(answer.State.Subjects); got >= answer.Total {
			return nil
		}
	}
}

// Purge removes the messages of subject (wildcards allowed, "" all) with a sequence
// below upTo, or all of them when upTo is 0, and says how many there were.
func Purge(ctx context.Context, nc *Conn, domain, stream, subject string, upTo record.Seq) (uint64, error) {
	req := api.JSApiStreamPurgeRequest{Subject: subject, Sequence: uint64(upTo)}
	answer, err := ask[api.JSApiStreamPurgeResponse](ctx, nc, domain, fmt.Sprintf(api.JSApiStreamPurgeT, stream), req)
	if err != nil {
		return 0, fmt.Errorf("purge stream %s: %w", stream, err)
	}
	if !answer.Success {
		return 0, fault.New(fault.Internal, "", "purge stream %s: the server did not", stream)
	}
	return answer.Purged, nil
}

// DeleteMessage removes one message of a stream of the leaf that nc belongs to.
func DeleteMessage(ctx context.Context, nc *Conn, stream string, seq record.Seq) error {
	req := api.JSApiMsgDeleteRequest{Seq: uint64(seq), NoErase: true}
	_, err := ask[api.JSApiMsgDeleteResponse](ctx, nc, "", fmt.Sprintf(api.JSApiMsgDeleteT, stream), req)
	if err != nil {
		return fmt.Errorf("delete message %d of stream %s: %w", seq, stream, err)
	}
	return nil
}

// SeqAt is the first sequence of a stream whose message was stored at or after t; one
// behind the last when there is none.
func SeqAt(ctx context.Context, nc *Conn, domain, stream string, t time.Time) (record.Seq, error) {
	state, err := State(ctx, nc, domain, stream)
	if err != nil {
		return 0, err
	}
	if state.Msgs == 0 || state.LastTime.Before(t) {
		return state.Last + 1, nil
	}
	// Stored times only grow along a stream, so the place can be halved down to.
	low, high := state.First, state.Last
	for low < high {
		mid := low + (high-low)/2
		m, err := nextMessage(ctx, nc, domain, stream, mid)
		if err != nil {
			return 0, err
		}
		if m.Time.Before(t) {
			low = m.Seq + 1
		} else {
			high = mid
		}
	}
	return low, nil
}

// nextMessage is the first message at or after seq; one must be there.
func nextMessage(ctx context.Context, nc *Conn, domain, stream string, seq record.Seq) (Message, error) {
	m, ok, err := directGet(ctx, nc, domain, stream, api.JSApiMsgGetRequest{Seq: uint64(seq), NextFor: ">"})
	if err == nil && !ok {
		err = fault.New(fault.NotFound, "", "stream %s has no message from %d on any more", stream, seq)
	}
	return m, err
}
