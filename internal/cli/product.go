package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
)

func newProduct(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "product", Short: "Add products to a running mesh, or remove them",
		Long: `Add products to the mesh that "meshctl up" runs on this machine, or remove them.`,
		Example: `  meshctl product add delays
  meshctl product remove delays`,
	}
	cmd.AddCommand(newProductAdd(g), newProductRemove(g))
	return cmd
}

func newProductAdd(g *globals) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "add DIR [flags]", Short: "Add a product, or apply its edited descriptor",
		Long: `Add a product's folder to the running mesh. For one that runs there already its edited
descriptor is applied; a change that breaks a contract is refused with the reason.`,
		Example: `  meshctl product add delays`, Args: arguments("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withClient(cmd.Context(), callLimit, func(ctx context.Context, c *app.Client) error {
				a, err := c.AddProduct(ctx, g.Abs(args[0]))
				if err != nil {
					return err
				}
				g.note("product %s runs", a.Name)
				if len(a.Changes) == 0 && people(o.format) {
					return nil
				}
				return g.write(o.format, a, func() ([]string, [][]string) {
					rows := [][]string{}
					for _, ch := range a.Changes {
						rows = append(rows, []string{ch.Path, ch.Message})
					}
					return []string{"field", "change"}, rows
				})
			})
		},
	}
	o.bind(cmd)
	return cmd
}

func newProductRemove(g *globals) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use: "remove NAME [flags]", Short: "Stop a product and take it out of the mesh; its data stays",
		Long:    `Stop a product and take it out of the running mesh. Its data stays where it is.`,
		Example: `  meshctl product remove delays`, Args: arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withClient(cmd.Context(), callLimit, func(ctx context.Context, c *app.Client) error {
				a, err := c.RemoveProduct(ctx, args[0])
				if err != nil {
					return err
				}
				g.note("product %s is out of the mesh", a.Name)
				return g.write(o.format, a, func() ([]string, [][]string) {
					return []string{"product", "data kept in"}, [][]string{{a.Name, a.Data}}
				})
			})
		},
	}
	o.bind(cmd)
	return g.completeFirst(cmd, false, productNames)
}
