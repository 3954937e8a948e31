package mesh

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/nats-io/jsm.go/api"
)

// Danger is what somebody must insist on for a change to be made all the same.
type Danger string

// The dangers. A reason without one holds whatever is insisted on.
const (
	LosesData Danger = "lose-data" // messages are dropped, or are stored no more
	ForGood   Danger = "for-good"  // it cannot be taken back
	TakesOver Danger = "take-over" // another tool looks after the stream, and may change it back
)

// Reason is why a change is not made.
type Reason struct {
	Text   string `json:"reason"`
	Hint   string `json:"hint,omitempty"`
	Danger Danger `json:"danger,omitempty"`
}

func refuse(hint, format string, args ...any) Reason {
	return Reason{Text: fmt.Sprintf(format, args...), Hint: hint}
}

// endanger is a reason that may be insisted on.
func endanger(d Danger, hint, format string, args ...any) Reason {
	return Reason{Text: fmt.Sprintf(format, args...), Hint: hint, Danger: d}
}

// LoseDataHint is for what a product's descriptor says of how long its records are kept:
// nobody may purge a port's log.
const LoseDataHint = "keep the old limit, or let them go with --dangerous-lose-data of up, run or deploy"

const keepHint = "keep the old limit, or purge what is beyond the new one first"

// productReasons is everything that speaks against changing a stream of a product to want.
func productReasons(ctx context.Context, nc *Conn, have *api.StreamInfo, want *StreamConfig, lose bool) ([]Reason, error) {
	all, err := NewMeshAdmin(nc, true).changeReasons(ctx, have, want)
	all = slices.DeleteFunc(all, func(r Reason) bool { return r.Danger == LosesData && lose })
	for i := range all {
		if all[i].Hint == keepHint {
			all[i].Hint = LoseDataHint
		}
	}
	return all, err
}

// changeReasons is everything that speaks against changing a stream to want.
func (a *Admin) changeReasons(ctx context.Context, have *api.StreamInfo, want *StreamConfig) ([]Reason, error) {
	now := &have.Config
	all := append(configRules(want, a.single), changeRules(now, want)...)
	all = append(all, stops(have, want)...)
	lost, err := a.losses(ctx, have, want)
	return append(all, lost...), err
}

// stops is what a stream would store no more, or could never do again.
func stops(have *api.StreamInfo, want *StreamConfig) (all []Reason) {
	now := &have.Config
	for _, s := range now.Subjects {
		if have.State.Msgs > 0 && !slices.Contains(want.Subjects, s) && want.Mirror == nil {
			all = append(all, endanger(LosesData, "keep the subject, or make a new major version of the port",
				"subject %s would no longer be stored", s))
		}
	}
	for _, s := range now.Sources {
		if s != nil && !slices.ContainsFunc(want.Sources, func(o *api.StreamSource) bool { return sameOrigin(s, o) }) {
			all = append(all, endanger(LosesData, "keep the source as it is",
				"source %s would no longer be copied, or from its beginning again", mirrorName(s)))
		}
	}
	if now.Mirror != nil && want.Mirror == nil {
		all = append(all, endanger(ForGood, "keep the mirror", "the stream would no longer mirror %s, and could not again", mirrorName(now.Mirror)))
	}
	for _, lasting := range []struct {
		had, has bool
		what     string
	}{
		{now.Sealed, want.Sealed, "a sealed stream takes no message any more"},
		{now.DenyDelete, want.DenyDelete, "deny_delete"}, {now.DenyPurge, want.DenyPurge, "deny_purge"},
	} {
		if !lasting.had && lasting.has {
			all = append(all, endanger(ForGood, "leave it as it is", "%s, and that cannot be taken back", lasting.what))
		}
	}
	return all
}

// losses is what a stream holds that it would drop.
func (a *Admin) losses(ctx context.Context, have *api.StreamInfo, want *StreamConfig) (all []Reason, err error) {
	now, st := &have.Config, &have.State
	if st.Msgs == 0 {
		return nil, nil
	}
	lose := func(hint, format string, args ...any) {
		all = append(all, endanger(LosesData, hint, format, args...))
	}
	if tighter(int64(now.MaxAge), int64(want.MaxAge)) && time.Since(st.FirstTime) > want.MaxAge {
		lose(keepHint, "age limit %s would drop messages since %s", want.MaxAge, st.FirstTime.Format(time.RFC3339))
	}
	if tighter(now.MaxBytes, want.MaxBytes) && st.Bytes > uint64(want.MaxBytes) {
		lose(keepHint, "size limit %d bytes is below the %d there are", want.MaxBytes, st.Bytes)
	}
	if tighter(now.MaxMsgs, want.MaxMsgs) && st.Msgs > uint64(want.MaxMsgs) {
		lose(keepHint, "limit of %d messages is below the %d there are", want.MaxMsgs, st.Msgs)
	}
	if now.Retention != want.Retention && want.Retention == api.InterestPolicy {
		lose("keep retention by limits", "by interest, messages that every consumer has acknowledged would be dropped, or all without a consumer")
	}
	if tighter(now.MaxMsgsPer, want.MaxMsgsPer) {
		most, err := a.mostOfASubject(ctx, want.Name)
		if err != nil {
			return nil, err
		}
		if most.Messages > uint64(want.MaxMsgsPer) {
			lose(keepHint, "limit of %d messages a subject would drop some of the %d of %s", want.MaxMsgsPer, most.Messages, most.Subject)
		}
	}
	return all, nil
}

// mostOfASubject is the subject that a stream has most messages of.
func (a *Admin) mostOfASubject(ctx context.Context, stream string) (most SubjectCount, err error) {
	err = subjectPages(ctx, a.nc, a.domain, stream, ">", func(page map[string]uint64) error {
		for subject, n := range page {
			if n > most.Messages {
				most = SubjectCount{subject, n}
			}
		}
		return nil
	})
	return most, err
}

// tighter says whether a limit gets smaller; 0 and below are no limit.
func tighter(have, want int64) bool { return want > 0 && (have <= 0 || want < have) }

func sameOrigin(a, b *api.StreamSource) bool { return reflect.DeepEqual(a, b) }

func mirrorName(s *api.StreamSource) string {
	switch {
	case s == nil:
		return "nothing"
	case s.External == nil:
		return s.Name
	default:
		return fmt.Sprintf("%s at %s", s.Name, s.External.ApiPrefix)
	}
}
