package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/meshctl/meshctl/internal/fault"
)

// base is the image that another is put on; scratch has no image.
type base struct {
	name, digest string
	image        v1.Image
	config       *v1.ConfigFile
}

// openBase finds the base: an OCI layout or a tar where a folder or a file is so called,
// else a reference to a registry.
func openBase(ctx context.Context, from, arch string) (*base, error) {
	if from == "" {
		return &base{}, nil
	}
	b := &base{name: from}
	var err error
	switch info, statErr := os.Stat(from); {
	case statErr == nil && info.IsDir():
		b.image, err = fromLayout(from, arch)
		b.name = filepath.Base(from)
	case statErr == nil:
		b.image, err = fromTar(from)
		b.name = filepath.Base(from)
	case !errors.Is(statErr, fs.ErrNotExist):
		err = statErr
	default:
		b.image, b.name, err = fromRegistry(ctx, from, arch)
	}
	if err != nil {
		return nil, fmt.Errorf("base image %s: %w", from, err)
	}
	digest, err := b.image.Digest()
	if err != nil {
		return nil, fmt.Errorf("base image %s: %w", from, err)
	}
	b.digest = digest.String()
	if b.config, err = b.image.ConfigFile(); err != nil {
		return nil, fmt.Errorf("base image %s: %w", from, err)
	}
	if b.config.OS != "linux" || b.config.Architecture != arch {
		return nil, fault.New(fault.Invalid, "name a base image for linux/"+arch,
			"base image %s is for %s/%s, and the binary for linux/%s", from, b.config.OS, b.config.Architecture, arch)
	}
	return b, nil
}

func fromTar(file string) (v1.Image, error) {
	img, err := tarball.ImageFromPath(file, nil)
	if err != nil {
		return nil, fault.New(fault.Invalid, `name a tar of one image, such as "docker save" writes; an OCI archive must be unpacked first`, "%w", err)
	}
	return img, nil
}

func fromLayout(dir, arch string) (v1.Image, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, fault.New(fault.Invalid, "name an OCI layout, a tar or a registry reference", "%w", err)
	}
	img, err := pick(index, arch)
	if err != nil {
		return nil, err
	}
	return img, nil
}

// pick is the one image of an index that is for Linux on that architecture.
func pick(index v1.ImageIndex, arch string) (v1.Image, error) {
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var fit []v1.Hash
	for _, d := range manifest.Manifests {
		switch {
		case d.MediaType.IsIndex():
			inner, err := index.ImageIndex(d.Digest)
			if err != nil {
				return nil, err
			}
			return pick(inner, arch)
		case d.MediaType.IsImage() && (d.Platform == nil || d.Platform.OS == "linux" && d.Platform.Architecture == arch):
			fit = append(fit, d.Digest)
		}
	}
	if len(fit) != 1 {
		return nil, fault.New(fault.Invalid, "name a layout that holds one", "it holds %d images for linux/%s", len(fit), arch)
	}
	return index.Image(fit[0])
}

func fromRegistry(ctx context.Context, ref, arch string) (v1.Image, string, error) {
	r, err := parse(ref)
	if err != nil {
		return nil, "", err
	}
	img, err := remote.Image(r, append(registryOptions(ctx), remote.WithPlatform(v1.Platform{OS: "linux", Architecture: arch}))...)
	if err != nil {
		return nil, "", registryFault(r, err)
	}
	return img, r.Name(), nil
}

// addenda are the base's layers with their history, as OCI calls their types.
func (b *base) addenda() ([]mutate.Addendum, error) {
	if b.image == nil {
		return nil, nil
	}
	layers, err := b.image.Layers()
	if err != nil {
		return nil, err
	}
	var all []mutate.Addendum
	for _, h := range b.config.History {
		a := mutate.Addendum{History: h}
		if !h.EmptyLayer {
			if len(layers) == 0 {
				break
			}
			if a, err = addendum(layers[0], h); err != nil {
				return nil, err
			}
			layers = layers[1:]
		}
		all = append(all, a)
	}
	for _, l := range layers { // a history may be short, or missing
		a, err := addendum(l, v1.History{})
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

func addendum(l v1.Layer, h v1.History) (mutate.Addendum, error) {
	kind, err := l.MediaType()
	if err != nil {
		return mutate.Addendum{}, err
	}
	switch kind {
	case types.DockerLayer:
		kind = types.OCILayer
	case types.DockerUncompressedLayer:
		kind = types.OCIUncompressedLayer
	}
	if m, ok := l.(*remote.MountableLayer); ok { // the registry has it: keep where
		l = &remote.MountableLayer{Layer: retyped{m.Layer, kind}, Reference: m.Reference}
	} else {
		l = retyped{l, kind}
	}
	return mutate.Addendum{Layer: l, History: h, MediaType: kind}, nil
}

// retyped is a layer that goes by another media type.
type retyped struct {
	v1.Layer
	kind types.MediaType
}

func (r retyped) MediaType() (types.MediaType, error) { return r.kind, nil }
