package app

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/trust"
)

// trustFolder is the part of a hub's data that is secret.
const trustFolder = "trust"

// userName is the holder of the credential of the user who runs a hub.
const userName = "local"

// credsOfUser is the file with the credential of the user who runs the hub, for commands
// on this machine.
func (h *Hub) credsOfUser() (string, error) {
	file := h.data.sub(trustFolder, userName+".creds")
	_, err := h.kept(trust.Holder{Name: userName, Role: trust.Admin}, file)
	return file, err
}

// signer gives products in the hub's own process their credentials.
func (h *Hub) signer() CredsSource {
	return CredsSource{get: func(holder trust.Holder) (*trust.Creds, error) {
		return h.kept(holder, h.data.sub(trustFolder, "products", holder.Name+".creds"))
	}}
}

// kept is the holder's credential in a file of the hub's data. It is issued where there
// is none, and anew where the holder is not what it was, or when somebody has issued
// the holder another one after this one was revoked.
func (h *Hub) kept(holder trust.Holder, file string) (*trust.Creds, error) {
	ctx, cancel := context.WithTimeout(context.Background(), issueLimit)
	defer cancel()
	had, err := trust.ReadCreds(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	all, err := h.credentials(ctx, credentialsRequest{holder.Name})
	if err != nil {
		return nil, err
	}
	revoked, another := false, len(all) == 0
	for _, c := range all {
		revoked = revoked || had != nil && c.Key == had.Key && !c.Revoked.IsZero()
		another = another || c.Usable(time.Now())
	}
	switch {
	case had != nil && had.Account == h.keys.MeshAccount() && had.For(holder) && !revoked:
		return had, nil
	case !another:
		return nil, fault.New(fault.Denied, "issue another with meshctl creds issue", "the credentials of %s were revoked", holder.Name)
	}
	creds, err := h.keys.Issue(holder, time.Time{})
	if err != nil {
		return nil, err
	}
	if _, err := h.present(ctx, presentRequest{creds.Token()}); err != nil {
		return nil, err
	}
	if err := keepCreds(creds, file); err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(c Credential) bool { return had == nil || c.Key != had.Key || !c.Revoked.IsZero() })
	return creds, h.revokeAll(ctx, all)
}
