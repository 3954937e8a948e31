package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/trust"
)

// Credential is what the hub knows of a credential.
type Credential struct {
	Holder  trust.Holder `json:"holder"`
	Key     string       `json:"key"` // public; names the credential
	Issued  time.Time    `json:"issued"`
	Expires time.Time    `json:"expires,omitzero"` // never when zero
	Revoked time.Time    `json:"revoked,omitzero"`
}

// Usable says whether the hub lets the holder in with it.
func (c *Credential) Usable(now time.Time) bool {
	return c.Revoked.IsZero() && (c.Expires.IsZero() || now.Before(c.Expires))
}

// serve answers what is asked of the hub itself. Of several nodes one answers; no leaf
// can join their queue.
func (h *Hub) serve() (err error) {
	admin := mesh.NewMeshAdmin(h.Conn(), !h.Clustered(), product.CredentialsBucket)
	if !h.Clustered() { // of several nodes, each piece of an archive would go to another one
		if err := admin.SpoolIn(h.data.sub("archives")); err != nil {
			return err
		}
	}
	h.service, err = mesh.Serve(h.Conn(), mesh.ServiceSpec{
		Name: product.HubName, Version: "1.0.0", Description: "the hub", Queue: product.HubName,
		Endpoints: withStreams(admin, map[string]mesh.Handler{
			"issue": answerJSON(h.issue), "credentials": answerJSON(h.credentials), "revoke": answerJSON(h.revoke),
			"present": answerJSON(h.present), product.EndpointVitals: answerJSON(h.vitals),
			"ping":                 func(context.Context, []byte, func([]byte) error) ([]byte, error) { return nil, nil },
			product.EndpointEvents: serveEvents(h.events, h.started, h.ending),
		}),
	})
	return err
}

// issueRequest asks for the signature of a key.
type issueRequest struct {
	Holder  trust.Holder `json:"holder"`
	Key     string       `json:"key"` // public; the secret half stays with who asks
	Expires time.Time    `json:"expires,omitzero"`
}

type issueAnswer struct {
	Token string `json:"token"`
}

func (h *Hub) issue(ctx context.Context, q issueRequest) (a issueAnswer, err error) {
	all, err := h.credentials(ctx, credentialsRequest{Name: q.Holder.Name})
	if err != nil {
		return a, err
	}
	for _, c := range all {
		if c.Holder.Role != q.Holder.Role && c.Usable(time.Now()) && (c.Holder.Role == trust.Product || q.Holder.Role == trust.Product) {
			return a, fault.New(fault.Conflict, "choose another name", "%s is the name of a %s already", c.Holder.Name, c.Holder.Role)
		}
	}
	if a.Token, err = h.keys.Sign(q.Holder, q.Key, q.Expires); err != nil {
		return a, err
	}
	_, err = h.present(ctx, presentRequest(a))
	return a, err
}

// presentRequest shows the hub a credential that it may not know, for somebody else who
// has the keys may have issued it.
type presentRequest struct {
	Token string `json:"token"`
}

func (h *Hub) present(ctx context.Context, q presentRequest) (struct{}, error) {
	var none struct{}
	c, err := h.keys.Verify(q.Token)
	if err != nil {
		return none, fault.New(fault.Denied, "", "%w", err)
	}
	if _, err = h.Credentials().Get(ctx, c.Key); fault.KindOf(err) != fault.NotFound {
		return none, err
	}
	return none, h.keep(ctx, Credential{Holder: c.Holder(), Key: c.Key, Issued: c.Issued, Expires: c.Expires})
}

func (h *Hub) keep(ctx context.Context, c Credential) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return h.Credentials().Put(ctx, c.Key, data)
}

// credentialsRequest asks for the credentials of a holder, all when Name is "".
type credentialsRequest struct {
	Name string `json:"name,omitempty"`
}

func (h *Hub) credentials(ctx context.Context, q credentialsRequest) ([]Credential, error) {
	kept, err := h.Credentials().List(ctx)
	if err != nil {
		return nil, err
	}
	all := []Credential{}
	for key, e := range kept {
		var c Credential
		if err := json.Unmarshal(e.Value, &c); err != nil {
			return nil, fmt.Errorf("read what is known of credential %s: %w", key, err)
		}
		if q.Name == "" || c.Holder.Name == q.Name {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b Credential) int {
		if n := strings.Compare(a.Holder.Name, b.Holder.Name); n != 0 {
			return n
		}
		return a.Issued.Compare(b.Issued)
	})
	return all, nil
}

// RevokeRequest names credentials: those of a holder, but for one.
type RevokeRequest struct {
	Name string `json:"name"`
	But  string `json:"but,omitempty"` // a key that stays
}

// revoke makes the credentials useless. Those that expire are revoked too: a clock may
// be wrong.
func (h *Hub) revoke(ctx context.Context, q RevokeRequest) ([]Credential, error) {
	all, err := h.credentials(ctx, credentialsRequest{q.Name})
	if err != nil {
		return nil, err
	}
	if q.Name == "" || len(all) == 0 {
		return nil, fault.New(fault.NotFound, "list what there is with meshctl creds ls", "the hub knows no credential of %q", q.Name)
	}
	all = slices.DeleteFunc(all, func(c Credential) bool { return c.Key == q.But || !c.Revoked.IsZero() })
	return all, h.revokeAll(ctx, all)
}

func (h *Hub) revokeAll(ctx context.Context, all []Credential) error {
	if len(all) == 0 {
		return nil
	}
	keys := make([]string, len(all))
	for i := range all {
		keys[i] = all[i].Key
	}
	if err := h.Revoke(ctx, keys...); err != nil {
		return err
	}
	for i := range all {
		all[i].Revoked = time.Now().UTC().Truncate(time.Second)
		if err := h.keep(ctx, all[i]); err != nil {
			return err
		}
	}
	return nil
}

// IssueCreds has the hub issue a credential.
func (c *Client) IssueCreds(ctx context.Context, h trust.Holder, expires time.Time) (*trust.Creds, error) {
	key, err := trust.NewKey()
	if err != nil {
		return nil, err
	}
	a, err := call[issueAnswer](ctx, c, product.HubName, "issue", issueRequest{h, key.Public(), expires})
	if err != nil {
		return nil, err
	}
	return key.Creds(a.Token)
}

// Credentials are those that the hub knows.
func (c *Client) Credentials(ctx context.Context) ([]Credential, error) {
	return call[[]Credential](ctx, c, product.HubName, "credentials", credentialsRequest{})
}

// RevokeCreds makes credentials useless, at once and for good, and returns them.
func (c *Client) RevokeCreds(ctx context.Context, r RevokeRequest) ([]Credential, error) {
	had, err := c.Credentials(ctx)
	if err != nil {
		return nil, err
	}
	revoked, err := call[[]Credential](ctx, c, product.HubName, "revoke", r)
	if err != nil && c.nc.IsClosed() && fault.KindOf(mesh.Ended(c.nc)) == fault.Denied {
		// It was the caller's own, which the hub does not answer to any more.
		revoked, err = slices.DeleteFunc(had, func(c Credential) bool {
			return c.Holder.Name != r.Name || c.Key == r.But || !c.Revoked.IsZero()
		}), nil
		for i := range revoked {
			revoked[i].Revoked = time.Now().UTC().Truncate(time.Second)
		}
	}
	return revoked, err
}
