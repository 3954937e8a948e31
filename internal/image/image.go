// Package image makes OCI images of meshctl without Docker: from a static binary alone, or
// with a product's folder, FROM scratch or on a base image.
//
// The same input gives the same digest on any machine: entries are sorted, owners, modes
// and times are ours and not the disk's, the compressor is a module of fixed version, and
// nothing of the machine that builds gets in. So the root certificates come from the
// module golang.org/x/crypto/x509roots, not from /etc; mount other ones over
// /etc/ssl/certs/ca-certificates.crt.
//
// Layers are gzip by default, which everything reads. Zstd makes them an eighth smaller, and
// containerd 1.6 and Docker 20.10 took it when tried; some registries' scanners and older
// nodes do not. What would change the default: the binary outgrowing 45 MB.
package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/meshctl/meshctl/internal/binary"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

// Where things are in an image, and who runs them.
const (
	Program    = "/usr/bin/meshctl"
	ProductDir = "/product"
	DataDir    = "/data"
	User       = 65532 // nonroot, as distroless and ko number it
)

// Options say what goes into an image.
type Options struct {
	Binary      *binary.Binary // static and for Linux, or Build refuses it
	Dir         string         // the product's folder; empty for meshctl alone
	Base        string         // a registry reference, a tar of "docker save", or an OCI layout; empty for scratch
	Platform    string         // os/arch that the image must be for; empty for the binary's
	Compression Compression    // gzip when empty
	Created     time.Time      // of the image and each file in it; 1970 when zero
	Omit        []string       // files and folders inside Dir that stay out, such as the image itself
	Progress    func(what string, done, total int64)
}

// Image is an image that has been built. Its layers wait in a folder for temporary files
// until Close.
type Image struct {
	v1.Image
	Product *product.Product // nil for meshctl alone
	version string
	dir     string
	tell    func(what string, done, total int64)
}

// Build makes an image. Nothing that its context's end interrupts is left behind.
func Build(ctx context.Context, o Options) (img *Image, err error) {
	if err := o.Binary.CheckStatic(); err != nil {
		return nil, err
	}
	if o.Platform != "" && o.Platform != o.Binary.Build.Platform {
		return nil, fault.New(fault.Invalid, "name a static binary for "+o.Platform+" with --binary",
			"%s is for %s, not %s", o.Binary.Path, o.Binary.Build.Platform, o.Platform)
	}
	if o.Created.IsZero() {
		o.Created = time.Unix(0, 0)
	}
	if o.Progress == nil {
		o.Progress = func(string, int64, int64) {}
	}
	dir, err := os.MkdirTemp("", "meshctl-build-")
	if err != nil {
		return nil, fmt.Errorf("build image: %w", err)
	}
	b := &builder{Options: o, temp: dir}
	if img, err = b.build(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("build image: %w", err), os.RemoveAll(dir))
	}
	return img, nil
}

// Close removes what the image kept on disk; the image is unusable then.
func (i *Image) Close() error { return os.RemoveAll(i.dir) }

// DefaultName is what the image is called unless it is named: of no registry, so that it
// is never looked for in one.
func (i *Image) DefaultName() (name, version string) {
	if i.Product != nil {
		return "localhost/" + i.Product.Metadata.Name, i.Product.Metadata.Version
	}
	return "localhost/meshctl", i.version
}

// Part is one layer as a registry sees it.
type Part struct {
	Digest    string `json:"digest"`
	MediaType string `json:"mediaType"`
	Size      int64  `json:"size"` // compressed
}

// Parts are the image's digest and its layers, the base's first.
func (i *Image) Parts() (digest string, layers []Part, err error) {
	d, err := i.Digest()
	if err != nil {
		return "", nil, err
	}
	manifest, err := i.Manifest()
	if err != nil {
		return "", nil, err
	}
	for _, l := range manifest.Layers {
		layers = append(layers, Part{Digest: l.Digest.String(), MediaType: string(l.MediaType), Size: l.Size})
	}
	return d.String(), layers, nil
}

// builder is one image in the making.
type builder struct {
	Options
	temp string
	p    *product.Product
}

func (b *builder) build(ctx context.Context) (*Image, error) {
	var tree *folder
	if b.Dir != "" {
		var err error
		if tree, err = openFolder(b.Dir, b.Omit); err != nil {
			return nil, err
		}
		defer tree.root.Close()
		if b.p, err = tree.product(); err != nil {
			return nil, err
		}
		if b.Base == "" {
			if err := tree.checkCommand(b.p, b.Binary.Arch()); err != nil {
				return nil, err
			}
		}
	}
	base, err := openBase(ctx, b.Base, b.Binary.Arch())
	if err != nil {
		return nil, err
	}
	program, err := b.programLayer(ctx)
	if err != nil {
		return nil, err
	}
	layers := []added{{program, "meshctl " + b.Binary.Build.Version}}
	if tree != nil {
		l, err := b.writeLayer(ctx, "pack "+b.p.Metadata.Name, tree.size, tree.write)
		if err != nil {
			return nil, err
		}
		layers = append(layers, added{l, "product " + b.p.Metadata.Name + " " + b.p.Metadata.Version})
	}
	img, err := b.assemble(base, layers)
	if err != nil {
		return nil, err
	}
	return &Image{Image: img, Product: b.p, version: b.Binary.Build.Version, dir: b.temp, tell: b.Progress}, nil
}

// added is a layer and what made it.
type added struct {
	v1.Layer
	by string
}

// assemble puts layers on the base's. Manifest, configuration and the base's layers take
// OCI's media types, whatever the base calls them; their bytes stay.
func (b *builder) assemble(base *base, layers []added) (v1.Image, error) {
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	all, err := base.addenda()
	if err != nil {
		return nil, err
	}
	for _, l := range layers {
		all = append(all, mutate.Addendum{Layer: l.Layer, History: v1.History{
			Created: v1.Time{Time: b.Created.UTC()}, CreatedBy: "meshctl build", Comment: l.by,
		}})
	}
	if img, err = mutate.Append(img, all...); err != nil {
		return nil, err
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	b.configure(file, base)
	return mutate.ConfigFile(img, file)
}
