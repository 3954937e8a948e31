package mesh

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/record"
)

// Vitals is how the leaf's server fares; deep adds every stream with its consumers. It
// asks its own server only.
func (l *Leaf) Vitals(deep bool) (catalog.Vitals, error) {
	info, err := l.srv.Jsz(jszOptions(deep))
	if err != nil {
		return catalog.Vitals{}, fmt.Errorf("inspect leaf %s: %w", l.domain, err)
	}
	l.link.look(time.Now())
	v := catalog.Vitals{Name: l.domain, Domain: l.domain, Link: l.link.state()}
	v.Details = fill(&v, info)
	l.fillServer(&v)
	if why := l.Refused(); why != nil {
		v.Link.Refused = why.Error()
	}
	if err := l.Err(); err != nil {
		v.Error = err.Error()
	}
	return v, nil
}

// Vitals is how the hub fares, all of its nodes that answer; deep adds every stream.
func (h *Hub) Vitals(ctx context.Context, deep bool) (catalog.Vitals, error) {
	v := catalog.Vitals{Name: product.HubName, Domain: product.HubDomain, Size: 1}
	options := jszOptions(deep)
	options.StreamLeaderOnly = true
	infos, err := everyNode[server.JSInfo](ctx, h, "JSZ", options)
	if err != nil {
		return v, err
	}
	for _, node := range infos {
		v.Details = append(v.Details, fill(&v, &node.Data)...)
		if meta := node.Data.Meta; meta != nil {
			v.Size = max(v.Size, meta.Size)
		}
	}
	if h.opts.Cluster != nil {
		v.Size = len(h.opts.Cluster.Routes)
	}
	links, err := everyNode[server.Leafz](ctx, h, "LEAFZ", nil)
	if err != nil {
		return v, err
	}
	for _, node := range links {
		leader := false
		for _, i := range infos {
			leader = leader || i.Server.Name == node.Server.Name && i.Data.Meta != nil && i.Data.Meta.Leader == node.Server.Name
		}
		v.Nodes = append(v.Nodes, catalog.Node{Name: node.Server.Name, Version: node.Server.Version, Leader: leader})
		for _, link := range node.Data.Leafs {
			v.Leaves = append(v.Leaves, joined(link, node.Server.Name))
		}
	}
	h.fillServer(&v)
	if err := h.Err(); err != nil {
		v.Error = err.Error()
	}
	return v, nil
}

func jszOptions(deep bool) *server.JSzOptions {
	return &server.JSzOptions{Accounts: true, Streams: true, Consumer: deep, Config: deep}
}

func (n *node) fillServer(v *catalog.Vitals) {
	v.Server = server.VERSION
	v.MaxPayload = int64(n.nc.MaxPayload())
}

// fill takes in what JetStream says of itself, and is its streams where their
// configuration was asked for.
func fill(v *catalog.Vitals, info *server.JSInfo) []catalog.Stream {
	v.Storage.Used = max(v.Storage.Used, info.Store)
	v.Storage.Limit = info.Config.MaxStore
	var all []catalog.Stream
	for _, account := range info.AccountDetails {
		v.Streams += len(account.Streams)
		for i := range account.Streams {
			if s := &account.Streams[i]; s.Config != nil {
				all = append(all, inspected(s, info.Now))
			}
		}
	}
	return all
}

func inspected(s *server.StreamDetail, now time.Time) catalog.Stream {
	c := s.Config
	out := catalog.Stream{
		Name: s.Name, Subjects: c.Subjects, Retention: strings.ToLower(c.Retention.String()), Replicas: c.Replicas, Current: 1,
		MaxAge: catalog.Span(c.MaxAge), MaxBytes: max(c.MaxBytes, 0), MaxMsgs: max(c.MaxMsgs, 0), PerKey: max(c.MaxMsgsPer, 0), MaxSize: max(c.MaxMsgSize, 0),
		Metadata: mergeMetadata(nil, c.Metadata),
		First:    record.Seq(s.State.FirstSeq), Last: record.Seq(s.State.LastSeq), Messages: s.State.Msgs, Bytes: s.State.Bytes,
	}
	if s.State.Lost != nil {
		out.Lost = uint64(len(s.State.Lost.Msgs))
	}
	if s.Cluster != nil && c.Replicas > 1 {
		for _, r := range s.Cluster.Replicas {
			if r.Current && !r.Offline {
				out.Current++
			}
		}
	}
	if c.Mirror != nil {
		m := source(c.Mirror, s.Mirror)
		out.Mirror = &m
	}
	for i, from := range c.Sources {
		var info *server.StreamSourceInfo
		if i < len(s.Sources) {
			info = sourceInfo(s.Sources, from)
		}
		out.Sources = append(out.Sources, source(from, info))
	}
	for _, consumer := range s.Consumer {
		out.Consumers = append(out.Consumers, reader(consumer, now))
	}
	return out
}

// sourceInfo is what is told of one source, which may be at another place.
func sourceInfo(all []*server.StreamSourceInfo, of *server.StreamSource) *server.StreamSourceInfo {
	for _, info := range all {
		if info.Name == of.Name && info.FilterSubject == of.FilterSubject &&
			(info.External == nil) == (of.External == nil) && (of.External == nil || info.External.ApiPrefix == of.External.ApiPrefix) {
			return info
		}
	}
	return nil
}

func source(c *server.StreamSource, info *server.StreamSourceInfo) catalog.Source {
	s := catalog.Source{Stream: c.Name, Filter: c.FilterSubject, Transform: len(c.SubjectTransforms) > 0, Active: -1}
	if c.External != nil {
		s.API = c.External.ApiPrefix
	}
	if c.Consumer != nil {
		s.Durable = c.Consumer.Name
	}
	if info != nil {
		s.Active, s.Lag = catalog.Span(info.Active), info.Lag
		if info.Error != nil {
			s.Error = info.Error.Description
		}
	}
	return s
}

func reader(c *server.ConsumerInfo, now time.Time) catalog.Consumer {
	out := catalog.Consumer{
		Name: c.Name, Pending: c.NumPending, Unacked: c.NumAckPending, Redelivered: c.NumRedelivered, Paused: c.Paused,
	}
	if c.Config != nil {
		out.Durable = c.Config.Durable != ""
		out.Acks = c.Config.AckPolicy == server.AckExplicit || c.Config.AckPolicy == server.AckAll
	}
	last := c.Created
	for _, t := range []*time.Time{c.Delivered.Last, c.AckFloor.Last} {
		if t != nil && t.After(last) {
			last = *t
		}
	}
	out.Idle = catalog.Span(max(now.Sub(last), 0))
	return out
}

func joined(link *server.LeafInfo, node string) catalog.Joined {
	j := catalog.Joined{
		Server: link.Name, Domain: link.Name, Node: node, IP: link.IP, RTT: rtt(link),
		InBytes: link.InBytes, OutBytes: link.OutBytes, InMsgs: link.InMsgs, OutMsgs: link.OutMsgs,
	}
	if i := strings.LastIndexByte(link.Name, '-'); i > 0 && len(link.Name)-i-1 == nuidLength {
		j.Domain = link.Name[:i]
	}
	return j
}

// nuidLength is the length of what follows the domain in the name of a leaf's server.
const nuidLength = 22

// ofNode is what one server of the hub answers.
type ofNode[T any] struct {
	Server server.ServerInfo `json:"server"`
	Data   T                 `json:"data"`
	Error  *server.ApiError  `json:"error"`
}

// nodeLimit is how long the nodes of a hub have to answer.
const nodeLimit = time.Second

// everyNode asks all servers of the hub and is what those answered that did: all that
// this one knows of, or those that answer in time.
func everyNode[T any](ctx context.Context, h *Hub, what string, options any) ([]ofNode[T], error) {
	ask, err := json.Marshal(options)
	if err != nil {
		return nil, err
	}
	inbox := h.sys.NewInbox()
	sub, err := h.sys.SubscribeSync(inbox)
	if err != nil {
		return nil, connFault(err, "the hub's servers")
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := h.sys.PublishMsg(&nats.Msg{Subject: "$SYS.REQ.SERVER.PING." + what, Reply: inbox, Data: ask}); err != nil {
		return nil, connFault(err, "the hub's servers")
	}
	limited, cancel := context.WithTimeout(ctx, nodeLimit)
	defer cancel()
	var all []ofNode[T]
	for expected := 1 + len(h.peers()); len(all) < expected; {
		m, err := sub.NextMsgWithContext(limited)
		if err != nil {
			break
		}
		var answer ofNode[T]
		if err := json.Unmarshal(m.Data, &answer); err != nil {
			return nil, fmt.Errorf("read the answer of a hub's server to %s: %w", what, err)
		}
		if answer.Error != nil {
			return nil, fmt.Errorf("ask server %s of the hub for %s: %s", answer.Server.Name, what, answer.Error.Description)
		}
		all = append(all, answer)
	}
	if len(all) == 0 {
		return nil, askFault(ctx, limited.Err(), "the hub's servers")
	}
	return all, nil
}

// peers are the other nodes of the hub that this one is connected to.
func (h *Hub) peers() map[string]bool {
	peers := map[string]bool{}
	routes, err := h.srv.Routez(nil)
	if err != nil {
		return peers
	}
	for _, r := range routes.Routes { // several to each
		peers[r.RemoteID] = true
	}
	return peers
}
