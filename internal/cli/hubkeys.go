package cli

import (
	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/deploy"
	"github.com/meshctl/meshctl/internal/manifest"
	"github.com/meshctl/meshctl/internal/product"
	"github.com/meshctl/meshctl/internal/trust"
)

const hubKeysLong = `Make the keys of a new mesh and write them as a Kubernetes Secret, for a hub whose other
objects "meshctl hub generate" writes. "meshctl hub deploy" makes them by itself.

Everybody who gets this Secret can let anybody into the mesh. Create it once, and keep a
backup: with other keys no credential is good any more.`

func newHubKeys(g *globals) *cobra.Command {
	var namespace string
	cmd := &cobra.Command{
		Use: "keys [flags]", Short: "Make the keys of a new mesh, as a Secret",
		Long: hubKeysLong, Example: `  meshctl hub keys -n aviation | kubectl create -f -`, Args: arguments(),
		RunE: func(*cobra.Command, []string) error {
			keys, err := trust.NewKeys()
			if err != nil {
				return err
			}
			content, err := keys.Bytes()
			if err != nil {
				return err
			}
			labels := map[string]any{product.LabelManagedBy: product.ManagedBy, product.LabelName: product.HubName}
			secret := deploy.Secret(product.HubName, namespace, labels, product.KeysKey, content)
			return g.writeManifests([]manifest.Object{manifest.Object(secret)}, "-")
		},
	}
	cmd.Flags().StringVarP(&namespace, "namespace", "n", "", "put it into this namespace (default that of kubectl)")
	return cmd
}
