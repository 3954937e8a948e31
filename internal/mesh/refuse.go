package mesh

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/nats-io/jsm.go/api"

	"github.com/meshctl/meshctl/internal/fault"
)

const keepHint = "keep the old limit, or purge what is beyond the new one first"

// refusals joins every reason not to change a stream to want.
func refusals(ctx context.Context, nc *Conn, have *api.StreamInfo, want api.StreamConfig, lose bool) error {
	now := have.Config
	var all []error
	if !reflect.DeepEqual(now.Mirror, want.Mirror) {
		all = append(all, fault.New(fault.Conflict, "delete the mirror first; its records remain at their owner",
			"a stream cannot change what it mirrors, from %s to %s", mirrorName(now.Mirror), mirrorName(want.Mirror)))
	}
	for _, s := range now.Subjects {
		if have.State.Msgs > 0 && !slices.Contains(want.Subjects, s) && want.Mirror == nil {
			all = append(all, fault.New(fault.Conflict, "keep the subject, or make a new major version of the port",
				"subject %s would no longer be stored", s))
		}
	}
	if lose || have.State.Msgs == 0 {
		return errors.Join(all...)
	}
	if tighter(int64(now.MaxAge), int64(want.MaxAge)) && time.Since(have.State.FirstTime) > want.MaxAge {
		all = append(all, fault.New(fault.Conflict, keepHint, "age limit %s would drop messages since %s",
			want.MaxAge, have.State.FirstTime.Format(time.RFC3339)))
	}
	if tighter(now.MaxBytes, want.MaxBytes) && have.State.Bytes > uint64(want.MaxBytes) {
		all = append(all, fault.New(fault.Conflict, keepHint, "size limit %d bytes is below the %d there are",
			want.MaxBytes, have.State.Bytes))
	}
	if tighter(now.MaxMsgsPer, want.MaxMsgsPer) {
		all = append(all, perSubjectRefusal(ctx, nc, want))
	}
	return errors.Join(all...)
}

func perSubjectRefusal(ctx context.Context, nc *Conn, want api.StreamConfig) error {
	counts, err := SubjectCounts(ctx, nc, "", want.Name, ">")
	if err != nil {
		return err
	}
	for subject, n := range counts {
		if n > uint64(want.MaxMsgsPer) {
			return fault.New(fault.Conflict, keepHint, "limit of %d messages a subject would drop some of the %d of %s",
				want.MaxMsgsPer, n, subject)
		}
	}
	return nil
}

// tighter says whether a limit gets smaller; 0 and below are no limit.
func tighter(have, want int64) bool { return want > 0 && (have <= 0 || want < have) }

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
