package product

import (
	"regexp"
	"strings"

	"github.com/meshctl/meshctl/internal/fault"
)

// imagePattern is the grammar of an image reference: registry with port, path, tag, digest.
var imagePattern = regexp.MustCompile(`^((?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]{1,5})?/)?` +
	`[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)` +
	`(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$`)

// CheckImage says what is wrong with a container image's reference, nil if nothing. It
// must name a tag other than latest, or a digest: what runs must not change by itself.
func CheckImage(ref string) error {
	m := imagePattern.FindStringSubmatch(ref)
	switch {
	case m == nil || len(m[1]) > 255:
		return fault.New(fault.Invalid, "write it as registry/name:tag or registry/name@sha256:digest", "image %q is not a reference", shorten(ref))
	case strings.EqualFold(m[2], "latest"):
		return fault.New(fault.Invalid, "name a version, or a digest", "image %q: latest may be another image tomorrow", shorten(ref))
	case m[2] == "" && m[3] == "":
		return fault.New(fault.Invalid, "add :tag or @sha256:digest", "image %q names no tag and no digest", shorten(ref))
	}
	return nil
}
