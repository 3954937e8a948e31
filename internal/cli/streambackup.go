package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/mesh"
	"github.com/meshctl/meshctl/internal/product"
)

// backedUp is what a backup or a restore did to one stream.
type backedUp struct {
	Stream   string `json:"stream"`
	Messages uint64 `json:"messages"`
	Last     uint64 `json:"lastSequence"`
	Size     int64  `json:"size"` // of the archive
	Dir      string `json:"dir"`
}

func (g *globals) writeBackedUp(o output, all []backedUp) error {
	return g.write(o.format, all, func() ([]string, [][]string) {
		rows := [][]string{}
		for _, b := range all {
			rows = append(rows, []string{b.Stream, fmt.Sprint(b.Messages), fmt.Sprint(b.Last), binaryBytes(uint64(b.Size)), b.Dir})
		}
		return []string{"stream", "messages", "last sequence", "archive", "folder"}, rows
	})
}

func newStreamBackup(g *globals) *cobra.Command {
	var o output
	var home homeFlag
	cmd := &cobra.Command{
		Use: "backup STREAM|PRODUCT DIR [flags]", Short: "Write a stream, or all of a product, into a folder",
		Long: `Write a stream into a folder, compressed, with a digest, while it goes on being used. Of a
product it is every stream but mirrors, each in a folder of its own. An interrupted backup
goes on where it was when the command is repeated. What was written is read back: every
message must be there. The nats command line can read the folder too.`,
		Example: `  meshctl stream backup orders orders-backup
  meshctl stream backup orders/audit audit-backup`, Args: arguments("STREAM|PRODUCT", "DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := g.Abs(args[1])
			return g.withClient(cmd.Context(), 0, func(ctx context.Context, c *app.Client) error {
				streams, dirs, err := home.toBackUp(ctx, c, args[0], dir)
				if err != nil {
					return err
				}
				all := []backedUp{}
				for i, a := range streams {
					p := newProgress(g, a.String())
					p.unit = "bytes"
					b, err := c.BackupStream(ctx, a, dirs[i], func(n int64) { p.rows(uint64(n)) })
					p.done()
					if err != nil {
						return err
					}
					all = append(all, backedUp{a.String(), b.State.Msgs, b.State.LastSeq, b.Proof.Size, dirs[i]})
				}
				return g.writeBackedUp(o, all)
			})
		},
	}
	home.bind(cmd)
	o.bind(cmd)
	return cmd
}

// toBackUp are the streams of an argument, and where each goes.
func (h *homeFlag) toBackUp(ctx context.Context, c *app.Client, name, dir string) (streams []app.StreamAddress, dirs []string, err error) {
	if h.Domain != "" || strings.ContainsAny(name, "./@") {
		a, err := c.ResolveStream(ctx, name, h.Domain)
		return []app.StreamAddress{a}, []string{dir}, err
	}
	all, err := c.StreamsOf(ctx, app.StreamHome{Name: name}, mesh.StreamQuery{})
	for i := range all {
		if all[i].Mirror == nil {
			streams = append(streams, app.StreamAddress{Home: app.StreamHome{Name: name}, Stream: all[i].Name})
			dirs = append(dirs, filepath.Join(dir, all[i].Name))
		}
	}
	return streams, dirs, err
}

func newStreamRestore(g *globals) *cobra.Command {
	var o output
	var home homeFlag
	cmd := &cobra.Command{
		Use: "restore DIR [PRODUCT] [flags]", Short: "Make streams of a backup",
		Long: `Make the streams of a backup's folder again: equal to what they were, sequences and times
included, in the product that they were of or in another home. Each must be new there, or
have been empty from the beginning. The archive is checked by its digest, and the messages
are counted. An interrupted restore goes on where it was when the command is repeated.

A product's own streams belong together, so they are restored together.`,
		Example: `  meshctl stream restore orders-backup
  meshctl stream restore audit-backup orders-test`, Args: arguments("DIR", "[PRODUCT]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dirs, first, err := backups(g.Abs(args[0]))
			if err != nil {
				return err
			}
			homes, err := home.homes(args[1:])
			if err != nil {
				return err
			}
			if len(homes) == 0 {
				if !product.ValidName(first.Proof.Domain) {
					return usageHint("name one", "the backup does not say which product it is of")
				}
				homes = []app.StreamHome{{Name: first.Proof.Domain}}
			}
			return g.withClient(cmd.Context(), 0, func(ctx context.Context, c *app.Client) error {
				p := newProgress(g, args[0])
				p.unit = "bytes"
				done, err := c.RestoreStreams(ctx, homes[0], dirs, func(n int64) { p.rows(uint64(n)) })
				p.done()
				if err != nil {
					return err
				}
				all := []backedUp{}
				for i, r := range done {
					b := backedUp{Stream: homes[0].Name + "/" + r.Stream, Messages: r.Messages, Last: r.Last, Dir: dirs[i]}
					if info, err := os.Stat(filepath.Join(dirs[i], mesh.ArchiveFile)); err == nil {
						b.Size = info.Size()
					}
					all = append(all, b)
				}
				return g.writeBackedUp(o, all)
			})
		},
	}
	home.bind(cmd)
	o.bind(cmd)
	return cmd
}

// backups are the folder itself or those in it that hold backups, and the first of them.
func backups(dir string) (dirs []string, first *mesh.Backup, err error) {
	if first, err = mesh.ReadBackup(dir); fault.KindOf(err) != fault.NotFound {
		return []string{dir}, first, err
	}
	inside, globErr := filepath.Glob(filepath.Join(dir, "*", mesh.BackupFile))
	if globErr != nil || len(inside) == 0 {
		return nil, nil, err
	}
	for _, path := range inside {
		b, err := mesh.ReadBackup(filepath.Dir(path))
		if err != nil {
			return nil, nil, err
		}
		if first == nil {
			first = b
		}
		dirs = append(dirs, filepath.Dir(path))
	}
	return dirs, first, nil
}
