package cli

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/catalog"
	"github.com/meshctl/meshctl/internal/deploy"
	"github.com/meshctl/meshctl/internal/durable"
	"github.com/meshctl/meshctl/internal/fault"
	"github.com/meshctl/meshctl/internal/manifest"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/trust"
)

const credsLong = `Give out, renew and take away the credentials with which products, people and programs
get into a mesh. Whoever has none stays out.

It takes an admin's credentials: on this machine you have some for the mesh that you run
yourself. With -n the hub of a Kubernetes namespace is asked, with the keys of its mesh
that are in the cluster, if you may read them.`

const credsExample = `  meshctl creds ls
  meshctl creds issue ann                  # a person who reads, to ann.creds
  meshctl creds issue ci --role admin --expires 720h
  meshctl creds issue --product flights    # a product, by its folder
  meshctl creds rotate ci
  meshctl creds revoke ann`

func newCreds(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "creds", Short: "Give out, renew and revoke credentials", Long: credsLong, Example: credsExample}
	cmd.AddCommand(newCredsLs(g), newCredsIssue(g), newCredsRotate(g), newCredsRevoke(g))
	return cmd
}

// withAdmin does something over a connection to the hub: of a cluster's namespace where
// the flags name one, else of the mesh that the other commands use.
func (g *globals) withAdmin(ctx context.Context, to *clusterFlags, do func(context.Context, *app.Client) error) error {
	if *to == (clusterFlags{}) {
		return g.withClient(ctx, callLimit, do)
	}
	ctx, cancel := g.within(ctx, callLimit)
	defer cancel()
	cluster, err := to.connect(g)
	if err != nil {
		return err
	}
	o := g.mesh()
	end, err := g.forwardHub(ctx, cluster, trust.Admin, &o)
	if err != nil {
		return err
	}
	if end == nil {
		return fault.New(fault.Unavailable, "deploy one with meshctl hub deploy", "no hub runs in namespace %s", cluster.Namespace)
	}
	defer end()
	o.Context = ""
	c, err := app.Dial(ctx, o)
	if err != nil {
		return err
	}
	defer c.Close()
	return do(ctx, c)
}

func newCredsLs(g *globals) *cobra.Command {
	var o output
	var to clusterFlags
	cmd := &cobra.Command{
		Use: "ls [flags]", Short: "List the credentials that the hub knows",
		Long: `List the credentials that the hub has issued or has been shown, also those that are of
no use any more. None of them is secret here.`,
		Example: `  meshctl creds ls -o json`, Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.withAdmin(cmd.Context(), &to, func(ctx context.Context, c *app.Client) error {
				all, err := c.Credentials(ctx)
				if err != nil {
					return err
				}
				return g.writeCredentials(o, all)
			})
		},
	}
	o.bind(cmd)
	to.bind(cmd)
	return cmd
}

func (g *globals) writeCredentials(o output, all []app.Credential) error {
	return g.write(o.format, all, func() ([]string, [][]string) {
		rows := [][]string{}
		for i := range all {
			c := &all[i]
			rows = append(rows, []string{
				c.Holder.Name, string(c.Holder.Role), credentialState(c, g.Now()), catalog.Ago(g.Now(), c.Issued), dateOrNever(c.Expires), c.Key,
			})
		}
		return []string{"name", "role", "state", "issued", "expires", "key"}, rows
	})
}

func credentialState(c *app.Credential, now time.Time) string {
	switch {
	case !c.Revoked.IsZero():
		return "revoked"
	case !c.Usable(now):
		return "expired"
	}
	return "good"
}

func dateOrNever(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Format(time.RFC3339)
}

// issued are the flags of commands that make a credential.
type issued struct {
	Expires time.Duration
	File    string
	Secret  bool
	Output  output
	to      clusterFlags
}

func (i *issued) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.DurationVar(&i.Expires, "expires", 0, "of no use any more after this long, such as 720h (default never)")
	f.StringVar(&i.File, "file", "", "write it to this `file`, which only you can read (default NAME.creds)")
	f.BoolVar(&i.Secret, "secret", false, "write a Kubernetes Secret to stdout instead")
	i.Output.bind(cmd)
	i.to.bind(cmd)
}

func (i *issued) expires(now time.Time) (time.Time, error) {
	switch {
	case i.Expires < 0:
		return time.Time{}, usageHint("write it as 720h", "it would have expired %s ago", -i.Expires)
	case i.Expires == 0:
		return time.Time{}, nil
	}
	return now.Add(i.Expires).UTC(), nil
}

// issuedFile is what is told of a credential that was written to a file.
type issuedFile struct {
	Name    string     `json:"name"`
	Role    trust.Role `json:"role"`
	Key     string     `json:"key"`
	Expires time.Time  `json:"expires,omitzero"`
	File    string     `json:"file"`
}

// keep writes a credential where the flags say. fresh refuses a file that is there.
func (i *issued) keep(g *globals, c *trust.Creds, fresh bool) error {
	text, err := c.File()
	if err != nil {
		return err
	}
	if i.Secret {
		labels := map[string]any{product.LabelManagedBy: product.ManagedBy, product.LabelName: c.Name}
		secret := deploy.Secret(c.Name, i.to.Namespace, labels, product.CredsKey, text)
		return g.writeManifests([]manifest.Object{manifest.Object(secret)}, "-")
	}
	file := i.path(g, c.Name)
	if fresh {
		if err := i.free(g, c.Name); err != nil {
			return err
		}
	}
	if err := durable.WriteSecret(file, text); err != nil {
		return err
	}
	told := issuedFile{c.Name, c.Role, c.Key, c.Expires, file}
	return g.write(i.Output.format, told, func() ([]string, [][]string) {
		return []string{"name", "role", "expires", "file"}, [][]string{{c.Name, string(c.Role), dateOrNever(c.Expires), file}}
	})
}

func (i *issued) path(g *globals, name string) string {
	if i.File != "" {
		return g.Abs(i.File)
	}
	return g.Abs(name + ".creds")
}

// free refuses to write over a file: it may be somebody's only credential.
func (i *issued) free(g *globals, name string) error {
	if _, err := os.Stat(i.path(g, name)); i.Secret || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return fault.New(fault.Conflict, "name another with --file, or renew it with meshctl creds rotate", "the file %s is there already", i.path(g, name))
}

const credsIssueLong = `Give a credential to a person or a program by NAME, or to a product by its folder.

read-only browses the catalog, and gets, scans, queries and tails every product. admin
publishes too, looks after products, and gives out credentials. A product's credential is
for what its descriptor says: its own subjects, the ports that its inputs read, and its
catalog entry. It is issued anew when the inputs change; whoever has a hub's keys or
runs "meshctl up" or "meshctl deploy" need not care.

The secret half is made here and goes nowhere but into the file.`

func newCredsIssue(g *globals) *cobra.Command {
	var i issued
	var role, dir string
	cmd := &cobra.Command{
		Use: "issue [NAME] [flags]", Short: "Give a credential to a person, a program or a product",
		Long: credsIssueLong,
		Example: `  meshctl creds issue ann
  meshctl creds issue ci --role admin --expires 720h --file ci.creds
  meshctl creds issue --product flights --secret | kubectl apply -f -`,
		Args: arguments("[NAME]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			holder, err := g.holder(args, role, dir)
			if err != nil {
				return err
			}
			expires, err := i.expires(g.Now())
			if err != nil {
				return err
			}
			if err := i.free(g, holder.Name); err != nil {
				return err
			}
			return g.withAdmin(cmd.Context(), &i.to, func(ctx context.Context, c *app.Client) error {
				creds, err := c.IssueCreds(ctx, holder, expires)
				if err != nil {
					return err
				}
				return i.keep(g, creds, true)
			})
		},
	}
	cmd.Flags().StringVar(&role, "role", string(trust.ReadOnly), "what a person or program may: read-only or admin")
	cmd.Flags().StringVar(&dir, "product", "", "give it to the product in this `folder`")
	oneOf(cmd, "role", trust.PeopleRoles()...)
	cmd.MarkFlagsMutuallyExclusive("role", "product")
	i.bind(cmd)
	return cmd
}

// holder is who the arguments name.
func (g *globals) holder(args []string, role, dir string) (trust.Holder, error) {
	switch {
	case dir != "" && len(args) > 0:
		return trust.Holder{}, usageHint("leave NAME out: the folder's descriptor says it", "both a name and a product were given")
	case dir != "":
		loaded, err := g.readProducts([]string{dir})
		if err != nil {
			return trust.Holder{}, err
		}
		return trust.HolderOf(loaded[0].Product), nil
	case len(args) == 0:
		return trust.Holder{}, usageHint("give a NAME, or a product's folder with --product", "nobody was named")
	case !slices.Contains(trust.PeopleRoles(), role):
		return trust.Holder{}, usageHint("choose read-only or admin", "there is no role %q", role)
	}
	return trust.Holder{Name: args[0], Role: trust.Role(role)}, nil
}

const credsRotateLong = `Give the holder of a credential a new one, for the same rights, and revoke all others of
that holder as soon as it is written. A product takes up a file, or a mounted Secret, that
has changed by itself; until then its leaf works on alone and catches up.`

func newCredsRotate(g *globals) *cobra.Command {
	var i issued
	cmd := &cobra.Command{
		Use: "rotate NAME [flags]", Short: "Give a holder a new credential, and revoke the others",
		Long: credsRotateLong,
		Example: `  meshctl creds rotate ci --file ci.creds
  meshctl creds rotate flights -n aviation --secret | kubectl apply -f -`,
		Args: arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			expires, err := i.expires(g.Now())
			if err != nil {
				return err
			}
			return g.withAdmin(cmd.Context(), &i.to, func(ctx context.Context, c *app.Client) error {
				return runRotate(ctx, g, c, args[0], expires, &i)
			})
		},
	}
	i.bind(cmd)
	return cmd
}

func runRotate(ctx context.Context, g *globals, c *app.Client, name string, expires time.Time, i *issued) error {
	all, err := c.Credentials(ctx)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(c app.Credential) bool { return c.Holder.Name != name })
	if len(all) == 0 {
		return fault.New(fault.NotFound, "list what there is with meshctl creds ls", "the hub knows no credential of %q", name)
	}
	creds, err := c.IssueCreds(ctx, all[len(all)-1].Holder, expires)
	if err != nil {
		return err
	}
	if err := i.keep(g, creds, false); err != nil {
		return err
	}
	revoked, err := c.RevokeCreds(ctx, app.RevokeRequest{Name: name, But: creds.Key})
	if err == nil {
		g.note("%s revoked", count(len(revoked), "earlier credential"))
	}
	return err
}

func newCredsRevoke(g *globals) *cobra.Command {
	var o output
	var to clusterFlags
	cmd := &cobra.Command{
		Use: "revoke NAME [flags]", Short: "Take a holder's credentials away",
		Long: `Make all credentials of a holder useless, at once and for good. Its connections end. It
can be given new ones.`,
		Example: `  meshctl creds revoke ann`, Args: arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withAdmin(cmd.Context(), &to, func(ctx context.Context, c *app.Client) error {
				all, err := c.RevokeCreds(ctx, app.RevokeRequest{Name: args[0]})
				if err != nil {
					return err
				}
				g.note("%s revoked", count(len(all), "credential"))
				return g.writeCredentials(o, all)
			})
		},
	}
	o.bind(cmd)
	to.bind(cmd)
	return cmd
}
