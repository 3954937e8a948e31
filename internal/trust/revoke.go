package trust

import (
	"fmt"
	"time"

	"github.com/nats-io/jwt/v2"
)

// Revoke is the account MESH, as the hub has it now, with further keys that nobody may
// use any more.
func (k *Keys) Revoke(account string, keys ...string) (string, error) {
	claims, err := jwt.DecodeAccountClaims(account)
	if err != nil {
		return "", fmt.Errorf("read the account of the mesh: %w", err)
	}
	for _, key := range keys {
		claims.RevokeAt(key, time.Now())
	}
	signed, err := claims.Encode(k.operator)
	if err != nil {
		return "", fmt.Errorf("sign the account of the mesh: %w", err)
	}
	return signed, nil
}
