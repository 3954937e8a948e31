package mesh

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// guard notices that two leaves of one domain are in the mesh. NATS does not: it
// would let either of them answer a request to the domain.
type guard struct {
	nc       *Conn
	domain   string
	subject  string
	self     identity
	conflict chan error
}

type identity struct {
	ID      string    `json:"id"`
	Started time.Time `json:"started"`
}

// older decides which of two leaves may stay.
func (a identity) older(b identity) bool {
	if !a.Started.Equal(b.Started) {
		return a.Started.Before(b.Started)
	}
	return a.ID < b.ID
}

func newGuard(n *node, domain string) (*guard, error) {
	g := &guard{
		nc: n.nc, domain: domain,
		subject:  product.LeafSubject(domain),
		self:     identity{ID: n.srv.ID(), Started: time.Now().UTC()},
		conflict: make(chan error, 1),
	}
	answer, err := json.Marshal(g.self)
	if err != nil {
		return nil, err
	}
	_, err = n.nc.Subscribe(g.subject, func(m *nats.Msg) {
		if m.Reply != "" {
			_ = m.Respond(answer) // it fails only when the connection is closed
		}
	})
	return g, err
}

// watch asks around each time the leaf joins the hub; look is called all the while.
func (g *guard) watch(ctx context.Context, connected func() bool, look func(time.Time), log *slog.Logger) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	joined, asked := false, 0
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			look(now)
		}
		if now := connected(); now != joined {
			joined, asked = now, 0
			log.Info("leaf", "domain", g.domain, "joined", now)
		}
		// Interest spreads after the join: ask more than once.
		if !joined || asked >= 5 {
			continue
		}
		asked++
		if err := g.ask(ctx); err != nil && len(g.conflict) == 0 {
			log.Error("leaf", "domain", g.domain, "error", err)
			g.conflict <- err
		}
	}
}

// ask is a Conflict when an older leaf of the domain answers.
func (g *guard) ask(ctx context.Context) error {
	inbox := g.nc.NewInbox()
	sub, err := g.nc.SubscribeSync(inbox)
	if err != nil {
		return nil // the connection is closing
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := g.nc.PublishRequest(g.subject, inbox, nil); err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return nil // all who answer have answered
		}
		var other identity
		if json.Unmarshal(m.Data, &other) != nil || other.ID == g.self.ID || !other.older(g.self) {
			continue
		}
		return fault.New(fault.Conflict, "stop one of the two, or give one product another name",
			"another leaf of domain %q has been in the mesh since %s", g.domain, other.Started.Format(time.RFC3339))
	}
}
