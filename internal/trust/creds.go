package trust

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// Creds are a credential: a signed statement of who holds it and what it reaches, and
// the key that proves it.
type Creds struct {
	Name    string
	Role    Role
	Key     string           // public
	Account string           // whose key signed it
	Issued  time.Time        // to the second
	Expires time.Time        // zero: never
	Reads   []product.PortID // that a product may ask for; without their Domain

	token string
	pair  nkeys.KeyPair
}

// backdated is how far the clock of who signs may be ahead of the hub's.
const backdated = time.Minute

// The beginnings of the tags that say what a credential is.
const (
	roleTag = "role:"
	readTag = "reads:"
)

// Key is the secret half of a credential that nobody has signed yet. It stays with
// whoever made it.
type Key struct{ pair nkeys.KeyPair }

// NewKey makes a key.
func NewKey() (Key, error) {
	pair, err := nkeys.CreateUser()
	return Key{pair}, err
}

// Public is the half that is signed.
func (k Key) Public() string { return public(k.pair) }

// Creds are the key and what was signed of it.
func (k Key) Creds(token string) (*Creds, error) { return newCreds(token, k.pair) }

// Sign makes a key the credential of a holder, until it expires; zero is never.
func (k *Keys) Sign(h Holder, key string, expires time.Time) (token string, err error) {
	if err := h.check(); err != nil {
		return "", err
	}
	return sign(k.mesh, h, h.rights(), key, expires)
}

// Issue makes a new credential.
func (k *Keys) Issue(h Holder, expires time.Time) (*Creds, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	return issue(k.mesh, h, h.rights(), expires)
}

func (h Holder) check() error {
	switch {
	case h.Role != Product && h.Role != ReadOnly && h.Role != Admin:
		return fault.New(fault.Invalid, "choose read-only or admin", "there is no role %q", h.Role)
	case !product.ValidName(h.Name):
		return fault.New(fault.Invalid, "use at most 40 lower case letters, digits and dashes, a letter first", "%q cannot be the name of a credential's holder", h.Name)
	case h.Name == product.HubName:
		return fault.New(fault.Invalid, "choose another name", "%q is the hub's own name", h.Name)
	}
	return nil
}

// Own is the credential of the hub's own clients, which may do everything.
func (k *Keys) Own() (*Creds, error) { return own(k.mesh) }

// System is the credential of the hub's own client in the account SYS.
func (k *Keys) System() (*Creds, error) { return own(k.system) }

func own(account nkeys.KeyPair) (*Creds, error) {
	var may jwt.UserPermissionLimits
	may.AllowedConnectionTypes = []string{jwt.ConnectionTypeInProcess}
	return issue(account, Holder{Name: product.HubName, Role: product.HubName}, may, time.Time{})
}

func issue(account nkeys.KeyPair, h Holder, may jwt.UserPermissionLimits, expires time.Time) (*Creds, error) {
	key, err := NewKey()
	if err != nil {
		return nil, fmt.Errorf("issue a credential for %s: %w", h.Name, err)
	}
	token, err := sign(account, h, may, key.Public(), expires)
	if err != nil {
		return nil, err
	}
	return key.Creds(token)
}

func sign(account nkeys.KeyPair, h Holder, may jwt.UserPermissionLimits, key string, expires time.Time) (string, error) {
	claims := jwt.NewUserClaims(key)
	claims.Name = h.Name
	claims.Tags.Add(roleTag + string(h.Role))
	for _, id := range h.Reads {
		claims.Tags.Add(readTag + id.String())
	}
	claims.Permissions, claims.AllowedConnectionTypes = may.Permissions, may.AllowedConnectionTypes
	claims.NotBefore = time.Now().Add(-backdated).Unix()
	if !expires.IsZero() {
		claims.Expires = expires.Unix()
	}
	token, err := claims.Encode(account)
	if err != nil {
		return "", fmt.Errorf("sign a credential for %s: %w", h.Name, err)
	}
	return token, nil
}

func newCreds(token string, pair nkeys.KeyPair) (*Creds, error) {
	c, err := readToken(token)
	if err != nil {
		return nil, err
	}
	if c.Key != public(pair) {
		return nil, fmt.Errorf("its key is another one's")
	}
	c.pair = pair
	return c, nil
}

// Verify reads a signed statement, which must be of the keys.
func (k *Keys) Verify(token string) (*Creds, error) {
	c, err := readToken(token)
	if err == nil && c.Account != k.MeshAccount() {
		err = fmt.Errorf("somebody else has signed it")
	}
	if err != nil {
		return nil, fmt.Errorf("read a credential: %w", err)
	}
	return c, nil
}

func readToken(token string) (*Creds, error) {
	claims, err := jwt.DecodeUserClaims(token)
	if err != nil {
		return nil, err
	}
	c := &Creds{Name: claims.Name, Key: claims.Subject, Account: claims.Issuer, Issued: time.Unix(claims.IssuedAt, 0).UTC(), token: token}
	if claims.Expires > 0 {
		c.Expires = time.Unix(claims.Expires, 0).UTC()
	}
	for _, tag := range claims.Tags {
		if role, ok := strings.CutPrefix(tag, roleTag); ok {
			c.Role = Role(role)
		}
		if address, ok := strings.CutPrefix(tag, readTag); ok {
			id, err := product.ParsePort(address)
			if err != nil {
				return nil, err
			}
			id.Major = max(id.Major, 1)
			c.Reads = append(c.Reads, id)
		}
	}
	return c, nil
}

// ParseCreds reads the text of a credentials file, those of other tools included: their
// holder has no Role.
func ParseCreds(data []byte) (*Creds, error) {
	token, err := jwt.ParseDecoratedJWT(data)
	if err != nil {
		return nil, err
	}
	pair, err := jwt.ParseDecoratedUserNKey(data)
	if err != nil {
		return nil, err
	}
	return newCreds(token, pair)
}

// ReadCreds reads a credentials file.
func ReadCreds(path string) (*Creds, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(fault.Invalid, "check the path of the credentials", "read credentials: %w", err)
	}
	c, err := ParseCreds(data)
	if err != nil {
		return nil, fault.New(fault.Invalid, "have others issued with meshctl creds issue", "read credentials %s: %w", path, err)
	}
	return c, nil
}

// For says whether the credential is for just what the holder is.
func (c *Creds) For(h Holder) bool {
	if c.Name != h.Name || c.Role != h.Role || len(c.Reads) != len(h.Reads) {
		return false
	}
	for _, id := range h.Reads {
		if id.Domain = ""; !slices.Contains(c.Reads, id) {
			return false
		}
	}
	return true
}

// File is the text of a credentials file, as every NATS client reads it. It is secret.
func (c *Creds) File() ([]byte, error) {
	seed, err := c.pair.Seed()
	if err != nil {
		return nil, err
	}
	return jwt.FormatUserConfig(c.token, seed)
}

// Token is the signed statement. It is not secret.
func (c *Creds) Token() string { return c.token }

// Sign proves to a server that the credential is ours.
func (c *Creds) Sign(nonce []byte) ([]byte, error) { return c.pair.Sign(nonce) }

// Holder is who the credential is for.
func (c *Creds) Holder() Holder { return Holder{c.Name, c.Role, c.Reads} }

// Inbox is the prefix of the subjects that answers arrive at; "" where a credential of
// another tool does not say.
func (c *Creds) Inbox() string {
	switch c.Role {
	case Product, ReadOnly, Admin, product.HubName:
		return c.Holder().Inbox()
	}
	return ""
}
