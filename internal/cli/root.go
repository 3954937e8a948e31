package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/meshctl/meshctl/internal/binary"
	"github.com/meshctl/meshctl/internal/product"
)

// The groups of commands, as the root's help lists them.
const (
	groupMake   = "make"
	groupUse    = "use"
	groupCare   = "care"
	groupDeploy = "deploy"
	groupOther  = "other"
)

func groups() []*cobra.Group {
	return []*cobra.Group{
		{ID: groupMake, Title: "Make and run a data product"},
		{ID: groupUse, Title: "Put data in and take it out"},
		{ID: groupCare, Title: "Look after a mesh"},
		{ID: groupDeploy, Title: "Deploy to Kubernetes"},
		{ID: groupOther, Title: "Everything else"},
	}
}

// listed is one command and where help shows it.
type listed struct {
	group string
	make  func(*globals) *cobra.Command
}

// commands is the one list of commands; help keeps its order.
func commands() []listed {
	return []listed{
		{groupMake, newInit},
		{groupMake, newValidate},
		{groupMake, newUp},
		{groupMake, newHub},
		{groupMake, newRun},
		{groupMake, newProduct},
		{groupMake, newGrant},

		{groupUse, newPublish},
		{groupUse, newImport},
		{groupUse, newObject},
		{groupUse, newTail},
		{groupUse, newGet},
		{groupUse, newScan},
		{groupUse, newQuery},
		{groupUse, newExplain},
		{groupUse, newCatalog},
		{groupUse, newUI},

		{groupCare, newStream},
		{groupCare, newLeaf},
		{groupCare, newDoctor},
		{groupCare, newCheck},
		{groupCare, newEvents},
		{groupCare, newDeadletter},
		{groupCare, newRebuild},
		{groupCare, newCreds},

		{groupDeploy, newBuild},
		{groupDeploy, newGenerate},
		{groupDeploy, newDiff},
		{groupDeploy, newDeploy},
		{groupDeploy, newStatus},
		{groupDeploy, newLogs},
		{groupDeploy, newRollback},
		{groupDeploy, newDelete},

		{groupOther, newSchema},
		{groupOther, newVersion},
		{groupOther, newMan},
	}
}

const rootLong = `meshctl runs data products and lets everyone use them.

A data product is one file, dataproduct.yaml, and if it wants its own code. It runs as
one process that carries its own log, point reads and SQL, and joins a mesh of others.`

const rootExample = `  meshctl init flights --from flights.csv   # a product from a file that exists
  meshctl validate flights                  # is its descriptor right?`

// newRoot is the command tree, not yet run.
func newRoot(g *globals) *cobra.Command {
	root := &cobra.Command{
		Use: "meshctl", Short: "Run data products and use them", Long: rootLong, Example: rootExample,
		Version: binary.Running().Version, SilenceErrors: true, SilenceUsage: true,
		PersistentPreRun: func(*cobra.Command, []string) { g.apply() },
	}
	root.Flags().Bool("version", false, "show the version of meshctl")
	root.SetVersionTemplate("meshctl {{.Version}}\n")
	root.SetIn(g.In)
	root.SetOut(g.Out)
	root.SetErr(g.Err)
	root.AddGroup(groups()...)
	g.bind(root)
	var order []*cobra.Command
	for _, l := range commands() {
		cmd := l.make(g)
		cmd.GroupID = l.group
		root.AddCommand(cmd)
		order = append(order, cmd)
	}
	root.SetHelpCommand(newHelp(root))
	root.SetHelpCommandGroupID(groupOther)
	root.SetCompletionCommandGroupID(groupOther)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { writeHelp(cmd.OutOrStdout(), cmd, order) })
	root.SetFlagErrorFunc(flagError)
	return root
}

// finish gives every command below cmd the same manners: arguments are checked as
// usage errors with a suggestion, a noun without a verb shows its help, and *started
// says that a command's own code has begun.
func finish(cmd *cobra.Command, started *bool) {
	for _, sub := range cmd.Commands() {
		finish(sub, started)
	}
	cmd.DisableFlagsInUseLine = true
	cmd.SuggestionsMinimumDistance = 2
	if cmd.Flags().Lookup("help") == nil {
		cmd.Flags().BoolP("help", "h", false, "show this help")
	}
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.Args = noSuchCommand
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		return
	}
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError(cmd, "%s: %w", cmd.CommandPath(), err)
			}
			return nil
		}
	}
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*started = true
			return run(cmd, args)
		}
	}
}

// noSuchCommand refuses any argument of a command that only has commands below it.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usageHint("did you mean \""+cmd.CommandPath()+" "+strings.Join(near, "\" or \""+cmd.CommandPath()+" ")+"\"?",
			"unknown command %q for %q", args[0], cmd.CommandPath())
	}
	return usageError(cmd, "unknown command %q for %q", args[0], cmd.CommandPath())
}

// flagError says which flag was meant, where one comes close.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "" {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		})
		if near := product.Nearest(unknown.GetSpecifiedName(), names); near != "" {
			return usageHint("did you mean --"+near+"?", "%s: %w", cmd.CommandPath(), err)
		}
	}
	return usageError(cmd, "%s: %w", cmd.CommandPath(), err)
}
