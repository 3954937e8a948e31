package mesh

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jsm.go/api"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// StreamConfig is all that a stream is set to, in the words of JetStream.
type StreamConfig = api.StreamConfig

// ConsumerConfig is all that a consumer is set to, in the words of JetStream.
type ConsumerConfig = api.ConsumerConfig

// Stream is one stream as it is now.
type Stream struct {
	Domain  string       `json:"domain"` // of JetStream; "" where it has no name
	Name    string       `json:"name"`
	Keeper  Keeper       `json:"keeper"` // who looks after it
	Created time.Time    `json:"created"`
	Config  StreamConfig `json:"config"`
	StreamHolding
	// Rate is messages a second that came in over the last minute.
	Rate      float64          `json:"rate"`
	Mirror    *StreamOrigin    `json:"mirror,omitempty"`
	Sources   []StreamOrigin   `json:"sources,omitempty"`
	Nodes     []StreamNode     `json:"nodes,omitempty"` // that hold it, in a cluster
	Consumers []StreamConsumer `json:"consumers"`
}

// StreamHolding is what a stream holds.
type StreamHolding struct {
	Messages  uint64    `json:"messages"`
	Bytes     uint64    `json:"bytes"`
	First     uint64    `json:"firstSequence"`
	Last      uint64    `json:"lastSequence"`
	FirstTime time.Time `json:"firstTime,omitzero"`
	LastTime  time.Time `json:"lastTime,omitzero"`
	Deleted   int       `json:"deleted"` // sequences between the first and the last that are not there
	Subjects  int       `json:"subjects"`
}

// StreamOrigin is what a mirror or a source copies, and how far it is.
type StreamOrigin struct {
	Domain string        `json:"domain"`
	Stream string        `json:"stream"`
	Filter string        `json:"filter,omitempty"`
	Lag    uint64        `json:"lag"`
	Active time.Duration `json:"activeNs"` // since the origin was last heard of; negative when never
	Error  string        `json:"error,omitempty"`
}

// StreamNode is a server of a cluster that holds a stream.
type StreamNode struct {
	Name    string `json:"name"`
	Leader  bool   `json:"leader"`
	Current bool   `json:"current"`
	Offline bool   `json:"offline,omitempty"`
	Lag     uint64 `json:"lag,omitempty"`
}

// StreamConsumer is who reads a stream by a position that the server keeps.
type StreamConsumer struct {
	Name       string         `json:"name"`
	Config     ConsumerConfig `json:"config"`
	Created    time.Time      `json:"created"`
	Delivered  uint64         `json:"delivered"` // sequences of the stream
	Acked      uint64         `json:"acked"`
	Pending    uint64         `json:"pending"` // not delivered yet
	Unacked    int            `json:"unacked"` // delivered, not acknowledged
	Redeliver  int            `json:"redelivered"`
	Waiting    int            `json:"waiting"` // pull requests
	Paused     bool           `json:"paused,omitempty"`
	Bound      bool           `json:"bound,omitempty"` // somebody listens where it pushes to
	LastActive time.Time      `json:"lastActive,omitzero"`
}

// Lag is how far the slowest consumer is behind.
func (s *Stream) Lag() (lag uint64) {
	for i := range s.Consumers {
		lag = max(lag, s.Consumers[i].Lag())
	}
	return lag
}

// Lag is how many messages the consumer has not been given, or has not acknowledged where
// it does so by itself. Mirrors do it when the flow is next controlled, however far they are.
func (c *StreamConsumer) Lag() uint64 {
	if c.Config.AckPolicy == api.AckExplicit || c.Config.AckPolicy == api.AckAll {
		return c.Pending + uint64(c.Unacked)
	}
	return c.Pending
}

// Origins are the mirror and the sources.
func (s *Stream) Origins() []StreamOrigin {
	if s.Mirror != nil {
		return []StreamOrigin{*s.Mirror}
	}
	return s.Sources
}

// Address is how commands name the stream.
func (s *Stream) Address() string { return s.Domain + "/" + s.Name }

// StreamQuery says which streams to tell of.
type StreamQuery struct {
	Stream    string `json:"stream,omitempty"` // all when empty
	Consumers bool   `json:"consumers,omitempty"`
	Rates     bool   `json:"rates,omitempty"`
}

// Admin looks after the streams of one domain. It needs a connection that reaches the
// domain's JetStream API, which on a link nobody's does: so it works beside the streams.
type Admin struct {
	nc     *Conn
	domain string
	linked bool     // the domain is a leaf or the hub of a mesh
	single bool     // it is known to be of one server
	closed []string // streams whose content it shows to nobody
	spools spools
	// Around, where set, is called around a change of a product's own streams: do makes it.
	Around func(ctx context.Context, do func(context.Context) error) error
}

// SpoolIn lets archives go through files of a folder, which is emptied.
func (a *Admin) SpoolIn(dir string) error {
	a.spools.dir = dir
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("empty the folder of archives: %w", err)
	}
	return nil
}

// NewAdmin looks after the streams of a domain; "" is the local one.
func NewAdmin(nc *Conn, domain string) *Admin { return &Admin{nc: nc, domain: domain} }

// NewMeshAdmin looks after the streams of the leaf or the hub that nc belongs to, and
// refuses what would be in the way of products. single says that it is one server. What is
// in the closed buckets it shows to nobody.
func NewMeshAdmin(nc *Conn, single bool, closed ...string) *Admin {
	a := &Admin{nc: nc, linked: true, single: single}
	for _, bucket := range closed {
		a.closed = append(a.closed, bucketPrefix+bucket)
	}
	return a
}

// content is nil when what is in a stream may be shown.
func (a *Admin) content(stream string) error {
	if slices.Contains(a.closed, stream) {
		return fault.New(fault.Denied, "list credentials with meshctl creds ls", "what is in stream %s is shown to nobody", stream)
	}
	return validStream(stream)
}

// Streams are the streams of the domain, by name. One that was asked for and is not
// there is NotFound.
func (a *Admin) Streams(ctx context.Context, q StreamQuery) ([]Stream, error) {
	infos, err := a.infos(ctx, q.Stream)
	if err != nil {
		return nil, err
	}
	streams := make([]Stream, len(infos))
	for i, info := range infos {
		s := asStream(info)
		if q.Consumers && info.State.Consumers > 0 {
			if s.Consumers, err = a.consumers(ctx, s.Name); err != nil {
				return nil, err
			}
		}
		if q.Rates {
			if s.Rate, err = a.rate(ctx, info); err != nil {
				return nil, err
			}
		}
		streams[i] = s
	}
	slices.SortFunc(streams, func(a, b Stream) int { return cmp.Compare(a.Name, b.Name) })
	return streams, nil
}

// infos is what the server says of one stream, or of all.
func (a *Admin) infos(ctx context.Context, stream string) ([]*api.StreamInfo, error) {
	if stream != "" {
		info, err := a.info(ctx, stream)
		return []*api.StreamInfo{info}, err
	}
	var all []*api.StreamInfo
	for {
		var req api.JSApiStreamListRequest
		req.Offset = len(all)
		page, err := ask[api.JSApiStreamListResponse](ctx, a.nc, a.domain, api.JSApiStreamListT, req)
		if err != nil {
			return nil, fmt.Errorf("list streams: %w", err)
		}
		all = append(all, page.Streams...)
		if len(page.Streams) == 0 || len(all) >= page.Total {
			return all, nil
		}
	}
}

func (a *Admin) info(ctx context.Context, stream string) (*api.StreamInfo, error) {
	if err := validStream(stream); err != nil {
		return nil, err
	}
	info, err := streamInfo(ctx, a.nc, a.domain, stream)
	if fault.KindOf(err) == fault.NotFound {
		return nil, fault.New(fault.NotFound, "list what there is with meshctl stream ls", "there is no stream %s in %s", stream, domainName(a.domain))
	}
	return info, err
}

// validStream refuses what would be another subject of the API.
func validStream(name string) error {
	if name == "" || strings.ContainsAny(name, ".*>/\\ \t\r\n") {
		return fault.New(fault.Invalid, "write it as PRODUCT/STREAM, such as flights/flights-v1", "%q cannot be the name of a stream", name)
	}
	return nil
}

func asStream(info *api.StreamInfo) Stream {
	st := info.State
	s := Stream{
		Domain: info.Domain, Name: info.Config.Name, Keeper: KeeperOf(&info.Config), Created: info.Created, Config: info.Config,
		StreamHolding: StreamHolding{
			Messages: st.Msgs, Bytes: st.Bytes, First: st.FirstSeq, Last: st.LastSeq, FirstTime: st.FirstTime, LastTime: st.LastTime,
			Deleted: st.NumDeleted, Subjects: st.NumSubjects,
		},
		Consumers: []StreamConsumer{},
	}
	if c := info.Config.Mirror; c != nil {
		o := asOrigin(c, info.Mirror, info.Domain)
		s.Mirror = &o
	}
	for _, c := range info.Config.Sources {
		s.Sources = append(s.Sources, asOrigin(c, originInfo(info.Sources, c), info.Domain))
	}
	if c := info.Cluster; c != nil && info.Config.Replicas > 1 {
		s.Nodes = append(s.Nodes, StreamNode{Name: c.Leader, Leader: true, Current: true})
		for _, r := range c.Replicas {
			s.Nodes = append(s.Nodes, StreamNode{Name: r.Name, Current: r.Current, Offline: r.Offline, Lag: r.Lag})
		}
	}
	return s
}

// originInfo is what the server tells of a source, which may be at another place or missing.
func originInfo(all []*api.StreamSourceInfo, of *api.StreamSource) *api.StreamSourceInfo {
	for _, info := range all {
		if info.Name == of.Name && info.FilterSubject == of.FilterSubject && apiPrefix(info.External) == apiPrefix(of.External) {
			return info
		}
	}
	return nil
}

func apiPrefix(e *api.ExternalStream) string {
	if e == nil {
		return ""
	}
	return e.ApiPrefix
}

func asOrigin(c *api.StreamSource, info *api.StreamSourceInfo, local string) StreamOrigin {
	o := StreamOrigin{Domain: originDomain(c.External, local), Stream: c.Name, Filter: c.FilterSubject, Active: -1}
	if info != nil {
		o.Lag, o.Active = info.Lag, info.Active
		if info.Error != nil {
			o.Error = info.Error.Error()
		}
	}
	return o
}

// originDomain is the domain that an API prefix leads to; the prefix itself where it is
// some other account's.
func originDomain(e *api.ExternalStream, local string) string {
	prefix := apiPrefix(e)
	if prefix == "" {
		return local
	}
	if domain, ok := strings.CutPrefix(prefix, product.MirrorPrefix("")); ok {
		return domain
	}
	if rest, ok := strings.CutPrefix(prefix, "$JS."); ok {
		if domain, ok := strings.CutSuffix(rest, ".API"); ok {
			return domain
		}
	}
	return prefix
}

func (a *Admin) consumers(ctx context.Context, stream string) ([]StreamConsumer, error) {
	all := []StreamConsumer{}
	for {
		var req api.JSApiConsumerListRequest
		req.Offset = len(all)
		page, err := ask[api.JSApiConsumerListResponse](ctx, a.nc, a.domain, fmt.Sprintf(api.JSApiConsumerListT, stream), req)
		if err != nil {
			return nil, fmt.Errorf("list consumers of stream %s: %w", stream, err)
		}
		for _, c := range page.Consumers {
			all = append(all, asConsumer(c))
		}
		if len(page.Consumers) == 0 || len(all) >= page.Total {
			slices.SortFunc(all, func(a, b StreamConsumer) int { return cmp.Compare(a.Name, b.Name) })
			return all, nil
		}
	}
}

func asConsumer(c *api.ConsumerInfo) StreamConsumer {
	out := StreamConsumer{
		Name: c.Name, Config: c.Config, Created: c.Created, Delivered: c.Delivered.Stream, Acked: c.AckFloor.Stream,
		Pending: c.NumPending, Unacked: c.NumAckPending, Redeliver: c.NumRedelivered, Waiting: c.NumWaiting,
		Paused: c.Paused, Bound: c.PushBound,
	}
	for _, at := range []*time.Time{c.Delivered.Last, c.AckFloor.Last} {
		if at != nil && at.After(out.LastActive) {
			out.LastActive = *at
		}
	}
	return out
}

// rateOver is the time that a rate is the mean of.
const rateOver = time.Minute

// rate is how many messages a second came in lately. The stream itself tells, by its
// sequences and times, so nobody has to wait and look twice.
func (a *Admin) rate(ctx context.Context, info *api.StreamInfo) (float64, error) {
	now := info.TimeStamp
	if now.IsZero() {
		now = time.Now()
	}
	since := now.Add(-rateOver)
	if info.State.Msgs == 0 || info.State.LastTime.Before(since) {
		return 0, nil
	}
	req := api.JSApiMsgGetRequest{StartTime: &since, NextFor: ">"}
	m, err := a.message(ctx, info.Config.Name, req)
	if fault.KindOf(err) == fault.NotFound { // retention has dropped them meanwhile
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	over := rateOver
	if info.Created.After(since) {
		over = max(now.Sub(info.Created), time.Second)
	}
	return float64(info.State.LastSeq-min(m.Sequence, info.State.LastSeq)+1) / over.Seconds(), nil
}
