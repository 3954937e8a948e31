package mesh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/meshctl/meshctl/internal/fault"
)

// accountsEvery is how often the nodes of a hub tell each other which accounts they have:
// one that was away learns then of what was revoked.
const accountsEvery = 2 * time.Second

// trustKeys makes a server let in nobody but who has a credential of the keys.
func trustKeys(opts *server.Options, o HubOptions) error {
	operator, err := o.Keys.Operator()
	if err != nil {
		return err
	}
	opts.TrustedOperators = append(opts.TrustedOperators, operator)
	opts.SystemAccount = o.Keys.SystemAccount()
	if err := os.MkdirAll(o.TrustDir, 0o700); err != nil {
		return err
	}
	accounts, err := server.NewDirAccResolver(o.TrustDir, 0, accountsEvery, server.NoDelete)
	if err != nil {
		return fmt.Errorf("open the accounts: %w", err)
	}
	for key, account := range o.Keys.Accounts() {
		if had, err := accounts.LoadAcc(key); err == nil && had != "" {
			continue
		}
		if err := accounts.Store(key, account); err != nil {
			return fmt.Errorf("keep an account: %w", err)
		}
	}
	opts.AccountResolver = accounts
	if o.Cluster != nil {
		return nil
	}
	return adoptOldCatalog(opts.StoreDir, o.Keys.MeshAccount())
}

// adoptOldCatalog makes what a hub kept that asked nobody for credentials the account's.
func adoptOldCatalog(dir, account string) error {
	old, now := filepath.Join(dir, server.JetStreamStoreDir, "$G"), filepath.Join(dir, server.JetStreamStoreDir, account)
	if _, err := os.Stat(now); err == nil || !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(old, now); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("take over the old catalog: %w", err)
	}
	return nil
}

// dialSystem connects to the account SYS.
func (h *Hub) dialSystem() error {
	creds, err := h.opts.Keys.System()
	if err != nil {
		return err
	}
	h.sys, err = connect("", creds, append(clientOptions("meshctl system"), nats.InProcessServer(h.srv))...)
	if err != nil {
		return fmt.Errorf("connect in process: %w", err)
	}
	return nil
}

// Revoke makes credentials useless, on every node of the hub and for good. Connections
// that use them end.
func (h *Hub) Revoke(ctx context.Context, keys ...string) error {
	have, err := h.srv.AccountResolver().Fetch(h.opts.Keys.MeshAccount())
	if err == nil {
		have, err = h.opts.Keys.Revoke(have, keys...)
	}
	if err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	m, err := request(ctx, h.sys, &nats.Msg{Subject: "$SYS.REQ.CLAIMS.UPDATE", Data: []byte(have)}, "the hub's accounts")
	if err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	var answer struct {
		Error *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return fmt.Errorf("revoke: read the answer: %w", err)
	}
	if answer.Error != nil {
		return fault.New(fault.Internal, "", "revoke: %s", answer.Error.Description)
	}
	return nil
}
