package mesh

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// The kinds of change.
const (
	AddStream    = "add"
	EditStream   = "edit"
	RemoveStream = "remove"
	PurgeStream  = "purge"
	SealStream   = "seal"
)

// StreamChange says what to do with a stream.
type StreamChange struct {
	Do     string `json:"do"`
	Stream string `json:"stream"`
	// Patch is what to set of the stream's configuration, in the words of JetStream, as a
	// JSON merge patch: what it does not name stays, null is the default.
	Patch json.RawMessage `json:"patch,omitempty"`
	// Of a purge: only these subjects, only below a sequence, or all but so many.
	Subject string `json:"subject,omitempty"`
	Below   uint64 `json:"below,omitempty"`
	Keep    uint64 `json:"keep,omitempty"`
	// Insist are the dangers that are known and wanted.
	Insist []Danger `json:"insist,omitempty"`
	DryRun bool     `json:"dryRun,omitempty"`
}

// The actions of a plan.
const (
	Unchanged = "unchanged"
	Create    = "create"
	Change    = "change"
	Remove    = "remove"
	Purged    = "purge"
)

// StreamPlan is what a change does, or would.
type StreamPlan struct {
	Stream  string        `json:"stream"`
	Action  string        `json:"action"`
	Fields  []FieldChange `json:"fields"`
	Loses   uint64        `json:"loses"`   // messages that go with the stream, or are purged
	Refused []Reason      `json:"refused"` // why it is not done
	Done    bool          `json:"done"`
}

// FieldChange is one field of a stream's configuration before and after; nil is not set.
type FieldChange struct {
	Field string          `json:"field"`
	Old   json.RawMessage `json:"old,omitempty"`
	New   json.RawMessage `json:"new,omitempty"`
}

// Err joins why the plan is not carried out; nil when nothing speaks against it.
func (p *StreamPlan) Err() error {
	if len(p.Refused) == 0 {
		return nil
	}
	texts := make([]string, len(p.Refused))
	for i, r := range p.Refused {
		texts[i] = r.Text
	}
	return fault.New(fault.Conflict, p.Refused[0].Hint, "%s stream %s: %s", p.Action, p.Stream, strings.Join(texts, "; "))
}

// Change does what q says, unless it is a dry run or something speaks against it, which
// is no error: the plan has it.
func (a *Admin) Change(ctx context.Context, q StreamChange) (*StreamPlan, error) {
	if err := validStream(q.Stream); err != nil {
		return nil, err
	}
	var have *api.StreamInfo
	all, err := a.infos(ctx, "")
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(all, func(s *api.StreamInfo) bool { return s.Config.Name == q.Stream }); i >= 0 {
		have = all[i]
	}
	switch {
	case have == nil && q.Do != AddStream:
		_, err := a.info(ctx, q.Stream)
		return nil, err
	case have != nil && q.Do == AddStream:
		return nil, fault.New(fault.Conflict, "change it with meshctl stream edit", "there is a stream %s already", q.Stream)
	}
	p := &StreamPlan{Stream: q.Stream, Fields: []FieldChange{}, Refused: []Reason{}}
	var do func(context.Context) error
	switch q.Do {
	case AddStream, EditStream, SealStream:
		do, err = a.planConfig(ctx, q, have, all, p)
	case RemoveStream:
		p.Action, p.Loses = Remove, have.State.Msgs
		do = func(ctx context.Context) error { return a.remove(ctx, q.Stream) }
	case PurgeStream:
		do, err = a.planPurge(ctx, q, have, p)
	default:
		err = fault.New(fault.Invalid, "", "there is no change %q of a stream", q.Do)
	}
	if err != nil {
		return nil, err
	}
	if p.Loses > 0 {
		p.Refused = append(p.Refused, endanger(LosesData, "", "%s would be lost", messages(p.Loses)))
	}
	if p.Action != Unchanged {
		p.Refused = append(kept(q, have), p.Refused...)
	}
	p.Refused = slices.DeleteFunc(p.Refused, func(r Reason) bool { return r.Danger != "" && slices.Contains(q.Insist, r.Danger) })
	if p.Action == Unchanged || q.DryRun || len(p.Refused) > 0 {
		return p, nil
	}
	if err := do(ctx); err != nil {
		return nil, fmt.Errorf("%s stream %s: %w", p.Action, q.Stream, err)
	}
	p.Done = true
	return p, nil
}

// planConfig compares a stream with what it shall be.
func (a *Admin) planConfig(ctx context.Context, q StreamChange, have *api.StreamInfo, all []*api.StreamInfo, p *StreamPlan) (func(context.Context) error, error) {
	now := StreamConfig{}
	if have != nil {
		now = have.Config
	}
	patch := q.Patch
	if q.Do == SealStream {
		patch = json.RawMessage(`{"sealed":true}`)
	}
	want, err := patched(now, patch)
	if err != nil {
		return nil, err
	}
	if want.Name == "" {
		want.Name = q.Stream
	}
	if have == nil {
		withDefaults(&want)
		p.Action = Create
		if p.Fields, err = fieldChanges(StreamConfig{}, want); err != nil {
			return nil, err
		}
		p.Refused = append(append(configRules(&want, a.single), neighbourRules(&want, all)...), a.reserved(&want)...)
		if want.Name != q.Stream {
			p.Refused = append(p.Refused, refuse("use one name", "the stream is to be called %s and %s", q.Stream, want.Name))
		}
		return func(ctx context.Context) error { return a.create(ctx, &want) }, nil
	}
	if p.Fields, err = fieldChanges(now, want); err != nil || len(p.Fields) == 0 {
		p.Action = Unchanged
		return nil, err
	}
	p.Action = Change
	p.Refused, err = a.changeReasons(ctx, have, &want)
	p.Refused = append(append(p.Refused, neighbourRules(&want, all)...), a.reserved(&want)...)
	return func(ctx context.Context) error { return a.update(ctx, &want) }, err
}

// withDefaults fills in what the server would, so that a plan shows it.
func withDefaults(c *StreamConfig) {
	for _, limit := range []*int64{&c.MaxMsgs, &c.MaxBytes, &c.MaxMsgsPer} {
		*limit = orNone(*limit)
	}
	if c.MaxConsumers <= 0 {
		c.MaxConsumers = -1
	}
	if c.MaxMsgSize <= 0 {
		c.MaxMsgSize = -1
	}
	c.Replicas = max(c.Replicas, 1)
	if len(c.Subjects) == 0 && c.Mirror == nil && len(c.Sources) == 0 {
		c.Subjects = []string{c.Name}
	}
}

// patched is a configuration with what the patch sets. A field that JetStream does not
// know is Invalid.
func patched(c StreamConfig, patch json.RawMessage) (StreamConfig, error) {
	if len(patch) == 0 {
		return c, nil
	}
	const hint = "see the fields with meshctl stream info -o yaml"
	fields, err := configFields(c)
	if err != nil {
		return c, err
	}
	set, err := exact[map[string]any](patch)
	if err != nil {
		return c, fault.New(fault.Invalid, hint, "read the configuration: %w", err)
	}
	merge(fields, set)
	data, err := json.Marshal(fields)
	if err != nil {
		return c, err
	}
	var out StreamConfig
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil {
		return c, fault.New(fault.Invalid, hint, "read the configuration: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return out, nil
}

// merge puts a JSON merge patch into fields.
func merge(fields, set map[string]any) {
	for key, value := range set {
		inner, ok := value.(map[string]any)
		had, had1 := fields[key].(map[string]any)
		switch {
		case value == nil:
			delete(fields, key)
		case ok && had1:
			merge(had, inner)
		default:
			fields[key] = value
		}
	}
}

func configFields(c StreamConfig) (map[string]any, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return exact[map[string]any](data)
}

// exact reads JSON with its numbers as they are written: an age of a year in nanoseconds
// is more than a float holds.
func exact[T any](data []byte) (v T, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return v, d.Decode(&v)
}

// fieldChanges are the fields that differ, by name.
func fieldChanges(old, new StreamConfig) ([]FieldChange, error) {
	before, err1 := configFields(normal(old))
	after, err2 := configFields(normal(new))
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	changes := []FieldChange{}
	all := maps.Clone(before)
	maps.Copy(all, after)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if reflect.DeepEqual(before[key], after[key]) {
			continue
		}
		c := FieldChange{Field: key}
		var err3, err4 error
		if v, ok := before[key]; ok {
			c.Old, err3 = json.Marshal(v)
		}
		if v, ok := after[key]; ok {
			c.New, err4 = json.Marshal(v)
		}
		if err := errors.Join(err3, err4); err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// planPurge counts what would go.
func (a *Admin) planPurge(ctx context.Context, q StreamChange, have *api.StreamInfo, p *StreamPlan) (func(context.Context) error, error) {
	if q.Keep > 0 && q.Below > 0 {
		return nil, fault.New(fault.Invalid, "leave out one of them", "a purge keeps messages by their number or by their sequence")
	}
	p.Action, p.Loses = Purged, have.State.Msgs
	if q.Subject != "" {
		counts, err := SubjectCounts(ctx, a.nc, a.domain, q.Stream, q.Subject)
		if err != nil {
			return nil, err
		}
		p.Loses = 0
		for _, n := range counts {
			p.Loses += n
		}
	}
	p.Loses -= min(p.Loses, q.Keep)
	if q.Below > 0 { // at most: of a subject, or with gaps, there may be fewer
		p.Loses = min(p.Loses, q.Below-min(q.Below, max(have.State.FirstSeq, 1)))
	}
	if have.Config.DenyPurge || have.Config.Sealed {
		p.Refused = append(p.Refused, refuse("remove the stream", "the stream does not let anybody purge it"))
	}
	if p.Loses == 0 {
		p.Action = Unchanged
	}
	return func(ctx context.Context) error {
		req := api.JSApiStreamPurgeRequest{Subject: q.Subject, Sequence: q.Below, Keep: q.Keep}
		answer, err := ask[api.JSApiStreamPurgeResponse](ctx, a.nc, a.domain, fmt.Sprintf(api.JSApiStreamPurgeT, q.Stream), req)
		p.Loses = answer.Purged
		return err
	}, nil
}

// kept are the reasons that whoever looks after a stream gives.
func kept(q StreamChange, have *api.StreamInfo) []Reason {
	if have == nil {
		return nil
	}
	k := KeeperOf(&have.Config)
	switch {
	case k.Name == KeptByMeshctl:
		return []Reason{promised(q.Do, k)}
	case k.Name != "":
		return []Reason{endanger(TakesOver, "change it there", "%s looks after the stream, as its metadata say (%s), and would change it back", k.Name, k.What)}
	case k.What != "" && (q.Do == EditStream || q.Do == SealStream):
		return []Reason{endanger(TakesOver, "change it as what it is", "the stream is the %s", k.What)}
	}
	return nil
}

// promised is what a product's own stream would break if it was changed by hand.
func promised(do string, k Keeper) Reason {
	var hint, why string
	switch k.What {
	case keptLog:
		hint, why = "change the port in dataproduct.yaml: retention and stream", "it is the log of a port, which every store and reader follows"
		if do == PurgeStream || do == RemoveStream {
			hint = "let retention drop records, in dataproduct.yaml"
		}
	case keptInbox:
		hint, why = "stop the publisher", "records wait in it until the contract has judged them, and an import resumes from it"
	case keptDead:
		hint, why = "use meshctl deadletter replay or purge", "dead letters are removed one by one, so that none is judged twice"
	case keptAgain:
		hint, why = "wait until the logic has taken them", "letters wait in it that the logic takes again"
	case keptMirror:
		hint, why = "take the input out of dataproduct.yaml", "it is the copy of another product's port, sequence by sequence, that an input reads"
	default:
		hint, why = "use the commands catalog and creds", "the mesh itself keeps it"
	}
	return refuse(hint, "%s", why)
}

// What passes through a mesh and no stream may store: whoever asks would be answered by it.
var meshSubjects = []string{"mesh.>", "deliver.>", "_INBOX.>", "_R_.>", "$SRV.>", product.MirrorRequests}

// reserved are the reasons for which a stream would be in the way of products.
func (a *Admin) reserved(c *StreamConfig) (all []Reason) {
	if !a.linked {
		return nil
	}
	origins := c.Sources
	if c.Mirror != nil {
		origins = append(slices.Clone(origins), c.Mirror)
	}
	for _, o := range origins {
		if o != nil && o.External != nil {
			all = append(all, refuse("read the port as an input of a product", "no link carries a request for %s to another leaf", mirrorName(o)))
		}
	}
	for _, s := range c.Subjects {
		for _, own := range meshSubjects {
			if server.IsValidSubject(s) && server.SubjectsCollide(s, own) {
				all = append(all, refuse("use narrower subjects", "subject %s would store what the mesh itself says to %s, and answer it", s, own))
			}
		}
	}
	return all
}

func messages(n uint64) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%d messages", n)
}

func (a *Admin) create(ctx context.Context, c *StreamConfig) error {
	_, err := ask[api.JSApiStreamCreateResponse](ctx, a.nc, a.domain, fmt.Sprintf(api.JSApiStreamCreateT, c.Name), c)
	return serverNo(err, "")
}

func (a *Admin) update(ctx context.Context, c *StreamConfig) error {
	_, err := ask[api.JSApiStreamUpdateResponse](ctx, a.nc, a.domain, fmt.Sprintf(api.JSApiStreamUpdateT, c.Name), c)
	return serverNo(err, "")
}

func (a *Admin) remove(ctx context.Context, stream string) error {
	_, err := ask[api.JSApiStreamDeleteResponse](ctx, a.nc, a.domain, fmt.Sprintf(api.JSApiStreamDeleteT, stream), nil)
	return serverNo(err, "")
}

// serverNo makes a server's plain no a Conflict.
func serverNo(err error, hint string) error {
	if err == nil || fault.KindOf(err) != fault.Internal {
		return err
	}
	return fault.New(fault.Conflict, hint, "%w", err)
}
