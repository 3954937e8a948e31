package mesh

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/trust"
)

// testKeys are those of every hub of these tests.
var testKeys = sync.OnceValues(trust.NewKeys)

func keys(t testing.TB) *trust.Keys {
	t.Helper()
	k, err := testKeys()
	must(t, err)
	return k
}

// hubOptions are a hub's at any free ports.
func hubOptions(t testing.TB) HubOptions {
	t.Helper()
	return HubOptions{Dir: t.TempDir(), TrustDir: t.TempDir(), Keys: keys(t), ClientPort: -1, LeafPort: -1}
}

// always is a credential that stays the same.
func always(c *trust.Creds) func() (*trust.Creds, error) {
	return func() (*trust.Creds, error) { return c, nil }
}

// productCreds is what a product's leaf really joins with.
func productCreds(t testing.TB, name string, reads ...product.PortID) *trust.Creds {
	t.Helper()
	c, err := keys(t).Issue(trust.Holder{Name: name, Role: trust.Product, Reads: reads}, time.Time{})
	must(t, err)
	return c
}

// startProductLeaf starts a leaf with no more rights than its product has.
func startProductLeaf(t testing.TB, hub, name string, reads ...product.PortID) *Leaf {
	t.Helper()
	l, err := StartLeaf(t.Context(), LeafOptions{
		Dir: t.TempDir(), Domain: name, HubLeafURL: hub, Creds: always(productCreds(t, name, reads...)),
	})
	must(t, err)
	t.Cleanup(func() { closed(t, l) })
	return l
}

// allMay is a credential that no product has: it may do everything, as these tests of
// the mechanics need it. In production nobody signs such.
func allMay(t testing.TB) *trust.Creds {
	t.Helper()
	account := meshKey(t)
	pair, err := nkeys.CreateUser()
	must(t, err)
	public, err := pair.PublicKey()
	must(t, err)
	token, err := jwt.NewUserClaims(public).Encode(account)
	must(t, err)
	seed, err := pair.Seed()
	must(t, err)
	file, err := jwt.FormatUserConfig(token, seed)
	must(t, err)
	c, err := trust.ParseCreds(file)
	must(t, err)
	return c
}

// meshKey is the key that signs credentials.
func meshKey(t testing.TB) nkeys.KeyPair {
	t.Helper()
	data, err := keys(t).Bytes()
	must(t, err)
	var kept struct{ MeshSeed string }
	must(t, json.Unmarshal(data, &kept))
	account, err := nkeys.FromSeed([]byte(kept.MeshSeed))
	must(t, err)
	return account
}

// credsFile is a file with a person's credential.
func credsFile(t testing.TB, name string, role trust.Role) string {
	t.Helper()
	c, err := keys(t).Issue(trust.Holder{Name: name, Role: role}, time.Time{})
	must(t, err)
	text, err := c.File()
	must(t, err)
	file := filepath.Join(t.TempDir(), name+".creds")
	must(t, os.WriteFile(file, text, 0o600))
	return file
}

// held is what the leaf joins with.
func (l *Leaf) held(t testing.TB) *trust.Creds {
	t.Helper()
	c, err := l.creds()
	must(t, err)
	return c
}
