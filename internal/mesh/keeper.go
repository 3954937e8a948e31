package mesh

import (
	"strings"

	"github.com/meshctl/meshctl/internal/product"
)

// Keeper is who looks after a stream: whoever else changes it works against them.
type Keeper struct {
	Name string `json:"name"`           // "" where nobody is known
	What string `json:"what,omitempty"` // what the stream is to them
}

// KeptByMeshctl is the name of the keeper of a product's own streams.
const KeptByMeshctl = "meshctl"

// What a stream is to the product that it belongs to.
const (
	keptLog    = "log"
	keptInbox  = "inbox"
	keptDead   = "dead letters"
	keptAgain  = "dead letters taken again"
	keptMirror = "mirror"
)

// The beginnings of stream names that NATS itself gives a meaning.
const (
	bucketPrefix = "KV_"
	objectPrefix = "OBJ_"
)

// Metadata by which other tools say that a stream is theirs. NACK and Terraform leave no
// mark of their own, but both can be told to put metadata on a stream.
var keeperKeys = []string{"app.kubernetes.io/managed-by", "managed-by", "managed_by"}

// KeeperOf is who looks after a stream, as far as its metadata and name tell.
func KeeperOf(c *StreamConfig) Keeper {
	m := c.Metadata
	switch {
	case m["meshctl.source"] != "":
		return Keeper{KeptByMeshctl, keptMirror}
	case m["meshctl.inbox"] != "":
		return Keeper{KeptByMeshctl, keptInbox}
	case m["meshctl.port"] != "":
		return Keeper{KeptByMeshctl, keptLog}
	case m["meshctl.product"] != "" && c.Name == product.AgainStream:
		return Keeper{KeptByMeshctl, keptAgain}
	case m["meshctl.product"] != "":
		return Keeper{KeptByMeshctl, keptDead}
	case c.Name == bucketPrefix+product.CatalogBucket || c.Name == bucketPrefix+product.CredentialsBucket:
		return Keeper{KeptByMeshctl, "bucket " + strings.TrimPrefix(c.Name, bucketPrefix)}
	}
	for _, key := range keeperKeys {
		if m[key] != "" {
			return Keeper{m[key], key}
		}
	}
	switch {
	case strings.HasPrefix(c.Name, bucketPrefix):
		return Keeper{What: "key-value bucket " + strings.TrimPrefix(c.Name, bucketPrefix)}
	case strings.HasPrefix(c.Name, objectPrefix):
		return Keeper{What: "object store " + strings.TrimPrefix(c.Name, objectPrefix)}
	}
	return Keeper{}
}
