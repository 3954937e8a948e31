// Package trust is who may do what in a mesh: the keys that a mesh is made of, the
// credentials that they sign, and the subjects that each kind of credential reaches.
//
// Decisions, and what would change them:
//
//   - One operator and two accounts: SYS of the servers, and MESH of everybody else.
//     People are users of MESH beside the products and not of an account of their own that
//     imports MESH's services: an import that may be answered in pieces remembers each
//     call until its caller's connection ends, and a client that asks a million times is
//     to cost no more than one that asks once. What keeps people from what is not theirs is
//     the list of subjects in their own credential, which the same test drives.
//   - A credential names its rights itself, rather than by a signing key with a template:
//     what a product may follows from its own descriptor alone, so there is nothing to
//     change from afar. Whether a port may be read its own product decides, see Holder.
//   - The accounts are signed once, with the keys. A node of a hub that starts with an empty
//     folder must not bring an account that is newer than the one with the revocations.
package trust

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/meshctl/meshctl/internal/durable"
	"github.com/meshctl/meshctl/internal/fault"
)

// Keys are those of one mesh. Whoever has them can let anybody in.
type Keys struct {
	operator, system, mesh nkeys.KeyPair
	kept                   kept
}

// kept is what a file keeps of Keys.
type kept struct {
	OperatorSeed string `json:"operatorSeed"`
	Operator     string `json:"operator"` // signed, as the accounts
	SystemSeed   string `json:"systemSeed"`
	System       string `json:"system"`
	MeshSeed     string `json:"meshSeed"`
	Mesh         string `json:"mesh"`
}

// NewKeys makes the keys of a new mesh.
func NewKeys() (*Keys, error) {
	k := &Keys{}
	var err error
	if k.operator, k.kept.OperatorSeed, err = newKey(nkeys.CreateOperator); err != nil {
		return nil, err
	}
	if k.system, k.kept.SystemSeed, err = newKey(nkeys.CreateAccount); err != nil {
		return nil, err
	}
	if k.mesh, k.kept.MeshSeed, err = newKey(nkeys.CreateAccount); err != nil {
		return nil, err
	}
	if err := k.sign(); err != nil {
		return nil, fmt.Errorf("make the keys of a mesh: %w", err)
	}
	return k, nil
}

func newKey(create func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string, error) {
	pair, err := create()
	if err != nil {
		return nil, "", fmt.Errorf("make a key: %w", err)
	}
	seed, err := pair.Seed()
	if err != nil {
		return nil, "", fmt.Errorf("make a key: %w", err)
	}
	return pair, string(seed), nil
}

// sign makes operator and accounts.
func (k *Keys) sign() (err error) {
	operator := jwt.NewOperatorClaims(public(k.operator))
	operator.Name = "meshctl"
	operator.SystemAccount = public(k.system)
	if k.kept.Operator, err = operator.Encode(k.operator); err != nil {
		return err
	}
	system := jwt.NewAccountClaims(public(k.system))
	system.Name = "SYS"
	if k.kept.System, err = system.Encode(k.operator); err != nil {
		return err
	}
	mesh := jwt.NewAccountClaims(public(k.mesh))
	mesh.Name = "MESH"
	mesh.Limits.JetStreamLimits = jwt.JetStreamLimits{
		MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit,
	}
	k.kept.Mesh, err = mesh.Encode(k.operator)
	return err
}

// public is a key's public half.
func public(pair nkeys.KeyPair) string {
	key, err := pair.PublicKey()
	if err != nil {
		panic(err) // a pair that was made or read has one
	}
	return key
}

// ParseKeys reads what Bytes made.
func ParseKeys(data []byte) (*Keys, error) {
	k := &Keys{}
	if err := json.Unmarshal(data, &k.kept); err != nil {
		return nil, keysFault(err)
	}
	var errs [3]error
	k.operator, errs[0] = nkeys.FromSeed([]byte(k.kept.OperatorSeed))
	k.system, errs[1] = nkeys.FromSeed([]byte(k.kept.SystemSeed))
	k.mesh, errs[2] = nkeys.FromSeed([]byte(k.kept.MeshSeed))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, keysFault(err)
	}
	if _, err := jwt.DecodeOperatorClaims(k.kept.Operator); err != nil {
		return nil, keysFault(err)
	}
	for account, key := range map[string]nkeys.KeyPair{k.kept.System: k.system, k.kept.Mesh: k.mesh} {
		claims, err := jwt.DecodeAccountClaims(account)
		if err == nil && claims.Subject != public(key) {
			err = errors.New("an account and its key do not belong together")
		}
		if err != nil {
			return nil, keysFault(err)
		}
	}
	return k, nil
}

func keysFault(err error) error {
	return fault.New(fault.Invalid, "restore them from a backup; every credential of the mesh depends on them", "read the keys of the mesh: %w", err)
}

// Bytes are the keys as a file. It is as secret as they are.
func (k *Keys) Bytes() ([]byte, error) { return json.MarshalIndent(k.kept, "", "  ") }

// OpenKeys reads the keys in a file, and makes some where there is no such file.
func OpenKeys(path string) (*Keys, error) {
	data, err := os.ReadFile(path)
	if err == nil {
		return ParseKeys(data)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read the keys of the mesh: %w", err)
	}
	k, err := NewKeys()
	if err != nil {
		return nil, err
	}
	if data, err = k.Bytes(); err != nil {
		return nil, err
	}
	// Another node of the same hub may do the same now: the first one counts.
	own := path + "." + rand.Text()
	if err := durable.WriteSecret(own, data); err != nil {
		return nil, fmt.Errorf("keep the keys of the mesh: %w", err)
	}
	err = os.Link(own, path)
	if first := errors.Is(err, os.ErrExist); first {
		data, err = os.ReadFile(path)
	}
	if err = errors.Join(err, os.Remove(own)); err != nil {
		return nil, fmt.Errorf("keep the keys of the mesh: %w", err)
	}
	return ParseKeys(data)
}

// Operator is what the hub's server trusts.
func (k *Keys) Operator() (*jwt.OperatorClaims, error) {
	return jwt.DecodeOperatorClaims(k.kept.Operator)
}

// Accounts are the accounts as they were at first, by public key.
func (k *Keys) Accounts() map[string]string {
	return map[string]string{k.SystemAccount(): k.kept.System, k.MeshAccount(): k.kept.Mesh}
}

// RoutePassword is what the nodes of a hub know each other by.
func (k *Keys) RoutePassword() string {
	sum := sha256.Sum256([]byte("route " + k.kept.OperatorSeed))
	return hex.EncodeToString(sum[:])
}

// SystemAccount is the public key of the account SYS.
func (k *Keys) SystemAccount() string { return public(k.system) }

// MeshAccount is the public key of the account MESH.
func (k *Keys) MeshAccount() string { return public(k.mesh) }
