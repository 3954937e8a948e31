package app

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/meshctl/meshctl/internal/durable"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/trust"
)

// CredsSource gives a product's leaf its credential each time that it joins the hub.
type CredsSource struct {
	get  func(trust.Holder) (*trust.Creds, error)
	file string // that it comes from; "" where it does not
}

// CredsFile is the credential in a file. One that is put in its place is taken up.
func CredsFile(path string) CredsSource {
	return CredsSource{file: path, get: func(h trust.Holder) (*trust.Creds, error) {
		c, err := trust.ReadCreds(path)
		if err == nil && (c.Name != h.Name || c.Role != h.Role) {
			err = fault.New(fault.Invalid, "name the product's own with --creds", "the credentials in %s are %s's, not product %s's", path, c.Name, h.Name)
		}
		return c, err
	}}
}

// credsEvery is how often it is asked whether a credential's file has changed.
const credsEvery = time.Second

// watchCreds joins the hub anew when the file of the credential has changed.
func (p *Product) watchCreds(ctx context.Context) {
	if p.o.Creds.file == "" {
		return
	}
	tick := time.NewTicker(credsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		held := p.creds.Load()
		now, err := trust.ReadCreds(p.o.Creds.file)
		if err != nil || held == nil || now.Token() == held.Token() {
			continue // what is wrong with it shows when it is needed
		}
		p.log.Info("the credentials have changed; joining the hub with them")
		within, cancel := context.WithTimeout(ctx, rejoinLimit)
		if err := p.leaf.Rejoin(within); err != nil {
			p.log.Warn("the leaf does not join anew", "error", err)
		}
		cancel()
	}
}

// issueLimit bounds what a leaf that joins waits for its credential.
const issueLimit = 3 * time.Second

// CredsOfThisMachine has a hub that this user runs on this machine, and whose leaves join
// at that URL, issue the credential, which is then kept in a file.
func CredsOfThisMachine(stateDir, hubLeaf, file string) CredsSource {
	return CredsSource{file: file, get: func(h trust.Holder) (*trust.Creds, error) {
		kept, err := trust.ReadCreds(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		running, err := RunningMeshes(stateDir)
		if err != nil {
			return nil, err
		}
		for _, hub := range running {
			if sameServer(hub.Leaf, hubLeaf, "7422") && (kept == nil || kept.Account != hub.Account || !kept.For(h)) {
				return issueHere(hub, h, file)
			}
		}
		if kept == nil {
			return nil, fault.New(fault.Denied, "have some issued with meshctl creds issue, and name them with --creds",
				"there are no credentials for %s, and the hub at %s is none that you run on this machine", h.Name, hubLeaf)
		}
		return kept, nil
	}}
}

func issueHere(hub Running, h trust.Holder, file string) (*trust.Creds, error) {
	ctx, cancel := context.WithTimeout(context.Background(), issueLimit)
	defer cancel()
	c, err := Dial(ctx, ClientOptions{Server: hub.URL, Creds: hub.Creds})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	creds, err := c.IssueCreds(ctx, h, time.Time{})
	if err != nil {
		return nil, err
	}
	return creds, keepCreds(creds, file)
}

// keepCreds writes a credential to a file that only its owner can read.
func keepCreds(c *trust.Creds, file string) error {
	text, err := c.File()
	if err != nil {
		return err
	}
	return durable.WriteSecret(file, text)
}
