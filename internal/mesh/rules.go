package mesh

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats-server/v2/server"
)

// configRules are the reasons for which the server would not take a configuration,
// whatever there was before. single says that the server is not one of a cluster.
func configRules(c *StreamConfig, single bool) (all []Reason) {
	no := func(hint, format string, args ...any) { all = append(all, refuse(hint, format, args...)) }
	if validStream(c.Name) != nil || len(c.Name) > 255 {
		no("use letters, digits, dashes and underscores, at most 255", "%q cannot be the name of a stream", c.Name)
	}
	if c.Replicas > 5 || c.Replicas < 0 {
		no("use 1, 3 or 5", "a stream has between 1 and 5 replicas, not %d", c.Replicas)
	} else if c.Replicas > 1 && single {
		no("leave it at 1: a product's leaf is one server", "%d replicas need a cluster of as many servers, and this is one server", c.Replicas)
	}
	const least = 100 * time.Millisecond
	if c.MaxAge < 0 || c.MaxAge > 0 && c.MaxAge < least {
		no("use at least 100ms, or 0 for no limit", "an age limit of %s is too short", c.MaxAge)
	}
	if c.Duplicates < 0 || c.Duplicates > 0 && c.Duplicates < least {
		no("use at least 100ms", "a duplicates window of %s is too short", c.Duplicates)
	}
	if c.MaxAge > 0 && c.Duplicates > c.MaxAge {
		no("make the window as long as the age limit at most", "the duplicates window %s is longer than the age limit %s", c.Duplicates, c.MaxAge)
	}
	if c.DiscardNewPer && (c.Discard != api.DiscardNew || c.MaxMsgsPer <= 0) {
		no("set discard to new, and max_msgs_per_subject", "refusing new messages by subject needs discard new and a limit of messages a subject")
	}
	if c.DenyPurge && c.RollupAllowed {
		no("drop one of the two", "roll-ups purge, which deny_purge forbids")
	}
	if c.SubjectDeleteMarkerTTL < 0 || c.SubjectDeleteMarkerTTL > 0 && c.SubjectDeleteMarkerTTL < time.Second {
		no("use at least 1s", "delete markers cannot last %s", c.SubjectDeleteMarkerTTL)
	}
	all = append(all, kindRules(c)...)
	return append(append(all, originRules(c)...), subjectRules(c)...)
}

// kindRules are about what does not go together with counters, schedules and asynchronous files.
func kindRules(c *StreamConfig) (all []Reason) {
	no := func(hint, format string, args ...any) { all = append(all, refuse(hint, format, args...)) }
	if c.AllowMsgCounter && (c.Discard == api.DiscardNew || c.AllowMsgTTL || c.AllowMsgSchedules || c.Retention != api.LimitsPolicy) {
		no("drop one of them", "a stream of counters goes by limits, discards old messages, and has neither TTLs nor schedules")
	}
	if c.AllowMsgSchedules && c.Discard == api.DiscardNew {
		no("discard old messages", "scheduled messages need a stream that discards old ones")
	}
	if c.AllowMsgSchedules && len(c.Sources) > 0 {
		no("drop the sources or the schedules", "a stream with sources cannot schedule messages")
	}
	if c.PersistMode == api.AsyncPersistMode && (c.Storage != api.FileStorage || c.Replicas > 1 || c.AllowAtomicPublish) {
		no("use the default persist mode", "asynchronous files need file storage, one replica and no atomic batches")
	}
	return all
}

// originRules are about mirrors and sources.
func originRules(c *StreamConfig) (all []Reason) {
	no := func(hint, format string, args ...any) { all = append(all, refuse(hint, format, args...)) }
	if m := c.Mirror; m != nil {
		if len(c.Subjects) > 0 || len(c.Sources) > 0 || c.FirstSeq > 0 {
			no("drop them, or use a source instead of a mirror", "a mirror has no subjects, sources or first sequence of its own")
		}
		if c.AllowAtomicPublish || c.AllowBatchPublish || c.AllowMsgCounter || c.AllowMsgSchedules || c.SubjectDeleteMarkerTTL > 0 {
			no("drop them", "nobody publishes to a mirror, so it has no batches, counters, schedules or delete markers")
		}
		all = append(all, originRule("mirror", m)...)
	}
	seen := map[string]bool{}
	for _, s := range c.Sources {
		if s == nil {
			no("write its name", "a source is empty")
			continue
		}
		all = append(all, originRule("source", s)...)
		key := strings.Join([]string{s.Name, apiPrefix(s.External), s.FilterSubject, fmt.Sprint(s.SubjectTransforms)}, " ")
		if seen[key] {
			no("name it once", "source %s stands there twice", s.Name)
		}
		seen[key] = true
	}
	return all
}

func originRule(kind string, s *api.StreamSource) (all []Reason) {
	no := func(hint, format string, args ...any) { all = append(all, refuse(hint, format, args...)) }
	if validStream(s.Name) != nil {
		no("write the name of a stream", "%q cannot be the name of a %s", s.Name, kind)
	}
	if s.FilterSubject != "" && len(s.SubjectTransforms) > 0 {
		no("put the filter into the transform's source", "%s %s has a filter together with transforms", kind, s.Name)
	}
	if prefix := apiPrefix(s.External); prefix != "" {
		if strings.ContainsAny(prefix, "*> ") || server.SubjectsCollide(prefix, "$JS.API") {
			no("write it as $JS.DOMAIN.API", "%q is no API prefix of %s %s", prefix, kind, s.Name)
		}
	}
	if s.Consumer != nil && (s.FilterSubject != "" || s.OptStartSeq != 0 || s.OptStartTime != nil) {
		no("let the consumer filter", "%s %s has a consumer of its own, which alone says where it begins and what it takes", kind, s.Name)
	}
	return all
}

// subjectRules are about the subjects that a stream stores.
func subjectRules(c *StreamConfig) (all []Reason) {
	no := func(hint, format string, args ...any) { all = append(all, refuse(hint, format, args...)) }
	for i, s := range c.Subjects {
		if !server.IsValidSubject(s) {
			no("separate tokens by single dots; * and > stand alone", "%q is no subject", s)
			continue
		}
		for _, other := range c.Subjects[i+1:] {
			if server.SubjectsCollide(s, other) {
				no("drop one of them", "subjects %s and %s overlap", s, other)
			}
		}
		for _, own := range []string{"$JS.>", "$JSC.>", "$NRG.>", "$SYS.>"} {
			events := strings.HasPrefix(s, "$JS.EVENT.") || strings.HasPrefix(s, "$SYS.ACCOUNT.")
			if !c.NoAck && !events && server.SubjectsCollide(s, own) {
				no("use narrower subjects", "subject %s would store what NATS itself says to %s", s, own)
			}
		}
		if s == ">" && c.Replicas > 1 {
			no("use one replica", "a stream of all subjects has one replica")
		}
		if c.RePublish != nil && server.SubjectsCollide(c.RePublish.Destination, s) && c.SubjectTransform == nil {
			no("republish to other subjects", "what is republished to %s would be stored again", c.RePublish.Destination)
		}
	}
	return all
}

// changeRules are the reasons for which the server would not change a stream so.
func changeRules(now, want *StreamConfig) (all []Reason) {
	no := func(hint, format string, args ...any) { all = append(all, refuse(hint, format, args...)) }
	const anew = "make another stream, and copy what is in this one with a source"
	if want.Name != now.Name {
		no(anew, "a stream cannot get another name")
	}
	if want.Storage != now.Storage {
		no(anew, "a stream cannot change where it is stored, from %s to %s", lower(now.Storage), lower(want.Storage))
	}
	if want.Retention != now.Retention && (want.Retention == api.WorkQueuePolicy || now.Retention == api.WorkQueuePolicy) {
		no(anew, "a stream cannot become a work queue or stop being one")
	}
	if want.Mirror != nil && !sameOrigin(now.Mirror, want.Mirror) {
		no("delete the mirror first; its records remain at their owner",
			"a stream cannot change what it mirrors, from %s to %s", mirrorName(now.Mirror), mirrorName(want.Mirror))
	}
	if want.AllowMsgCounter != now.AllowMsgCounter {
		no(anew, "a stream cannot begin or stop to count")
	}
	if want.PersistMode != now.PersistMode {
		no(anew, "a stream cannot change its persist mode")
	}
	for _, lasting := range []struct {
		had, has bool
		what     string
	}{
		{now.Sealed, want.Sealed, "sealed"}, {now.DenyDelete, want.DenyDelete, "deny_delete"}, {now.DenyPurge, want.DenyPurge, "deny_purge"},
		{now.AllowMsgTTL, want.AllowMsgTTL, "allow_msg_ttl"}, {now.AllowMsgSchedules, want.AllowMsgSchedules, "allow_msg_schedules"},
	} {
		if lasting.had && !lasting.has {
			no(anew, "%s is for good", lasting.what)
		}
	}
	return all
}

func lower(v fmt.Stringer) string { return strings.ToLower(v.String()) }

// neighbourRules are the reasons for which a stream cannot live beside the others.
func neighbourRules(want *StreamConfig, others []*api.StreamInfo) (all []Reason) {
	for _, o := range others {
		if o.Config.Name == want.Name {
			continue
		}
		for _, s := range want.Subjects {
			if i := slices.IndexFunc(o.Config.Subjects, func(other string) bool { return server.SubjectsCollide(s, other) }); i >= 0 {
				all = append(all, refuse("use narrower subjects, or drop them from the other stream first",
					"subject %s is stored by stream %s already, as %s", s, o.Config.Name, o.Config.Subjects[i]))
			}
		}
	}
	return all
}
