package trust_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/trust"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Nodes that start at one time, with one file, have the same keys in the end.
func TestKeysAreMadeOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "trust", "keys.json")
	accounts := make([]string, 20)
	var opening sync.WaitGroup
	for i := range accounts {
		opening.Go(func() {
			k, err := trust.OpenKeys(file)
			if err != nil {
				t.Error(err)
				return
			}
			accounts[i] = k.MeshAccount()
		})
	}
	opening.Wait()
	if slices.Sort(accounts); accounts[0] == "" || accounts[0] != accounts[len(accounts)-1] {
		t.Errorf("keys of several meshes: %q", accounts)
	}
	for path, mode := range map[string]os.FileMode{file: 0o600, filepath.Dir(file): 0o700 | os.ModeDir} {
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s has mode %v, %v; want %v", path, info.Mode(), err, mode)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestDamagedKeysAreRefusedAndKept(t *testing.T) {
	k, err := trust.NewKeys()
	must(t, err)
	whole, err := k.Bytes()
	must(t, err)
	other, err := trust.NewKeys()
	must(t, err)
	for name, data := range map[string][]byte{
		"empty": {}, "cut": whole[:len(whole)/2], "nothing in it": []byte("{}"),
		"another's account": bytes.Replace(whole, []byte(k.Accounts()[k.MeshAccount()]), []byte(other.Accounts()[other.MeshAccount()]), 1),
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "keys.json")
			must(t, os.WriteFile(file, data, 0o600))
			if _, err := trust.OpenKeys(file); fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "" {
				t.Errorf("error = %v", err)
			}
			if after, err := os.ReadFile(file); err != nil || string(after) != string(data) {
				t.Errorf("the file has changed: %v", err)
			}
		})
	}
}

func TestCredentialsAreWhatWasIssued(t *testing.T) {
	k, err := trust.NewKeys()
	must(t, err)
	h := trust.Holder{Name: "delays", Role: trust.Product, Reads: []product.PortID{
		{Product: "flights", Domain: "aviation", Port: "flights", Major: 1}, {Product: "airports", Port: "airports", Major: 2},
	}}
	expires := time.Now().Add(time.Hour).Truncate(time.Second)
	issued, err := k.Issue(h, expires)
	must(t, err)
	text, err := issued.File()
	must(t, err)
	c, err := trust.ParseCreds(text)
	must(t, err)
	if !c.For(h) || !c.Expires.Equal(expires) || c.Account != k.MeshAccount() || time.Since(c.Issued) > time.Minute {
		t.Errorf("credential = %+v", c)
	}
	for _, other := range []trust.Holder{
		{Name: "delays", Role: trust.Product},
		{Name: "delays", Role: trust.ReadOnly, Reads: h.Reads},
		{Name: "late", Role: trust.Product, Reads: h.Reads},
		{Name: "delays", Role: trust.Product, Reads: []product.PortID{h.Reads[0], {Product: "airports", Port: "airports", Major: 1}}},
	} {
		if c.For(other) {
			t.Errorf("it is for %+v too", other)
		}
	}
	if _, err := k.Verify(c.Token()); err != nil {
		t.Error(err)
	}
	stranger, err := trust.NewKeys()
	must(t, err)
	if _, err := stranger.Verify(c.Token()); err == nil {
		t.Error("keys of another mesh take it for theirs")
	}
}

func TestRefusesToIssue(t *testing.T) {
	k, err := trust.NewKeys()
	must(t, err)
	for _, h := range []trust.Holder{
		{Name: "ann"}, {Name: "ann", Role: "owner"}, {Name: "hub", Role: trust.Admin}, {Name: "", Role: trust.ReadOnly},
		{Name: "a.b", Role: trust.ReadOnly}, {Name: "*", Role: trust.Product}, {Name: ">", Role: trust.Product}, {Name: "Ann", Role: trust.Admin},
	} {
		if _, err := k.Issue(h, time.Time{}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("issue for %+v: %v", h, err)
		}
	}
	key, err := trust.NewKey()
	must(t, err)
	if _, err := k.Sign(trust.Holder{Name: "ann", Role: trust.Admin}, k.MeshAccount(), time.Time{}); err == nil {
		t.Errorf("an account's key was signed as a user's; %s would be one", key.Public())
	}
}

// What was revoked stays so, whatever is revoked next.
func TestRevocationsAddUp(t *testing.T) {
	k, err := trust.NewKeys()
	must(t, err)
	account := k.Accounts()[k.MeshAccount()]
	var keys []string
	for range 3 {
		key, err := trust.NewKey()
		must(t, err)
		keys = append(keys, key.Public())
		account, err = k.Revoke(account, key.Public())
		must(t, err)
	}
	claims, err := jwt.DecodeAccountClaims(account)
	must(t, err)
	for _, key := range keys {
		if !claims.IsClaimRevoked(&jwt.UserClaims{ClaimsData: jwt.ClaimsData{Subject: key, IssuedAt: time.Now().Add(-time.Minute).Unix()}}) {
			t.Errorf("%s is not revoked", key)
		}
	}
}
