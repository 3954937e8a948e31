package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"

	"github.com/meshctl/meshctl/internal/fault"
)

// WriteLayout puts the image into an OCI layout. One that is there already keeps its
// other images; what had this name loses it. A folder with anything else in it is refused.
func (i *Image) WriteLayout(ctx context.Context, dir string, ref Ref) error {
	path, err := openLayout(dir)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	named := match.Annotation("io.containerd.image.name", ref.full())
	if err := path.ReplaceImage(i.Image, named, layout.WithAnnotations(ref.annotations())); err != nil {
		return fmt.Errorf("write image: %w", err)
	}
	return nil
}

func openLayout(dir string) (layout.Path, error) {
	files, err := os.ReadDir(dir)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", fault.New(fault.Invalid, "name a folder", "write image: %w", err)
	case len(files) == 0:
		path, err := layout.Write(dir, empty.Index)
		if err != nil {
			return "", fault.New(fault.Invalid, "name a folder that can be written to", "write image: %w", err)
		}
		return path, nil
	}
	path, err := layout.FromPath(dir)
	if _, statErr := os.Stat(filepath.Join(dir, "oci-layout")); statErr != nil {
		err = statErr
	}
	if err != nil {
		return "", fault.New(fault.Conflict, "name a folder that is new, empty or an OCI layout",
			"write image: folder %s has something else in it", dir)
	}
	return path, nil
}
