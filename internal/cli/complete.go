package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshctl/meshctl/internal/app"
	"github.com/meshctl/meshctl/internal/catalog"
)

// completeLimit is how long a shell waits for names; a person is waiting too.
const completeLimit = 700 * time.Millisecond

// completeFirst lets a shell complete the command's first argument from the catalog.
// What comes after it are files where files says so, else nothing. Without a mesh there
// is nothing to complete, which is no error.
func (g *globals) completeFirst(cmd *cobra.Command, files bool, names func(catalog.Catalog) []string) *cobra.Command {
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			if files {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completeLimit)
		defer cancel()
		c, err := g.dial(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer c.Close()
		return begin(ctx, c, begun, names), cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

// begin are the names that begin as what was typed.
func begin(ctx context.Context, c *app.Client, begun string, names func(catalog.Catalog) []string) []string {
	all, err := c.Catalog(ctx)
	if err != nil {
		return nil
	}
	var fit []string
	for _, name := range names(all) {
		if strings.HasPrefix(name, begun) {
			fit = append(fit, name)
		}
	}
	return fit
}

// portNames are the addresses of all ports, each with what it holds.
func portNames(all catalog.Catalog) []string {
	var names []string
	for _, e := range all {
		for _, p := range e.Ports {
			names = append(names, p.Address+"\t"+described(p.Output.Type, e.Product.Metadata.Description))
		}
	}
	return names
}

// productNames are the names of all products, each with what it is.
func productNames(all catalog.Catalog) []string {
	var names []string
	for _, e := range all {
		m := e.Product.Metadata
		names = append(names, m.Name+"\t"+described(m.Domain, m.Description))
	}
	return names
}

// described is a short description that fits on a line of completions.
func described(what, description string) string {
	line, _, _ := strings.Cut(description, "\n")
	if line == "" {
		return what
	}
	return what + ": " + line
}
