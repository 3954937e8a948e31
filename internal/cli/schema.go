package cli

import (
	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/product"
)

func newSchema(g *globals) *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of dataproduct.yaml, for editors",
		Long: `Print the JSON Schema of dataproduct.yaml. An editor that knows it completes fields and
marks mistakes; with the YAML language server, save it and begin a descriptor with

  # yaml-language-server: $schema=dataproduct.schema.json`,
		Example: "  meshctl schema > dataproduct.schema.json",
		Args:    arguments(),
		RunE: func(*cobra.Command, []string) error {
			_, err := g.Out.Write(product.JSONSchema())
			return err
		},
	}
}
