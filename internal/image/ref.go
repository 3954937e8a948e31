package image

import (
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/meshctl/meshctl/internal/fault"
)

// Ref is the name of an image with its tag.
type Ref struct{ tag name.Tag }

// ParseRef reads REGISTRY/NAME:TAG. Where the tag is left out it is tag: never "latest",
// which says nothing of what runs.
func ParseRef(s, tag string) (Ref, error) {
	r, err := parse(s)
	if err != nil {
		return Ref{}, err
	}
	t, ok := r.(name.Tag)
	if !ok {
		return Ref{}, fault.New(fault.Invalid, "name a tag; the digest follows from the image", "image name %q has a digest", s)
	}
	if last := s[strings.LastIndexByte(s, '/')+1:]; !strings.Contains(last, ":") {
		t = t.Tag(Tag(tag))
	}
	if t.TagStr() == "latest" {
		return Ref{}, fault.New(fault.Invalid, "name a version", "image name %q: latest may be another image tomorrow", s)
	}
	return Ref{t}, nil
}

// String is the name as Docker and Kubernetes write it.
func (r Ref) String() string { return r.tag.String() }

// full is the name with its registry, as containerd writes it.
func (r Ref) full() string {
	return strings.Replace(r.tag.Name(), name.DefaultRegistry+"/", "docker.io/", 1)
}

// Tag is a version as a tag, which has no "+".
func Tag(version string) string {
	return strings.Map(func(c rune) rune {
		if c == '+' {
			return '-'
		}
		return c
	}, version)
}

func parse(s string) (name.Reference, error) {
	r, err := name.ParseReference(s)
	if err != nil {
		return nil, fault.New(fault.Invalid, "write REGISTRY/NAME:TAG", "image name %q: %w", s, err)
	}
	return r, nil
}
