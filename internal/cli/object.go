package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/durable"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/product"
)

func newObject(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "object", Short: "Put, get, list and remove files of a port",
		Long: `Files of any size in a port of type object. The port is a table in SQL too: name, size,
time, digest and metadata of each file.`,
		Example: `  meshctl object put papers.scans *.pdf --meta project=x
  meshctl object get papers.scans a.pdf
  meshctl query 'SELECT name, size FROM papers.scans ORDER BY time'`,
	}
	cmd.AddCommand(newObjectPut(g), newObjectGet(g), newObjectLs(g), newObjectRm(g))
	return cmd
}

// objectPorts are the addresses of the ports that have files.
func objectPorts(all catalog.Catalog) []string {
	return slices.DeleteFunc(portNames(all), func(name string) bool {
		_, what, _ := strings.Cut(name, "\t")
		return what != product.Object && !strings.HasPrefix(what, product.Object+":")
	})
}

type objectPutOpts struct {
	Port   string
	Files  []string
	Name   string
	Meta   map[string]string
	Output output
}

func newObjectPut(g *globals) *cobra.Command {
	var o objectPutOpts
	cmd := &cobra.Command{
		Use: "put PORT FILE... [flags]", Short: "Put files into a port",
		Long: `Put files into a port of type object; - is stdin. Each is there as a whole or not at all,
in place of the one of that name, and in SQL when the command returns. What is left of a
put that was interrupted is removed.`,
		Example: `  meshctl object put papers.scans a.pdf b.pdf --meta project=x
  tar c photos | meshctl object put papers.scans - --name photos.tar`, Args: arguments("PORT", "FILE..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Port, o.Files = args[0], args[1:]
			return runObjectPut(cmd.Context(), g, o)
		},
	}
	cmd.Flags().StringVar(&o.Name, "name", "", "call the file `this` in the port (default: its own name without folders)")
	cmd.Flags().StringToStringVar(&o.Meta, "meta", nil, "say `key=value` of the file; may be repeated")
	o.Output.bind(cmd)
	return g.completeFirst(cmd, true, objectPorts)
}

func runObjectPut(ctx context.Context, g *globals, o objectPutOpts) error {
	if o.Name != "" && len(o.Files) > 1 {
		return usageHint("put one after the other", "--name is of one file, and %d are named", len(o.Files))
	}
	if o.Name == "" && slices.Contains(o.Files, "-") {
		return usageHint("give it one with --name", "what stdin holds has no name")
	}
	return g.withClient(ctx, 0, func(ctx context.Context, c *app.Client) error {
		put := []app.Object{}
		for _, file := range o.Files {
			f, err := putFile(ctx, g, c, o, file)
			if err != nil {
				if len(put) > 0 {
					err = errors.Join(err, g.objects(o.Output, put)) // which are there all the same
				}
				return err
			}
			put = append(put, f)
		}
		return g.objects(o.Output, put)
	})
}

func putFile(ctx context.Context, g *globals, c *app.Client, o objectPutOpts, file string) (f app.Object, err error) {
	name := o.Name
	if name == "" {
		name = filepath.Base(file)
	}
	p := newProgress(g, name)
	p.unit = "bytes"
	in := g.In
	if file != "-" {
		open, err := os.Open(g.Abs(file))
		if err != nil {
			return f, fault.New(fault.Invalid, "check the path", "put %s: %w", file, err)
		}
		defer func() { err = errors.Join(err, open.Close()) }()
		info, err := open.Stat()
		switch {
		case err != nil:
			return f, err
		case info.IsDir():
			return f, fault.New(fault.Invalid, "name the files in it, or put an archive of it", "put %s: it is a folder", file)
		}
		p.of(info.Size())
		in = open
	}
	f, err = c.PutObject(ctx, o.Port, name, in, app.ObjectOptions{Metadata: o.Meta, Progress: p.rows})
	p.done()
	return f, err
}

// objects writes files as an answer.
func (g *globals) objects(o output, files []app.Object) error {
	return g.write(o.format, files, func() ([]string, [][]string) {
		rows := [][]string{}
		for _, f := range files {
			row := []string{f.Name, binaryBytes(f.Size), f.Time.UTC().Format(time.RFC3339), f.Digest, metadataText(f.Metadata)}
			if !people(o.format) {
				row[1] = fmt.Sprint(f.Size)
			}
			rows = append(rows, row)
		}
		return []string{"name", "size", "time", "digest", "metadata"}, rows
	})
}

func metadataText(m map[string]string) string {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		all = append(all, k+"="+m[k])
	}
	return strings.Join(all, " ")
}

type objectGetOpts struct {
	Port, Name, File, From string
	Output                 output
}

const fromHelp = "ask `this product`, which has the port as an input, for its copy"

func newObjectGet(g *globals) *cobra.Command {
	var o objectGetOpts
	cmd := &cobra.Command{
		Use: "get PORT NAME [FILE] [flags]", Short: "Get a file of a port",
		Long: `Get a file of a port and check its digest; FILE - is stdout. Without FILE it goes into the
present folder, unless there is one of that name. A file that did not come as a whole, or
is not what was put, is not left there.

Exit code 1 says that there is no such file, or that its content is damaged.`,
		Example: `  meshctl object get papers.scans a.pdf
  meshctl object get papers.scans photos.tar - | tar x
  meshctl object get papers.scans a.pdf --from archive`, Args: arguments("PORT", "NAME", "[FILE]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Port, o.Name = args[0], args[1]
			if len(args) > 2 {
				o.File = args[2]
			}
			return g.withClient(cmd.Context(), 0, func(ctx context.Context, c *app.Client) error {
				return runObjectGet(ctx, g, c, o)
			})
		},
	}
	cmd.Flags().StringVar(&o.From, "from", "", fromHelp)
	o.Output.bind(cmd)
	return g.completeFirst(cmd, false, objectPorts)
}

func runObjectGet(ctx context.Context, g *globals, c *app.Client, o objectGetOpts) error {
	if o.File == "-" {
		_, err := getFile(ctx, g, c, o, g.Out)
		return err
	}
	to := o.File
	if to == "" {
		to = path.Base(o.Name)
		if to == "." || to == ".." || to == "/" {
			return usageHint("name the file that it is to become", "%q is no name of a file here", o.Name)
		}
		if _, err := os.Lstat(g.Abs(to)); !errors.Is(err, fs.ErrNotExist) {
			return fault.New(fault.Conflict, "name a file, which is replaced, or remove this one", "get %s: there is a %s here already", o.Name, to)
		}
	}
	var f app.Object
	err := durable.Replace(g.Abs(to), false, func(w io.Writer) (err error) {
		f, err = getFile(ctx, g, c, o, w)
		return err
	})
	if err != nil {
		return err
	}
	return g.objects(o.Output, []app.Object{f})
}

func getFile(ctx context.Context, g *globals, c *app.Client, o objectGetOpts, w io.Writer) (app.Object, error) {
	p := newProgress(g, o.Name)
	p.unit = "bytes"
	defer p.done()
	return c.GetObject(ctx, o.Port, o.Name, o.From, func(f app.Object) (io.Writer, error) {
		p.of(int64(f.Size))
		return &countedWriter{w: w, told: p.rows}, nil
	})
}

// countedWriter tells how many bytes have been written.
type countedWriter struct {
	w    io.Writer
	n    uint64
	told func(uint64)
}

func (c *countedWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += uint64(n)
	c.told(c.n)
	return n, err
}

func newObjectLs(g *globals) *cobra.Command {
	var o output
	var from string
	cmd := &cobra.Command{
		Use: "ls PORT [flags]", Short: "List the files of a port",
		Long: `List the files of a port, the one put there first first.`,
		Example: `  meshctl object ls papers.scans
  meshctl object ls papers.scans -o jsonl
  meshctl object ls papers.scans --from archive`, Args: arguments("PORT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withClient(cmd.Context(), 0, func(ctx context.Context, c *app.Client) error {
				files := []app.Object{}
				err := c.Objects(ctx, args[0], from, func(f app.Object) error {
					files = append(files, f)
					return nil
				})
				if err != nil {
					return err
				}
				return g.objects(o, files)
			})
		},
	}
	cmd.Flags().StringVar(&from, "from", "", fromHelp)
	o.bind(cmd)
	return g.completeFirst(cmd, false, objectPorts)
}

func newObjectRm(g *globals) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "rm PORT NAME... [flags]", Short: "Remove files of a port",
		Long: `Remove files of a port for good. Exit code 1 says that there was none of one of the names;
the others are removed all the same.`,
		Example: `  meshctl object rm papers.scans a.pdf`, Args: arguments("PORT", "NAME", "[NAME]..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withClient(cmd.Context(), 0, func(ctx context.Context, c *app.Client) error {
				missing, err := c.RemoveObjects(ctx, args[0], args[1:])
				if err != nil {
					return err
				}
				return g.writeRemoved(o, args[0], args[1:], missing)
			})
		},
	}
	o.bind(cmd)
	return g.completeFirst(cmd, false, objectPorts)
}

func (g *globals) writeRemoved(o output, port string, names, missing []string) error {
	type removed struct {
		Name    string `json:"name"`
		Removed bool   `json:"removed"`
	}
	all := []removed{}
	for _, name := range names {
		all = append(all, removed{name, !slices.Contains(missing, name)})
	}
	err := g.write(o.format, all, func() ([]string, [][]string) {
		rows := [][]string{}
		for _, r := range all {
			rows = append(rows, []string{r.Name, map[bool]string{true: "yes", false: "no"}[r.Removed]})
		}
		return []string{"name", "removed"}, rows
	})
	if err == nil && len(missing) > 0 {
		return fault.New(fault.Rejected, "see with meshctl object ls "+port+" which there are",
			"%s has no %s %s", port, plural(len(missing), "file"), shownKeys(missing))
	}
	return err
}
