package image

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/meshctl/meshctl/internal/fault"
)

// WriteTar writes an archive that is an OCI layout and what "docker save" writes at once:
// containerd, podman and skopeo find the manifest with its digest, "docker load" of any
// age finds its own. The file appears whole or not at all.
func (i *Image) WriteTar(ctx context.Context, file string, ref Ref) (err error) {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-")
	if err != nil {
		return fault.New(fault.Invalid, "name a file in a folder that can be written to", "write image: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	a := &archive{tar: tar.NewWriter(f), ctx: ctx, have: map[v1.Hash]bool{}}
	a.tell = func(n int64) { i.tell("write "+filepath.Base(file), n, a.size) }
	if err := a.image(i, ref); err != nil {
		return fmt.Errorf("write image: %w", err)
	}
	if err := errors.Join(a.tar.Close(), f.Chmod(0o644), f.Sync()); err != nil {
		return fmt.Errorf("write image: %w", err)
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return fault.New(fault.Invalid, "name a file", "write image: %w", err)
	}
	return f.Close()
}

// archive is the tar as it is written.
type archive struct {
	tar     *tar.Writer
	ctx     context.Context
	have    map[v1.Hash]bool
	n, size int64
	tell    func(n int64)
}

func (a *archive) image(i *Image, ref Ref) error {
	manifest, err := i.Manifest()
	if err != nil {
		return err
	}
	layers, err := i.Layers()
	if err != nil {
		return err
	}
	for _, d := range manifest.Layers {
		a.size += d.Size
	}
	var paths []string
	for n, l := range layers {
		d := manifest.Layers[n]
		paths = append(paths, blobPath(d.Digest))
		if err := a.layer(d, l); err != nil {
			return err
		}
	}
	rawConfig, err := i.RawConfigFile()
	if err != nil {
		return err
	}
	rawManifest, err := i.RawManifest()
	if err != nil {
		return err
	}
	digest, err := i.Digest()
	if err != nil {
		return err
	}
	index, err := json.Marshal(v1.IndexManifest{
		SchemaVersion: 2, MediaType: types.OCIImageIndex,
		Manifests: []v1.Descriptor{{
			MediaType: types.OCIManifestSchema1, Size: int64(len(rawManifest)), Digest: digest, Annotations: ref.annotations(),
		}},
	})
	if err != nil {
		return err
	}
	docker, err := json.Marshal(tarball.Manifest{{
		Config: blobPath(manifest.Config.Digest), RepoTags: []string{ref.String()}, Layers: paths,
	}})
	if err != nil {
		return err
	}
	return errors.Join(
		a.bytes(blobPath(manifest.Config.Digest), rawConfig), a.bytes(blobPath(digest), rawManifest),
		a.bytes("index.json", index), a.bytes("manifest.json", docker), a.bytes("oci-layout", []byte(layoutFile)),
	)
}

const layoutFile = `{"imageLayoutVersion":"1.0.0"}`

func blobPath(h v1.Hash) string { return "blobs/" + h.Algorithm + "/" + h.Hex }

// annotations name an image in an OCI layout: for the specification and for containerd.
func (r Ref) annotations() map[string]string {
	return map[string]string{
		"io.containerd.image.name":          r.full(),
		"org.opencontainers.image.ref.name": r.tag.TagStr(),
	}
}

func (a *archive) layer(d v1.Descriptor, l v1.Layer) error {
	if a.have[d.Digest] {
		return nil
	}
	a.have[d.Digest] = true
	r, err := l.Compressed()
	if err != nil {
		return err
	}
	defer r.Close()
	return a.file(blobPath(d.Digest), d.Size, r)
}

func (a *archive) bytes(name string, data []byte) error {
	if err := a.header(name, int64(len(data))); err != nil {
		return err
	}
	_, err := a.tar.Write(data)
	return err
}

func (a *archive) header(name string, size int64) error {
	return a.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size, Format: tar.FormatUSTAR})
}

func (a *archive) file(name string, size int64, r io.Reader) error {
	if err := a.header(name, size); err != nil {
		return err
	}
	for {
		n, err := io.CopyN(a.tar, r, 1<<20)
		a.n += n
		a.tell(a.n)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case a.ctx.Err() != nil:
			return a.ctx.Err()
		}
	}
}
