package product

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// VariableLoseData is the environment variable that lets a pod's product lose records once,
// as LoseOnce makes it.
const VariableLoseData = "MESHCTL_LOSE_DATA"

// LoseOnce is what somebody says who insists that the descriptor's retention may drop
// records: when, and a digest of what shall be kept, so that it counts for nothing else.
func (p *Product) LoseOnce(when string) string { return when + "/" + p.keepingDigest() }

// keepingDigest is a digest of what the descriptor says of how its ports' records are kept.
func (p *Product) keepingDigest() string {
	h := sha256.New()
	for i := range p.Spec.Outputs {
		o := &p.Spec.Outputs[i]
		r, s := &o.Retention, &o.Stream
		fmt.Fprintf(h, "%s %s %d %q %d %t %q %d\n", p.ID(o.Name).Stream(), o.Type, r.Age, r.Bytes, r.Records, r.Compact, s.Compression, s.Duplicates)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// LoseOnceIsFor says whether what somebody insisted on is about this descriptor.
func (p *Product) LoseOnceIsFor(said string) bool {
	digest := "/" + p.keepingDigest()
	return len(said) > len(digest) && strings.HasSuffix(said, digest)
}
