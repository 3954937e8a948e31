package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/binary"
	"github.com/meshctl/meshctl/internal/image"
)

type buildOpts struct {
	Dir                     string
	Tar, Layout, Push, SBOM string
	Tag, Base, Binary       string
	Platform, Compression   string
	JSON                    bool
}

const buildLong = `Build an OCI image, without Docker: meshctl and a product's folder, which the image
runs. Without DIR it is meshctl alone, for a hub and for products whose files come from
a ConfigMap.

The image goes to a tar that docker and containerd load, to an OCI layout, to a registry,
or to several of them. What is printed is its name with its digest; the same
input has the same digest on any machine. Files bear the time of SOURCE_DATE_EPOCH, or
1970.

An image from scratch holds meshctl, root certificates, the list of what is in meshctl
(SPDX) and the folder, and runs as user 65532. Of the folder, .git and .meshctl stay
out. A product whose logic is a program needs a base image that has what the program
needs, unless it is linked statically.`

const buildExample = `  meshctl build flights -o flights.tar
  meshctl build flights --push registry.example.com/flights
  meshctl build cut --base docker.io/library/python:3.13-slim -o cut.tar
  meshctl build --push registry.example.com/meshctl:1.4.0
  meshctl build --sbom meshctl.spdx.json`

func newBuild(g *globals) *cobra.Command {
	var o buildOpts
	cmd := &cobra.Command{
		Use: "build [DIR] [flags]", Short: "Build an image of meshctl and a product",
		Long: buildLong, Example: buildExample, Args: arguments("[DIR]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.Dir = args[0]
			}
			return runBuild(cmd.Context(), g, o)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.Tar, "output", "o", "", "write a tar to this `file`")
	f.StringVar(&o.Layout, "layout", "", "put it into the OCI layout in this `folder`")
	f.StringVar(&o.Push, "push", "", "push it to a registry as this `name`; the tag is the version unless named")
	f.StringVar(&o.Tag, "tag", "", "`name` in the tar and the layout (default localhost/PRODUCT:VERSION)")
	f.StringVar(&o.Base, "base", "", "base image: a `name` in a registry, a tar or an OCI layout")
	f.StringVar(&o.Binary, "binary", "", "static Linux meshctl to pack (default the one that runs), a `file`")
	f.StringVar(&o.Platform, "platform", "", "refuse a binary that is not for this `os/arch`")
	f.StringVar(&o.Compression, "compression", string(image.Gzip), "pack layers with gzip, which everything reads, or zstd, which is smaller")
	f.StringVar(&o.SBOM, "sbom", "", "write what is in meshctl, as SPDX, to this `file`")
	f.BoolVar(&o.JSON, "json", false, "print name, digest and layers as JSON")
	oneOf(cmd, "compression", string(image.Gzip), string(image.Zstd))
	return cmd
}

// builtImage is what build prints as JSON.
type builtImage struct {
	Reference string       `json:"reference"` // with the digest
	Digest    string       `json:"digest"`
	Platform  string       `json:"platform"`
	Size      int64        `json:"size"` // of all layers, compressed
	Layers    []image.Part `json:"layers"`
	Written   []string     `json:"written"` // tar, layout and SBOM
	Pushed    string       `json:"pushed,omitempty"`
}

func runBuild(ctx context.Context, g *globals, o buildOpts) error {
	if o.Tar == "" && o.Layout == "" && o.Push == "" && o.SBOM == "" {
		return usageHint("add -o FILE.tar, --layout DIR or --push NAME", "meshctl build: nothing says where the image goes")
	}
	created, err := g.epoch()
	if err != nil {
		return err
	}
	for _, name := range []string{o.Push, o.Tag} { // before minutes of work
		if _, err := image.ParseRef(cmp.Or(name, "x"), "0"); err != nil {
			return err
		}
	}
	program, err := binary.Open(g.Abs(cmp.Or(o.Binary, g.Exe)))
	if err != nil {
		return err
	}
	if o.SBOM != "" {
		if err := writeSBOM(g.Abs(o.SBOM), program, created); err != nil {
			return err
		}
	}
	if o.Tar == "" && o.Layout == "" && o.Push == "" {
		g.note("wrote what is in %s to %s", program.Path, o.SBOM)
		return nil
	}
	ctx, cancel := g.within(ctx, 0)
	defer cancel()
	return buildImage(ctx, g, o, program, created)
}

// epoch is the time that reproducible builds are given, or zero.
func (g *globals) epoch() (time.Time, error) {
	text := g.Env("SOURCE_DATE_EPOCH")
	if text == "" {
		return time.Unix(0, 0), nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 0 {
		return time.Time{}, usageHint("set it to seconds since 1970, or unset it", "SOURCE_DATE_EPOCH is %q", text)
	}
	return time.Unix(seconds, 0), nil
}

func writeSBOM(file string, program *binary.Binary, created time.Time) error {
	text, err := program.SPDX(created)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return usageHint("name a file in a folder that exists", "write SBOM: %w", err)
	}
	return nil
}

func buildImage(ctx context.Context, g *globals, o buildOpts, program *binary.Binary, created time.Time) (err error) {
	meter := &transfer{g: g}
	defer meter.done()
	opts := image.Options{
		Binary: program, Base: o.Base, Platform: o.Platform, Compression: image.Compression(o.Compression),
		Created: created, Progress: meter.tell,
	}
	if o.Dir != "" {
		opts.Dir = g.Abs(o.Dir)
	}
	if _, err := os.Stat(g.Abs(o.Base)); o.Base != "" && err == nil {
		opts.Base = g.Abs(o.Base)
	}
	for _, own := range []string{o.Tar, o.Layout, o.SBOM, o.Binary} {
		if own != "" {
			opts.Omit = append(opts.Omit, g.Abs(own))
		}
	}
	began := g.Now()
	img, err := image.Build(ctx, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, img.Close()) }()
	done, err := deliver(ctx, g, o, img)
	if err != nil {
		return err
	}
	meter.done()
	done.Platform = program.Build.Platform
	g.note("%s for %s: %s in %s, %.1f s", done.Reference[:len(done.Reference)-len(done.Digest)-1], done.Platform,
		megabytes(done.Size), count(len(done.Layers), "layer"), g.Now().Sub(began).Seconds())
	if !o.JSON {
		_, err = fmt.Fprintln(g.Out, done.Reference)
		return err
	}
	enc := json.NewEncoder(g.Out)
	enc.SetIndent("", "  ")
	return enc.Encode(done)
}

// deliver takes the image to wherever it was told to.
func deliver(ctx context.Context, g *globals, o buildOpts, img *image.Image) (*builtImage, error) {
	name, version := img.DefaultName()
	ref, err := image.ParseRef(cmp.Or(o.Tag, o.Push, name), version)
	if err != nil {
		return nil, err
	}
	done := &builtImage{Written: []string{}}
	if done.Digest, done.Layers, err = img.Parts(); err != nil {
		return nil, err
	}
	for _, l := range done.Layers {
		done.Size += l.Size
	}
	if o.Tar != "" {
		if err := img.WriteTar(ctx, g.Abs(o.Tar), ref); err != nil {
			return nil, err
		}
		done.Written = append(done.Written, o.Tar)
	}
	if o.Layout != "" {
		if err := img.WriteLayout(ctx, g.Abs(o.Layout), ref); err != nil {
			return nil, err
		}
		done.Written = append(done.Written, filepath.Clean(o.Layout))
	}
	if o.SBOM != "" {
		done.Written = append(done.Written, o.SBOM)
	}
	if o.Push != "" {
		if ref, err = image.ParseRef(o.Push, version); err != nil {
			return nil, err
		}
		if err := img.Push(ctx, ref); err != nil {
			return nil, err
		}
		done.Pushed = ref.String()
	}
	done.Reference = ref.String() + "@" + done.Digest
	return done, nil
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// transfer tells how many bytes are through: on a terminal in place, elsewhere a line now
// and then.
type transfer struct {
	g      *globals
	told   time.Time
	moving bool
}

func (t *transfer) tell(what string, done, total int64) {
	pause := 10 * time.Second
	if t.g.ErrTTY {
		pause = 100 * time.Millisecond
	}
	now := t.g.Now()
	if t.told.IsZero() {
		t.told = now
	}
	if t.g.Quiet || now.Sub(t.told) < pause {
		return
	}
	t.told = now
	line := fmt.Sprintf("%s: %s of %s", what, megabytes(done), megabytes(max(total, done)))
	if t.g.ErrTTY {
		fmt.Fprintf(t.g.Err, "\r\x1b[K%s", line)
		t.moving = true
		return
	}
	fmt.Fprintln(t.g.Err, line)
}

// done takes the line in place away.
func (t *transfer) done() {
	if t.moving {
		fmt.Fprint(t.g.Err, "\r\x1b[K")
		t.moving = false
	}
}
